"""Soundness: how often the intervals exclude what they should, measured where the truth is known, made by a command."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import sqrt
from typing import TypeVar

import click
import numpy as np
import polars as pl

from avowal.checks import as_u64
from avowal.errors import AvowalError
from avowal.laws import LEVEL, Entries, Intervals, accuracy_intervals, fisher_power, gain_intervals
from avowal.simulate import SETS, Settings, profile, simulate

T = TypeVar("T")

SILENT = {f"{name}.{part}": 0.0 for name in SETS for part in ("fidelity", "common_sense")}
"""Reports that know nothing, not even common sense."""


def _agents(settings: Settings, agents: int) -> Settings:
    return settings.but({"trained_agents": agents, "native_agents": agents})


SIZE_STUDIES: Mapping[str, Settings] = {
    **{f"{agents} agents": _agents(Settings().but(SILENT), agents) for agents in (100, 50, 20, 10)},
    **{f"{n} agents, GPT-4o-mini's losses": _agents(profile("gpt-4o-mini").but(SILENT), n) for n in (100, 20)},
}
"""Whole studies in which no report knows anything."""

POWER_CASES = (
    *(Entries(n, 1, rho) for n, rho in ((50, 0.4), (100, 0.2), (100, 0.3), (200, 0.15), (500, 0.1), (500, 0.15))),
    *(Entries(n, k, rho) for n, k, rho in ((50, 2, 0.3), (100, 2, 0.2), (50, 5, 0.15), (100, 5, 0.1), (100, 5, 0.15))),
)
"""Plain correlations: entries independent of each other."""

CLUSTER_CASES = tuple(
    Entries(contexts, 5, weights_icc=icc, reports_icc=other, scale_sd=sd)
    for icc, other, sd in ((0, 0, 0), (0.25, 0.25, 0), (0.5, 0.5, 0), (0.8, 0.8, 0), (0.5, -1.0, 0), (0, 0, 0.5))
    for contexts in (100, 20)
)
"""Weights and reports independent of each other, but not within contexts."""

GAIN_CASES = tuple(
    Entries(contexts, 5, before, 0.2, 0.2, kept=kept, rho_after=after)
    for before, after in ((0.5, 0.5), (0.75, 0.75), (0.5, 0.75))
    for kept in (0.0, 0.5)
    for contexts in (100, 30)
)
"""Gains: the same weights before and after, errors kept in part, a fifth of all variance the context's."""

GAIN_STUDIES = ((0.535, 0.535), (0.79, 0.79), (0.535, 0.79))
"""Fidelities before and after training that give accuracies of about .5 and .75."""


def size(replicates: int, seed: int, studies: Mapping[str, Settings] = SIZE_STUDIES) -> pl.DataFrame:
    """Measure how often whole studies find an accuracy where there is none.

    Parameters
    ----------
    replicates, seed
        Of the simulation, for each study.
    studies
        Settings by name.

    Returns
    -------
    polars.DataFrame
        For each study and set the shares of cluster and of slope intervals that exclude 0, in all, below and above,
        and the studies ``without`` a cluster interval.
    """
    rows = []
    for name, settings in studies.items():
        found = simulate(settings, replicates, seed=seed, level=LEVEL)
        for group in SETS:
            row: dict[str, object] = {"study": name, "set": group}
            for kind in ("cluster", "slope"):
                ends = Intervals(found[f"{group}.{kind}_low"], found[f"{group}.{kind}_high"])
                below, above = ends.rates()
                row |= {kind: below + above, f"{kind} below": below, f"{kind} above": above}
            row["without"] = int(np.isnan(found[f"{group}.cluster_low"]).sum())
            rows.append(row)
    return pl.DataFrame(rows)


