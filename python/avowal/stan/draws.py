"""Draws: what either engine hands over, its summaries, and its way into ArviZ."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from avowal.errors import InputError
from avowal.intervals import hdi
from avowal.stan.diagnostics import Diagnosis, diagnose, mcse_mean

Floats = NDArray[np.float64]

LEVEL = 0.95
"""Level of every highest-density interval; never a library's default."""

_INDEXED = re.compile(r"(?P<variable>[^\[]+)\[(?P<index>[\d,]+)\]")


@dataclass(frozen=True, slots=True)
class Draws:
    """Posterior draws of one program.

    Attributes
    ----------
    engine
        Which engine drew, with its versions.
    program
        Which program.
    names
        Columns as Stan names them, such as ``slope[2,1]``.
    values
        Shape (chains, draws, columns).
    sampler
        By ``lp__``, ``accept_stat__``, ``stepsize__``, ``treedepth__``, ``n_leapfrog__``, ``divergent__``,
        ``energy__``: shape (chains, draws) each.
    max_depth
        The largest tree depth that was allowed.
    seed
        Of the run; engines draw differently from the same seed.
    seconds
        How long sampling took, compilation apart.
    """

    engine: str
    program: str
    names: tuple[str, ...] = field(repr=False)
    values: Floats = field(repr=False)
    sampler: Mapping[str, Floats] = field(repr=False)
    max_depth: int
    seed: int
    seconds: float

    def __getitem__(self, name: str) -> Floats:
        """Return a column or a variable, all chains together: shape (chains * draws, *shape of the variable).

        NaN stands for what pads a variable: attributes that a narrower context has not.
        """
        flat = self.values.reshape(-1, len(self.names))
        if name in self.names:
            column: Floats = flat[:, self.names.index(name)]
            return column
        places, indices = self._columns(name)
        shape = tuple(indices.max(axis=0) + 1)
        out = np.full((len(flat), *shape), np.nan)
        out[(slice(None), *indices.T)] = flat[:, places]
        return out

    def only(self, names: tuple[str, ...]) -> Draws:
        """Return some of the columns."""
        places = [self.names.index(name) for name in names]
        return Draws(
            self.engine,
            self.program,
            names,
            self.values[:, :, places],
            self.sampler,
            self.max_depth,
            self.seed,
            self.seconds,
        )

    def without(self, names: set[str]) -> Draws:
        """Return all columns but some: those that hold no information, such as what pads a table."""
        return self.only(tuple(name for name in self.names if name not in names))

    def diagnosis(self) -> Diagnosis:
        """Compute every diagnostic of the run."""
        return diagnose(
            self.names,
            self.values,
            divergent=self.sampler["divergent__"],
            depth=self.sampler["treedepth__"],
            energy=self.sampler["energy__"],
            max_depth=self.max_depth,
        )

    def summary(self, diagnosis: Diagnosis | None = None) -> pl.DataFrame:
        """Summarise every column.

        Parameters
        ----------
        diagnosis
            What :meth:`diagnosis` found, where it is at hand.

        Returns
        -------
        polars.DataFrame
            Columns quantity, mean, mcse, sd, median, hdi_low, hdi_high (at :data:`LEVEL`), rhat, ess_bulk, ess_tail,
            problems: one row for each quantity. Numbers are null where draws are not finite.
        """
        found = diagnosis or self.diagnosis()
        flat = self.values.reshape(-1, len(self.names))
        finite = np.asarray(np.isfinite(flat).all(axis=0))
        ends = [hdi(flat[:, i], level=LEVEL) if finite[i] else None for i in range(len(self.names))]
        return pl.DataFrame(
            {
                "quantity": self.names,
                "mean": np.where(finite, flat.mean(axis=0), np.nan),
                "mcse": mcse_mean(self.values),
                "sd": np.where(finite, flat.std(axis=0, ddof=1), np.nan),
                "median": np.where(finite, np.median(flat, axis=0), np.nan),
                "hdi_low": [None if each is None else each.low for each in ends],
                "hdi_high": [None if each is None else each.high for each in ends],
                "rhat": found.rhat,
                "ess_bulk": found.ess_bulk,
                "ess_tail": found.ess_tail,
                "problems": [list(found.of(name)) for name in self.names],
            },
            schema_overrides={"hdi_low": pl.Float64, "hdi_high": pl.Float64, "problems": pl.List(pl.String)},
        ).with_columns(pl.col(pl.Float64).fill_nan(None))

    def to_frame(self) -> pl.DataFrame:
        """Return one row for each draw: columns chain, draw (both from 0), the sampler's, then every quantity."""
        chains, draws, columns = self.values.shape
        return pl.DataFrame(
            {
                "chain": np.repeat(np.arange(chains), draws),
                "draw": np.tile(np.arange(draws), chains),
                **{name: values.ravel() for name, values in self.sampler.items()},
                **{name: self.values[:, :, i].ravel() for i, name in enumerate(self.names[:columns])},
            }
        )

    def to_arviz(self) -> Any:
        """Hand the draws to ArviZ: an InferenceData under ArviZ 0.x, a DataTree under 1.x.

        Returns
        -------
        arviz.InferenceData or xarray.DataTree
            Groups posterior and sample_stats.

        Raises
        ------
        InputError
            Where ArviZ is not installed: ``pip install 'avowal[arviz]'``.
        """
        from avowal.stan.to_arviz import converted

        return converted(self)

    def variables(self) -> tuple[str, ...]:
        """Return the names of the variables, in the program's order."""
        return tuple(dict.fromkeys(name.partition("[")[0] for name in self.names))

    def _columns(self, variable: str) -> tuple[list[int], NDArray[np.int64]]:
        places, indices = [], []
        for place, name in enumerate(self.names):
            match = _INDEXED.fullmatch(name)
            if match and match["variable"] == variable:
                places.append(place)
                indices.append([int(i) - 1 for i in match["index"].split(",")])
        if not places:
            raise InputError.at(f"one of {', '.join(self.variables())}", repr(variable), field="draws")
        return places, np.array(indices)
