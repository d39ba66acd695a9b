"""The saving: how many decisions optimal pairs need where uniform pairs need more, by the simulated study."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from avowal.optimal import optimal_differences
from avowal.simulate import Settings, dump, profile

__all__ = ["Precision", "matched", "precision", "spared", "variants"]

Floats = NDArray[np.float64]

DECISIONS = (20, 30, 50, 70, 100)
"""Decisions of each agent about optimal pairs."""

UNIFORM = (20, 30, 50, 70, 100, 140, 200, 280, 400)
"""Decisions about uniform pairs, far enough to reach the precision of optimal ones."""

BLOCKS = 20
"""Blocks of replicates that are left out in turn for Monte-Carlo errors."""

LEAN = {"native_agents": 1, "native_decisions": 1, "trained_agents": 100, "trained_decisions": 1, "replies": 1}
"""What the precision of weights doesn't need is as small as it may be."""


@dataclass(frozen=True, slots=True)
class Precision:
    """How near estimated weights are to the weights in force, replicate by replicate.

    Attributes
    ----------
    squares
        Mean squared error of the scaled weights (±100), shape (replicates,).
    correlations
        Pearson's r of estimated weights with those in force, shape (replicates,).
    lost
        Share of agents whose weights couldn't be estimated; they are in no other figure.
    """

    squares: Floats
    correlations: Floats
    lost: float

    @property
    def error(self) -> tuple[float, float]:
        """Root mean square error on the ±100 scale, with its Monte-Carlo error."""
        mean, spread = _mean(self.squares)
        return float(np.sqrt(mean)), float(spread / (2 * np.sqrt(mean)))

    @property
    def r(self) -> tuple[float, float]:
        """Mean correlation, with its Monte-Carlo error."""
        return _mean(self.correlations)


def precision(
    settings: Settings,
    decisions: int,
    replicates: int,
    *,
    seed: int,
    group: str = "trained",
    designs: Floats | None = None,
) -> Precision:
    """Simulate how near a number of decisions brings the estimated weights to those in force.

    Parameters
    ----------
    settings
        Of the model; only what bears on the group's weights and decisions matters.
    decisions
        Of each of 100 agents.
    replicates
        How many, 2 or more.
    seed
        The same seed gives the same agents, whatever the decisions or designs.
    group
        ``trained`` or ``native``.
    designs
        Differences, shape (designs, decisions, attributes), or None for uniform pairs.

    Returns
    -------
    Precision
        Of every replicate.
    """
    lean = settings.but(LEAN | {f"{group}_agents": 100, f"{group}_decisions": decisions})
    given = None if designs is None else {group: designs}
    squares, correlations, lost = np.empty(replicates), np.empty(replicates), 0
    for replicate in range(replicates):
        study = dump(lean, seed=seed, replicate=replicate, designs=given)
        held, found = study.weights[group], study.estimated[group]
        known = np.isfinite(found).all(axis=1)
        lost += int((~known).sum())
        squares[replicate] = np.mean((found[known] - held[known]) ** 2)
        correlations[replicate] = np.corrcoef(found[known].ravel(), held[known].ravel())[0, 1]
    return Precision(squares, correlations, lost / (100 * replicates))


def matched(optimal: Precision, uniform: Mapping[int, Precision]) -> tuple[float, float]:
    """Find how many decisions about uniform pairs have the root mean square error that optimal pairs have.

    Parameters
    ----------
    optimal
        Of optimal pairs.
    uniform
        Of uniform pairs by their number, of as many replicates.

    Returns
    -------
    decisions, error : float
        Interpolated between logarithms, and the Monte-Carlo error by leaving out blocks of replicates; NaN where the
        uniform pairs don't go far enough.
    """
    counts = np.log(np.array(sorted(uniform)))
    squares = np.array([uniform[count].squares for count in sorted(uniform)])

    def needed(keep: Any) -> float:
        errors = np.log(squares[:, keep].mean(axis=1))
        at = np.log(optimal.squares[keep].mean())
        return float(np.exp(np.interp(-at, -errors, counts, left=np.nan, right=np.nan)))

    blocks = np.arange(optimal.squares.size) * BLOCKS // optimal.squares.size
    without = np.array([needed(blocks != block) for block in range(BLOCKS)])
    spread = np.sqrt((BLOCKS - 1) * np.mean((without - without.mean()) ** 2))
    return needed(slice(None)), float(spread)


