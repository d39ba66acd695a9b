"""Lines: the prompts and training lines that the stages of a study send, and how many tokens each of them is.

The counts are exact without rendering every line. OpenAI's encodings split a text into pieces before they look for
tokens; no piece holds digits beside anything else, and none goes on from a colon to the space after it. So in
``speed: 12.5 knots`` there are borders before the space and after the last digit whatever the number is, and a prompt
has the tokens of its context's text, counted once, plus those of its values, counted once for each value that occurs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from avowal.checks import as_floats, as_u64
from avowal.contexts import Context, arrays
from avowal.design import by_attributes, pairs_arrays
from avowal.errors import InputError
from avowal.prompts import decision_messages, report_messages
from avowal.rng import unit_id
from avowal.tokens import DEFAULT_ENCODING, PER_MESSAGE, count, count_many, message_tokens_many

__all__ = [
    "Kind",
    "Prompt",
    "Queries",
    "Stage",
    "Training",
    "drawn_tokens",
    "frame_tokens",
    "line_tokens",
    "prompt_tokens",
    "prompts",
    "reply_tokens",
]

Kind = Literal["decisions", "reports"]

_ASK: dict[Kind, Callable[[Context, Sequence[float], Sequence[float]], list[dict[str, str]]]] = {
    "decisions": decision_messages,
    "reports": report_messages,
}


@dataclass(frozen=True, slots=True)
class Training:
    """One fine-tuning job.

    Attributes
    ----------
    name
        The stage's name.
    kind
        What its file teaches: decisions, or reports.
    contexts
        At least one, with names that differ.
    trials
        Lines for each context; each shows one pair.
    first
        The number of the first pair in the context's sequence.
    epochs
        How often the file is read; every reading is billed.
    """

    name: str
    kind: Kind
    contexts: tuple[Context, ...]
    trials: int
    first: int = 0
    epochs: int = 3

    def __post_init__(self) -> None:
        _check_stage(self)
        if as_u64("epochs", self.epochs) == 0:
            raise InputError.at("1 or more", 0, field=f"stage {self.name!r}, epochs")


@dataclass(frozen=True, slots=True)
class Queries:
    """Requests for decisions or for reports, one for each pair.

    Attributes
    ----------
    name
        The stage's name.
    kind
        What is asked for.
    contexts
        At least one, with names that differ.
    trials
        Requests for each context.
    first
        The number of the first pair in the context's sequence.
    tuned
        Whether a model tuned from the base is asked, or the base itself.
    """

    name: str
    kind: Kind
    contexts: tuple[Context, ...]
    trials: int
    first: int = 0
    tuned: bool = True

    def __post_init__(self) -> None:
        _check_stage(self)


Stage = Training | Queries


@dataclass(frozen=True, slots=True)
class Prompt:
    """What one request or training line shows a model.

    Attributes
    ----------
    context
        What it is about.
    trial
        The number of its pair in the context's sequence.
    a, b
        The options in the order shown, in the attributes' units.
    messages
        Each with ``role`` and ``content``.
    """

    context: Context
    trial: int
    a: tuple[float, ...]
    b: tuple[float, ...]
    messages: list[dict[str, str]]


def prompts(stage: Stage, *, seed: int) -> Iterator[Prompt]:
    """Write the prompts of a stage.

    Parameters
    ----------
    stage
        The stage.
    seed
        Of the pairs, as for :func:`avowal.design.pairs`.

    Yields
    ------
    Prompt
        Context after context, each one's trials in order.

    Raises
    ------
    InputError
        For a seed out of range.
    """
    shown: dict[int, NDArray[np.float64]] = {}
    for places in by_attributes(stage.contexts).values():
        group = [stage.contexts[place] for place in places]
        shown.update(zip(places, _drawn(group, stage.first + stage.trials, stage.first, seed), strict=True))
    for place, context in enumerate(stage.contexts):
        for trial, (a, b) in enumerate(shown[place].tolist(), stage.first):
            yield Prompt(context, trial, tuple(a), tuple(b), _ASK[stage.kind](context, a, b))


def line_tokens(stage: Stage, *, seed: int, encoding: str = DEFAULT_ENCODING) -> pl.DataFrame:
    """Count the tokens of each prompt or training line of a stage.

    Parameters
    ----------
    stage
        The stage.
    seed
        Of the pairs, as for :func:`avowal.design.pairs`.
    encoding
        ``o200k_base`` or ``cl100k_base``.

    Returns
    -------
    polars.DataFrame
        ``context`` (String), ``trial`` (Int64), ``prompt``, ``reply`` and ``line`` (Int64, tokens), in the order of the
        contexts. ``line`` is what the three messages of a training line are billed for in one epoch; null for queries.

    Raises
    ------
    InputError
        For a seed out of range or an unknown encoding.
    """
    prompts: dict[int, NDArray[np.int64]] = {}
    for places in by_attributes(stage.contexts).values():
        group = [stage.contexts[place] for place in places]
        end = stage.first + stage.trials
        found = drawn_tokens(group, end, first=stage.first, kind=stage.kind, seed=seed, encoding=encoding)
        prompts.update(zip(places, found, strict=True))
    contexts = len(stage.contexts)
    replies = np.repeat(reply_tokens(stage.contexts, kind=stage.kind, encoding=encoding), stage.trials)
    table = pl.DataFrame(
        {
            "context": np.repeat(np.array([context.name for context in stage.contexts], dtype=object), stage.trials),
            "trial": np.tile(np.arange(stage.first, stage.first + stage.trials, dtype=np.int64), contexts),
            "prompt": np.concatenate([prompts[place] for place in range(contexts)]),
            "reply": replies,
        },
        schema_overrides={"context": pl.String},
    )
    whole = pl.col("prompt") + pl.col("reply") + frame_tokens(encoding)
    line = whole if isinstance(stage, Training) else pl.lit(None, pl.Int64)
    return table.with_columns(line.alias("line"))


def drawn_tokens(
    contexts: Sequence[Context],
    trials: int,
    *,
    first: int = 0,
    kind: Kind,
    seed: int,
    encoding: str = DEFAULT_ENCODING,
) -> NDArray[np.int64]:
    """Count the tokens of the prompts that show the pairs drawn under a seed.

    Parameters
    ----------
    contexts
        With equal numbers of attributes.
    trials
        The number behind that of the last pair in each context's sequence. More trials extend the same counts.
    first
        The number of the first pair.
    kind
        Whether decisions or reports are asked for.
    seed
        Of the pairs, as for :func:`avowal.design.pairs`.
    encoding
        ``o200k_base`` or ``cl100k_base``.

    Returns
    -------
    ndarray of int64, shape (contexts, trials - first)

    Raises
    ------
    InputError
        For no context, different numbers of attributes, a number out of range, another kind, or an unknown encoding.
    """
    return prompt_tokens(contexts, _drawn(contexts, trials, first, seed), kind=kind, encoding=encoding)


def frame_tokens(encoding: str = DEFAULT_ENCODING) -> int:
    """Count what a training line has beside its prompt and reply: the frame and the role of the reply's message.

    Parameters
    ----------
    encoding
        ``o200k_base`` or ``cl100k_base``.

    Raises
    ------
    InputError
        For an unknown encoding.
    """
    return PER_MESSAGE + count("assistant", encoding)


def prompt_tokens(
    contexts: Sequence[Context], pairs: ArrayLike, *, kind: Kind, encoding: str = DEFAULT_ENCODING
) -> NDArray[np.int64]:
    """Count the tokens of prompts, as :func:`avowal.tokens.message_tokens` would on each one's messages.

    Parameters
    ----------
    contexts
        With equal numbers of attributes.
    pairs
        Options in the attributes' own units, shape (contexts, trials, 2, attributes); finite.
    kind
        Whether decisions or reports are asked for.
    encoding
        ``o200k_base`` or ``cl100k_base``.

    Returns
    -------
    ndarray of int64, shape (contexts, trials)

    Raises
    ------
    InputError
        For pairs of another shape or numbers that are not finite, another kind, or an unknown encoding.
    """
    _check_kind(kind)
    values = as_floats("pairs", pairs, 4)
    k = len(contexts[0].attributes) if contexts else 0
    if values.shape != (len(contexts), values.shape[1], 2, k) or any(len(x.attributes) != k for x in contexts):
        expected = f"shape ({len(contexts)}, trials, 2, attributes), the same attributes throughout"
        raise InputError.at(expected, f"shape {values.shape}", field="pairs")
    if not np.isfinite(values).all():
        raise InputError.at("finite values", "another", field="pairs")
    zeros = [0.0] * k
    empty = message_tokens_many([_ASK[kind](context, zeros, zeros) for context in contexts], encoding)
    empty -= 2 * k * _value_tokens(np.zeros(1), encoding)
    filled: NDArray[np.int64] = empty[:, None] + _value_tokens(values, encoding).sum(axis=(2, 3), dtype=np.int64)
    return filled


def reply_tokens(contexts: Sequence[Context], *, kind: Kind, encoding: str = DEFAULT_ENCODING) -> NDArray[np.int64]:
    """Count the tokens of the replies that are assumed.

    A choice is one token, ``A`` or ``B``. A report is the JSON object of the authors' training files, with the names of
    the context's attributes as keys and -100 for each weight; every whole number from -100 to 100 takes as many tokens,
    so any reply of whole numbers in this format is counted exactly, and the lines of introspection training are.

    Parameters
    ----------
    contexts
        Those that the replies are about.
    kind
        Whether decisions or reports are asked for.
    encoding
        ``o200k_base`` or ``cl100k_base``.

    Returns
    -------
    ndarray of int64, shape (contexts,)

    Raises
    ------
    InputError
        For another kind, or an unknown encoding.
    """
    _check_kind(kind)
    if kind == "decisions":
        return np.full(len(contexts), count("A", encoding), dtype=np.int64)
    return count_many([json.dumps(dict.fromkeys([x.name for x in c.attributes], -100)) for c in contexts], encoding)


def _drawn(contexts: Sequence[Context], trials: int, first: int, seed: int) -> NDArray[np.float64]:
    units = np.array([unit_id(context.name) for context in contexts], dtype=np.uint64)
    drawn: NDArray[np.float64] = pairs_arrays(*arrays(contexts), trials, seed=seed, units=units)[:, first:]
    return drawn


def _value_tokens(values: NDArray[np.float64], encoding: str) -> NDArray[np.int64]:
    # By bits, since 0.0 and -0.0 are equal and print differently.
    bits, places = np.unique(np.ascontiguousarray(values).view(np.uint64), return_inverse=True)
    texts = [f" {value!r}" for value in bits.view(np.float64).tolist()]
    return count_many(texts, encoding)[places.reshape(values.shape)]


def _check_stage(stage: Stage) -> None:
    place = f"stage {stage.name!r}"
    _check_kind(stage.kind)
    if not stage.contexts:
        raise InputError.at("at least one context", "none", field=place)
    by_attributes(stage.contexts)
    if as_u64("trials", stage.trials) == 0:
        raise InputError.at("1 or more", 0, field=f"{place}, trials")
    as_u64("first", stage.first)


def _check_kind(kind: str) -> None:
    if kind not in get_args(Kind):
        raise InputError.at(" or ".join(get_args(Kind)), repr(kind), field="kind")
