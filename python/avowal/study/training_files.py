"""Training files: the lines of a fine-tuning job, in the format of the authors' files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from math import isfinite

import numpy as np
import polars as pl

from avowal import agents
from avowal.checks import check_columns
from avowal.contexts import Context
from avowal.design import by_attributes
from avowal.errors import InputError
from avowal.prompts import report_reply, training_line
from avowal.rng import Purpose, uniforms, unit_id
from avowal.sends import Prompt, Training, prompts
from avowal.study import conditions
from avowal.study.conditions import Condition
from avowal.study.config import StudyFile
from avowal.study.stages import Stage

__all__ = ["TrainingFile", "build", "shuffled", "validation"]

Weights = Mapping[str, Sequence[int]]
"""By the context's name, one whole number for each attribute in its order."""


@dataclass(frozen=True, slots=True)
class TrainingFile:
    """What is uploaded for a job; equal studies make equal files, byte for byte.

    Attributes
    ----------
    lines
        JSON, each one example.
    left_out
        Contexts about which nothing is taught, as their weights aren't known.
    """

    lines: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The file's text: its lines, without a line break at the end, as in the authors' files."""
        return "\n".join(self.lines)

    @property
    def digest(self) -> str:
        """The SHA-256 digest of the text as UTF-8, in hexadecimal."""
        return sha256(self.text.encode()).hexdigest()


def build(stage: Stage, study: StudyFile, learned: pl.DataFrame | None = None) -> TrainingFile:
    """Write the training file of a stage.

    Weight training shows decisions: the option of the higher summed target weight times normalised value, and B where
    they tie; under the marker of a condition, by the weights that hold there. Introspection training shows reports, of
    what the stage's label says: the target weights; the learned ones, rounded to whole numbers; or target weights of
    other contexts.

    Parameters
    ----------
    stage
        One that trains.
    study
        It is a stage of this study.
    learned
        ``context``, ``attribute``, ``weight`` as in :data:`avowal.tables.WEIGHTS`, of the one model whose weights are
        taught; for the label ``learned`` alone.

    Returns
    -------
    TrainingFile
        Without the contexts whose learned weights are null or not there, which `left_out` names.

    Raises
    ------
    InputError
        For learned weights that are missing, of two models or not finite; for a context whose weights no other one
        could take.
    """
    sends = _training(stage)
    if sends.kind == "decisions":
        return TrainingFile(_decisions(sends, study))
    weights = _taught(stage, sends, study, learned)
    shown = [prompt for prompt in prompts(sends, seed=study.seed) if prompt.context.name in weights]
    return TrainingFile(
        tuple(training_line(each.messages, report_reply(each.context, weights[each.context.name])) for each in shown),
        tuple(context.name for context in sends.contexts if context.name not in weights),
    )


def validation(stage: Stage, study: StudyFile) -> TrainingFile | None:
    """Write the file on which a provider computes the validation loss of weight training.

    Parameters
    ----------
    stage
        One that trains.
    study
        It is a stage of this study.

    Returns
    -------
    TrainingFile or None
        Pairs that stand behind all those that the study asks about; None for introspection training, or where
        ``design.validation`` is 0.
    """
    sends, design = _training(stage), study.design
    if sends.kind != "decisions" or design.validation == 0:
        return None
    first = design.training + max(design.decisions, design.reports)
    return TrainingFile(_decisions(replace(sends, first=first, trials=design.validation), study))


def shuffled(contexts: Sequence[Context], *, seed: int) -> dict[str, list[int]]:
    """Give each context the target weights of another one with as many attributes.

    Parameters
    ----------
    contexts
        With names that differ.
    seed
        The study's.

    Returns
    -------
    dict
        By context, one weight for each attribute. The contexts of one number of attributes pass their weights round in
        one circle, in an order drawn under the seed; so all weights occur once, and none at its own place.

    Raises
    ------
    InputError
        For a context that is the only one with so many attributes.
    """
    own = _whole(agents.targets(contexts, seed=seed))
    given: dict[str, list[int]] = {}
    for count, places in by_attributes(contexts).items():
        group = [contexts[place].name for place in places]
        if len(group) == 1:
            expected = f"another context with {count} attributes, to shuffle weights with"
            raise InputError.at(expected, f"only {group[0]!r}", field="training.introspection")
        circle = sorted(group, key=lambda name: _lot(name, seed))
        given |= {name: own[other] for name, other in zip(circle, [*circle[1:], circle[0]], strict=True)}
    return given


def _lot(name: str, seed: int) -> float:
    return float(uniforms(seed, Purpose.SHUFFLED_TARGETS, unit_id(name), 0, 1)[0])


def _training(stage: Stage) -> Training:
    if not isinstance(stage.sends, Training):
        raise InputError.at("a stage that trains", repr(stage.name), field="stage")
    return stage.sends


def _decisions(sends: Training, study: StudyFile) -> tuple[str, ...]:
    shown = list(prompts(sends, seed=study.seed))
    known: dict[str | None, Condition | None] = {None: None}
    known |= {condition.marker: condition for condition in study.conditions}
    answers = np.empty(len(shown), dtype=object)
    for marker in sends.markers:
        places = [place for place, prompt in enumerate(shown) if prompt.marker == marker]
        targets = conditions.targets(sends.contexts, known[marker], seed=study.seed)
        answers[places] = _better([shown[place] for place in places], sends.contexts, targets)
    return tuple(training_line(prompt.messages, answer) for prompt, answer in zip(shown, answers, strict=True))


def _better(shown: Sequence[Prompt], contexts: Sequence[Context], targets: pl.DataFrame) -> list[str]:
    """Return the letters of the better options."""
    pairs = pl.DataFrame(
        {
            "context": [each.context.name for each in shown],
            "trial": [each.trial for each in shown],
            "a": [each.a for each in shown],
            "b": [each.b for each in shown],
        }
    )
    chosen = agents.choose(pairs, contexts, targets, rule=agents.Deterministic(), seed=0)
    letters: list[str] = chosen["choice"].to_list()
    return letters


def _taught(stage: Stage, sends: Training, study: StudyFile, learned: pl.DataFrame | None) -> Weights:
    if stage.label == "learned":
        if learned is None:
            raise InputError.at("the learned weights", "none", field=f"stage {stage.name!r}")
        return _rounded(learned, sends.contexts)
    if stage.label == "shuffled":
        return shuffled(sends.contexts, seed=study.seed)
    return _whole(agents.targets(sends.contexts, seed=study.seed))


def _whole(weights: pl.DataFrame) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for name, weight in weights.select("context", "weight").iter_rows():
        found.setdefault(name, []).append(int(weight))
    return found


def _rounded(learned: pl.DataFrame, contexts: Sequence[Context]) -> dict[str, list[int]]:
    """Return the learned weights of contexts that have all of theirs."""
    check_columns("learned", learned, ("context", "attribute", "weight"))
    held: dict[tuple[str, str], float | None] = {}
    for context, attribute, weight in learned.select("context", "attribute", "weight").iter_rows():
        if (context, attribute) in held:
            found = f"{attribute!r} of {context!r} twice"
            raise InputError.at("each attribute of a context once, of one model", found, field="learned")
        if weight is not None and not isfinite(weight):
            raise InputError.at("finite weights", weight, field=f"learned, {attribute!r} of {context!r}")
        held[context, attribute] = weight
    whole = {}
    for context in contexts:
        weights = [held.get((context.name, attribute.name)) for attribute in context.attributes]
        kept = [round(weight) for weight in weights if weight is not None]
        if len(kept) == len(weights):
            whole[context.name] = kept
    if not whole:
        raise InputError.at("a context with learned weights", "none", field="learned")
    return whole
