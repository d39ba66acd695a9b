"""Results: a study's database read, analysed, and written as tables, in one go."""

from __future__ import annotations

from collections.abc import Callable

from avowal.analysis import Analysis, Settings
from avowal.prices import Prices
from avowal.study.analysis import analyze_study, write
from avowal.study.collect import Collected
from avowal.study.place import Place
from avowal.study.status import look

__all__ = ["CHECK", "TABLES", "tabulate"]

TABLES = "tables"
"""The folder of the tables, in a study's."""

CHECK = "check.json"
"""The document of a study's last check in Stan, in the folder of its tables."""


def tabulate(
    place: Place,
    prices: Prices | None = None,
    settings: Settings | None = None,
    *,
    collected: Collected | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Collected, Analysis]:
    """Analyse a study, finished or not, and write its tables.

    Parameters
    ----------
    place
        Where it runs.
    prices
        The built-in prices if None.
    settings
        Of the analysis, as for :func:`avowal.study.analysis.analyze_study`.
    collected
        Its tables, where they have been read already.
    progress
        Called with the steps done and the steps in all.

    Returns
    -------
    Collected, Analysis
        Nothing is written for a study that was never run.

    Raises
    ------
    InputError
        For a bad database, or settings out of range.
    """
    collected = look(place, prices) if collected is None else collected
    analysis = analyze_study(collected, settings, progress=progress)
    if any(each.state != "not begun" for each in collected.stages):
        write(place.folder / TABLES, collected, analysis)
    return collected, analysis
