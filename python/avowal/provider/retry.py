"""The retry policy: which failures are worth another try, how long to wait for it, and when to give up."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from avowal.errors import InputError


@dataclass(frozen=True, slots=True)
class Policy:
    """How often and how long a request is tried.

    Attributes
    ----------
    attempts
        Tries, 1 or more, but for those that the provider answers with a time to wait: only the deadline ends them.
        Ten ride out four minutes of outage; more look like a storm to providers.
    first
        Seconds before the second try; doubled for each further one.
    longest
        Seconds that this doubling ends at. What a provider asks for with Retry-After may be longer.
    deadline
        Seconds from the first try of a request to the beginning of its last; a wait that would exceed them is not
        begun.

    Raises
    ------
    InputError
        For fewer than one attempt, or a time that is negative or not finite.
    """

    attempts: int = 10
    first: float = 1.0
    longest: float = 60.0
    deadline: float = 86_400.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise InputError.at("1 or more", self.attempts, field="attempts")
        for name in ("first", "longest", "deadline"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise InputError.at("a finite time of 0 or more seconds", value, field=name)

    def wait(self, failures: int, asked: float | None, jitter: float) -> float:
        """Return the seconds to wait after a number of failures.

        Parameters
        ----------
        failures
            Of this request so far, 1 or more.
        asked
            What the provider asked for, in seconds, if it did; never shortened.
        jitter
            From 0 to 1: spreads clients that failed together. It moves the doubled time between its half and its
            whole, and adds up to `first` to a time that was asked for.

        Returns
        -------
        float
        """
        backoff = min(self.longest, math.ldexp(self.first, min(failures - 1, 60))) * (1 + jitter) / 2
        return backoff if asked is None else max(asked + self.first * jitter, backoff)


def transient(status: int) -> bool:
    """Tell whether the same request may succeed later: 408, 409, 429 and 5xx."""
    return status in (408, 409, 429) or status >= 500


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Read how long a provider asks to wait.

    Parameters
    ----------
    headers
        Of the reply, with lower-case names: ``retry-after-ms``, or ``retry-after`` in seconds or as an HTTP date.
    now
        What a date is compared with; the clock if None.

    Returns
    -------
    float or None
        Seconds, 0 or more, of any length; None where there is nothing that can be read.
    """
    for name, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) / scale
        except (KeyError, ValueError):
            continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    try:
        date = parsedate_to_datetime(headers["retry-after"])
    except (KeyError, ValueError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())
