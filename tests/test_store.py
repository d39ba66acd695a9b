"""The folder of a sweep: nothing simulated twice, nothing lost however a run ends, nothing that isn't told."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import polars as pl
import pytest
from sweeps import GRID, frames, same

import avowal
from avowal.errors import AvowalError, InputError
from avowal.quantities import Settings
from avowal.sweep import run as runs
from avowal.sweep.dump import dump
from avowal.sweep.estimands import COLUMNS
from avowal.sweep.power import carry_out, prepare
from avowal.sweep.run import here, missing
from avowal.sweep.store import Folder, Store


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


def test_the_store_keeps_one_of_equal_replicates():
    store, rows = Store(), np.arange(3 * len(COLUMNS), dtype=float).reshape(3, -1)
    store.add("k", np.array([5, 1, 3], dtype=np.uint64), rows)
    store.add("k", np.array([3, 0], dtype=np.uint64), rows[[2, 0]])
    numbers, held = store.load("k")
    assert numbers.tolist() == [0, 1, 3, 5]
    assert np.array_equal(held, rows[[0, 1, 2, 0]])


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
def test_an_unfinished_cell_is_kept_when_the_run_is_ended(tmp_path):
    command = [sys.executable, "-c", "from avowal.cli import main; main()", "power", "agents=100", "--out", "s"]
    process = subprocess.Popen([*command, "--replicates", "100000"], cwd=tmp_path, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (tmp_path / "s" / "sweep.json").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(3)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 143
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