def power(replicates: int, seed: int, cases: Sequence[Entries] = POWER_CASES) -> pl.DataFrame:
    """Measure the power of plain correlations beside Fisher's formula.

    Parameters
    ----------
    replicates, seed
        Studies for each law, and the seed.
    cases
        The laws.

    Returns
    -------
    polars.DataFrame
        The share of intervals of each kind that exclude 0; the formula without and with the bias of z; the mean ``df``
        of the cluster intervals, and the formula ``with df`` for a normal's infinite ones.
    """
    rows = []
    for law, found in zip(cases, _each(cases, accuracy_intervals, replicates, seed), strict=True):
        entries = law.contexts * law.attributes
        shares = {kind: sum(ends.rates()) for kind, ends in found.items()}
        formula = {
            "formula": fisher_power(law.rho, entries),
            "with bias": fisher_power(law.rho, entries, corrected=True),
            "df": float(np.nanmean(found["cluster"].df)),
        }
        formula["with df"] = fisher_power(law.rho, entries, df=formula["df"])
        rows.append({"contexts": law.contexts, "attributes": law.attributes, "rho": law.rho} | shares | formula)
    return pl.DataFrame(rows)


def study_power(replicates: int, seed: int, fidelities: Sequence[float] = (0.05, 0.1, 0.15, 0.2)) -> pl.DataFrame:
    """Measure the power of whole studies beside Fisher's formula with all entries and with effective ones.

    Parameters
    ----------
    replicates, seed
        Of the simulation, for each fidelity.
    fidelities
        Of the weight-trained and the first native set.

    Returns
    -------
    polars.DataFrame
        Mean ``r``, the shares of both intervals that exclude 0, ``effective`` entries (3 + 1 / Var atanh r) and the
        formula with 500 and with effective entries at that r.
    """
    rows = []
    for fidelity in fidelities:
        changes = {"weight_trained.fidelity": fidelity, "native_before.fidelity": fidelity}
        found = simulate(Settings().but(SILENT | changes), replicates, seed=seed, level=LEVEL)
        for group in ("weight_trained", "native_before"):
            r = found[f"{group}.r"]
            centre, effective = float(np.tanh(np.arctanh(r).mean())), 3 + 1 / float(np.arctanh(r).var())
            shares = {
                kind: sum(Intervals(found[f"{group}.{kind}_low"], found[f"{group}.{kind}_high"]).rates())
                for kind in ("cluster", "slope")
            }
            row = {"set": group, "fidelity": fidelity, "r": float(r.mean())} | shares
            formula = {"formula, 500 entries": fisher_power(centre, 500)}
            rows.append(row | formula | {"effective": effective, "formula, effective": fisher_power(centre, effective)})
    return pl.DataFrame(rows)


def clustering(replicates: int, seed: int, cases: Sequence[Entries] = CLUSTER_CASES) -> pl.DataFrame:
    """Measure how often intervals exclude 0 where weights and reports have nothing in common but contexts.

    Parameters
    ----------
    replicates, seed
        Studies for each law, and the seed.
    cases
        The laws.

    Returns
    -------
    polars.DataFrame
        The share of intervals of each kind that exclude 0.
    """
    rows = []
    for law, found in zip(cases, _each(cases, accuracy_intervals, replicates, seed), strict=True):
        reports = "sum to 0" if law.reports_icc == -1.0 else str(law.reports_icc)
        about = {"contexts": law.contexts, "weights' ICC": str(law.weights_icc), "reports' ICC": reports}
        rows.append(about | {"scales": law.scale_sd} | {kind: sum(ends.rates()) for kind, ends in found.items()})
    return pl.DataFrame(rows)


def gains(replicates: int, seed: int, cases: Sequence[Entries] = GAIN_CASES) -> pl.DataFrame:
    """Measure how often the paired interval covers a gain, and how often it finds one where there is none.

    Parameters
    ----------
    replicates, seed
        Studies for each law, and the seed.
    cases
        The laws, with `rho_after`.

    Returns
    -------
    polars.DataFrame
        ``covers`` and the share of intervals ``below`` and ``above`` the true gain; without a gain these two are the
        size of the test.
    """
    rows = []
    for law, found in zip(cases, _each(cases, gain_intervals, replicates, seed), strict=True):
        below, above = found.rates((law.rho_after or 0.0) - law.rho)
        about = {"contexts": law.contexts, "before": law.rho, "after": law.rho_after, "errors kept": law.kept}
        rows.append(about | {"covers": 1 - below - above, "below": below, "above": above})
    return pl.DataFrame(rows)


