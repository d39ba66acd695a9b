"""Replicate: every table of the paper's Experiments 1 to 3 from a folder of its files, and what stands beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from avowal.account import Account, total
from avowal.accuracy import Accuracy, Gain, accuracy, difference, gain
from avowal.bounds import bounds
from avowal.ceiling import ceiling, corrected
from avowal.companions import Companions, companions
from avowal.contexts import Context
from avowal.correlation import pearson
from avowal.errors import InputError
from avowal.jackknife import Combination, ContextBootstrap, context_bootstrap
from avowal.published.files import CHOICE_FILES, REPORT_FILES, WEIGHT_FILES
from avowal.published.groups import GroupResult, group_result, predicted_share
from avowal.published.read import Published, PublishedModel, read

GROUPS = ("learned", "native")

SETS: dict[str, tuple[str, tuple[str, ...]]] = {
    "off_the_shelf": ("learned", ("off_the_shelf",)),
    "weight_trained": ("learned", ("weight_trained",)),
    "introspection_trained": ("learned", ("introspection_first", "introspection_last")),
    "native_before": ("native", ("native_before",)),
    "native_after": ("native", ("native_after",)),
}
"""The five accuracies: the group of contexts whose weights count, and the report files (two folds are crossed)."""

GAINS = {"instilled": ("weight_trained", "introspection_trained"), "native": ("native_before", "native_after")}
"""The two effects of introspection training: accuracy after less accuracy before."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a replication is computed.

    Attributes
    ----------
    weights
        "fitted": our posterior modes from the choices; "published": the authors' rounded posterior means.
    replies
        Replies planned for each context and set.
    seed
        Of the ceiling's draws, the context bootstrap and the random halves of replies.
    level
        Level of all intervals.
    draws
        Laplace draws behind the ceiling.
    resamples
        Replicates of the context bootstrap.
    threshold
        Share of lost replies or contexts past which an accuracy carries a warning.
    """

    weights: str = "fitted"
    replies: int = 10
    seed: int = 1
    level: float = 0.95
    draws: int = 1000
    resamples: int = 10_000
    threshold: float = 0.10


@dataclass(frozen=True, slots=True)
class SetResult:
    """One accuracy with everything that stands beside it.

    Attributes
    ----------
    accuracy
        Slope, correlation, intervals and accounts.
    beside
        The companions.
    ceiling, corrected
        The noise ceiling and the correlation divided by it.
    bounds
        What the correlation could have been had no reply been lost.
    bootstrap
        The context bootstrap.
    folds
        For crossed folds, the accuracy of each by itself.
    """

    accuracy: Accuracy
    beside: Companions
    ceiling: float | None
    corrected: float | None
    bounds: tuple[float, float] | None
    bootstrap: ContextBootstrap | None
    folds: Mapping[str, Accuracy]


@dataclass(frozen=True, slots=True)
class ModelResult:
    """Everything about one model; a missing kind is no key of `groups` or `sets`, and `missing` says why.

    Attributes
    ----------
    name
        The prefix of the model's files.
    learned_vs_target
        Correlation of learned with target weights.
    agreement
        Share of choices in trained contexts that the target weights prescribe.
    groups
        By "learned" and "native".
    sets
        By the keys of :data:`SETS`.
    missing
        What can't be computed, and why: keys like those of `groups` and `sets`, and "introspection_first" for a fold.
    """

    name: str
    learned_vs_target: float | None
    agreement: float | None
    groups: Mapping[str, GroupResult]
    sets: Mapping[str, SetResult]
    missing: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Replication:
    """The paper's tables from a folder.

    Attributes
    ----------
    folder
        Where the files were.
    settings
        How it was computed.
    models
        In order of their names.
    gains
        By the keys of :data:`GAINS`, over the models that have both sides; with the gain of each model by itself.
    differences
        By set: each pair of models, the difference of their correlations, and the contexts it is paired over.
    targets
        Whether the folder has target weights.
    """

    folder: str
    settings: Settings
    models: tuple[ModelResult, ...]
    gains: Mapping[str, tuple[Gain, Mapping[str, Gain]]]
    differences: Mapping[str, Sequence[tuple[str, str, Combination, int]]]
    targets: bool

    @property
    def replies(self) -> dict[str, Account]:
        """Replies planned, valid and lost by model, over all its sets."""
        return {model.name: total(s.accuracy.replies for s in model.sets.values()) for model in self.models}

    @property
    def warnings(self) -> list[str]:
        """One line for each accuracy that lost more than the threshold of its replies or contexts."""
        lines = []
        for model in self.models:
            for name, result in model.sets.items():
                replies, contexts = result.accuracy.replies, result.accuracy.context_account
                if max(replies.share_lost, contexts.share_lost) > self.settings.threshold:
                    moved = result.bounds
                    span = f"; had they come, r could lie anywhere in [{moved[0]:.2f}, {moved[1]:.2f}]" if moved else ""
                    lines.append(
                        f"{model.name}, {name}: {replies.lost} of {replies.planned} replies and {contexts.lost} of "
                        f"{contexts.planned} contexts are lost{span}"
                    )
        return lines


def replicate(
    source: Published | str, settings: Settings | None = None, *, progress: Callable[[int, int], None] | None = None
) -> Replication:
    """Compute the tables of Experiments 1 to 3.

    Parameters
    ----------
    source
        A folder of the authors' files (or of a rerun of theirs), or what was read from one.
    settings
        How; by default as in the paper, with our fits.
    progress
        Called with the steps done and the steps in all.

    Returns
    -------
    Replication
        What the folder allows; what it doesn't is named in each model's `missing`.

    Raises
    ------
    InputError
        For a malformed file, or settings out of range.
    """
    settings = settings or Settings()
    if settings.weights not in ("fitted", "published"):
        raise InputError.at("fitted or published", repr(settings.weights), field="weights")
    if settings.replies < 1:
        raise InputError.at("at least 1", settings.replies, field="replies")
    if not 0 <= settings.threshold <= 1:
        raise InputError.at("a share from 0 to 1", settings.threshold, field="threshold")
    data = source if isinstance(source, Published) else read(source)
    steps = len(data.models) * (len(GROUPS) + len(SETS))
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, steps)

    groups: dict[str, dict[str, GroupResult]] = {}
    for model in data.models:
        groups[model.name] = {}
        for group in GROUPS:
            result = group_result(
                model.choices.get(group), model.weights.get(group), data.contexts, ours=settings.weights == "fitted"
            )
            if result is not None:
                groups[model.name][group] = result
            step()
    models = tuple(_model(model, data, groups, settings, step) for model in data.models)
    return Replication(
        folder=str(data.folder),
        settings=settings,
        models=models,
        gains={name: found for name, sides in GAINS.items() if (found := _gains(models, *sides, settings.level))},
        differences={name: _differences(models, name, settings.level) for name in SETS},
        targets=data.targets is not None,
    )


def _model(
    model: PublishedModel,
    data: Published,
    groups: Mapping[str, Mapping[str, GroupResult]],
    settings: Settings,
    step: Callable[[], None],
) -> ModelResult:
    own = groups[model.name]
    missing = _missing(model, settings)
    results = {}
    for name, (group, files) in SETS.items():
        found = [file for file in files if file in model.reports]
        if group in own and found:
            others = [
                groups[other.name][group].weights
                for other in data.models
                if other.name != model.name and group in groups[other.name] and groups[other.name][group].estimated
            ]
            results[name] = _set(model, name, found, own[group], others, data, settings)
        elif name not in missing:
            missing[name] = missing.get(group, "no file of reports")
        step()
    learned = own.get("learned")
    agreement = target_r = None
    if learned is not None and data.targets is not None:
        joined = learned.weights.join(
            data.targets.rename({"weight": "target"}), on=["context", "position"], how="inner"
        ).drop_nulls(["weight", "target"])
        target_r = pearson(joined["weight"].to_numpy(), joined["target"].to_numpy()).r
        if learned.fit is not None:
            agreement = predicted_share(learned.fit, data.targets)
    return ModelResult(model.name, target_r, agreement, own, results, missing)


def _missing(model: PublishedModel, settings: Settings) -> dict[str, str]:
    reasons = {}
    for group in GROUPS:
        kind, held = ("choices", model.choices) if settings.weights == "fitted" else ("weights", model.weights)
        names = CHOICE_FILES if settings.weights == "fitted" else WEIGHT_FILES
        if group not in held:
            reasons[group] = f"no file {model.name}_{names[group]}.csv"
        elif not len(held[group]):
            reasons[group] = f"{model.name}_{names[group]}.csv has no {kind}"
    for name, (_, files) in SETS.items():
        absent = [file for file in files if file not in model.reports]
        for file in absent:
            readable = REPORT_FILES[file].replace(r"\d+", "N")
            reasons[file] = f"no file {model.name}_{readable}.csv"
        if absent == list(files):
            reasons[name] = reasons[files[0]]
    return reasons


def _set(
    model: PublishedModel,
    name: str,
    files: Sequence[str],
    group: GroupResult,
    others: Sequence[pl.DataFrame],
    data: Published,
    settings: Settings,
) -> SetResult:
    asked = _asked({file: model.reports[file] for file in files}, group.contexts, data.contexts)
    contexts = [each.name for each in data.contexts if any(each.name in names for names in asked.values())]
    reports = pl.concat([model.reports[file] for file in files])
    result = accuracy(group.weights, reports, contexts=contexts, replies=settings.replies, level=settings.level)
    folds = {
        file: accuracy(
            group.weights, model.reports[file], contexts=asked[file], replies=settings.replies, level=settings.level
        )
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
        data.contexts,
        targets=data.targets if SETS[name][0] == "learned" else None,
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


def _asked(
    reports: Mapping[str, pl.DataFrame], decided: Sequence[str], known: Sequence[Context]
) -> dict[str, list[str]]:
    """Return the contexts that each file's model was asked about: all, or the half that a fold was not trained on.

    A context that a file reports on was asked about, wherever the halves are cut and whether or not there are choices
    for it; one that only the other fold reports on was not.
    """
    half = len(decided) // 2
    planned = {"introspection_first": decided[half:], "introspection_last": decided[:half]}
    found = {file: set(table["context"].to_list()) for file, table in reports.items()}
    asked = {}
    for file, own in found.items():
        elsewhere = set().union(*found.values()) - own
        names = own | (set(planned.get(file, decided)) - elsewhere)
        asked[file] = [context.name for context in known if context.name in names]
    return asked


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


def _differences(models: Sequence[ModelResult], name: str, level: float) -> list[tuple[str, str, Combination, int]]:
    held = [m for m in models if name in m.sets and _usable(m, name)]
    return [
        (one.name, other.name, *difference(one.sets[name].accuracy, other.sets[name].accuracy, level=level))
        for place, one in enumerate(held)
        for other in held[place + 1 :]
    ]
