"""The package is there at once: what is heavy is imported where it is used, and the help needs none of it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

MARGIN = 3
"""How many times the budget a loaded or slow machine may take, in seconds of the processor."""

IMPORT, HELP = "import avowal", "import sys; sys.argv = ['avowal', '--help']; from avowal.cli import main; main()"


def seconds(code: str) -> float:
    """Return the seconds of the processor that a process takes; the least of three."""

    def once(told: str) -> float:
        before = os.times()
        subprocess.run([sys.executable, "-c", told], check=True, stdout=subprocess.DEVNULL)
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    return min(once(code) for _ in range(3))


@pytest.mark.skipif(os.name != "posix", reason="Windows doesn't tell the time of a process that has ended")
@pytest.mark.parametrize(("code", "budget"), [(IMPORT, 0.3), (HELP, 0.4)])
def test_the_budget_is_kept(code: str, budget: float) -> None:
    assert 0 < seconds(code) < MARGIN * budget


HEAVY = ("numpy", "polars", "altair", "vl_convert", "rich", "openai", "starlette", "uvicorn", "click", "logging")


@pytest.mark.parametrize("code", ["import avowal as av", "import avowal as av; dir(av)"])
def test_the_package_imports_nothing_heavy(code: str) -> None:
    told = f"{code}; import sys; print([each for each in {HEAVY} if each in sys.modules])"
    assert subprocess.run([sys.executable, "-c", told], check=True, capture_output=True, text=True).stdout == "[]\n"


def test_every_public_name_is_there_when_it_is_asked_for() -> None:
    code = (
        "import avowal as av; assert set(av.__all__) <= set(dir(av)); "
        "[getattr(av, each) for each in av.__all__ if each != 'stan']; print(av.fit.fit.__name__, av.power.__name__)"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert told.stdout == "fit power\n"
