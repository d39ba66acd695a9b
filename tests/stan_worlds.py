"""Small studies for the tests of the Stan programs: contexts, choices and reports made by avowal's own simulation."""

import numpy as np
import polars as pl

from avowal.contexts import Attribute, Context
from avowal.tables import CHOICES, REPORTS


def contexts(count: int, width: int = 3) -> tuple[Context, ...]:
    return tuple(
        Context(f"c{i}", "Which?", tuple(Attribute(f"attribute {k}", "", 0.0, 1.0) for k in range(width)), "an agent")
        for i in range(count)
    )


def study(
    count: int = 8, width: int = 3, trials: int = 20, replies: int = 3, rho: float = 0.7, seed: int = 1
) -> tuple[tuple[Context, ...], pl.DataFrame, pl.DataFrame]:
    """Return contexts, choices of model "m", and one set of its reports."""
    rng = np.random.default_rng(seed)
    known = contexts(count, width)
    chosen, said = [], []
    for context in known:
        z = rng.normal(size=width)
        belief = 5 + 40 * (rho * z + np.sqrt(1 - rho**2) * rng.normal(size=width))
        for trial in range(trials):
            a, b = rng.uniform(size=(2, width))
            odds = 3 * z @ (a - b)
            choice = "A" if rng.uniform() < 1 / (1 + np.exp(-odds)) else "B"
            chosen.append(("m", context.name, trial, a.tolist(), b.tolist(), choice, None))
        for reply in range(replies):
            report = np.clip(np.round(belief + 15 * rng.normal(size=width)), -100, 100).tolist()
            said.append(("m tuned", "set", context.name, reply, report, None, None, None))
    return (
        known,
        pl.DataFrame(chosen, schema=dict(CHOICES), orient="row"),
        pl.DataFrame(said, schema=dict(REPORTS), orient="row"),
    )
