"""Stages: the jobs and the sets of requests that a study is made of, each with the stages that must come before it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from avowal.contexts import Context
from avowal.prompts import Wording
from avowal.sends import Kind, Queries, Training
from avowal.study.config import StudyFile

__all__ = ["ROLES", "Stage", "stages"]

ROLES = {
    "train": ("weights", "introspection_first", "introspection_last", "introspection_all"),
    "decisions": ("learned", "native", "learned_after_first", "learned_after_last", "native_after"),
    "reports": (
        "off_the_shelf", "weight_trained", "native_before", "introspection_first", "introspection_last", "native_after",
        "cross_before", "cross_after",
    ),
}  # fmt: skip
"""What stages are in their chain, by what they do.

Decisions and reports ``after_first`` (and reports ``introspection_first``) are those of the model trained on the first
fold, about the contexts of the last one; ``after_last`` the reverse. ``cross`` reports are about contexts that another
base model was trained in, before introspection training and after that on all contexts.
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
    dose
        What a shorter weight training has, such as ``10 contexts`` or ``5 pairs``; None for the whole one. Each dose is
        a chain of its own.
    condition
        The name of the condition whose marker is shown; None without one. Training shows them all.
    wording
        In which words reports are asked for; of :data:`avowal.prompts.WORDINGS`.
    about
        The base model whose trained contexts a cross-report is about; None for other stages.
    """

    base: str
    seed: int | None
    role: str
    sends: Training | Queries
    model: str | None
    label: str | None
    needs: tuple[str, ...]
    dose: str | None = None
    condition: str | None = None
    wording: Wording = "paper"
    about: str | None = None

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
    if not study.trained:
        yield from make.asks("native", DECIDE["native"], "decisions", study.native, None)
        yield from make.asks("native_before", "report, native contexts", "reports", study.native, None)
        return
    yield from make.asks("off_the_shelf", OFF_THE_SHELF, "reports", make.trained, None)
    for seed in study.training.seeds:
        make = _Maker(study, base, seed)
        yield from _chain(make)
        for count in sorted(study.doses.contexts):
            yield from _dosed(replace(make, dose=f"{count} contexts"), make.trained[:count], study.design.training)
        for count in sorted(study.doses.training):
            dose = f"{count} pair{'s' if count > 1 else ''}"
            yield from _dosed(replace(make, dose=dose), make.trained, count)


def _chain(make: _Maker) -> Iterator[Stage]:
    study = make.study
    weights = make.trains("weights", WEIGHTS, "decisions", make.trained, study.design.training, None)
    yield weights
    decided = list(make.asks("learned", DECIDE["trained"], "decisions", make.trained, weights.name, marked=True))
    yield from decided
    yield from make.asks("native", DECIDE["native"], "decisions", study.native, weights.name)
    yield from make.asks("weight_trained", "report, weight-trained", "reports", make.trained, weights.name, marked=True)
    yield from make.asks("native_before", "report, native contexts before", "reports", study.native, weights.name)
    yield from _crossed(make, "cross_before", "", weights.name, None)
    for label in study.training.introspection:
        needs = (decided[0].name,) if label == "learned" else ()
        yield from _introspection(make, weights.name, label, needs)


def _dosed(make: _Maker, contexts: tuple[Context, ...], pairs: int) -> Iterator[Stage]:
    """Yield a shorter weight training, and what its model decides and reports where it was trained."""
    weights = make.trains("weights", WEIGHTS, "decisions", contexts, pairs, None)
    yield weights
    yield from make.asks("learned", DECIDE["trained"], "decisions", contexts, weights.name, marked=True)
    yield from make.asks("weight_trained", "report, weight-trained", "reports", contexts, weights.name, marked=True)


def _introspection(make: _Maker, weights: str, label: str, needs: tuple[str, ...]) -> Iterator[Stage]:
    first, second = make.study.folds(make.base)
    jobs = {"first": ("first fold", first), "last": ("second fold", second), "all": ("all", make.trained)}
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
        "all": ("native_after", "native_after", "native", make.study.native),
    }
    for key, (role, _, about, contexts) in asked.items():
        told = f"report, {about}, after {jobs[key][0]} ({label})"
        yield from make.asks(role, told, "reports", contexts, trained[key].name, label, marked=key != "all")
    yield from _crossed(make, "cross_after", f", after all ({label})", trained["all"].name, label)
    if make.study.design.decide_again:
        for key, (_, role, about, contexts) in asked.items():
            told = f"decide again, {about}, after {jobs[key][0]} ({label})"
            yield from make.asks(role, told, "decisions", contexts, trained[key].name, label, marked=key != "all")


def _crossed(make: _Maker, role: str, after: str, model: str, label: str | None) -> Iterator[Stage]:
    study = make.study
    for other in study.models.base if study.design.cross_reports else ():
        if other != make.base:
            told = f"report, contexts of {other}{after}"
            yield from make.asks(role, told, "reports", study.trained_by(other), model, label, about=other)


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes the stages of one base model, training seed and dose."""

    study: StudyFile
    base: str
    seed: int | None
    dose: str | None = None

    @property
    def trained(self) -> tuple[Context, ...]:
        return self.study.trained_by(self.base)

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
        # Introspection training says nothing of conditions: whether reports follow them is then the model's own doing.
        marked = (each.marker for each in self.study.conditions) if kind == "decisions" else ()
        epochs = self.study.training.epochs
        sends = Training(self._name(name), kind, contexts, lines, epochs=epochs, markers=(None, *marked))
        before = (*([model] if model is not None else []), *needs)
        return Stage(self.base, self.seed, role, sends, model, label, before, self.dose)

    def asks(
        self,
        role: str,
        name: str,
        kind: Kind,
        contexts: tuple[Context, ...],
        model: str | None,
        label: str | None = None,
        *,
        marked: bool = False,
        about: str | None = None,
    ) -> Iterator[Stage]:
        """Ask in the paper's words; for reports in the others too; and, where `marked`, under each condition."""
        study, design = self.study, self.study.design
        native = contexts[0] in study.native
        # Requests show pairs that no training showed; those for validation come behind them.
        first = 0 if native else design.training
        decisions = design.native_decisions if native else design.decisions
        each = decisions if kind == "decisions" else design.reports
        plain = Queries(self._name(name), kind, contexts, each, first, tuned=model is not None, order=design.order)
        stage = Stage(
            self.base, self.seed, role, plain, model, label, () if model is None else (model,), self.dose, about=about
        )
        yield stage
        for wording in design.report_prompts if kind == "reports" else ():
            if wording != "paper":
                sends = replace(plain, name=self._name(f"{name}, {wording}"), wording=wording)
                yield replace(stage, sends=sends, wording=wording)
        for condition in study.conditions if marked else ():
            sends = replace(plain, name=self._name(f"{name}, under {condition.name}"), marker=condition.marker)
            yield replace(stage, sends=sends, condition=condition.name)

    def _name(self, name: str) -> str:
        # The first chain keeps its names when others are added: a stage is known by its name, and a job paid for by it.
        further = self.seed is not None and self.seed != self.study.training.seeds[0]
        dose = f", {self.dose}" if self.dose else ""
        return f"{self.base}: {name}{dose}" + (f", seed {self.seed}" if further else "")
