"""Replies: what is exactly right is read, all else has its type, and no repair gives a number to a wrong attribute."""

from __future__ import annotations

import json

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avowal.account import Account
from avowal.contexts import Attribute, Context, builtin
from avowal.errors import InputError
from avowal.provider import Completion, completion
from avowal.replies import Report, choice, choices, report, reports
from avowal.tables import CHOICES, READ_REPORTS

BUILTIN = builtin()


TEA = Context(
    "tea", "Which?", tuple(Attribute(name, "", 0, 1) for name in ("price", "steeping_time", "aroma_intensity"))
)
GOOD = '{"price": -35, "steeping_time": 80, "aroma_intensity": 0.5}'


def lenient(text: str) -> Report:
    return report(text, TEA, lenient=True)


@pytest.mark.parametrize(("text", "letter"), [("A", "A"), (" B\n", "B"), ("\tA\u00a0", "A")])
def test_a_choice_is_a_letter_and_nothing_else(text: str, letter: str) -> None:
    assert choice(text).choice == letter
    assert choice(text).failure is None


@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("a", "other text"),
        ("A.", "other text"),
        ("Option A", "other text"),
        ("AB", "other text"),
        ("А", "other text"),  # Cyrillic
        ("I cannot choose.", "other text"),
        (Completion("A", "truncated"), "truncated"),
        (Completion("A", "filtered"), "filtered"),
        (Completion("I can't", "refused"), "refused"),
        (Completion("", "unreadable"), "unreadable"),
        (completion('{"choices": [{"message": {"content": "A"}, "finish_reason": "length"}]}'), "truncated"),
        (completion('{"choices": [{"message": {"refusal": "No.", "content": null}}]}'), "refused"),
    ],
)
def test_anything_else_is_no_choice(reply: str | Completion, failure: str) -> None:
    found = choice(reply)
    assert (found.choice, found.failure) == (None, failure)


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ("", "empty"),
        ("I value price.", "invalid JSON"),
        (GOOD[:-5], "invalid JSON"),
        (f"```json\n{GOOD}\n```", "invalid JSON"),
        (GOOD.replace("}", ",}"), "invalid JSON"),
        (GOOD.replace("80", "+80"), "invalid JSON"),
        (f"[{GOOD}]", "not an object"),
        ("80", "not an object"),
        ("NaN", "not an object"),
        (GOOD.replace("}", ', "price": -35}'), "duplicate keys"),
        ("{}", "missing keys"),
        ('{"price": 1, "steeping_time": 2}', "missing keys"),
        (GOOD.replace("}", ', "choice": "A"}'), "extra keys"),
        (GOOD.replace("steeping_time", "steeping"), "wrong keys"),
        (GOOD.replace("price", "Price"), "wrong keys"),
        *(
            (GOOD.replace("80", value), "not a number")
            for value in ('"80"', "true", "null", "[80]", '{"a": 1, "a": 2}', "NaN", "-Infinity", "1e999", "9" * 5000)
        ),
        ("[" * 100_000, "invalid JSON"),
        (Completion(GOOD, "truncated"), "truncated"),
        (Completion("No.", "refused"), "refused"),
        (Completion("", "filtered"), "filtered"),
    ],
)
def test_a_report_has_each_key_once_with_a_number(text: str | Completion, failure: str) -> None:
    found = report(text, TEA)
    assert (found.weights, found.failure, found.repairs, found.flags) == (None, failure, (), ())


@pytest.mark.parametrize(
    ("said", "weights", "flags"),
    [
        ((2388, 0, 1), (2388.0, 0.0, 1.0), ("out of range",)),
        ((100, -100, 0), (100.0, -100.0, 0.0), ()),
        ((0, -0.0, 0), (0.0, 0.0, 0.0), ("all zero",)),
    ],
)
def test_odd_numbers_are_kept_raw_and_flagged(said: tuple, weights: tuple, flags: tuple) -> None:
    found = report(json.dumps(dict(zip((each.name for each in TEA.attributes), said, strict=True))), TEA)
    assert (found.weights, found.flags) == (weights, flags)
    assert "-" not in str(found.weights[1]) or said[1] == -100


@given(st.data())
def test_reports_survive_the_round_trip_whatever_the_order_of_their_keys(data: st.DataObject) -> None:
    about = data.draw(st.sampled_from(BUILTIN))
    number = st.integers(-100, 100) | st.floats(-1e6, 1e6)
    said = {attribute.name: data.draw(number) for attribute in about.attributes}
    text = json.dumps({key: said[key] for key in data.draw(st.permutations(list(said)))}, indent=data.draw(st.none()))
    for generous in (False, True):
        found = report(text, about, lenient=generous)
        assert found.weights == tuple(map(float, said.values()))
        assert (found.failure, found.repairs, found.renamed) == (None, (), ())