def study_gains(
    replicates: int, seed: int, fidelities: Sequence[tuple[float, float]] = GAIN_STUDIES, agents: int = 100
) -> pl.DataFrame:
    """Measure the same in whole studies, whose reports before and after are about the same weights.

    Parameters
    ----------
    replicates, seed
        Of the simulation, for each pair of fidelities.
    fidelities
        Before and after training; equal ones make no gain.
    agents
        Trained, and as many native.

    Returns
    -------
    polars.DataFrame
        Mean r ``before`` and ``after``, ``covers``, ``below`` and ``above``; the true gain is the mean one, or 0.
    """
    rows = []
    for before, after in fidelities:
        shares = {
            "weight_trained": before,
            "introspection_trained": after,
            "native_before": before,
            "native_after": after,
        }
        changes = {
            f"{name}.{key}": value for name in shares for key, value in {"habit": 0.0, "fidelity": shares[name]}.items()
        }
        found = simulate(_agents(Settings().but(changes), agents), replicates, seed=seed, level=LEVEL)
        for contrast, pair in (("instilled", SETS[1:3]), ("native", SETS[3:])):
            r = [float(found[f"{name}.r"].mean()) for name in pair]
            truth = 0.0 if before == after else float(found[f"gain_{contrast}.r"].mean())
            ends = Intervals(found[f"gain_{contrast}.cluster_low"], found[f"gain_{contrast}.cluster_high"])
            below, above = ends.rates(truth)
            about = {"gain": contrast, "before": r[0], "after": r[1]}
            rows.append(about | {"covers": 1 - below - above, "below": below, "above": above})
    return pl.DataFrame(rows)


def _each(cases: Sequence[Entries], measure: Callable[[Entries, int, int], T], replicates: int, seed: int) -> list[T]:
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda law: measure(law, replicates, seed), cases))


TABLES: Mapping[str, Callable[[int, int], pl.DataFrame]] = {
    "Size of the test of no accuracy": size,
    "Power of plain correlations": power,
    "Power of whole studies": study_power,
    "Contexts with something of their own": clustering,
    "Gains": gains,
    "Gains in whole studies": study_gains,
}
"""What the command prints, by title."""


def markdown(table: pl.DataFrame, replicates: int) -> str:
    """Write a table as Markdown, shares with their Monte-Carlo standard errors.

    Parameters
    ----------
    table
        One of this module's.
    replicates
        Behind each of its shares.

    Returns
    -------
    str
        Ending in a newline.
    """
    rows = ([_cell(name, row[name], replicates) for name in table.columns] for row in table.iter_rows(named=True))
    lines = [table.columns, ["---"] * table.width, *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


_SHARES = {"cluster", "slope", "fisher", "covers"}
_GIVEN = {"rho", "fidelity", "scales", "errors kept"}


def _cell(name: str, value: object, replicates: int) -> str:
    if not isinstance(value, float):
        return str(value)
    if name in _SHARES:
        return f"{value:.4f} ± {sqrt(value * (1 - value) / replicates):.4f}"
    return f"{value:g}" if name in _GIVEN else f"{value:.0f}" if name in {"effective", "df"} else f"{value:.4f}"


@click.command()
@click.option("--replicates", default=20_000, show_default=True)
@click.option("--seed", default=1, show_default=True)
def main(replicates: int, seed: int) -> None:
    """Print, as Markdown, how often the intervals exclude what they should."""
    try:
        as_u64("replicates", replicates)
        for title, table in TABLES.items():
            start = time.perf_counter()
            click.echo(f"### {title}\n\n{markdown(table(replicates, seed), replicates)}", nl=False)
            click.echo(f"({title}: {time.perf_counter() - start:.0f} s)", err=True)
            click.echo()
    except AvowalError as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
