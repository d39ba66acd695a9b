"""Frames: tables of weights, reports and choices from plain Python, and random studies to try laws on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from avowal.contexts import Attribute, Context
from avowal.tables import CHOICES, REPORTS

Reply = tuple[str, str, Sequence[float | None] | None]
"""Reporting model, context, and report: numbers, or None with the failure "wrong keys"."""


def weights(table: Mapping[str, Sequence[float | None]]) -> pl.DataFrame:
    rows = [(name, i, w if w is None else float(w)) for name, ws in table.items() for i, w in enumerate(ws)]
    schema = {"context": pl.String(), "position": pl.Int64(), "weight": pl.Float64()}
    return pl.DataFrame(rows, schema=schema, orient="row")


def reports(replies: Sequence[Reply], failure: str = "wrong keys") -> pl.DataFrame:
    rows = []
    for place, (model, name, report) in enumerate(replies):
        numbers = None if report is None else [None if x is None else float(x) for x in report]
        rows.append((model, "set", name, place, numbers, failure if report is None else None, None, None))
    return pl.DataFrame(rows, schema=dict(REPORTS), orient="row")


def choices(rows: Sequence[tuple[object, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict(CHOICES), orient="row")


def context(name: str, attributes: int) -> Context:
    return Context(name, "Which?", tuple(Attribute(f"a{i}", "", 0.0, 10.0 + i) for i in range(attributes)))


class Study:
    """Weights and reports of contexts with 2 to 5 attributes; the first half reported on by "m", the rest by "n"."""

    def __init__(self, seed: int, contexts: int = 8, replies: int = 3, models: int = 2) -> None:
        rng = np.random.default_rng(seed)
        self.names = [f"c{i}" for i in range(contexts)]
        self.widths = rng.integers(2, 6, size=contexts).tolist()
        self.given = {n: rng.uniform(-100, 100, k) for n, k in zip(self.names, self.widths, strict=True)}
        self.replies: list[Reply] = []
        for place, (name, w) in enumerate(self.given.items()):
            model = "mn"[models * place // contexts]
            scale, shift = (1.0, 0.0) if model == "m" else (3.0, 20.0)
            for _ in range(int(rng.integers(1, replies + 1))):
                self.replies.append((model, name, (scale * (0.5 * w + rng.normal(0, 40, len(w))) + shift).tolist()))
        self.weights = weights({name: w.tolist() for name, w in self.given.items()})
        self.reports = reports(self.replies)
        self.contexts = [context(name, k) for name, k in zip(self.names, self.widths, strict=True)]

    def averages(self) -> dict[str, np.ndarray]:
        """Average the replies of each context without a table."""
        found = {n: [r for _, name, r in self.replies if name == n and r is not None] for n in self.names}
        return {name: np.mean(np.array(rs, dtype=float), axis=0) for name, rs in found.items() if rs}

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return weights, averaged reports and reporting models of all entries, context after context."""
        means = self.averages()
        model = {name: m for m, name, _ in self.replies}
        w = np.concatenate([self.given[n] for n in means])
        s = np.concatenate(list(means.values()))
        return w, s, np.concatenate([[model[n]] * len(means[n]) for n in means])


def zscore(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / values.std(ddof=1)


def grouped(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    out = np.empty(len(values))
    for group in set(groups.tolist()):
        out[groups == group] = zscore(values[groups == group])
    return out
