"""The paper's study on the simulated provider, through the whole client: in its time, its memory, and the intervals."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from runs import AVOWAL, rows

from avowal.simulate import profile, simulate
from avowal.study import init
from avowal.study.analysis import analyze_study
from avowal.study.place import place
from avowal.study.status import look

MODELS = {"gpt-4o-2024-08-06": "gpt-4o", "gpt-4o-mini-2024-07-18": "gpt-4o-mini"}
SETS = ("off_the_shelf", "weight_trained", "introspection_trained", "native_before", "native_after")
SECONDS = 8 * 60
KILOBYTES = 1_000_000

JOBS = 1 + 2 * 3
"""For each base model: weights, and for targets and learned weights two folds and all contexts."""

REQUESTS = 15_000 + 3_000 + 2 * (2_000 + 15_000)
"""Decisions and reports before introspection training; and after each kind, with the decisions asked again."""


MEASURED = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
"""Runs a command from a small process: Linux counts to a command's peak that of the process which starts it."""


def study(folder: Path, mode: str) -> Path:
    path = init(folder, "paper")
    text = path.read_text(encoding="utf-8")
    for old, new in {
        'base = ["gpt-4o-2024-08-06"]': f"base = {list(MODELS)}".replace("'", '"'),
        "# decide_again = false": "decide_again = true",
        'introspection = ["targets"]': 'introspection = ["targets", "learned"]',
        '# mode = "sync"': f'mode = "{mode}"',
    }.items():
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "mode", [pytest.param("batch", marks=pytest.mark.slow), pytest.param("sync", marks=pytest.mark.heavy)]
)
def test_the_papers_study_of_two_models(tmp_path: Path, mode: str) -> None:
    folder = study(tmp_path / "paper", mode)
    began = time.monotonic()
    command = [sys.executable, "-c", MEASURED, *AVOWAL, "run", str(folder), "--quiet"]
    used = int(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    took = time.monotonic() - began
    print(f"{mode}: {took:.0f} s, {used / 1000:.0f} MB")
    assert took < SECONDS
    assert used < KILOBYTES
    assert rows(folder, "select state, count(*) from requests group by 1") == [("answered", 2 * REQUESTS)]
    assert rows(folder, "select state, count(*) from jobs group by 1") == [("succeeded", 2 * JOBS)]
    result = analyze_study(look(place(folder), None))
    found = {model.name: model for model in result.models}
    for base, name in MODELS.items():
        model = found[base]
        figures = {f"{key}.r": model.sets[key].accuracy.r for key in SETS}
        figures["learned_target.r"] = model.learned_vs_target
        simulated = simulate(profile(name), 400, seed=1)
        for figure, value in figures.items():
            low, high = np.nanquantile(simulated[figure], (0.0025, 0.9975))
            assert low <= value <= high, f"{base}, {figure}: {value:.3f} outside [{low:.3f}, {high:.3f}]"
        for own in ("introspection_trained_own", "native_after_own"):
            assert abs(model.sets[own].accuracy.r - model.sets[own.removesuffix("_own")].accuracy.r) < 0.15
        taught = found[f"{base}, learned weights as reports"]
        assert taught.sets["introspection_trained"].accuracy.r > model.sets["weight_trained"].accuracy.r
