"""Sweeps: the same numbers in any company and after any interruption, and summaries that are what they say."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

import avowal
from avowal import contexts, cost, prices
from avowal.errors import AvowalError, InputError
from avowal.optimal import optimal_differences
from avowal.quantities import Settings
from avowal.simulate import simulate
from avowal.sweep import run as runs
from avowal.sweep.dump import dump
from avowal.sweep.estimands import COLUMNS, ESTIMANDS, claim
from avowal.sweep.grid import cells
from avowal.sweep.money import Pricing
from avowal.sweep.pairs import DESIGNS
from avowal.sweep.power import carry_out, prepare
from avowal.sweep.run import here, missing
from avowal.sweep.store import Folder, Store
from avowal.sweep.summary import share_interval, summarise

TINY = {"trained_decisions": 12, "native_decisions": 12, "reports": 2}
GRID = {"agents": [6, 9], **TINY}
FREE = Pricing(seed=1)


def same(one, other):
    assert one.table.equals(other.table, null_equal=True)


def frames(folder):
    return {path.name: pl.read_parquet(path) for path in sorted(folder.glob("cells/*.parquet"))}


@given(st.integers(0, 400), st.integers(1, 400))
def test_wilsons_interval_is_statsmodels(count, of):
    count = min(count, of)
    expected = proportion_confint(count, of, method="wilson")
    assert share_interval(count, of) == pytest.approx(expected, abs=1e-12)


def test_a_cell_is_the_simulation_of_its_settings():
    found = avowal.power(GRID, tests=["gain.native<0.3", "accuracy", "learned_target>0.5"], replicates=130, seed=9)
    for cell in found.sweep.cells:
        every = simulate(cell.settings, 130, seed=cell.seed(9))
        rows = found.table.filter(cell=cell.number)
        gain, accuracy, learned = rows.to_dicts()
        assert gain["power"] == np.mean(every["gain_native.cluster_high"] < 0.3)
        assert accuracy["power"] == np.mean(every["weight_trained.cluster_low"] > 0)
        assert learned["power"] == np.mean(every["learned_target.cluster_low"] > 0.5)
        r, truth = every["weight_trained.r"], every["weight_trained.true_r"]
        low, high = every["weight_trained.cluster_low"], every["weight_trained.cluster_high"]
        off, width = r - truth, high - low
        exact = {
            "mean": r.mean(),
            "sd": r.std(ddof=1),
            "truth": truth.mean(),
            "bias": off.mean(),
            "bias_error": off.std(ddof=1) / np.sqrt(130),
            "coverage": ((low <= r.mean()) & (r.mean() <= high))[~np.isnan(width)].mean(),
        }
        assert {name: accuracy[name] for name in exact} == pytest.approx(exact, abs=1e-12)
        assert accuracy["power_per_dollar"] == pytest.approx(accuracy["power"] / accuracy["price"])
        assert accuracy["width"] == pytest.approx(np.nanmean(width), abs=1e-12)
        assert accuracy["undefined"] == np.isnan(width).sum()
        most = max(
            every[f"{name}.contexts_lost"].mean() for name in ("off_the_shelf", "weight_trained", "native_before")
        )
        assert accuracy["contexts_lost"] == pytest.approx(most)


def test_the_papers_interval_is_that_of_its_regression():
    found = avowal.power(GRID, tests=["over_baseline", "learned_target<0.9"], replicates=60, interval="regression")
    every = simulate(found.sweep.cells[1].settings, 60, seed=found.sweep.cells[1].seed(1))
    over, learned = found.table.filter(cell=1).to_dicts()
    assert over["power"] == np.mean(every["over_baseline.slope_low"] > 0)
    assert learned["power"] == np.mean(every["learned_target.slope_high"] < 0.9)
    assert learned["mean"] == pytest.approx(every["learned_target.slope"].mean())


def test_an_interval_on_the_wrong_side_is_no_power():
    unaware = Settings(trained_agents=40, native_agents=3).but({"weight_trained.fidelity": -0.9})
    found = avowal.power(base=unaware, tests=["accuracy>0", "accuracy<0"], replicates=20)
    above, below = found.table.to_dicts()
    assert (above["power"], above["excluded"]) == (0.0, 1.0)
    assert (below["power"], below["excluded"]) == (1.0, 1.0)
    assert below["truth"] == pytest.approx(-0.9, abs=0.05)


def test_replicates_without_an_interval_support_nothing_and_are_counted():
    lost = Settings(trained_agents=4, native_agents=4, replies=1).but(
        {"native_before.invalid": 1.0, "weight_trained.invalid": 0.7}
    )
    found = avowal.power(base=lost, tests=["gain.native", "accuracy", "accuracy.native_before<0.5"], replicates=50)
    gain, accuracy, before = found.table.to_dicts()
    for row in (gain, before):
        assert (row["power"], row["undefined"], row["excluded"]) == (0.0, 50, 0.0)
        assert [row[name] for name in ("mean", "sd", "width", "truth", "bias", "coverage")] == [None] * 6
    assert 0 < accuracy["undefined"] < 50
    assert accuracy["contexts_lost"] == 4


@given(st.data())
@effort(max_examples=30)
def test_summaries_against_plain_loops(data):
    count = data.draw(st.integers(1, 12))
    value = st.one_of(st.just(math.nan), st.floats(-1, 1))
    figures = np.array([[data.draw(value) for _ in COLUMNS[:3]] for _ in range(count)])
    whole = np.full((count, len(COLUMNS)), 0.25)
    whole[:, :3] = figures
    each = claim(f"{next(iter(ESTIMANDS))}{data.draw(st.sampled_from('<>'))}0.1")
    (row,) = summarise((np.arange(count, dtype=np.uint64), whole), [each], "contexts", count)
    support = [(low > 0.1) if each.above else (high < 0.1) for _, low, high in figures]
    assert row["power"] == sum(support) / count
    assert row["undefined"] == sum(math.isnan(low) or math.isnan(high) for _, low, high in figures)
    known = [r for r, _, _ in figures if not math.isnan(r)]
    assert row["mean"] == (pytest.approx(sum(known) / len(known)) if known else None)
    assert row["bias"] == (pytest.approx(sum(known) / len(known) - 0.25) if known else None)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_and_chunks_change_nothing(threads, monkeypatch):
    expected = avowal.power(GRID, replicates=70)
    monkeypatch.setattr(runs, "CHUNK", 13)
    same(avowal.power(GRID, replicates=70, executor=here(threads)), expected)


def test_what_is_there_is_not_simulated_again(tmp_path):
    asked = []

    def counting(chunks):
        for chunk, figures in here()(chunks):
            asked.append((chunk.key, chunk.first, chunk.count))
            yield chunk, figures

    first = avowal.power(GRID, replicates=150, out=tmp_path / "s", executor=counting)
    assert sum(count for _, _, count in asked) == 300
    asked.clear()
    same(avowal.power(GRID, replicates=150, out=tmp_path / "s", executor=counting), first)
    assert asked == []
    more = avowal.power({**GRID, "agents": [6, 9, 7]}, replicates=210, out=tmp_path / "s", executor=counting)
    assert sorted(count for _, _, count in asked) == [10, 60, 60, 100, 100]
    same(more, avowal.power({**GRID, "agents": [6, 9, 7]}, replicates=210))
    fewer = avowal.power(GRID, replicates=150, out=tmp_path / "s")
    same(fewer, first)


def test_whatever_ends_a_run_keeps_what_was_simulated(tmp_path):
    def failing(chunks):
        for place, found in enumerate(here()(chunks)):
            if place == 3:
                raise KeyboardInterrupt
            yield found

    folder = tmp_path / "s"
    with pytest.raises(KeyboardInterrupt):
        avowal.power(GRID, replicates=200, out=folder, executor=failing)
    assert sorted(len(frame) for frame in frames(folder).values()) == [100, 200]
    done = []
    found = avowal.power(GRID, replicates=200, out=folder, progress=lambda *steps: done.append(steps))
    assert done == [(300, 400), (400, 400)]
    same(found, avowal.power(GRID, replicates=200))


def test_optimal_pairs_are_those_of_the_designs_at_hand(tmp_path):
    sweep = prepare({"agents": 6, **TINY, "pairs": ["uniform", "d-optimal"]}, replicates=8)
    found = carry_out(sweep, out=tmp_path / "s")
    given = optimal_differences(5, 12, DESIGNS, seed=0)
    cell = sweep.cells[1]
    every = simulate(cell.settings, 8, seed=cell.seed(1), designs={"trained": given, "native": given})
    assert found.table.filter(cell=1)["mean"][0] == pytest.approx(every["weight_trained.r"].mean(), abs=1e-12)
    assert dump(sweep, cell, 3, tmp_path / "d", kept=tmp_path / "s")["learned_target.r"] == every["learned_target.r"][3]
    choices = pl.read_parquet(tmp_path / "d" / "choices.parquet").filter(group="native", context=2)
    # Agent i of replicate r takes design r * agents + i.
    assert np.array_equal(choices["differences"].to_numpy(), given[3 * 6 + 2])
    assert found.table["price_status"].unique(maintain_order=True).to_list() == ["exact", "extrapolated"]


def test_gaps_are_filled_where_chunks_come_in_any_order(tmp_path):
    sweep = prepare(GRID, replicates=350)
    cell = sweep.cells[0]

    def backwards(chunks):
        for place, found in enumerate(reversed(list(here()(chunks)))):
            if place == 2:
                raise RuntimeError("the cluster is gone")
            yield found

    store = Folder(tmp_path)
    store.write_plan(sweep.plan())
    chunks = missing(cell, 350, 1, 0.95, store)
    with pytest.raises(RuntimeError, match="gone"):
        runs.run(chunks, store, backwards, lambda count: None)
    assert [(c.first, c.count) for c in missing(cell, 350, 1, 0.95, store)] == [(0, 100), (100, 100)]
    store.release()
    same(carry_out(sweep, out=tmp_path), carry_out(sweep))


def test_the_folder_tells_what_it_holds(tmp_path):
    found = avowal.power(GRID, replicates=20, out=tmp_path, tests=["gain"])
    plan = json.loads((tmp_path / "sweep.json").read_text())
    assert [cell["cell"] for cell in plan["cells"]] == [0, 1]
    for cell, held in zip(found.sweep.cells, plan["cells"], strict=True):
        assert Settings().but(held["settings"]) == cell.settings
        assert (tmp_path / "cells" / f"{held['key']}.parquet").is_file()
    assert pl.read_parquet(tmp_path / "power.parquet").equals(found.table)
    assert pl.read_csv(tmp_path / "power.csv").columns == found.table.columns
    assert json.loads((tmp_path / "power.json").read_text()) == found.table.to_dicts()
    assert {path.name for path in tmp_path.iterdir()} >= {"sweep.json", "power.parquet", "power.csv", "power.json"}


def test_folders_that_hold_something_else_are_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("\\begin{document}")
    with pytest.raises(InputError, match=r"sweep\.json"):
        avowal.power(GRID, replicates=5, out=tmp_path)
    with pytest.raises(InputError, match="a folder"):
        avowal.power(GRID, replicates=5, out=tmp_path / "thesis.tex")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_cells_of_another_version_or_none_are_refused(tmp_path):
    avowal.power(GRID, replicates=5, out=tmp_path)
    path = next(tmp_path.glob("cells/*.parquet"))
    frame = pl.read_parquet(path)
    frame.write_parquet(path, metadata={"avowal": "0.0.1"})
    with pytest.raises(InputError, match=r"of avowal 0\.0\.1"):
        avowal.power(GRID, replicates=5, out=tmp_path)
    frame.drop("gain_native.r").write_parquet(path, metadata={"avowal": avowal.__version__})
    with pytest.raises(InputError, match="with columns"):
        avowal.power(GRID, replicates=5, out=tmp_path)
    path.write_bytes(b"PAR1")
    with pytest.raises(InputError, match="remove the file"):
        avowal.power(GRID, replicates=5, out=tmp_path)


def test_one_replicate_alone_gives_its_numbers(tmp_path):
    sweep = prepare({**GRID, "weight_trained.invalid": [0.1, 0.8]}, replicates=40)
    carry_out(sweep, out=tmp_path / "s")
    cell = sweep.cells[3]
    figures = dump(sweep, cell, 17, tmp_path / "d", kept=tmp_path / "s")
    kept = frames(tmp_path / "s")[f"{cell.key(1, 0.95)}.parquet"].filter(replicate=17).to_dicts()[0]
    assert {name: figures[name] for name in COLUMNS} == {name: kept[name] for name in COLUMNS}
    assert json.loads((tmp_path / "d" / "figures.json").read_text()) == figures
    weights, choices, replies = (
        pl.read_parquet(tmp_path / "d" / f"{n}.parquet") for n in ("weights", "choices", "replies")
    )
    learned = weights.filter(pl.col("group") == "trained").drop_nulls("estimated")
    assert np.corrcoef(learned["estimated"], learned["target"])[0, 1] == pytest.approx(figures["learned_target.r"])
    assert weights.filter(pl.col("group") == "native")["target"].is_null().all()
    assert choices.filter(pl.col("group") == "native").height == 9 * 12
    assert set(choices["choice"]) == {"A", "B"}
    valid = replies.filter(pl.col("set") == "weight_trained", pl.col("weights").is_not_null())
    assert valid.height == figures["weight_trained.replies_valid"]
    with pytest.raises(InputError, match="new or empty"):
        dump(sweep, cell, 18, tmp_path / "d")


def test_a_replicate_that_differs_from_the_kept_one_is_an_error(tmp_path):
    sweep = prepare(GRID, replicates=5)
    carry_out(sweep, out=tmp_path / "s")
    key = sweep.cells[0].key(1, 0.95)
    store = Folder(tmp_path / "s")
    numbers, figures = store.load(key)
    figures[2, 0] += 1e-15
    (tmp_path / "s" / "cells" / f"{key}.parquet").unlink()
    store.add(key, numbers, figures)
    with pytest.raises(AvowalError, match=r"replicate 2: off_the_shelf\.r differs"):
        dump(sweep, sweep.cells[0], 2, tmp_path / "d", kept=tmp_path / "s")


def test_the_price_is_the_sum_over_what_the_design_sends():
    (cell,) = cells({"trained_agents": 6, "native_agents": 4, "decisions": 7, "reports": 3}, "gpt-4o-mini")
    for mode in ("sync", "batch"):
        stages = cost.paper(
            contexts.builtin("training")[:6],
            contexts.builtin("native")[:4],
            training=11,
            decisions=7,
            native_decisions=7,
            reports=3,
            epochs=2,
        )
        bill = Pricing(seed=5, training=11, epochs=2, mode=mode).bill(cell)
        assert bill.status == "exact"
        assert bill.price == cost.quote(stages, ["gpt-4o-mini-2024-07-18"], seed=5, mode=mode).total


def test_prices_beyond_the_contexts_at_hand_are_extrapolated():
    few, all_, more = (FREE.bill(c) for c in cells({"agents": [60, 120, 240], **TINY}, "gpt-4o"))
    assert [bill.status for bill in (few, all_, more)] == ["exact", "exact", "extrapolated"]
    assert more.price == 2 * all_.price > 3.5 * float(few.price)
    assert (
        FREE.bill(cells({"attributes": 3, "agents": 10}, "gpt-4o")[0]).price
        < FREE.bill(cells({"agents": 10}, "gpt-4o")[0]).price
    )


def test_designs_without_a_price_say_why():
    reasons = [
        FREE.bill(cell).status
        for cell in (cells({}, Settings())[0], cells({"attributes": 7}, "gpt-4o")[0], cells({"agents": 1}, "gpt-4o")[0])
    ]
    assert reasons == ["no model named", "too few contexts with 7 attributes", "fewer than two trained agents"]
    with pytest.raises(InputError, match="my-model"):
        avowal.power(GRID, pricing=Pricing(seed=1, model="my-model"), replicates=1)
    rates = "".join(f"{name} = 0\n" for name in ("input", "output", "training", "tuned_input", "tuned_output"))
    table = prices.parse(f'[models."my-model"]\nas_of = 2026-01-01\nsource = "mine"\n{rates}', "p.toml")
    found = avowal.power(GRID, pricing=Pricing(seed=1, model="my-model", prices=table), replicates=1)
    assert found.table["price"].to_list() == [0.0] * 8
    assert found.table["power_per_dollar"].null_count() == 8
    assert Decimal(0) == Pricing(seed=1, model="my-model", prices=table).bill(found.sweep.cells[0]).price


def test_the_cheapest_design_is_that_of_every_test():
    found = avowal.power({"agents": [8, 30, 60], "reports": [4, 8]}, tests=["accuracy", "gain"], replicates=80)
    rows = found.table.group_by("cell").agg(pl.col("power").min(), pl.col("price").first()).sort("price").to_dicts()
    assert found.cheapest(0.8) == next(row["cell"] for row in rows if row["power"] >= 0.8)
    with pytest.raises(InputError, match="power"):
        found.cheapest(90)


def test_the_cheapest_design_holds_whatever_the_study_meets():
    axes = {"weight_trained.fidelity": [0.4, 0.7], "agents": [15, 60]}
    found = avowal.power(axes, tests=["accuracy>0.2"], replicates=100)
    least = found.table.group_by("agents").agg(pl.col("power").min())
    assert (
        least.filter(pl.col("agents") == 15)["power"].item()
        < 0.7
        < least.filter(pl.col("agents") == 60)["power"].item()
    )
    best = found.table.filter(cell=found.cheapest(0.7))
    assert best.select("agents", "weight_trained.fidelity").row(0) == (60, 0.4)
    assert found.cheapest(1.0) is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"tests": []}, "one test"),
        ({"tests": ["gain", "gain.instilled>0"]}, "that differ"),
        ({"replicates": 0}, "1 to 10,000,000"),
        ({"level": 1.0}, "level"),
        ({"interval": "bayes"}, "contexts or regression"),
        ({"seed": -1}, "seed"),
        ({"base": "gpt-9"}, "gpt-4o"),
    ],
)
def test_arguments_that_are_none_are_told(changes, told):
    with pytest.raises(InputError, match=told):
        avowal.power(GRID, **changes)


def test_the_store_keeps_one_of_equal_replicates():
    store, rows = Store(), np.arange(3 * len(COLUMNS), dtype=float).reshape(3, -1)
    store.add("k", np.array([5, 1, 3], dtype=np.uint64), rows)
    store.add("k", np.array([3, 0], dtype=np.uint64), rows[[2, 0]])
    numbers, held = store.load("k")
    assert numbers.tolist() == [0, 1, 3, 5]
    assert np.array_equal(held, rows[[0, 1, 2, 0]])


def test_claims_that_differ_are_told_apart_to_the_last_digit():
    found = avowal.power(GRID, tests=["accuracy>0.1234567", "accuracy>0.1234568"], replicates=3)
    assert found.table["test"].unique().len() == 2
    assert [str(each) for each in found.sweep.claims] == [
        "accuracy.weight_trained > 0.1234567",
        "accuracy.weight_trained > 0.1234568",
    ]


def test_another_plan_leaves_no_table_or_chart_of_the_old_one(tmp_path):
    avowal.power(GRID, replicates=5, out=tmp_path)
    (tmp_path / "price.svg").write_text("old")
    avowal.power(GRID, replicates=5, out=tmp_path)
    assert (tmp_path / "price.svg").exists()

    def failing(chunks):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        avowal.power({**GRID, "agents": [11, 12]}, replicates=5, out=tmp_path, executor=failing)
    assert {path.name for path in tmp_path.iterdir()} == {"cells", "sweep.json", "sweep.lock"}
    assert len(frames(tmp_path)) == 2


def test_a_cell_that_was_changed_is_refused(tmp_path):
    avowal.power(GRID, replicates=5, out=tmp_path)
    path = next(tmp_path.glob("cells/*.parquet"))
    held = pl.read_parquet(path)
    changed = held.with_columns(pl.col("weight_trained.r") + 1e-9)
    changed.write_parquet(path, metadata=pl.read_parquet_metadata(path) | {})
    with pytest.raises(InputError, match="as they were written"):
        avowal.power(GRID, replicates=5, out=tmp_path)


def test_what_a_killed_run_left_is_cleared_away(tmp_path):
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells" / "abc.99.part").write_text("half")
    same(avowal.power(GRID, replicates=5, out=tmp_path), avowal.power(GRID, replicates=5))
    assert not list(tmp_path.rglob("*.part"))


def test_an_interrupted_write_loses_nothing(tmp_path, monkeypatch):
    written = Folder._write
    calls = []

    def once(self, key, numbers, figures):
        calls.append(key)
        if len(calls) == 2:
            raise KeyboardInterrupt
        written(self, key, numbers, figures)

    monkeypatch.setattr(Folder, "_write", once)
    with pytest.raises(KeyboardInterrupt):
        avowal.power(GRID, replicates=5, out=tmp_path)
    assert sorted(len(frame) for frame in frames(tmp_path).values()) == [5, 5]


WRITER = """
import resource, sys
from avowal.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
sys.argv = ["avowal", "power", "agents=6", "reports=2", "--replicates", "50", "--out", "s", "--no-charts"]
main()
"""


@pytest.mark.skipif(os.name == "nt", reason="there are no limits on the size of files there")
def test_a_file_that_cannot_be_written_is_told_without_a_traceback(tmp_path):
    found = subprocess.run([sys.executable, "-c", WRITER], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert found.stderr.startswith("avowal: s/cells/")
    assert "expected a file that can be written" in found.stderr
    assert "Traceback" not in found.stderr
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.skipif(os.name == "nt", reason="files can't be locked and read there")
def test_one_folder_has_one_run(tmp_path):
    store = Folder(tmp_path)
    store.claim()
    command = [sys.executable, "-c", "from avowal.cli import main; main()", "power", "agents=6", "--replicates", "5"]
    found = subprocess.run([*command, "--out", tmp_path], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (2, "")
    assert "no other run works on" in found.stderr
    store.release()
    assert subprocess.run([*command, "--out", tmp_path], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(os.name == "nt", reason="SIGINT can't be sent to one process there")
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143)])
def test_an_unfinished_cell_is_kept_when_the_run_is_ended(tmp_path, sent, code):
    command = [sys.executable, "-c", "from avowal.cli import main; main()", "power", "agents=100", "--out", "s"]
    process = subprocess.Popen([*command, "--replicates", "100000"], cwd=tmp_path, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (tmp_path / "s" / "sweep.json").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(3)
    process.send_signal(sent)
    assert process.wait(timeout=60) == code
    (frame,) = frames(tmp_path / "s").values()
    assert len(frame) >= 100


@pytest.mark.skipif(os.name == "nt", reason="SIGINT can't be sent to one process there")
def test_ctrl_c_leaves_finished_cells_and_the_same_command_goes_on(tmp_path):
    command = [sys.executable, "-c", "from avowal.cli import main; main()", "power", "agents=6:45:1"]
    command += ["reports=2", "decisions=12", "--replicates", "300", "--test", "accuracy", "--out", "s"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("s/cells/*.parquet"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "kept in s" in told
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("s/cells/*.parquet")}
    finished = {path for path, frame in ((p, pl.read_parquet(p)) for p in kept) if len(frame) == 300}
    assert 3 <= len(finished) < 40
    assert not (tmp_path / "s" / "power.parquet").exists()
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True)
    assert "accuracy.weight_trained > 0" in again.stdout
    assert all(path.stat().st_mtime_ns == kept[path] for path in finished)
    assert pl.read_parquet(tmp_path / "s" / "power.parquet")["replicates"].to_list() == [300] * 40
