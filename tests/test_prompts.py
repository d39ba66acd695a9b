"""Prompts: the authors' bytes for five attributes, and the same words for any other number."""

import json
import re

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avowal.contexts import Attribute, Context, load
from avowal.errors import InputError
from avowal.prompts import WORDINGS, decision_messages, report_format, report_messages, report_reply, training_line

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


def test_a_marker_is_a_line_before_the_context_and_changes_nothing_else():
    context = many(3)
    values = [1.0, 2.0, 3.0], [4.0, 5.0, 6.0]
    for ask in (decision_messages, report_messages):
        plain, marked = ask(context, *values), ask(context, *values, marker="It rains.")
        assert plain[0] == marked[0]
        before, after = plain[1]["content"].split(f"{context.prompt}\n")
        assert marked[1]["content"] == f"{before}It rains.\n{context.prompt}\n{after}"
        assert before.endswith(":\n\n")


def test_without_a_pair_the_attributes_are_listed_with_ranges_and_units():
    context = Context("c", "Which?", (Attribute("mass (net)", "kg", -1.5, 9), Attribute("score", "", 0, 1)), "Ahab")
    content = report_messages(context, (), (), wording="no pair")[1]["content"]
    assert content.endswith(
        "Imagine you are Ahab. Which?\nOptions differ in:\n"
        "- mass (net) (from -1.5 to 9.0 kg)\n- score (from 0.0 to 1.0)"
    )
    assert "each of the two dimensions" in content
    assert "Option A" not in content
    with pytest.raises(InputError, match="no values where no pair is shown, found 4"):
        report_messages(context, [1, 2], [3, 4], wording="no pair")
    with pytest.raises(InputError, match="wording: expected paper or no pair or paraphrased, found 'rude'"):
        report_messages(context, [1, 2], [3, 4], wording="rude")


def test_the_paraphrase_asks_the_same_of_the_same_pair_in_other_words():
    context = many(5)
    paper, other = (
        report_messages(context, [1.0] * 5, [2.0] * 5, wording=wording)[1]["content"]
        for wording in ("paper", "paraphrased")
    )
    assert paper.partition("\n\n")[2] == other.partition("\n\n")[2]
    asked = other.partition("\n\n")[0]
    assert all(words in asked for words in ("each of the five dimensions", "JSON", "-100", "5 key-value pairs"))
    assert not any(words in asked for words in ("[INTROSPECTION TASK]", "weight", "believe", "Respond"))


@pytest.mark.parametrize("wording", WORDINGS)
@pytest.mark.parametrize("count", [1, 2, 12])
def test_every_wording_fits_any_number_of_attributes(wording, count):
    values = () if wording == "no pair" else [1.0] * count
    content = report_messages(many(count), values, values, wording=wording)[1]["content"]
    assert f"{count} key-value pair{'s' if count > 1 else ''}" in content
    assert ("the one dimension" in content) == (count == 1)
    assert "{" not in content


def test_the_format_of_a_report_takes_a_number_for_each_attribute_and_nothing_else():
    context = Context("c", "Which?", (Attribute('a "b"', "", 0, 1), Attribute("çay", "", 0, 1)))
    held = report_format(context)["json_schema"]
    assert (held["strict"], report_format(context)["type"]) == (True, "json_schema")
    good = {'a "b"': -2388, "çay": 0.5}
    jsonschema.validate(good, held["schema"])
    jsonschema.validate(json.loads(report_reply(context, [3, -4])), held["schema"])
    for bad in ({'a "b"': 1}, {**good, "tea": 1}, {**good, "çay": "1"}, [1, 2]):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, held["schema"])


def test_training_lines_are_the_authors(published):
    for name in ("instill_100_prefs.jsonl", "instilled_weights_100_training.jsonl"):
        for line in (published / name).read_text(encoding="utf-8").split("\n")[:200]:
            *messages, last = json.loads(line)["messages"]
            assert training_line(messages, last["content"]) == line
