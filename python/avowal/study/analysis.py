"""The analysis of a study, finished or not: its tables become the material of the one analysis that there is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from avowal import tables
from avowal.analysis import Analysis, Material, ModelMaterial, Settings, analyze
from avowal.analysis.material import GROUPS, NOT_ASKED, SETS, after, reasons
from avowal.lines import Training
from avowal.study.chains import Chain, belongs, chains
from avowal.study.collect import Collected, StageAccount
from avowal.study.conditions import targets
from avowal.study.config import StudyFile
from avowal.study.stages import Stage
from avowal.study.whole import whole

__all__ = ["accuracies", "analyze_study", "material", "write"]

CHOSEN = {
    "learned": ("learned",),
    "native": ("native",),
    "learned_after": ("learned_after_last", "learned_after_first"),
    "native_after": ("native_after",),
    "learned_by_others": ("learned",),
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
    groups, sets = _looked_for(listed)
    chosen = _by_stage(collected.tables["choices"])
    reported = _Reports(_by_stage(collected.tables["reports"]), {})
    states = {each.stage.name: each for each in collected.stages}
    return Material(
        "study",
        study.name,
        (*study.trained, *study.native),
        collected.tables["targets"] if study.trained else None,
        tuple(_model(chain, study, chosen, reported, states, groups, sets) for chain in chains(listed)),
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


@dataclass(frozen=True, slots=True)
class _Reports:
    """Reports by stage; the analysis knows sets that chains share by their being the same table."""

    by_stage: Mapping[str, pl.DataFrame]
    joined: dict[tuple[str, ...], pl.DataFrame]

    def of(self, names: Sequence[str]) -> pl.DataFrame:
        """Return the reports of several stages, the same table for the same stages."""
        key = tuple(names)
        if key not in self.joined:
            self.joined[key] = pl.concat([self.by_stage[name] for name in key])
        return self.joined[key]


def _by_stage(table: pl.DataFrame) -> dict[str, pl.DataFrame]:
    return {str(name): rows for (name,), rows in table.group_by("stage", maintain_order=True)}


def _looked_for(listed: Sequence[Stage]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the groups and accuracies of a study: the paper's, and those of the others that it asks for."""
    asked = {(stage.sends.kind, stage.role) for stage in listed if not isinstance(stage.sends, Training)}
    groups = [group for group in GROUPS if any(("decisions", role) in asked for role in CHOSEN[group])]
    sets = [name for name, (_, files) in SETS.items() if any(("reports", file) in asked for file in files)]
    kept = [name for name in tuple(SETS)[5:] if name in sets and SETS[name][0] in groups]
    used = {SETS[name][0] for name in kept}
    return (*GROUPS[:2], *(group for group in GROUPS[2:] if group in used)), (*tuple(SETS)[:5], *kept)


def _model(
    chain: Chain,
    study: StudyFile,
    chosen: Mapping[str, pl.DataFrame],
    reported: _Reports,
    states: Mapping[str, StageAccount],
    groups: Sequence[str],
    sets: Sequence[str],
) -> ModelMaterial:
    listed = [each.stage for each in states.values()]
    own = [stage for stage in listed if belongs(stage, chain) and not isinstance(stage.sends, Training)]
    choices, no_choices = {}, {}
    for group in groups:
        stages = _deciding(group, own, listed, chain)
        begun = [chosen[stage.name] for stage in stages if stage.name in chosen]
        if begun:
            # Chains that share choices share the name that their fits are drawn under, whichever comes first.
            name = chain.decider if after(group) is None else chain.name
            choices[group] = pl.concat(begun).with_columns(pl.lit(name).alias("model"))
        else:
            no_choices[group] = _why(stages, states)
    reports, no_reports, asked = {}, {}, {}
    for role in dict.fromkeys(each for name in sets for each in SETS[name][1]):
        stages = [stage for stage in own if (stage.sends.kind, stage.role) == ("reports", role)]
        known = [stage for stage in stages if stage.name in reported.by_stage]
        if known:
            reports[role] = reported.of([stage.name for stage in known])
            asked[role] = [context.name for stage in known for context in stage.sends.contexts]
        else:
            no_reports[role] = _why(stages, states)
    conditions = {condition.name: condition for condition in study.conditions}
    under = None if chain.condition is None else targets(study.trained, conditions[chain.condition], seed=study.seed)
    missing = reasons(no_choices, no_reports, sets)
    return ModelMaterial(
        chain.name,
        choices,
        reports,
        {},
        missing,
        asked,
        decider=chain.decider,
        base=chain.base,
        traits=chain.traits,
        setting=chain.setting,
        variant=chain.variant,
        targets=under,
    )


def _deciding(group: str, own: Sequence[Stage], listed: Sequence[Stage], chain: Chain) -> list[Stage]:
    """Return the stages that make a group of choices, in the order of the contexts that they ask about."""
    pool = list(own)
    if group == "learned_by_others":
        others = [replace(chain, base=base) for base in {stage.about for stage in own} if base is not None]
        pool = [stage for stage in listed if any(belongs(stage, other) for other in others)]
    return [
        stage
        for role in CHOSEN[group]
        for stage in pool
        if stage.role == role and stage.sends.kind == "decisions" and not isinstance(stage.sends, Training)
    ]


def _why(stages: Sequence[Stage], states: Mapping[str, StageAccount]) -> str:
    if not stages:
        return NOT_ASKED
    state = states[stages[0].name]
    return f"{stages[0].name!r} has not begun" if state.state == "not begun" else f"{stages[0].name!r} has no requests"
