"""Charts show every cell once, whatever its axes are called, and are drawn without a browser or a network."""

import json
import struct
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from avowal import InputError
from avowal.cli import app
from avowal.sweep.chart import check_charts, power_spec, price_spec, write
from avowal.sweep.looks import COLOURS, DASHES, SHAPES
from avowal.sweep.power import Power, power, prepare

SVG = "{http://www.w3.org/2000/svg}"
TESTS = ("accuracy>0.3", "gain")


def sweep(design: dict[str, object], tests: tuple[str, ...] = TESTS, replicates: int = 20) -> Power:
    small = {"native_agents": 5, "native_decisions": 10} if "agents" not in design else {}
    return power(small | design, tests=tests, replicates=replicates)


@pytest.fixture(scope="module")
def grid() -> Power:
    return sweep({"trained_agents": [4, 6, 8], "weight_trained.fidelity": [0.2, 0.8]})


def drawn(found: Power, folder: Path, x: str | None = None) -> dict[str, ET.Element]:
    return {
        path.stem: ET.fromstring(path.read_text(encoding="utf-8"))
        for path in write(found, folder, x)
        if path.suffix == ".svg"
    }


def marks(root: ET.Element, kind: str) -> list[ET.Element]:
    """Return the marks of one kind; those of legends have other roles."""
    groups = [g for g in root.iter(f"{SVG}g") if f"mark-{kind} role-mark" in g.get("class", "")]
    return [mark for group in groups for mark in group]


def texts(root: ET.Element) -> list[str]:
    return [part for text in root.iter(f"{SVG}text") for part in text.itertext()]


def test_every_row_of_the_table_is_one_mark(grid: Power, tmp_path: Path) -> None:
    roots = drawn(grid, tmp_path)
    assert set(roots) == {"power", "price"}
    assert len(marks(roots["power"], "symbol")) == len(grid.table) == 12
    assert len(marks(roots["power"], "line")) == len(marks(roots["power"], "area")) == 4
    assert len(marks(roots["price"], "symbol")) == len(marks(roots["price"], "rule")) == 12
    assert {"trained_agents", "weight_trained.fidelity", "power", "4", "6", "8", "0.2"} <= set(texts(roots["power"]))
    assert set(map(str, grid.sweep.claims)) <= set(texts(roots["power"]))


def test_the_marks_lie_where_the_numbers_say(grid: Power) -> None:
    rows = power_spec(grid)["data"]["values"]
    found = [(row["x"], row["series"], row["panel"], row["power"], row["low"], row["high"]) for row in rows]
    columns = ["trained_agents", "weight_trained.fidelity", "test", "power", "power_low", "power_high"]
    assert found == [(x, str(series), *rest) for x, series, *rest in grid.table.select(columns).iter_rows()]
    assert all(low <= share <= high for *_, share, low, high in found)


def test_series_are_told_apart_without_colour(grid: Power) -> None:
    _, line, point = power_spec(grid)["spec"]["layer"]
    assert line["encoding"]["strokeDash"]["scale"]["range"] == list(DASHES[:2])
    assert point["encoding"]["shape"]["scale"]["range"] == list(SHAPES[:2])
    assert point["encoding"]["color"]["scale"]["range"] == list(COLOURS[:2])


def test_more_series_than_colours_differ_in_colour_and_mark() -> None:
    found = sweep({"agents": [4, 6], "fidelity": [place / 20 for place in range(15)]}, tests=("gain",), replicates=2)
    encoding = power_spec(found)["spec"]["layer"][-1]["encoding"]
    pairs = list(zip(encoding["color"]["scale"]["range"], encoding["shape"]["scale"]["range"], strict=True))
    assert len(set(pairs)) == 15


def test_another_axis_goes_across_on_demand(grid: Power, tmp_path: Path) -> None:
    spec = power_spec(grid, "weight_trained.fidelity")
    assert [layer["encoding"]["x"]["title"] for layer in spec["spec"]["layer"]] == ["weight_trained.fidelity"] * 3
    assert len(marks(drawn(grid, tmp_path, "weight_trained.fidelity")["power"], "line")) == 6
    with pytest.raises(InputError, match=r"x: expected an axis of the sweep \(trained_agents, .*\), found 'agents'"):
        power_spec(grid, "agents")


def test_a_single_cell_is_a_dot_with_its_bar_for_each_test(tmp_path: Path) -> None:
    roots = drawn(sweep({"trained_agents": 5}), tmp_path)
    assert set(roots) == {"power"}  # One price says nothing of what money buys.
    assert len(marks(roots["power"], "symbol")) == len(marks(roots["power"], "rule")) == 2
    assert {"accuracy.weight_trained > 0.3", "gain.instilled > 0"} <= set(texts(roots["power"]))


def test_an_axis_of_names_has_bars_beside_each_other(tmp_path: Path) -> None:
    found = sweep({"trained_agents": 5, "model": ["gpt-4o", "gpt-4o-mini"]}, tests=("gain",))
    root = drawn(found, tmp_path)["power"]
    assert len(marks(root, "symbol")) == len(marks(root, "rule")) == 2
    assert {"gpt-4o", "gpt-4o-mini", "model"} <= set(texts(root))


