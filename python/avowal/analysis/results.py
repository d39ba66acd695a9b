"""What an analysis gives: the accuracies with everything that stands beside them, model by model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from avowal.account import Account, total
from avowal.accuracy import Accuracy, Gain
from avowal.analysis.groups import GroupResult
from avowal.analysis.material import LABELS, SETS
from avowal.companions import Companions
from avowal.display import Shown
from avowal.jackknife import Combination, ContextBootstrap
from avowal.text import Table, interval

__all__ = ["Analysis", "ModelResult", "SetResult", "Settings"]


@dataclass(frozen=True, slots=True)
class Settings:
    """How an analysis is computed.

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
        Of the model.
    learned_vs_target
        Correlation of learned with target weights.
    agreement
        Share of choices in trained contexts that the target weights prescribe.
    groups
        By the keys of :data:`avowal.analysis.material.GROUPS`.
    sets
        By the keys of :data:`avowal.analysis.material.SETS`.
    kept
        By group of choices after introspection training: correlation of its weights with those before.
    missing
        What can't be computed, and why: keys like those of `groups` and `sets`, and "introspection_first" for a fold.
    """

    name: str
    learned_vs_target: float | None
    agreement: float | None
    groups: Mapping[str, GroupResult]
    sets: Mapping[str, SetResult]
    kept: Mapping[str, float | None]
    missing: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Analysis(Shown):
    """The paper's tables, and what stands beside them.

    Attributes
    ----------
    kind, source
        What was analysed: ``folder`` and its path, or ``study`` and its name.
    settings
        How it was computed.
    groups, sets
        Those that were looked for.
    models
        In the material's order.
    gains
        By the keys of :data:`avowal.analysis.material.GAINS`, over the models that have both sides; with the gain of
        each model by itself. Those of a variant stand under ``NAME, VARIANT``.
    differences
        By set: each pair of models, the difference of their correlations, and the contexts it is paired over.
    targets
        Whether there are target weights.
    """

    kind: str
    source: str
    settings: Settings
    groups: tuple[str, ...]
    sets: tuple[str, ...]
    models: tuple[ModelResult, ...] = field(repr=False)
    gains: Mapping[str, tuple[Gain, Mapping[str, Gain]]] = field(repr=False)
    differences: Mapping[str, Sequence[tuple[str, str, Combination, int]]] = field(repr=False)
    targets: bool

    def _shown(self) -> Iterable[Table | str]:
        from avowal.analysis.printed import printed

        return printed(self)

    @property
    def replies(self) -> dict[str, Account]:
        """Replies planned, valid and lost by model; those that count in two accuracies are counted once."""
        return {model.name: total(_asked(model).values()) for model in self.models}

    @property
    def warnings(self) -> list[str]:
        """One line for each accuracy that lost more than the threshold of its replies or contexts."""
        lines = []
        for model in self.models:
            for name, result in model.sets.items():
                replies, contexts = result.accuracy.replies, result.accuracy.context_account
                if max(replies.share_lost, contexts.share_lost) > self.settings.threshold:
                    moved = result.bounds
                    span = (
                        f"; had they come, r could lie anywhere in {interval(moved)}" if moved and replies.lost else ""
                    )
                    lines.append(
                        f"{model.name}, {LABELS[name]}: {replies.lost} of {replies.planned} replies and "
                        f"{contexts.lost} of {contexts.planned} contexts are missing{span}"
                    )
        return lines


def _asked(model: ModelResult) -> dict[tuple[str, ...], Account]:
    """Return the accounts of a model's replies by the sets of reports that they came in.

    With choices before and after introspection training, one set of reports is compared with two sets of weights.
    """
    found: dict[tuple[str, ...], Account] = {}
    for name, result in model.sets.items():
        found.setdefault(SETS[name][1], result.accuracy.replies)
    return found