@pytest.mark.parametrize(
    ("text", "repairs"),
    [
        (f"```json\n{GOOD}\n```", ("code fence",)),
        (f"```\n{GOOD}```", ("code fence",)),
        (f"Here you are: {GOOD} I hope this helps!", ("text around",)),
        (f"Sure:\n```json\n{GOOD}\n```\nAnything else?", ("code fence", "text around")),
        (GOOD.replace("}", ",\n}"), ("trailing comma",)),
        (GOOD.replace("80", "+80"), ("plus sign",)),
        (
            f"Yes. {GOOD}".replace("80", '" +80"').replace("}", ",}"),
            ("text around", "trailing comma", "number as text"),
        ),
        (GOOD.replace("-35", '"−35"'), ("number as text",)),
        (GOOD.replace("steeping_time", "Steeping Time"), ("key format",)),
        (GOOD.replace("steeping_time", "steepingTime"), ("key format",)),
        (GOOD.replace("steeping_time", "steping_time"), ("key spelling",)),
        (GOOD.replace("steeping_time", "steeping"), ("key words",)),
        (GOOD.replace('"price"', '"tea_price_rating"'), ("key words",)),
        (GOOD.replace("price", "PRICE").replace("aroma_", ""), ("key format", "key words")),
    ],
)
def test_lenient_reading_mends_and_says_what(text: str, repairs: tuple[str, ...]) -> None:
    assert report(text, TEA).failure is not None
    found = lenient(text)
    assert (found.weights, found.repairs) == ((-35.0, 80.0, 0.5), repairs)
    assert bool(found.renamed) == any(repair.startswith("key") for repair in repairs)


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        (f"{GOOD} or {GOOD}", "invalid JSON"),
        (f"[draft] {GOOD}", "invalid JSON"),
        (f"{GOOD} {{", "invalid JSON"),
        (f"[{GOOD}]", "not an object"),
        (GOOD.replace(",", ",,"), "invalid JSON"),
        (GOOD.replace("80", "8+0"), "invalid JSON"),
        *(
            (GOOD.replace("80", f'"{text}"'), "not a number")
            for text in ("40%", "high", "", "1,000", "٤", "1e3", "5-9")
        ),
        (GOOD.replace("80", "true"), "not a number"),
        ('{"price": 1, "steeping": 2}', "wrong keys"),
        (GOOD.replace("}", ', "x": 1}'), "extra keys"),
        (GOOD.replace('"price"', '"low_price"'), "wrong keys"),
        (GOOD.replace('"price"', '"cost"'), "wrong keys"),
        (GOOD.replace('"price"', '"tea"'), "wrong keys"),
        (GOOD.replace('"price"', '"\\ud800"'), "wrong keys"),
        (Completion(GOOD, "truncated"), "truncated"),
    ],
)
def test_lenient_reading_mends_nothing_else(text: str | Completion, failure: str) -> None:
    found = report(text, TEA, lenient=True)
    assert (found.weights, found.failure, found.repairs, found.renamed) == (None, failure, (), ())


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters(exclude_categories=())),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["price", "steeping_time", "time"]) | st.text(), inner, max_size=4)
    ),
    max_leaves=8,
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Return anything: text, JSON, and a good report with parts cut out and others put in."""
    base = draw(st.text(st.characters(exclude_categories=())) | json_values.map(json.dumps) | st.just(GOOD))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(base)))
        cut = start + draw(st.integers(0, 8))
        base = base[:start] + draw(st.sampled_from(['"', "{", "}", "```", ",", "+", "-", "\\", "1", ""])) + base[cut:]
    return base


@settings(max_examples=500)
@given(texts())
def test_no_text_raises_and_none_is_half_read(text: str) -> None:
    letter = choice(text)
    assert (letter.choice is None) != (letter.failure is None)
    strict, generous = report(text, TEA), lenient(text)
    for found in (strict, generous):
        assert (found.weights is None) != (found.failure is None)
        assert found.weights is None or len(found.weights) == 3
        assert found.weights is not None or not (found.repairs or found.renamed or found.flags)
    assert not strict.repairs
    if strict.failure is None:
        assert generous == strict
        assert json.loads(text).keys() == {attribute.name for attribute in TEA.attributes}
    elif generous.failure is None:
        assert generous.repairs


@settings(max_examples=50)
@given(st.lists(texts().filter(lambda text: text.isprintable()), max_size=5), st.booleans())
def test_tables_hold_whatever_was_said(said: list[str], generous: bool) -> None:
    frame = rows([("tea", text, None) for text in said])
    found = reports(frame, [TEA], lenient=generous)
    assert dict(found.table.schema) == dict(READ_REPORTS)
    assert found.table["reply"].to_list() == frame["reply"].to_list()
    for account, column in ((found.strict, "strict_failure"), (found.lenient, "lenient_failure")):
        assert account.planned == len(said)
        assert account.valid == found.table[column].null_count()
        assert not account.failed
    assert found.lenient.valid >= found.strict.valid


def rows(said: list[tuple[str, str | None, str | None]]) -> pl.DataFrame:
    schema = {"context": pl.String, "text": pl.String, "fault": pl.String}
    frame = pl.DataFrame(said, schema=schema, orient="row")
    return frame.with_columns(
        pl.lit("m").alias("model"), pl.lit("s").alias("set"), pl.int_range(pl.len()).alias("reply")
    )


SAID = [
    ("tea", GOOD, None),
    ("tea", GOOD.replace("80", "-300").replace("steeping_time", "steeping"), None),
    ("tea", f"```\n{GOOD}\n```", None),
    ("tea", GOOD.replace("price", "cost"), None),
    ("tea", GOOD, "truncated"),
    ("tea", None, "HTTP 500"),
    ("tea", None, None),
]
LOST = {"truncated": 1, "wrong keys": 1}
FAILED = {"HTTP 500": 1, "no reply": 1}


def test_a_table_of_replies_becomes_reports_with_both_accounts() -> None:
    strict, generous = (reports(rows(SAID), [TEA], lenient=flag) for flag in (False, True))
    for found in (strict, generous):
        assert found.strict == Account(7, 1, {"wrong keys": 2, "invalid JSON": 1, "truncated": 1}, FAILED)
        assert found.lenient == Account(7, 3, LOST, FAILED)
        assert found.repairs == {"key words": 1, "code fence": 1}
        assert found.table["repairs"].to_list() == [[], ["key words"], ["code fence"], [], [], [], []]
        assert found.table["renamed"][1].to_list() == [{"key": "steeping", "attribute": "steeping_time"}]
    assert strict.table["failure"].equals(strict.table["strict_failure"].alias("failure"))
    assert strict.flags == {}
    assert generous.flags == {"out of range": 1}
    assert generous.table["flags"].to_list()[1] == ["out of range"]
    assert generous.table["report"].to_list() == [
        [-35.0, 80.0, 0.5], [-35.0, -300.0, 0.5], [-35.0, 80.0, 0.5], None, None, None, None,
    ]  # fmt: skip


def test_halves_of_characters_in_a_key_do_not_break_the_table() -> None:
    text = GOOD.replace('"price"', '"\\ud800price"')
    found = reports(rows([("tea", text, None)]), [TEA], lenient=True).table
    assert found["renamed"][0].to_list() == [{"key": "\\ud800price", "attribute": "price"}]


def test_a_table_of_replies_becomes_choices() -> None:
    said = [("A", None), ("B ", None), ("A", "truncated"), ("A or B", None), (None, "timeout")]
    frame = pl.DataFrame(said, schema={"text": pl.String, "fault": pl.String}, orient="row").with_columns(
        pl.lit("m").alias("model"),
        pl.lit("tea").alias("context"),
        pl.int_range(pl.len()).alias("trial"),
        pl.lit([1.0, 2.0, 3.0]).alias("a"),
        pl.lit([3.0, 2.0, 1.0]).alias("b"),
    )
    found = choices(frame)
    assert dict(found.table.schema) == dict(CHOICES)
    assert found.table["choice"].to_list() == ["A", "B", None, None, None]
    assert found.table["failure"].to_list() == [None, None, "truncated", "other text", "timeout"]
    assert found.account == Account(5, 2, {"truncated": 1, "other text": 1}, {"timeout": 1})
    assert choices(frame.drop("fault")).account.valid == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop("text"), "replies, text: expected a column"),
        (lambda frame: frame.with_columns(context=pl.lit("coffee")), "context: expected the name of a known context"),
        (lambda frame: frame.with_columns(fault=pl.lit("odd")), "fault: expected null or one of unreadable"),
        (lambda frame: frame.to_dicts(), "replies: expected a polars DataFrame"),
    ],
)
def test_bad_tables_are_named(change: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        reports(change(rows(SAID[:1])), [TEA])