def test_further_axes_are_panels_by_tests(tmp_path: Path) -> None:
    found = sweep({"agents": [4, 6], "reports": [2, 3], "fidelity": [0.2, 0.8], "decisions": [5, 10]}, replicates=4)
    root = drawn(found, tmp_path)["power"]
    assert len(marks(root, "symbol")) == 32
    assert len(marks(root, "line")) == 16
    assert texts(root).count("fidelity 0.2, decisions 10") == 2
    with pytest.raises(InputError, match="charts: expected at most 60 panels, or no charts, found 64"):
        power_spec(sweep({"agents": [4, 6], "reports": [2, 3], "fidelity": [i / 64 for i in range(64)]},
                         tests=("gain",), replicates=1))  # fmt: skip
    with pytest.raises(InputError, match="charts: expected at most 5,000 cells and tests, or no charts, found 5,002"):
        check_charts(prepare({"fidelity": [i / 2501 for i in range(2501)]}, tests=TESTS))


@pytest.mark.parametrize("name", ["a.b[0]['c']\\", '<script>alert(1)</script> & "x"', "datum.power + 1", "x:Q"])
def test_names_are_text_wherever_they_come(grid: Power, name: str, tmp_path: Path) -> None:
    """Of axes as of values: neither is read as a path, an expression, a shorthand or markup."""
    values = ["one", name]
    cells = tuple(
        replace(cell, values={"agents": cell.values["trained_agents"], name: values[cell.number % 2]})
        for cell in grid.sweep.cells
    )
    column = pl.col("weight_trained.fidelity").replace_strict({0.2: "one", 0.8: name}, return_dtype=pl.String())
    table = grid.table.with_columns(column.alias(name)).rename({"trained_agents": "agents"})
    found = Power(replace(grid.sweep, cells=cells), table)
    root = drawn(found, tmp_path)["power"]
    assert len(marks(root, "symbol")) == 12
    assert len(marks(root, "line")) == 4
    assert texts(root).count(name) == 2  # The legend's title and one of its entries.
    assert root.find(f".//{SVG}script") is None
    assert [row["series"] for row in next(iter(found.chart().to_dict()["datasets"].values()))][2] == name


def test_a_cell_without_replicates_is_left_out(grid: Power, tmp_path: Path) -> None:
    shares = ["power", "power_low", "power_high"]
    unfinished = pl.when(pl.col("cell") != 3).then(pl.col(shares)).name.keep()
    found = Power(grid.sweep, grid.table.with_columns(unfinished))
    roots = drawn(found, tmp_path)
    assert len(marks(roots["power"], "symbol")) == len(marks(roots["price"], "symbol")) == 10
    nothing = Power(grid.sweep, grid.table.with_columns(pl.lit(None, pl.Float64()).alias(name) for name in shares))
    assert marks(drawn(nothing, tmp_path)["power"], "symbol") == []


def test_the_frontier_is_what_no_cheaper_design_reaches(grid: Power) -> None:
    made = {
        "cell": [0, 1, 2, 3, 4, 5],
        "price": [10.0, 20.0, 30.0, 30.0, 40.0, None],
        "power": [0.2, 0.5, 0.4, 0.7, 0.7, 1.0],
    }
    table = pl.DataFrame(made).with_columns(
        pl.lit("accuracy.weight_trained > 0.3").alias("test"), pl.lit("exact").alias("price_status"),
        power_low=pl.col("power") - 0.1, power_high=pl.col("power") + 0.1,
    )  # fmt: skip
    spec = price_spec(Power(grid.sweep, table))
    assert spec is not None
    assert [row["cell"] for row in spec["data"]["values"] if row["best"]] == ["0", "1", "3"]
    assert price_spec(Power(grid.sweep, table.with_columns(pl.lit(None, pl.Float64()).alias("price")))) is None


def test_the_files_are_whole_and_of_the_size_of_the_drawing(grid: Power, tmp_path: Path) -> None:
    files = write(grid, tmp_path)
    names = [f"{part}.{ending}" for part in ("power", "price") for ending in ("svg", "png", "vl.json")]
    assert [path.name for path in files] == names
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    svg, png = drawn(grid, tmp_path)["power"], (tmp_path / "power.png").read_bytes()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    size = struct.unpack(">II", png[16:24])
    assert all(
        abs(pixels - 2 * Decimal(svg.get(side))) <= 2 for pixels, side in zip(size, ("width", "height"), strict=True)
    )
    assert json.loads((tmp_path / "power.vl.json").read_text(encoding="utf-8")) == power_spec(grid)


def test_the_chart_is_one_of_altair(grid: Power) -> None:
    import altair as alt

    chart = grid.chart("weight_trained.fidelity")
    assert isinstance(chart, alt.FacetChart)
    assert chart.to_dict()["spec"]["layer"][0]["encoding"]["x"]["title"] == "weight_trained.fidelity"


def test_the_command_draws_unless_told_not_to(tmp_path: Path) -> None:
    design = ["power", "agents=3,4", "decisions=5,6", "reports=2", "--replicates", "5", "--test", "gain"]
    for out, more in (("drawn", ["--x", "decisions"]), ("bare", ["--no-charts"])):
        done = CliRunner().invoke(app, [*design, "--out", str(tmp_path / out), *more], catch_exceptions=False)
        assert done.exit_code == 0
        assert ("power.png" in done.stdout) == (out == "drawn") == (tmp_path / out / "price.png").exists()
    assert '"title": "decisions"' in (tmp_path / "drawn" / "power.vl.json").read_text(encoding="utf-8")
    done = CliRunner().invoke(app, [*design, "--out", str(tmp_path / "none"), "--x", "reports"])
    assert isinstance(done.exception, InputError)
    assert not (tmp_path / "none").exists()  # Told before anything is simulated.


def test_only_charts_import_what_draws_them() -> None:
    code = (
        "import sys, avowal, avowal.cli, avowal.sweep.chart; avowal.power(replicates=1)\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'altair', 'vl_convert'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
