"""The demo: a small study of two simulated models over HTTP, from its file to its page of results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from avowal.analysis import Analysis
from avowal.errors import InputError
from avowal.page.data import page
from avowal.page.render import PAGE, write
from avowal.page.sources import of_study
from avowal.study.analysis import material
from avowal.study.collect import Collected
from avowal.study.config import FILE
from avowal.study.results import tabulate
from avowal.study.run import Options, Outcome, run
from avowal.study.template import init
from avowal.study.watch import Watch

__all__ = ["Demo", "demo"]


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demo ran and found.

    Attributes
    ----------
    outcome
        How the run ended.
    collected
        The study's tables.
    analysis
        Accuracies and gains.
    page
        The file with the page of results.
    """

    outcome: Outcome
    collected: Collected
    analysis: Analysis
    page: Path


def demo(folder: str | Path, *, seed: int = 1, watch: Watch | None = None) -> Demo:
    """Run a small study of both simulated models and analyse it.

    Parameters
    ----------
    folder
        The study's folder. One that holds this demo already is gone on with, or just analysed again.
    seed
        Of everything drawn.
    watch
        Shows how far it is.

    Returns
    -------
    Demo
        Its tables are in the folder's ``tables``.

    Raises
    ------
    InputError
        For a folder that holds another study.
    """
    home = Path(folder)
    if not (home / FILE).exists():
        init(home, "demo", seed=seed)
    else:
        _check(home, seed)
    outcome = run(home, Options(), watch=watch)
    collected, analysis = tabulate(outcome.place)
    report = home / PAGE
    write(page(of_study(outcome.place, collected, material(collected), analysis)), report)
    return Demo(outcome, collected, analysis, report)


def _check(home: Path, seed: int) -> None:
    with TemporaryDirectory() as beside:
        expected = init(Path(beside) / home.resolve().name, "demo", seed=seed).read_text(encoding="utf-8")
    if (home / FILE).read_text(encoding="utf-8") != expected:
        raise InputError.at("the demo's own study, or another DIR", "another study", file=home / FILE)
