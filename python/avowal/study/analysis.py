"""The analysis of a study, finished or not: its tables become the material of the one analysis that there is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from avowal import tables
from avowal.analysis import Analysis, Material, ModelMaterial, Settings, analyze
from avowal.analysis.material import GROUPS, SETS, reasons
from avowal.lines import Training
from avowal.study.chains import Chain, belongs, chains
from avowal.study.collect import Collected, StageAccount
from avowal.study.stages import Stage
from avowal.study.whole import whole

__all__ = ["accuracies", "analyze_study", "material", "write"]

CHOSEN = {
    "learned": ("learned",),
    "native": ("native",),
    "learned_after": ("learned_after_last", "learned_after_first"),
    "native_after": ("native_after",),
}
"""The roles of the stages that make each group of choices, in the order of the contexts that they ask about."""


def analyze_study(
    collected: Collected,
    settings: Settings | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Analysis:
    """Compute the paper's tables for a study.

    Parameters
    ----------
    collected
        The study's tables.
    settings
        As for :func:`avowal.analysis.analyze`; by default with as many replies planned as the study plans.
    progress
        Called with the steps done and the steps in all.

    Returns
    -------
    Analysis
        What the study has so far; what is missing is named.

    Raises
    ------
    InputError
        For settings out of range.
    """
    settings = settings or Settings(replies=collected.study.design.reports)
    return analyze(material(collected), settings, progress=progress)


def material(collected: Collected) -> Material:
    """Turn a study's tables into the material of an analysis.

    Parameters
    ----------
    collected
        The tables.

    Returns
    -------
    Material
        One model for each chain. What was planned and has no valid reply stands there with its failure.
    """
    study = collected.study
    listed = [each.stage for each in collected.stages]
    again = study.design.decide_again
    groups, sets = (GROUPS, tuple(SETS)) if again else (GROUPS[:2], tuple(SETS)[:5])
    chosen = _by_stage(collected.tables["choices"])
    reported = _by_stage(collected.tables["reports"])
    states = {each.stage.name: each for each in collected.stages}
    return Material(
        "study",
        study.name,
        (*study.trained, *study.native),
        collected.tables["targets"],
        tuple(_model(chain, listed, chosen, reported, states, groups, sets) for chain in chains(listed)),
        groups,
        sets,
        collected.unanswered,
    )


def accuracies(found: Analysis) -> pl.DataFrame:
    """Return a table of :data:`avowal.tables.STUDY_ACCURACIES`: one row for each model and accuracy.

    Parameters
    ----------
    found
        The analysis.

    Returns
    -------
    polars.DataFrame
    """
    rows: list[dict[str, Any]] = []
    for model in found.models:
        for name in found.sets:
            row: dict[str, Any] = dict.fromkeys(tables.STUDY_ACCURACIES) | {"model": model.name, "set": name}
            if name in model.sets:
                its = model.sets[name]
                known, cluster = its.accuracy, its.accuracy.cluster_interval or (None, None)
                row |= {
                    "slope": known.slope.estimate,
                    "low": known.slope.low,
                    "high": known.slope.high,
                    "r": known.r,
                    "cluster_low": cluster[0],
                    "cluster_high": cluster[1],
                    "ceiling": its.ceiling,
                    "contexts": known.contexts,
                    "contexts_planned": known.context_account.planned,
                    "replies": known.replies.valid,
                    "replies_planned": known.replies.planned,
                    "status": known.status,
                }
            else:
                row["status"] = model.missing[name]
            rows.append(row)
    return pl.DataFrame(rows, schema=dict(tables.STUDY_ACCURACIES))


def write(folder: Path, collected: Collected, found: Analysis) -> tuple[Path, ...]:
    """Write every table of a study as parquet, each one whole or not at all.

    Parameters
    ----------
    folder
        Made where it doesn't exist.
    collected, found
        The study's tables, and their analysis.

    Returns
    -------
    tuple of pathlib.Path
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, table in {**collected.tables, "accuracies": accuracies(found)}.items():
        path = folder / f"{name}.parquet"
        with whole(path) as part:
            table.write_parquet(part)
        written.append(path)
    return tuple(written)


def _by_stage(table: pl.DataFrame) -> dict[str, pl.DataFrame]:
    return {str(name): rows for (name,), rows in table.group_by("stage", maintain_order=True)}


def _model(
    chain: Chain,
    listed: Sequence[Stage],
    chosen: Mapping[str, pl.DataFrame],
    reported: Mapping[str, pl.DataFrame],
    states: Mapping[str, StageAccount],
    groups: Sequence[str],
    sets: Sequence[str],
) -> ModelMaterial:
    own = [stage for stage in listed if belongs(stage, chain) and not isinstance(stage.sends, Training)]
    of = {(stage.sends.kind, stage.role): stage for stage in own}
    choices, no_choices = {}, {}
    for group in groups:
        stages = [stage for role in CHOSEN[group] if (stage := of.get(("decisions", role))) is not None]
        begun = [chosen[stage.name] for stage in stages if stage.name in chosen]
        if begun:
            choices[group] = pl.concat(begun).with_columns(pl.lit(chain.name).alias("model"))
        else:
            no_choices[group] = _why(stages, states)
    reports, no_reports, asked = {}, {}, {}
    for role in dict.fromkeys(each for name in sets for each in SETS[name][1]):
        stage = of.get(("reports", role))
        if stage is not None and stage.name in reported:
            reports[role] = reported[stage.name]
            asked[role] = [context.name for context in stage.sends.contexts]
        else:
            no_reports[role] = _why([] if stage is None else [stage], states)
    missing = reasons(no_choices, no_reports, sets)
    return ModelMaterial(chain.name, choices, reports, {}, missing, asked, chain.decider, chain.variant)


def _why(stages: Sequence[Stage], states: Mapping[str, StageAccount]) -> str:
    if not stages:
        return "the study asks for none"
    state = states[stages[0].name]
    return f"{stages[0].name!r} has not begun" if state.state == "not begun" else f"{stages[0].name!r} has no requests"
