"""Tokens: OpenAI's published counts, sums over messages, and what can't be counted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avowal.errors import InputError
from avowal.tokens import PRIMING, count, count_many, message_tokens, message_tokens_many

ENCODINGS = ["o200k_base", "cl100k_base"]

# OpenAI's cookbook, How_to_count_tokens_with_tiktoken.ipynb, section 6: counted by the API itself.
EXAMPLE = [
    {
        "role": "system",
        "content": "You are a helpful, pattern-following assistant that translates corporate jargon into "
        "plain English.",
    },
    {"role": "system", "name": "example_user", "content": "New synergies will help drive top-line growth."},
    {"role": "system", "name": "example_assistant", "content": "Things working well together will increase revenue."},
    {
        "role": "system",
        "name": "example_user",
        "content": "Let's circle back when we have more bandwidth to touch base on opportunities for increased "
        "leverage.",
    },
    {
        "role": "system",
        "name": "example_assistant",
        "content": "Let's talk later when we're less busy about how to do better.",
    },
    {
        "role": "user",
        "content": "This late pivot means we don't have time to boil the ocean for the client deliverable.",
    },
]


@pytest.mark.parametrize(("encoding", "tokens"), [("o200k_base", 124), ("cl100k_base", 129)])
def test_messages_take_what_the_api_billed_for_them(encoding, tokens):
    assert message_tokens(EXAMPLE, encoding) == tokens


# The same notebook, section 5.
@pytest.mark.parametrize(
    ("text", "o200k", "cl100k"),
    [
        ("tiktoken is great!", 6, 6),
        ("antidisestablishmentarianism", 6, 6),
        ("2 + 2 = 4", 7, 7),
        ("お誕生日おめでとう", 8, 9),
    ],
)
def test_texts_take_what_openai_published(text, o200k, cl100k):
    assert [count(text, encoding) for encoding in ENCODINGS] == [o200k, cl100k]


@given(st.lists(st.text(max_size=40), max_size=20), st.sampled_from(ENCODINGS), st.integers(0, 2))
def test_many_texts_are_counted_one_by_one(texts, encoding, threads):
    counts = count_many(iter(texts), encoding, threads=threads)
    assert counts.dtype == np.int64
    assert counts.tolist() == [count(text, encoding) for text in texts]
    # A token is one byte at least, and only the empty text has none.
    assert all((text == "") == (n == 0) and n <= len(text.encode()) for text, n in zip(texts, counts, strict=True))


message = st.fixed_dictionaries({"role": st.sampled_from(["system", "user"]), "content": st.text(max_size=20)})


@given(st.lists(st.lists(message, max_size=4), max_size=6))
def test_conversations_add_up_from_their_messages(conversations):
    alone = [PRIMING + sum(message_tokens([message]) - PRIMING for message in messages) for messages in conversations]
    assert message_tokens_many(conversations).tolist() == alone


def test_special_tokens_are_text():
    assert count("<|endoftext|>") > 1


def test_what_cannot_be_counted_is_refused():
    with pytest.raises(InputError, match="encoding: expected o200k_base or cl100k_base, found gpt2"):
        count("a", "gpt2")
    with pytest.raises(InputError, match=r"text 1: expected characters that UTF-8 can hold, found U\+D800 at 2"):
        count_many(["a", "ab\ud800"])
    with pytest.raises(InputError, match="text 0: expected a text, found int"):
        count_many([1])
    with pytest.raises(InputError, match="conversation 1, message 0: expected role, content and perhaps name"):
        message_tokens_many([[], [{"role": "user", "content": "a", "tools": "b"}]])
    with pytest.raises(InputError, match="threads"):
        count_many(["a"], threads=-1)