def spared(
    cases: Mapping[str, tuple[Settings, str]], replicates: int, *, designs: int = 100, seed: int = 1
) -> Iterator[list[str]]:
    """Compare optimal with uniform pairs, made at the defaults, at several numbers of decisions.

    Parameters
    ----------
    cases
        Settings and group, by what the table calls them; 5 attributes.
    replicates
        Of each cell.
    designs
        How many designs of each length the agents share.
    seed
        Of everything.

    Yields
    ------
    list of str
        The heading, then one row of the table for each case and number of decisions.
    """
    yield [
        "agents", "decisions", "error, uniform", "error, optimal", "r, uniform", "r, optimal",
        "uniform pairs for the same error", "decisions spared",
    ]  # fmt: skip
    made = {count: optimal_differences(5, count, designs, seed=seed) for count in DECISIONS}
    for name, (settings, group) in cases.items():
        plain = {count: precision(settings, count, replicates, seed=seed, group=group) for count in UNIFORM}
        for count in DECISIONS:
            found = precision(settings, count, replicates, seed=seed, group=group, designs=made[count])
            needed, spread = matched(found, plain)
            share, share_error = 1 - count / needed, count / needed**2 * spread
            yield [
                name,
                str(count),
                _shown(plain[count].error, 2),
                _shown(found.error, 2),
                _shown(plain[count].r, 4),
                _shown(found.r, 4),
                _shown((needed, spread), 1),
                f"{_shown((100 * share, 100 * share_error), 1)}%",
            ]


def variants(
    cases: Mapping[str, tuple[Settings, str]], replicates: int, *, designs: int = 50, decisions: int = 50, seed: int = 1
) -> Iterator[list[str]]:
    """Compare designs that were made otherwise: for other inverse temperatures, under other caps, with less search.

    Parameters
    ----------
    cases
        Settings and group, by what the table calls them; 5 attributes.
    replicates
        Of each cell.
    designs
        How many designs of each kind the agents share.
    decisions
        Of each agent.
    seed
        Of everything.

    Yields
    ------
    list of str
        The heading, then one row of the table for each kind of design: errors in every case.
    """
    yield ["pairs", "mean difference", "differing by over .9", *(f"error, {name}" for name in cases)]
    kinds: dict[str, dict[str, Any] | None] = {"uniform": None, "optimal, as by default": {}}
    kinds |= {f"made for inverse temperature {b:g}": {"inverse_temperature": b} for b in (1.0, 3.0, 9.0, 12.0)}
    kinds |= {f"cap {cap:g}": {"cap": cap} for cap in (0.0, 0.25, 0.5, 1.0)}
    kinds |= {f"precision {precision:g}": {"precision": precision} for precision in (0.01, 1.0)}
    kinds |= {f"{draws} draws": {"draws": draws} for draws in (64, 1024)}
    kinds |= {f"{starts} starts": {"starts": starts} for starts in (1, 8)}
    for name, options in kinds.items():
        made = None if options is None else optimal_differences(5, decisions, designs, seed=seed, **options)
        found = [
            precision(settings, decisions, replicates, seed=seed, group=group, designs=made)
            for settings, group in cases.values()
        ]
        apart = np.abs(_uniform(seed) if made is None else made)
        sizes = [f"{apart.mean():.2f}", f"{(apart > 0.9).mean():.2f}"]
        yield [name, *sizes, *(_shown(each.error, 2) for each in found)]


def _uniform(seed: int) -> Floats:
    return dump(Settings(), seed=seed, replicate=0).differences["trained"]


def _mean(values: Floats) -> tuple[float, float]:
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(values.size))


def _shown(value: tuple[float, float], places: int) -> str:
    return f"{value[0]:.{places}f} ± {value[1]:.{places}f}"


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    heading, *body = rows
    lines = [heading, ["---"] * len(heading), *body]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cases() -> dict[str, tuple[Settings, str]]:
    plain = {
        f"inverse temperature {b:g}": (Settings().but({"trained.inverse_temperature": b}), "trained")
        for b in (3.0, 6.0, 12.0)
    }
    real = {f"GPT-4o, {group}": (profile("gpt-4o"), group) for group in ("trained", "native")}
    return plain | real


@click.command()
@click.option("--replicates", default=200, show_default=True, help="Of 100 agents each.")
@click.option("--seed", default=1, show_default=True)
def main(replicates: int, seed: int) -> None:
    """Print, as Markdown, what optimal pairs save, and what designs lose that were made for something else."""
    click.echo(_markdown(list(spared(_cases(), replicates, seed=seed))))
    click.echo(_markdown(list(variants(_cases(), replicates, seed=seed))), nl=False)


if __name__ == "__main__":
    main()
