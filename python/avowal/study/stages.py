"""Stages: the jobs and the sets of requests that a study is made of, each with the stages that must come before it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from avowal.contexts import Context
from avowal.lines import Kind, Queries, Training
from avowal.study.config import StudyFile

__all__ = ["ROLES", "Stage", "stages"]

ROLES = {
    "train": ("weights", "introspection_first", "introspection_last", "introspection_all"),
    "decisions": ("learned", "native", "learned_after_first", "learned_after_last", "native_after"),
    "reports": (
        "off_the_shelf", "weight_trained", "native_before", "introspection_first", "introspection_last", "native_after",
    ),
}  # fmt: skip
"""What stages are in their chain, by what they do.

Decisions and reports ``after_first`` (and reports ``introspection_first``) are those of the model trained on the first
fold, about the contexts of the last one; ``after_last`` the reverse.
"""

OFF_THE_SHELF = "report, off the shelf"
WEIGHTS = "train weights"
DECIDE = {"trained": "decide, trained contexts", "native": "decide, native contexts"}


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a study with one base model.

    Attributes
    ----------
    base
        The base model.
    seed
        Of the training that its model has gone through; None for the base itself.
    role
        What the stage is in its chain; of :data:`ROLES`.
    sends
        The training file's lines or the requests, by the stage's name.
    model
        The stage that trained the model which is asked or trained further; None for the base itself.
    label
        What introspection training teaches; None for other stages.
    needs
        The stages that must be finished first.
    """

    base: str
    seed: int | None
    role: str
    sends: Training | Queries
    model: str | None
    label: str | None
    needs: tuple[str, ...]

    @property
    def name(self) -> str:
        """The stage's name, once in the study."""
        return self.sends.name


def stages(study: StudyFile) -> tuple[Stage, ...]:
    """List the stages of a study.

    Parameters
    ----------
    study
        As its file asks for it.

    Returns
    -------
    tuple of Stage
        Base model after base model, each stage behind those that it needs.
    """
    return tuple(stage for base in study.models.base for stage in _of_base(study, base))


def _of_base(study: StudyFile, base: str) -> Iterator[Stage]:
    make = _Maker(study, base, None)
    yield make.asks("off_the_shelf", OFF_THE_SHELF, "reports", study.trained, None)
    for seed in study.training.seeds:
        yield from _chain(_Maker(study, base, seed))


def _chain(make: _Maker) -> Iterator[Stage]:
    study, design = make.study, make.study.design
    weights = make.trains("weights", WEIGHTS, "decisions", study.trained, design.training, None)
    yield weights
    decided = {
        group: make.asks(role, DECIDE[group], "decisions", contexts, weights.name)
        for group, role, contexts in (("trained", "learned", study.trained), ("native", "native", study.native))
    }
    yield from decided.values()
    yield make.asks("weight_trained", "report, weight-trained", "reports", study.trained, weights.name)
    yield make.asks("native_before", "report, native contexts before", "reports", study.native, weights.name)
    for label in study.training.introspection:
        needs = (decided["trained"].name,) if label == "learned" else ()
        yield from _introspection(make, weights.name, label, needs)


def _introspection(make: _Maker, weights: str, label: str, needs: tuple[str, ...]) -> Iterator[Stage]:
    study = make.study
    half = len(study.trained) // 2
    first, second = study.trained[:half], study.trained[half:]
    jobs = {"first": ("first fold", first), "last": ("second fold", second), "all": ("all", study.trained)}
    trained = {
        key: make.trains(
            f"introspection_{key}", f"train introspection, {name} ({label})", "reports", known, 1, weights, label, needs
        )
        for key, (name, known) in jobs.items()
    }
    yield from trained.values()
    # A fold's model is asked about the other fold, which it was not trained on.
    asked = {
        "first": ("introspection_first", "learned_after_first", "second fold", second),
        "last": ("introspection_last", "learned_after_last", "first fold", first),
        "all": ("native_after", "native_after", "native", study.native),
    }
    for key, (role, _, about, contexts) in asked.items():
        told = f"report, {about}, after {jobs[key][0]} ({label})"
        yield make.asks(role, told, "reports", contexts, trained[key].name, label)
    if study.design.decide_again:
        for key, (_, role, about, contexts) in asked.items():
            told = f"decide again, {about}, after {jobs[key][0]} ({label})"
            yield make.asks(role, told, "decisions", contexts, trained[key].name, label)


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes the stages of one base model and training seed."""

    study: StudyFile
    base: str
    seed: int | None

    def trains(
        self,
        role: str,
        name: str,
        kind: Kind,
        contexts: tuple[Context, ...],
        lines: int,
        model: str | None,
        label: str | None = None,
        needs: tuple[str, ...] = (),
    ) -> Stage:
        sends = Training(self._name(name), kind, contexts, lines, epochs=self.study.training.epochs)
        return self._stage(role, sends, model, label, needs)

    def asks(
        self,
        role: str,
        name: str,
        kind: Kind,
        contexts: tuple[Context, ...],
        model: str | None,
        label: str | None = None,
    ) -> Stage:
        design = self.study.design
        native = contexts[0] in self.study.native
        # Requests show pairs that no training showed; those for validation come behind them.
        first = 0 if native else design.training
        decisions = design.native_decisions if native else design.decisions
        each = decisions if kind == "decisions" else design.reports
        sends = Queries(self._name(name), kind, contexts, each, first, tuned=model is not None)
        return self._stage(role, sends, model, label, ())

    def _stage(
        self,
        role: str,
        sends: Training | Queries,
        model: str | None,
        label: str | None,
        needs: tuple[str, ...],
    ) -> Stage:
        before = (*([model] if model is not None else []), *needs)
        return Stage(self.base, self.seed, role, sends, model, label, before)

    def _name(self, name: str) -> str:
        several = self.seed is not None and len(self.study.training.seeds) > 1
        return f"{self.base}: {name}" + (f", seed {self.seed}" if several else "")
