"""Stored sweeps: a folder that a sweep was kept in becomes its result again, without anything being simulated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from avowal.calibrated import STAND_IN, calibrated
from avowal.errors import InputError
from avowal.json_values import parse_document, read_text
from avowal.sweep.estimands import claim
from avowal.sweep.grid import Cell
from avowal.sweep.money import Pricing
from avowal.sweep.power import COLUMNS, Power, Sweep
from avowal.sweep.store import PLAN

__all__ = ["stored"]

TABLE = "power.parquet"
"""The file of a sweep's table."""


def stored(folder: str | Path) -> Power:
    """Read a finished sweep from its folder.

    Parameters
    ----------
    folder
        As ``avowal power --out`` wrote it.

    Returns
    -------
    Power
        Its prices stand in the table; how they came about isn't kept.

    Raises
    ------
    InputError
        Where the folder is no sweep's, or one that has not been carried out to its end.
    """
    home = Path(folder)
    if not (home / PLAN).is_file():
        raise InputError.at(f"the folder of a sweep, with {PLAN} (avowal power --out)", "none", file=home)
    if not (home / TABLE).is_file():
        expected = f"a finished sweep, with {TABLE} (the same avowal power command goes on)"
        raise InputError.at(expected, "none", file=home)
    try:
        plan = parse_document(read_text(home / PLAN), home / PLAN)
        sweep = Sweep(
            cells=tuple(map(_cell, plan["cells"])),
            claims=tuple(map(claim, plan["tests"])),
            replicates=plan["replicates"],
            seed=plan["seed"],
            level=plan["level"],
            interval=plan["interval"],
            pricing=Pricing(seed=plan["seed"]),
        )
        table = pl.read_parquet(home / TABLE)
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        raise InputError.at("the plan of a sweep", f"{type(error).__name__}: {error}", file=home / PLAN) from None
    wanted = {(each.number, str(test)) for each in sweep.cells for test in sweep.claims}
    if (
        not sweep.cells
        or not {"cell", "test", *sweep.cells[0].values} <= set(table.columns)
        or wanted != set(table.select("cell", "test").iter_rows())
    ):
        raise InputError.at(f"the cells and tests of {PLAN}", "others", file=home / TABLE)
    for name, kind in COLUMNS.items():
        if table.schema.get(name) != kind:
            raise InputError.at(f"a column of {kind}", table.schema.get(name, "none"), file=home / TABLE, field=name)
    for name, kind in table.schema.items():
        if kind == pl.Float64() and not table[name].drop_nulls().is_finite().all():
            raise InputError.at("finite numbers, or none", "another", file=home / TABLE, field=name)
    return Power(sweep, table)


def _cell(held: dict[str, Any]) -> Cell:
    settings = calibrated(STAND_IN).settings.but(held["settings"])
    return Cell(held["cell"], held["values"], settings, held["pairs"], held["model"])
