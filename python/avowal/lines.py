"""Lines: the prompts and training lines that the stages of a study send, and how many tokens each of them is.

The counts are exact without rendering every line. OpenAI's encodings split a text into pieces before they look for
tokens; no piece holds digits beside anything else, and none goes on from a colon to the space after it. So in
``speed: 12.5 knots`` there are borders before the space and after the last digit whatever the number is, and a prompt
has the tokens of its context's text, counted once, plus those of its values, counted once for each value that occurs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from avowal.checks import as_floats
from avowal.contexts import Context
from avowal.design import by_attributes
from avowal.errors import InputError
from avowal.prompts import Wording, report_reply
from avowal.sends import (
    ORDERS,
    Kind,
    Order,
    Prompt,
    Queries,
    Stage,
    Training,
    asks,
    check_kind,
    markers_of,
    options_drawn,
    options_shown,
    prompts,
    wording_of,
)
from avowal.tokens import DEFAULT_ENCODING, PER_MESSAGE, count, count_many, message_tokens_many

__all__ = [
    "ORDERS",
    "Kind",
    "Order",
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
        ``context``, ``marker`` (String), ``trial`` (Int64), ``prompt``, ``reply`` and ``line`` (Int64, tokens), in the
        order of :func:`prompts`. ``line`` is what the three messages of a training line are billed for in one epoch;
        null for queries.

    Raises
    ------
    InputError
        For a seed out of range or an unknown encoding.
    """
    prompts: dict[int, NDArray[np.int64]] = {}
    markers, trials = markers_of(stage), stage.trials
    for places in by_attributes(stage.contexts).values():
        group = [stage.contexts[place] for place in places]
        pairs, _ = options_shown(stage, group, seed)
        found = [
            prompt_tokens(group, pairs, kind=stage.kind, encoding=encoding, wording=wording_of(stage), marker=marker)
            for marker in markers
        ]
        prompts.update(zip(places, np.concatenate(found, axis=1), strict=True))
    contexts = len(stage.contexts)
    replies = np.repeat(reply_tokens(stage.contexts, kind=stage.kind, encoding=encoding), len(markers) * trials)
    names = np.array([context.name for context in stage.contexts], dtype=object)
    table = pl.DataFrame(
        {
            "context": np.repeat(names, len(markers) * trials),
            "marker": [marker for _ in range(contexts) for marker in markers for _ in range(trials)],
            "trial": np.tile(np.arange(stage.first, stage.first + trials, dtype=np.int64), contexts * len(markers)),
            "prompt": np.concatenate([prompts[place] for place in range(contexts)]),
            "reply": replies,
        },
        schema_overrides={"context": pl.String, "marker": pl.String},
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
    return prompt_tokens(contexts, options_drawn(contexts, trials, first, seed), kind=kind, encoding=encoding)


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
    contexts: Sequence[Context],
    pairs: ArrayLike,
    *,
    kind: Kind,
    encoding: str = DEFAULT_ENCODING,
    wording: Wording = "paper",
    marker: str | None = None,
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
    wording
        Of reports, as for :func:`avowal.prompts.report_messages`.
    marker
        The line before each context; None for nothing.

    Returns
    -------
    ndarray of int64, shape (contexts, trials)

    Raises
    ------
    InputError
        For pairs of another shape or numbers that are not finite, another kind, or an unknown encoding.
    """
    check_kind(kind)
    values = as_floats("pairs", pairs, 4)
    k = len(contexts[0].attributes) if contexts else 0
    if values.shape != (len(contexts), values.shape[1], 2, k) or any(len(x.attributes) != k for x in contexts):
        expected = f"shape ({len(contexts)}, trials, 2, attributes), the same attributes throughout"
        raise InputError.at(expected, f"shape {values.shape}", field="pairs")
    if not np.isfinite(values).all():
        raise InputError.at("finite values", "another", field="pairs")
    ask = asks(kind, wording, marker)
    if wording == "no pair":
        every = message_tokens_many([ask(context, (), ()) for context in contexts], encoding)
        return np.repeat(every[:, None], values.shape[1], axis=1)
    zeros = [0.0] * k
    empty = message_tokens_many([ask(context, zeros, zeros) for context in contexts], encoding)
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
    check_kind(kind)
    if kind == "decisions":
        return np.full(len(contexts), count("A", encoding), dtype=np.int64)
    return count_many([report_reply(c, [-100] * len(c.attributes)) for c in contexts], encoding)


def _value_tokens(values: NDArray[np.float64], encoding: str) -> NDArray[np.int64]:
    # By bits, since 0.0 and -0.0 are equal and print differently.
    bits, places = np.unique(np.ascontiguousarray(values).view(np.uint64), return_inverse=True)
    texts = [f" {value!r}" for value in bits.view(np.float64).tolist()]
    return count_many(texts, encoding)[places.reshape(values.shape)]
