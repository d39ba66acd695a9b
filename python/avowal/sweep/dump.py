"""Dumps: one replicate of a cell, simulated alone, with everything that stands behind its figures."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from avowal.errors import AvowalError, InputError
from avowal.simulate import FIGURES, Study, simulate
from avowal.simulate import dump as keep
from avowal.sweep.estimands import COLUMNS
from avowal.sweep.grid import Cell
from avowal.sweep.pairs import designs
from avowal.sweep.power import Sweep
from avowal.sweep.store import PLAN, Folder

__all__ = ["dump"]


def dump(
    sweep: Sweep, cell: Cell, replicate: int, folder: str | Path, *, kept: str | Path | None = None
) -> dict[str, float | None]:
    """Simulate one replicate of a cell alone, and write down what stands behind its figures.

    Parameters
    ----------
    sweep, cell
        Which design, under which seed.
    replicate
        From 0.
    folder
        Gets ``figures.json``, ``weights.parquet`` (target, in force and estimated, by group, context and attribute),
        ``choices.parquet`` (differences and choice, by group, context and trial) and ``replies.parquet`` (by set,
        context and reply; null where invalid). New or empty.
    kept
        The sweep's folder. Where it has the replicate, its figures are compared with those found here.

    Returns
    -------
    dict of str to float or None
        All figures of the replicate (:data:`avowal.simulate.FIGURES`); None where it gives no number.

    Raises
    ------
    InputError
        For a folder with other files.
    AvowalError
        If the sweep's folder holds other figures for the replicate.
    """
    place = Path(folder)
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise InputError.at("a new or empty folder", "other files", file=place)
    seed, given = cell.seed(sweep.seed), designs(cell.settings, cell.pairs)
    row = simulate(cell.settings, 1, seed=seed, first=replicate, level=sweep.level, designs=given).figures[0, 0]
    if kept is not None and (Path(kept) / PLAN).is_file():
        _compare(row, Folder(Path(kept)), cell.key(sweep.seed, sweep.level), replicate)
    study = keep(cell.settings, seed=seed, replicate=replicate, designs=given)
    figures = {name: None if math.isnan(value) else float(value) for name, value in zip(FIGURES, row, strict=True)}
    place.mkdir(parents=True, exist_ok=True)
    (place / "figures.json").write_text(json.dumps(figures, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    for name, frame in tables(study).items():
        frame.write_parquet(place / f"{name}.parquet")
    return figures


def tables(study: Study) -> Mapping[str, pl.DataFrame]:
    """Lay a simulated study out as tables.

    Parameters
    ----------
    study
        One replicate, kept whole.

    Returns
    -------
    mapping of str to polars.DataFrame
        ``weights``, ``choices`` and ``replies``, as :func:`dump` writes them; contexts and the rest are counted from 0.
    """
    return {
        "weights": pl.concat([_weights(study, group) for group in study.weights]),
        "choices": pl.concat([_choices(study, group) for group in study.choices]),
        "replies": pl.concat([_replies(study, name) for name in study.replies]),
    }


def _weights(study: Study, group: str) -> pl.DataFrame:
    weights = study.weights[group]
    contexts, attributes = np.indices(weights.shape)
    targets = study.targets if group == "trained" else np.full(weights.shape, np.nan)
    columns = {
        "group": np.full(weights.size, group, dtype=object),
        "context": contexts.ravel(),
        "attribute": attributes.ravel(),
        "target": targets.ravel(),
        "in_force": weights.ravel(),
        "estimated": study.estimated[group].ravel(),
    }
    return _frame(columns, "group")


def _choices(study: Study, group: str) -> pl.DataFrame:
    contexts, trials = np.indices(study.choices[group].shape)
    columns = {
        "group": np.full(contexts.size, group, dtype=object),
        "context": contexts.ravel(),
        "trial": trials.ravel(),
        "differences": study.differences[group].reshape(contexts.size, -1),
        "choice": np.where(study.choices[group].ravel() == 1, "A", "B").astype(object),
    }
    return _frame(columns, "group", "choice")


def _replies(study: Study, name: str) -> pl.DataFrame:
    values = study.replies[name]
    contexts, replies = np.indices(values.shape[:2])
    frame = _frame(
        {
            "set": np.full(contexts.size, name, dtype=object),
            "context": contexts.ravel(),
            "reply": replies.ravel(),
            "weights": values.reshape(contexts.size, -1),
        },
        "set",
    )
    invalid = pl.Series(np.isnan(values).any(axis=2).ravel())
    return frame.with_columns(pl.when(~invalid).then(pl.col("weights")).alias("weights"))


def _frame(columns: Mapping[str, np.ndarray], *texts: str) -> pl.DataFrame:
    frame = pl.DataFrame(dict(columns), schema_overrides=dict.fromkeys(texts, pl.String()))
    return frame.with_columns(pl.col(pl.Float64).fill_nan(None))


def _compare(row: np.ndarray, store: Folder, key: str, replicate: int) -> None:
    numbers, figures = store.load(key)
    there = figures[numbers == replicate]
    found = row[[FIGURES.index(name) for name in COLUMNS]]
    if len(there) and not np.array_equal(there[0], found, equal_nan=True):
        name = next(n for n, a, b in zip(COLUMNS, there[0], found, strict=True) if a != b and not (a != a and b != b))
        raise AvowalError(
            f"replicate {replicate}: {name} differs from that in {store.path(key)}: that was made otherwise"
        )
