"""Likeness: the figures of real studies beside what their calibrated simulation gives, made by a command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
import polars as pl
from numpy.typing import NDArray

from avowal.errors import AvowalError
from avowal.observed import Observed, observe
from avowal.published import read
from avowal.simulate import SETS, Settings, Simulation, profile, simulate

Floats = NDArray[np.float64]

TRAINED_SETS = SETS[:3]

MET = (
    "learned_target.r",
    "learned.agreement",
    *(f"{name}.slope" for name in SETS),
    *(f"{name}.contexts_lost" for name in SETS),
)
"""Published figures that the calibration aims at, directly or through a near relation."""

HELD_OUT = (
    *(f"{name}.r_target" for name in TRAINED_SETS),
    *(f"{name}.r_without_extremes" for name in SETS),
    *(f"{name}.r_within" for name in SETS),
    *(f"{name}.crossed_r" for name in SETS),
    "learned.extremes",
    "native.extremes",
    *(f"{name}.lost_per_context" for name in SETS),
)
"""Figures that the calibration does not aim at; `lost_per_context` is replies lost for each context lost."""


def likeness(observed: Sequence[Observed], simulated: Simulation) -> pl.DataFrame:
    """Set each observed figure beside the distribution of its simulated values.

    Parameters
    ----------
    observed
        Of each model, in the order of the simulation's.
    simulated
        Replicates of the same studies.

    Returns
    -------
    polars.DataFrame
        ``model``, ``figure``, ``held_out``, ``observed``, simulated ``mean``, ``low`` and ``high`` (the 5th and the
        95th percentile), ``inside``, simulated ``sd``, ``error`` (the observed figure's standard error, null where
        there is none) and ``ratio`` of the two.
    """
    rows = []
    for place, real in enumerate(observed):
        for name in (*MET, *HELD_OUT):
            value, values = _pair(name, real, simulated, place)
            if value is None:
                continue
            low, high = np.quantile(values, [0.05, 0.95], method="inverted_cdf")
            sd, error = float(values.std(ddof=1)), real.errors.get(name)
            rows.append(
                {
                    "model": real.model,
                    "figure": name,
                    "held_out": name in HELD_OUT,
                    "observed": value,
                    "mean": float(values.mean()),
                    "low": float(low),
                    "high": float(high),
                    # Shares of whole numbers meet the ends exactly, but for rounding.
                    "inside": bool(low - 1e-12 <= value <= high + 1e-12),
                    "sd": sd,
                    "error": error,
                    "ratio": None if error is None else sd / error,
                }
            )
    return pl.DataFrame(rows)


def _pair(name: str, real: Observed, simulated: Simulation, place: int) -> tuple[float | None, Floats]:
    part, _, figure = name.rpartition(".")
    if figure != "lost_per_context":
        values = simulated.of(name, place)
        return real.figures.get(name), values[np.isfinite(values)]
    planned = real.planned * len(real.replies[part])
    contexts = simulated.of(f"{part}.contexts_lost", place)
    lost = planned - simulated.of(f"{part}.replies_valid", place)
    own = real.figures[f"{part}.contexts_lost"]
    values = lost[contexts > 0] / contexts[contexts > 0]
    return (planned - real.figures[f"{part}.replies_valid"]) / own if own else None, values


def markdown(table: pl.DataFrame) -> str:
    """Write a likeness as Markdown: one table for each model, and a count of the figures inside.

    Parameters
    ----------
    table
        From :func:`likeness`.

    Returns
    -------
    str
        Ending in a newline.
    """
    parts = []
    for (model,), rows in table.group_by("model", maintain_order=True):
        lines = [
            f"### {model}",
            "",
            "| figure | observed | simulated mean | central 90% | inside | SD | standard error | SD / error |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for row in rows.iter_rows(named=True):
            label = f"*{row['figure']}*" if row["held_out"] else row["figure"]
            ratio = ["" if row[key] is None else _number(row[key]) for key in ("error", "ratio")]
            numbers = [_number(row[key]) for key in ("observed", "mean")]
            span = f"{_number(row['low'])} to {_number(row['high'])}"
            cells = [label, *numbers, span, "yes" if row["inside"] else "**no**", _number(row["sd"]), *ratio]
            lines.append(f"| {' | '.join(cells)} |")
        parts.append("\n".join(lines))
    return "\n\n".join([*parts, _count(table)]) + "\n"


def _count(table: pl.DataFrame) -> str:
    met, held = table.filter(~pl.col("held_out")), table.filter("held_out")
    ratios = table.drop_nulls("ratio")
    close = ratios.filter(pl.col("ratio").is_between(0.8, 1.2))
    outside = [f"{r['figure']} of {r['model']}" for r in table.filter(~pl.col("inside")).iter_rows(named=True)]
    apart = [
        f"{r['figure']} of {r['model']} ({r['ratio']:.2f})"
        for r in ratios.filter(~pl.col("ratio").is_between(0.8, 1.2)).iter_rows(named=True)
    ]
    return (
        f"Inside the central 90%: {int(met['inside'].sum())} of {len(met)} figures that the calibration aims at, "
        f"{int(held['inside'].sum())} of {len(held)} that are no aim of it (in italics). Outside: "
        f"{', '.join(outside) or 'none'}. Standard deviations within 20% of the standard error: {len(close)} of "
        f"{len(ratios)}. Apart: {', '.join(apart) or 'none'}."
    )


def _number(value: float) -> str:
    return f"{value:.0f}" if value.is_integer() and abs(value) >= 1 else f"{value:.3f}"


def profiles(observed: Sequence[Observed]) -> tuple[Settings, ...]:
    """Return the shipped settings of observed models, by their names without the date.

    Parameters
    ----------
    observed
        Of each model.

    Returns
    -------
    tuple of Settings
        In the same order.
    """
    return tuple(profile(short(each.model)) for each in observed)


def short(model: str) -> str:
    """Return a model's name without its date.

    Examples
    --------
    >>> short("gpt-4o-mini-2024-07-18")
    'gpt-4o-mini'
    """
    parts = model.split("-")
    return "-".join(parts[:-3] if len(parts) > 3 and all(part.isdigit() for part in parts[-3:]) else parts)


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--replicates", default=1000, show_default=True)
@click.option("--seed", default=2026, show_default=True)
def main(folder: Path, replicates: int, seed: int) -> None:
    """Print, as Markdown, how the shipped calibration compares with the authors' files in FOLDER."""
    try:
        observed = observe(read(folder))
        click.echo(markdown(likeness(observed, simulate(profiles(observed), replicates, seed=seed))), nl=False)
    except AvowalError as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
