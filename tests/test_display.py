"""Notebooks show results as the tables of the terminal, with every text as text; frames go to pandas and Arrow."""

from __future__ import annotations

import datetime
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from filled_study import fill, folder
from IPython.core.formatters import DisplayFormatter
from rich.console import Console

import avowal as av
from avowal.account import Account
from avowal.agents import Logistic
from avowal.analysis import printed
from avowal.contexts import Context
from avowal.display import ROWS, Shown, html
from avowal.study.analysis import material
from avowal.study.place import place
from avowal.study.status import look
from avowal.sweep.printed import printed as printed_power
from avowal.text import Table, table

NAME = "<img src=x onerror=alert(1)> & [bold]\x1b[2J\u202e"
PLAIN = r"<img src=x onerror=alert(1)> & [bold]\x1b[2J\u202e"


class Reader(HTMLParser):
    """Takes a page apart: the tags, and the texts between them."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: D102
        assert {name for name, _ in attrs} <= {"style", "class"}
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:  # noqa: D102
        self.texts.append(data)


def in_notebook(result: object) -> str:
    """Return what a notebook is given, by the formatter of notebooks."""
    data, _ = DisplayFormatter().format(result)
    assert {"text/html", "text/plain"} <= set(data)
    page: str = data["text/html"]
    return page


def cells(found: Table) -> list[str]:
    return [each for row in (found.columns, *found.rows) for cell in row for each in cell.split("\n") if each.strip()]


def held(page: str, parts: list[Table | str]) -> None:
    """Hold that a page has all that stands in tables and lines, in their order, and nothing else."""
    told = "".join(Reader(page).texts)
    expected = [text for part in parts for text in ([part] if isinstance(part, str) else [part.title, *cells(part)])]
    assert "".join(told.split()) == "".join("".join(expected).split())


@pytest.fixture(scope="module")
def steps() -> dict[str, Any]:
    known = [replace(each, name=NAME) if n == 0 else each for n, each in enumerate(av.contexts.builtin()[:8])]
    targets = av.agents.targets(known, seed=1)
    pairs = av.design.pairs(known, 30, seed=1)
    choices = av.agents.choose(pairs, known, targets, rule=Logistic(6.0), seed=1)
    fitted = av.fit.fit(choices, known)
    reports = [
        av.reports.report(targets, known, 3, how=av.reports.Reporting(fidelity=each, invalid=0.2), seed=1)
        for each in (0.4, 0.9)
    ]
    before, after = (av.accuracy.accuracy(fitted.weights, each) for each in reports)
    return {
        "context": known[0],
        "fit": fitted,
        "bootstrap": av.bootstrap.bootstrap(choices, known, resamples=50, seed=1, method="percentile"),
        "accuracy": after,
        "gain": av.accuracy.gain([before], [after], ["m"]),
        "before": before,
    }


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = folder(tmp_path_factory.mktemp("study"))
    fill(path)
    return path


@pytest.mark.parametrize("name", ["context", "fit", "bootstrap", "accuracy", "gain"])
def test_every_step_is_shown_as_tables(steps: dict[str, Any], name: str) -> None:
    page = in_notebook(steps[name])
    assert "table" in Reader(page).tags
    assert "\x1b" not in page
    assert "\u202e" not in page
    if name in ("context", "fit", "bootstrap"):
        assert any(PLAIN in text for text in Reader(page).texts)
        assert "img" not in Reader(page).tags


def test_the_numbers_are_those_of_the_result(steps: dict[str, Any]) -> None:
    found = steps["accuracy"]
    texts = Reader(in_notebook(found)).texts
    low, high = found.cluster_interval
    assert f"{found.r:.2f} [{low:.2f}, {high:.2f}]".replace("0.", ".") in texts
    assert f"{found.replies.valid} of {found.replies.planned}" in texts
    weights = steps["fit"].weights
    told = Reader(in_notebook(steps["fit"])).texts
    assert f"{len(weights) - ROWS} more rows: to_frame()" in told
    assert f"{weights['weight'][0]:.1f}" in told
    assert "Choices: 240 planned = 240 valid + 0 invalid + 0 failed" in told
    assert Reader(in_notebook(Account(3, 1, {"wrong keys": 2}))).texts == [
        "3 planned = 1 valid + 2 invalid (2 wrong keys) + 0 failed"
    ]


def test_a_number_that_is_not_there_has_its_status(steps: dict[str, Any]) -> None:
    one = steps["fit"].weights.filter(pl.col("context") == NAME)
    known = steps["context"]
    reports = av.reports.report(one, [known], 3, how=av.reports.Reporting(fidelity=0.5), seed=1)
    texts = Reader(in_notebook(av.accuracy.accuracy(one, reports))).texts
    assert "too few contexts" in texts


def test_studies_are_shown_as_their_commands_print_them(study: Path) -> None:
    from avowal.study.printed import printed as printed_plan
    from avowal.study.status_printed import printed as printed_status

    analysis = av.analysis.analyze(material(look(place(study))), av.analysis.Settings(resamples=20, draws=20))
    held(in_notebook(analysis), list(printed(analysis)))
    planned = av.study.plan(av.study.read(study), replicates=20)
    held(in_notebook(planned), printed_plan(planned, datetime.datetime.now(datetime.UTC).date()))
    status = av.study.status.status(place(study))
    held(in_notebook(status), list(printed_status(status)))


def test_power_is_shown_with_all_its_columns() -> None:
    found = av.power({"agents": [4, 6], "decisions": 10}, tests=["accuracy>0.3"], replicates=20)
    held(in_notebook(found), printed_power(found))
    assert "power/$" in Reader(in_notebook(found)).texts
    known = av.contexts.builtin()
    quote = av.cost.quote(av.cost.paper(known[:2], known[2:4]), ["gpt-4o-2024-08-06"], seed=1)
    assert f"All: ${quote.total:,.2f}" in Reader(in_notebook(quote)).texts


def test_the_check_is_shown_as_its_command_prints_it() -> None:
    from avowal.stan.checked import JOINT, PREDICTIVE, SENSITIVITY, WEIGHTS, Check
    from avowal.stan.compared import COMPARED
    from avowal.stan.printed import printed as printed_check

    empty = [pl.DataFrame(schema=each) for each in (WEIGHTS, PREDICTIVE, SENSITIVITY, COMPARED, COMPARED, JOINT)]
    found = Check("stanli", *empty, ("a <b>warning</b>",), (), {}, {})
    held(in_notebook(found), printed_check(found))


def test_a_terminal_shows_the_same(study: Path) -> None:
    status = av.study.status.status(place(study))
    shown = []
    for parts in ([status], status._shown()):
        console = Console(file=io.StringIO(), width=100, highlight=False, emoji=False)
        for part in parts:
            console.print(part, markup=False)
        shown.append(console.file.getvalue())
    assert shown[0] == shown[1]
    assert status.name in shown[0]


def test_dollars_are_no_formulas() -> None:
    page = html(["from $1 to $2", table("t", ["a"], [["$3"]])])
    assert re.match(r'<div class="[^"]*\btex2jax_ignore mathjax_ignore\b', page)


def test_results_stay_without_a_dictionary(steps: dict[str, Any]) -> None:
    for each in steps.values():
        assert isinstance(each, Shown)
        assert not hasattr(each, "__dict__")


def test_a_table_is_the_same_for_the_terminal() -> None:
    made = table("title", ["name", "n"], [["a", "1"], ["<b>", "2"]])
    console = Console(file=io.StringIO(), width=80)
    console.print(made)
    assert "<b>" in console.file.getvalue()
    held(html([made]), [made])


def addresses(frame: pl.DataFrame) -> dict[str, int]:
    return {each.name: each.to_numpy(allow_copy=False).__array_interface__["data"][0] for each in frame}


def test_numbers_go_to_arrow_and_pandas_without_a_copy(steps: dict[str, Any]) -> None:
    frame = steps["fit"].weights.select("slope", "standard_error").rechunk()
    ours = addresses(frame)
    arrow = frame.to_arrow()
    for name, address in ours.items():
        (chunk,) = arrow.column(name).chunks
        assert chunk.buffers()[1].address + chunk.offset * 8 == address
    pandas = frame.to_pandas(use_pyarrow_extension_array=True)
    for name, address in ours.items():
        (chunk,) = pa.chunked_array(pandas[name].array.__arrow_array__()).chunks
        assert chunk.buffers()[1].address + chunk.offset * 8 == address
    assert frame.to_pandas()["slope"].tolist() == frame["slope"].to_list()


def test_a_context_is_a_result_too(steps: dict[str, Any]) -> None:
    found = steps["context"]
    assert isinstance(found, Context)
    assert found.question in " ".join(Reader(in_notebook(found)).texts)
