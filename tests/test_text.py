"""Numbers read as in papers, and whatever stands in a table is shown as it is."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from avowal.text import NONE, estimate, interval, number, percent, table


@given(st.floats(-9999, 9999), st.integers(1, 6))
def test_numbers_are_what_was_rounded_without_the_zero(value: float, places: int) -> None:
    text = number(value, places)
    assert float(text) == float(f"{value:.{places}f}")
    assert re.fullmatch(rf"-?([1-9]\d*)?\.\d{{{places}}}", text)
    assert not (text.startswith("-") and float(text) == 0)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, ".50"), (-0.5, "-.50"), (1.0, "1.00"), (-1.0, "-1.00"), (0.999, "1.00"), (-0.001, ".00"), (0.0, ".00"),
     (10.05, "10.05"), (-0.999, "-1.00"), (100.0, "100.00"), (None, NONE)],
)  # fmt: skip
def test_numbers(value: float | None, text: str) -> None:
    assert number(value) == text


def test_estimates_intervals_and_shares() -> None:
    assert interval((-0.001, 1.0)) == "[.00, 1.00]"
    assert interval(None) == percent(None) == estimate(None, (0.0, 1.0)) == NONE
    assert estimate(0.5, None) == f".50 {NONE}"
    assert percent(0.0068, 2) == "0.68%"
    assert percent(1.0) == "100.0%"


def shown(title: str, columns: list[str], rows: list[list[str]], width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, emoji=False, highlight=False)
    console.print(table(title, columns, rows))
    return console.file.getvalue()


def test_names_are_never_markup() -> None:
    odd = "[red]x[/red] [/] :smile: [link=a]"
    text = shown(odd, [odd, "n"], [[odd, ".50"]])
    assert text.count("[red]x[/red] [/]") == 3
    assert text.count(":smile:") == 3


def test_numbers_stand_to_the_right_and_words_to_the_left() -> None:
    lines = shown("t", ["name", "n", "word"], [["a", "1", "x"], ["bbb", "10", "yyy"]]).splitlines()
    first, second = (next(line for line in lines if line.strip().startswith(start)) for start in ("a ", "bbb"))
    assert first.index("1") == second.index("10") + 1
    assert first.index("x") == second.index("yyy")


@given(st.integers(20, 120))
def test_narrow_tables_fold_and_lose_nothing(width: int) -> None:
    name = "a-long-name-of-a-model-that-goes-on"
    text = shown("", ["name", "n"], [[name, "~"]], width)
    assert max(map(len, text.splitlines())) <= width
    assert "".join(text.split()).replace("─", "").replace("~", "") == "namen" + name


def test_a_table_without_rows_is_its_header() -> None:
    assert "name" in shown("t", ["name"], [])
