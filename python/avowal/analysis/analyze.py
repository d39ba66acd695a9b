"""Analyze: every table of the paper's Experiments 1 to 3, and what stands beside them, from any material."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count

import polars as pl

from avowal.accuracy import Gain, accuracy, difference, gain
from avowal.analysis.groups import GroupResult, group_result, predicted_share
from avowal.analysis.material import GAINS, SETS, Material, ModelMaterial, after, native
from avowal.analysis.results import Analysis, ModelResult, SetResult, Settings
from avowal.bounds import bounds
from avowal.ceiling import ceiling, corrected
from avowal.companions import companions
from avowal.contexts import Context
from avowal.correlation import pearson
from avowal.errors import InputError
from avowal.jackknife import Combination, context_bootstrap

__all__ = ["analyze", "asked_about"]

Groups = Mapping[str, GroupResult]


def analyze(
    material: Material, settings: Settings | None = None, *, progress: Callable[[int, int], None] | None = None
) -> Analysis:
    """Compute the tables of Experiments 1 to 3.

    Parameters
    ----------
    material
        What is analysed, finished or not.
    settings
        How; by default as in the paper, with our fits.
    progress
        Called with the steps done and the steps in all.

    Returns
    -------
    Analysis
        What the material allows; what it doesn't is named in each model's `missing`.

    Raises
    ------
    InputError
        For settings out of range.
    """
    settings = settings or Settings()
    _check(settings)
    step = _counter(len(material.models) * (len(material.groups) + len(material.sets)), progress)
    groups = _all_groups(material, settings, step)
    known: dict[tuple[object, ...], SetResult] = {}
    models = tuple(_model(model, material, groups, settings, known, step) for model in material.models)
    return Analysis(
        kind=material.kind,
        source=material.source,
        settings=settings,
        groups=material.groups,
        sets=material.sets,
        models=models,
        gains=_all_gains(material, models, settings.level),
        differences={name: _differences(material, models, name, settings.level) for name in material.sets},
        targets=material.targets is not None,
    )


def _counter(steps: int, progress: Callable[[int, int], None] | None) -> Callable[[], None]:
    """Return what is called after each step, and tells how many of all are done."""
    done = count(1)

    def step() -> None:
        number = next(done)
        if progress is not None:
            progress(number, steps)

    return step


def _all_groups(material: Material, settings: Settings, step: Callable[[], None]) -> dict[str, dict[str, GroupResult]]:
    """Fit every group of choices, by who decided; models that differ in their reports alone have the same choices."""
    groups: dict[str, dict[str, GroupResult]] = {}
    for model in material.models:
        for group in material.groups:
            found = groups.setdefault(model.decided_by(group), {})
            if group not in found:
                result = group_result(
                    model.choices.get(group),
                    model.weights.get(group),
                    material.contexts,
                    ours=settings.weights == "fitted",
                )
                if result is not None:
                    found[group] = result
            step()
    return groups


def _check(settings: Settings) -> None:
    if settings.weights not in ("fitted", "published"):
        raise InputError.at("fitted or published", repr(settings.weights), field="weights")
    if settings.replies < 1:
        raise InputError.at("at least 1", settings.replies, field="replies")
    if not 0 <= settings.threshold <= 1:
        raise InputError.at("a share from 0 to 1", settings.threshold, field="threshold")


def _model(
    model: ModelMaterial,
    material: Material,
    groups: Mapping[str, Groups],
    settings: Settings,
    known: dict[tuple[object, ...], SetResult],
    step: Callable[[], None],
) -> ModelResult:
    own = {
        group: groups[model.decided_by(group)][group]
        for group in material.groups
        if group in groups[model.decided_by(group)]
    }
    missing = dict(model.missing)
    results = {}
    for name in material.sets:
        group, files = SETS[name]
        found = [file for file in files if file in model.reports]
        if group in own and found:
            # Models of one chain share sets of reports, too.
            key = (name, id(own[group]), *(id(model.reports[file]) for file in found))
            if key not in known:
                others = _others(model, group, material, groups)
                known[key] = _set(model, name, found, own[group], others, material, settings)
            results[name] = known[key]
        elif name not in missing:
            missing[name] = missing.get(group, "no file of reports")
        step()
    learned, targets = own.get("learned"), _targets(model, material)
    agreement = target_r = None
    if learned is not None and targets is not None:
        target_r = _r(learned.weights, targets)
        if learned.fit is not None:
            agreement = predicted_share(learned.fit, targets)
    kept = {
        group: _r(own[group].weights, own[before].weights)
        for group in own
        if (before := after(group)) is not None and before in own
    }
    return ModelResult(model.name, target_r, agreement, own, results, kept, missing)


def _targets(model: ModelMaterial, material: Material) -> pl.DataFrame | None:
    return material.targets if model.targets is None else model.targets


def _r(one: pl.DataFrame, other: pl.DataFrame) -> float | None:
    """Correlate two tables of weights over the entries that both have."""
    joined = one.join(
        other.select("context", "position", other=pl.col("weight")), on=["context", "position"], how="inner"
    ).drop_nulls(["weight", "other"])
    return pearson(joined["weight"].to_numpy(), joined["other"].to_numpy()).r


def _others(model: ModelMaterial, group: str, material: Material, groups: Mapping[str, Groups]) -> list[pl.DataFrame]:
    """Return the weights of the other minds: models of another base with choices of their own, in the same setting.

    The same base under another seed was trained on the same targets, and has the same native weights: reports that
    agree with its weights as well say nothing of privileged access.
    """
    if group == "learned_by_others":
        return []
    found = {}
    for other in material.models:
        name = other.decided_by(group)
        # After introspection training, what was taught has its part in the weights.
        alike = other.variant == model.variant if after(group) else other.setting == model.setting
        if alike and other.mind != model.mind and group in groups[name] and groups[name][group].estimated:
            found[name] = groups[name][group].weights
    return list(found.values())


def _set(
    model: ModelMaterial,
    name: str,
    files: Sequence[str],
    group: GroupResult,
    others: Sequence[pl.DataFrame],
    material: Material,
    settings: Settings,
) -> SetResult:
    asked = asked_about(model, files, group.contexts, material.contexts)
    contexts = [each.name for each in material.contexts if any(each.name in names for names in asked.values())]
    reports = pl.concat([model.reports[file] for file in files])
    compare = partial(accuracy, group.weights, level=settings.level, unanswered=material.unanswered)
    result = compare(reports, contexts=contexts, replies=settings.replies)
    folds = {
        file: compare(model.reports[file], contexts=asked[file], replies=settings.replies)
        for file in files
        if len(SETS[name][1]) > 1
    }
    top = None
    if group.fit is not None and len(result.entries):
        top = ceiling(group.fit, result.entries.names, draws=settings.draws, seed=settings.seed)
    beside = companions(
        result.entries,
        group.weights,
        reports,
        material.contexts,
        targets=None if native(SETS[name][0]) else _targets(model, material),
        others=others,
        seed=settings.seed,
    )
    return SetResult(
        accuracy=result,
        beside=beside,
        ceiling=top,
        corrected=corrected(result.r, top),
        bounds=bounds(group.weights, reports, contexts, settings.replies),
        bootstrap=context_bootstrap(
            result.entries.cell(), replicates=settings.resamples, seed=settings.seed, level=settings.level
        )
        if len(result.entries)
        else None,
        folds=folds,
    )


def asked_about(
    model: ModelMaterial, files: Sequence[str], decided: Sequence[str], known: Sequence[Context]
) -> dict[str, list[str]]:
    """Find the contexts that each set of reports asks about: all, or the half that a fold was not trained on.

    A context that a file reports on was asked about, wherever the halves are cut and whether or not there are choices
    for it; one that only the other fold reports on was not.

    Parameters
    ----------
    model
        Of whose sets of reports some are asked for.
    files
        The sets, by their keys in `model.reports`.
    decided
        The contexts that there are choices for.
    known
        All contexts, in order.

    Returns
    -------
    dict of str to list of str
        Names of contexts by set of reports.
    """
    if all(file in model.asked for file in files):
        return {file: list(model.asked[file]) for file in files}
    reports = {file: model.reports[file] for file in files}
    half = len(decided) // 2
    planned = {"introspection_first": decided[half:], "introspection_last": decided[:half]}
    found = {file: set(table["context"].to_list()) for file, table in reports.items()}
    asked = {}
    for file, own in found.items():
        elsewhere = set().union(*found.values()) - own
        names = own | (set(planned.get(file, decided)) - elsewhere)
        asked[file] = [context.name for context in known if context.name in names]
    return asked


def _all_gains(
    material: Material, models: Sequence[ModelResult], level: float
) -> dict[str, tuple[Gain, Mapping[str, Gain]]]:
    found = {}
    for variant in dict.fromkeys(model.variant for model in material.models):
        chosen = [model for model, its in zip(models, material.models, strict=True) if its.variant == variant]
        for name in material.gains:
            gains = _gains(chosen, *GAINS[name], level)
            if gains is not None:
                found[f"{name}, {variant}" if variant else name] = gains
    return found


def _gains(
    models: Sequence[ModelResult], before: str, after: str, level: float
) -> tuple[Gain, Mapping[str, Gain]] | None:
    both = [m for m in models if before in m.sets and after in m.sets and _usable(m, before) and _usable(m, after)]
    if not both:
        return None

    def of(chosen: Sequence[ModelResult]) -> Gain:
        start, end = ([m.sets[name].accuracy for m in chosen] for name in (before, after))
        return gain(start, end, [m.name for m in chosen], level=level)

    return of(both), {m.name: of([m]) for m in both}


def _usable(model: ModelResult, name: str) -> bool:
    return model.sets[name].accuracy.slope.status == "ok"


def _differences(
    material: Material, models: Sequence[ModelResult], name: str, level: float
) -> list[tuple[str, str, Combination, int]]:
    """Compare models of one setting that differ in one thing: the base, the seed, the wording, or what was taught."""
    held = [
        (model, its)
        for model, its in zip(models, material.models, strict=True)
        if name in model.sets and _usable(model, name)
    ]
    found: dict[tuple[int, int], tuple[str, str, Combination, int]] = {}
    for place, (one, its) in enumerate(held):
        for other, other_its in held[place + 1 :]:
            sides = one.sets[name], other.sets[name]
            apart = sum(a != b for a, b in zip(its.traits, other_its.traits, strict=True))
            # Models of one chain share what stands before introspection training.
            known = sides[0] is sides[1] or (id(sides[0]), id(sides[1])) in found
            if not known and apart <= 1 and its.setting == other_its.setting:
                compared = difference(sides[0].accuracy, sides[1].accuracy, level=level)
                found[id(sides[0]), id(sides[1])] = (one.name, other.name, *compared)
    return list(found.values())
