"""Prompts: the authors' bytes for five attributes, and the same words for any other number."""

import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avowal.contexts import Attribute, Context, load
from avowal.errors import InputError
from avowal.prompts import decision_messages, report_messages

VALUE = re.compile(r": (-?[\d.]+)")


def many(count, units="cm"):
    return Context("c", "Which?", tuple(Attribute(f"x{i}", units, 0, 9) for i in range(count)), "Ahab")


@pytest.mark.parametrize(
    ("file", "ask"),
    [("instill_100_prefs.jsonl", decision_messages), ("instilled_weights_100_training.jsonl", report_messages)],
)
def test_messages_are_the_authors(published, file, ask):
    by_question = {each.question: each for each in load(published / "candidate_scenarios.json")}
    lines = (published / file).read_text(encoding="utf-8").split("\n")
    for line in lines:
        *messages, _ = json.loads(line)["messages"]
        _, prompt, _, first, second = re.fullmatch(
            r"(.*?)\n\n(.*?)\n(A):\n(.*?)\n\nB:\n(.*)", messages[1]["content"], re.DOTALL
        ).groups()
        agent, question = re.fullmatch(r"Imagine you are (.*)\. (.*)", prompt).groups()
        found = by_question[question]
        context = Context(found.name, question, found.attributes, agent)
        a, b = ([float(value) for value in VALUE.findall(option)] for option in (first, second))
        assert ask(context, a, b) == messages


@pytest.mark.parametrize(("count", "word"), [(2, "two"), (5, "five"), (12, "twelve")])
def test_numbers_of_attributes_stand_in_words_and_figures(count, word):
    content = report_messages(many(count), [1.0] * count, [2.0] * count)[1]["content"]
    assert f"weighted each of the {word} dimensions while" in content
    assert f"with {count} key-value pairs. " in content


def test_one_attribute_is_asked_about_in_the_singular():
    content = report_messages(many(1), [1.0], [2.0])[1]["content"]
    assert "weighted the one dimension while" in content
    assert "with 1 key-value pair. " in content


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=24).filter(
        lambda v: len(v) % 2 == 0
    )
)
def test_values_are_printed_as_python_prints_floats_and_read_back(values):
    count = len(values) // 2
    content = decision_messages(many(count), values[:count], np.array(values[count:]))[1]["content"]
    assert re.findall(r"x\d+: (\S+) cm", content) == [repr(value) for value in values]


def test_without_units_nothing_follows_the_value():
    assert decision_messages(many(1, ""), [3], [4])[1]["content"].endswith("Which?\nA:\nx0: 3.0\n\nB:\nx0: 4.0")


@pytest.mark.parametrize("ask", [decision_messages, report_messages])
def test_options_must_fit_the_context(ask):
    with pytest.raises(InputError, match="a: expected 2 values for 'c', found 1"):
        ask(many(2), [1.0], [1.0, 2.0])
    with pytest.raises(InputError, match="b, x1: expected finite values, found nan"):
        ask(many(2), [1.0, 2.0], [1.0, float("nan")])
