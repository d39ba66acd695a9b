"""The course of a study: which model was shown and asked what, stage after stage, with counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from avowal.analysis.material import HEADERS
from avowal.analysis.results import ModelResult
from avowal.page.figures import Figures
from avowal.page.sources import Ran
from avowal.sends import Training
from avowal.study.stages import Stage
from avowal.study.status import StageStatus

__all__ = ["course", "examples"]

Row = dict[str, Any]

STATES = {"finished": "done", "running": "half way", "not begun": "not begun", "stopped": "stopped"}

TRAINED = {
    "weights": "weight training",
    "introspection_first": "introspection training, first fold",
    "introspection_last": "introspection training, second fold",
    "introspection_all": "introspection training, all",
}

ASKED_FOR = {"decisions": "which option it chooses", "reports": "its weights"}

PUBLISHED = (
    ("off_the_shelf", "off the shelf", "pairs from trained contexts"),
    ("weight_trained", "after weight training", "pairs from trained contexts"),
    ("introspection_trained", "after introspection training on the other half", "pairs from held-out contexts"),
    ("native_before", "after weight training", "pairs from native contexts"),
    ("native_after", "after introspection training on all", "pairs from native contexts"),
)
"""Sets of reports of the authors' files, with what the model had gone through and what it was shown."""


def course(figures: Figures, ran: Ran | None) -> list[Row]:
    """List the stages of a study as it was run, or those that a folder of the authors' files tells of.

    Parameters
    ----------
    figures
        Of the analysis.
    ran
        Of a study; None for a folder.

    Returns
    -------
    list of dict
        Keys ``model``, ``step`` (``train``, ``decide``, ``report``), ``label``, ``shown``, ``asked``, ``planned``,
        ``valid`` (None for training) and ``state``.
    """
    if ran is not None:
        several = len(ran.collected.study.training.seeds) > 1
        return [_stage(each, several) for each in ran.status.stages]
    return [row for model in figures.result.models for row in _published(model)]


def _stage(each: StageStatus, several: bool) -> Row:
    stage, counts = each.account.stage, each.counts
    sends = stage.sends
    train = isinstance(sends, Training)
    return {
        "model": stage.base,
        "step": "train" if train else "decide" if sends.kind == "decisions" else "report",
        "label": _label(stage, several),
        "shown": _shown(stage),
        "asked": "" if train else ASKED_FOR[sends.kind],
        "planned": None if train else counts.planned,
        "valid": None if train else counts.valid,
        "state": STATES.get(each.account.state, each.account.state),
    }


def _label(stage: Stage, several: bool) -> str:
    if isinstance(stage.sends, Training):
        label = TRAINED[stage.role]
        taught = {None: "", "targets": "", "learned": "learned weights", "shuffled": "shuffled reports"}[stage.label]
        more = [taught, stage.dose or "", f"seed {stage.seed}" if several else ""]
        return ", ".join([label, *(each for each in more if each)])
    return stage.name.removeprefix(f"{stage.base}: ")


def _shown(stage: Stage) -> str:
    sends = stage.sends
    contexts = f"{len(sends.contexts):,} context{'' if len(sends.contexts) == 1 else 's'}"
    if isinstance(sends, Training):
        taught = "pairs with choices" if sends.kind == "decisions" else "pairs with reports"
        return f"{examples(sends):,} {taught}, {contexts}"
    return f"{contexts}, {sends.trials:,} pair{'' if sends.trials == 1 else 's'} each"


def examples(sends: Training) -> int:
    """Return how many examples a training file has: each pair of each context once under every marker."""
    return len(sends.contexts) * sends.trials * len(sends.markers)


def _published(model: ModelResult) -> Iterator[Row]:
    """Yield what a folder's files tell; training files belong to no model and aren't counted."""
    done: Row = {"model": model.name, "state": "done", "asked": "", "planned": None, "valid": None}
    reported = {name: _reported(model, name, *told) for name, *told in PUBLISHED if name in model.sets}
    yield from _of(reported, "off_the_shelf")
    yield done | {"step": "train", "label": TRAINED["weights"], "shown": "pairs with choices"}
    for group, found in model.groups.items():
        account = None if found.fit is None else found.fit.account
        yield done | {
            "step": "decide",
            "label": f"decide, {HEADERS[group]} contexts",
            "shown": f"{len(found.contexts):,} contexts",
            "asked": ASKED_FOR["decisions"],
            "planned": None if account is None else account.planned,
            "valid": None if account is None else account.valid,
        }
    yield from _of(reported, "weight_trained", "native_before")
    after = list(_of(reported, "introspection_trained", "native_after"))
    if after:
        yield done | {"step": "train", "label": "introspection training", "shown": "pairs with target weights"}
    yield from after


def _of(reported: Mapping[str, Row], *names: str) -> Iterator[Row]:
    yield from (reported[name] for name in names if name in reported)


def _reported(model: ModelResult, name: str, after: str, shown: str) -> Row:
    account = model.sets[name].accuracy
    return {
        "model": model.name,
        "step": "report",
        "label": f"report, {after}",
        "shown": f"{account.context_account.planned:,} contexts, {shown}",
        "asked": ASKED_FOR["reports"],
        "planned": account.replies.planned,
        "valid": account.replies.valid,
        "state": "done",
    }
