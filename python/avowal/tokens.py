"""Tokens: how many a text or a chat prompt is in OpenAI's encodings, counted offline and exactly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from avowal import _core
from avowal.checks import as_u64
from avowal.errors import InputError

__all__ = [
    "DEFAULT_ENCODING",
    "PER_MESSAGE",
    "PER_NAME",
    "PRIMING",
    "count",
    "count_many",
    "message_tokens",
    "message_tokens_many",
]

DEFAULT_ENCODING = "o200k_base"
"""The encoding of GPT-4o, GPT-4.1 and later; ``cl100k_base`` is the other, of GPT-4 and GPT-3.5."""

PER_MESSAGE = 3
"""Tokens that frame a message: its start, the end of its role, and its end."""

PER_NAME = 1
"""Tokens that a message's ``name`` takes beside its text."""

PRIMING = 3
"""Tokens that open the assistant's turn after the last message."""


def count(text: str, encoding: str = DEFAULT_ENCODING) -> int:
    """Count the tokens of a text.

    Parameters
    ----------
    text
        What looks like a special token, such as ``<|endoftext|>``, is counted as text.
    encoding
        ``o200k_base`` or ``cl100k_base``.

    Returns
    -------
    int

    Raises
    ------
    InputError
        For another encoding, or a text that UTF-8 can't hold.

    Examples
    --------
    >>> count("tiktoken is great!")
    6
    """
    return int(count_many([text], encoding)[0])


def count_many(texts: Iterable[str], encoding: str = DEFAULT_ENCODING, *, threads: int = 0) -> NDArray[np.int64]:
    """Count the tokens of each of many texts.

    Parameters
    ----------
    texts
        Joined into one buffer before they are counted.
    encoding
        ``o200k_base`` or ``cl100k_base``.
    threads
        0 for one per core. The result does not depend on it.

    Returns
    -------
    ndarray of int64, shape (texts,)

    Raises
    ------
    InputError
        For another encoding, or a text that UTF-8 can't hold (a lone surrogate); names its place.
    """
    encoded = [_utf8(text, place) for place, text in enumerate(texts)]
    offsets = np.zeros(len(encoded) + 1, dtype=np.uint64)
    offsets[1:] = np.cumsum([len(text) for text in encoded])
    buffer = np.frombuffer(b"".join(encoded), dtype=np.uint8)
    return _core.count_tokens(buffer, offsets, encoding, as_u64("threads", threads)).astype(np.int64)


def message_tokens(messages: Sequence[Mapping[str, str]], encoding: str = DEFAULT_ENCODING) -> int:
    """Count the tokens that a chat request with these messages is billed for as its prompt.

    Each message takes 3 tokens beside its texts (role, content and, with 1 token more, name), and the assistant's turn
    is opened by 3. The rule and its agreement with the API's own count for gpt-4o and gpt-4o-mini are in OpenAI's
    cookbook (``How_to_count_tokens_with_tiktoken.ipynb``, section 6), which also counts a line of a training file so
    (``Chat_finetuning_data_prep.ipynb``). OpenAI calls it an estimate: what counts in the end is the ``usage`` of a
    reply and the ``trained_tokens`` of a job.

    Parameters
    ----------
    messages
        Each with ``role``, ``content`` and perhaps ``name``, all texts. Nothing else is counted: no tools, no images,
        no schema of a structured output.
    encoding
        ``o200k_base`` or ``cl100k_base``.

    Returns
    -------
    int

    Raises
    ------
    InputError
        For a message with another key, or without role or content; for another encoding.

    Examples
    --------
    >>> message_tokens([{"role": "user", "content": "tiktoken is great!"}])
    13
    """
    return int(message_tokens_many([messages], encoding)[0])


def message_tokens_many(
    conversations: Iterable[Sequence[Mapping[str, str]]], encoding: str = DEFAULT_ENCODING, *, threads: int = 0
) -> NDArray[np.int64]:
    """Count the tokens of each of many prompts, or lines of a training file, as :func:`message_tokens` does.

    Parameters
    ----------
    conversations
        The messages of each.
    encoding
        ``o200k_base`` or ``cl100k_base``.
    threads
        0 for one per core. The result does not depend on it.

    Returns
    -------
    ndarray of int64, shape (conversations,)

    Raises
    ------
    InputError
        As for :func:`message_tokens`.
    """
    texts: list[str] = []
    owners: list[int] = []
    overhead: list[int] = []
    for owner, messages in enumerate(conversations):
        overhead.append(PRIMING)
        for place, message in enumerate(messages):
            _check_message(message, f"conversation {owner}, message {place}")
            overhead[owner] += PER_MESSAGE + (PER_NAME if "name" in message else 0)
            texts.extend(message.values())
            owners.extend([owner] * len(message))
    totals = np.array(overhead, dtype=np.int64)
    np.add.at(totals, np.array(owners, dtype=np.int64), count_many(texts, encoding, threads=threads))
    return totals


def _check_message(message: Mapping[str, str], field: str) -> None:
    if not {"role", "content"} <= message.keys() <= {"role", "content", "name"}:
        raise InputError.at("role, content and perhaps name", sorted(message), field=field)


def _utf8(text: str, place: int) -> bytes:
    if not isinstance(text, str):
        raise InputError.at("a text", type(text).__name__, field=f"text {place}")
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        found = f"U+{ord(text[error.start]):04X} at {error.start}"
        raise InputError.at("characters that UTF-8 can hold", found, field=f"text {place}") from None
