"""Faults: what goes wrong on purpose, at random or by script; with one seed the same whatever order requests have."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from avowal.errors import InputError
from avowal.simulated.draws import uniform

KINDS = {
    "slow": "the answer comes later by SECONDS",
    "reset": "the request is carried out, then the connection is reset amid the answer",
    "truncate": "the request is carried out, then the answer ends amid its JSON",
    "wrong-type": "a page of HTML with status 200 in place of the answer",
    "quota": "429 with the code insufficient_quota, which no waiting mends",
    "refuse": "the reply is a refusal",
    "malformed": "the reply is neither a letter nor JSON",
    "empty": "the reply is an empty text",
    "cut": "the reply ends too early, with finish_reason length",
    "filtered": "the reply is withheld, with finish_reason content_filter",
    "job-fails": "a fine-tuning job fails after a while",
    "create-timeout": "a job or batch is created, but the answer never comes",
    "batch-fails": "a batch fails its validation",
    "batch-expires": "a batch expires when half of its requests are answered",
    "batch-partial": "a request of a batch ends in its error file",
}
"""What can go wrong, beside any HTTP status from 400 to 599, by the name that ``--fault`` takes."""

REPLIES = ("refuse", "malformed", "empty", "cut", "filtered")
"""The kinds that spoil a reply and leave the HTTP answer whole."""

_SPEC = re.compile(r"(?P<kind>[a-z0-9-]+)(?:@(?P<path>[^=]+))?=(?P<when>[^:]+)(?::(?P<seconds>.+))?")
_PLACES = re.compile(r"(\d+)(?:-(\d+))?")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Attributes
    ----------
    kind
        One of :data:`KINDS`, or an HTTP status.
    share
        How probable it is, from 0 to 1; 0 for one by script.
    places
        Which occasions it befalls, counted from 1, as pairs of first and last.
    path
        A part of the paths that it befalls; all if empty.
    seconds
        How long an answer is held up (``slow``), or what ``Retry-After`` says (statuses); None for the default.
    """

    kind: str
    share: float
    places: tuple[tuple[int, int], ...] = ()
    path: str = ""
    seconds: float | None = None


def parse(specs: Sequence[str]) -> tuple[Fault, ...]:
    """Read faults as the command line takes them.

    Parameters
    ----------
    specs
        Each ``KIND[@PATH]=WHEN[:SECONDS]``, several joined by commas. WHEN is a probability, or ``#`` and the
        occasions, such as ``#1``, ``#3-9`` or ``#1+4+6-8``. ``retry-after=SECONDS`` sets Retry-After for all statuses.

    Returns
    -------
    tuple of Fault

    Raises
    ------
    InputError
        For an unknown kind, a probability that is none, or a time that is negative.

    Examples
    --------
    >>> parse(["429@chat=0.2:300"])
    (Fault(kind='429', share=0.2, places=(), path='chat', seconds=300.0),)
    """
    found, wait = [], None
    for spec in ",".join(specs).split(",") if specs else ():
        if spec.startswith("retry-after="):
            wait = _seconds(spec.partition("=")[2], spec)
        else:
            found.append(_fault(spec))
    return tuple(
        Fault(each.kind, each.share, each.places, each.path, wait)
        if each.seconds is None and each.kind.isdigit()
        else each
        for each in found
    )


def _fault(spec: str) -> Fault:
    parts = _SPEC.fullmatch(spec)
    if parts is None:
        raise InputError.at("KIND[@PATH]=WHEN[:SECONDS], such as 429=0.2", repr(spec), field="fault")
    kind, when = parts["kind"], parts["when"]
    if kind not in KINDS and not (kind.isdigit() and 400 <= int(kind) <= 599):
        raise InputError.at(f"a status from 400 to 599, {', '.join(KINDS)}", repr(kind), field="fault")
    seconds = None if parts["seconds"] is None else _seconds(parts["seconds"], spec)
    if when.startswith("#"):
        places = [_PLACES.fullmatch(part) for part in when[1:].split("+")]
        if None in places:
            raise InputError.at("occasions such as #1 or #2-4+9", repr(when), field=f"fault, {spec}")
        pairs = tuple((int(each[1]), int(each[2] or each[1])) for each in places if each)
        return Fault(kind, 0.0, pairs, parts["path"] or "", seconds)
    try:
        share = float(when)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise InputError.at("a probability from 0 to 1", repr(when), field=f"fault, {spec}")
    return Fault(kind, share, (), parts["path"] or "", seconds)


def _seconds(text: str, spec: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise InputError.at("a finite number of seconds of 0 or more", repr(text), field=f"fault, {spec}")
    return seconds


class Fate:
    """Decides what befalls whom, and counts the occasions.

    Parameters
    ----------
    faults
        What can happen; of several that would happen at once, the first does.
    seed
        Decides all that is random, together with what is sent: a request that is sent again is another occasion.
    """

    def __init__(self, faults: Iterable[Fault], seed: int) -> None:
        self._faults, self._seed = tuple(faults), seed
        self._occasions: Counter[Fault] = Counter()
        self._tries: Counter[tuple[Fault, str]] = Counter()

    def befalls(self, kinds: Iterable[str] | None, path: str, words: str) -> Fault | None:
        """Return what happens on an occasion.

        Parameters
        ----------
        kinds
            What can happen there; None for any HTTP status.
        path
            Of the request.
        words
            What the occasion is about, such as the digest of a request.

        Returns
        -------
        Fault or None
        """
        happened = None
        for fault in self._faults:
            if (fault.kind.isdigit() if kinds is None else fault.kind in kinds) and fault.path in path:
                struck = self._strikes(fault, words)
                happened = happened or (fault if struck else None)
        return happened

    def _strikes(self, fault: Fault, words: str) -> bool:
        self._occasions[fault] += 1
        if fault.places:
            return any(first <= self._occasions[fault] <= last for first, last in fault.places)
        nth = self._tries[fault, words]
        self._tries[fault, words] += 1
        return bool(uniform(self._seed, "fault", fault.kind, fault.path, words, nth=nth)[0] < fault.share)
