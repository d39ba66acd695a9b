"""The file of a study, `study.toml`: everything that decides what is sent, checked before anything is."""

from __future__ import annotations

import tomllib
from dataclasses import MISSING, dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from avowal.contexts import Context, builtin, load
from avowal.errors import InputError
from avowal.json_values import read_text
from avowal.provider import Endpoint
from avowal.study import picking, rules
from avowal.study.conditions import EFFECTS, Condition
from avowal.study.rules import Rule
from avowal.study.sections import (
    LABELS,
    Contexts,
    Design,
    Doses,
    Limits,
    Models,
    Provider,
    Sampling,
    Training,
)

__all__ = [
    "FILE",
    "LABELS",
    "Contexts",
    "Design",
    "Doses",
    "Limits",
    "Models",
    "Provider",
    "Sampling",
    "StudyFile",
    "Training",
    "parse",
    "read",
]

FILE = "study.toml"
"""The name of the file in a study's folder."""


@dataclass(frozen=True, slots=True)
class StudyFile:
    """A study as it is asked for.

    Attributes
    ----------
    name
        Of the study.
    seed
        Of targets, pairs and everything else drawn.
    models, contexts, design, doses, training, provider, limits, sampling
        The sections of the file.
    trained, native
        The contexts themselves, in order; those of all base models.
    conditions
        Under which weight training teaches other weights.
    """

    name: str
    seed: int
    models: Models
    contexts: Contexts
    design: Design
    doses: Doses
    training: Training
    provider: Provider
    limits: Limits
    sampling: Sampling
    trained: tuple[Context, ...]
    native: tuple[Context, ...]
    conditions: tuple[Condition, ...] = ()

    def trained_by(self, base: str) -> tuple[Context, ...]:
        """Return the contexts that a base model is trained in: all, or its block of them."""
        if self.contexts.shared:
            return self.trained
        size, place = len(self.trained) // len(self.models.base), self.models.base.index(base)
        return self.trained[place * size : (place + 1) * size]

    def folds(self, base: str) -> tuple[tuple[Context, ...], tuple[Context, ...]]:
        """Return the two halves of a base model's contexts that introspection training takes in turn."""
        return picking.folds(self.trained_by(base), self.contexts)


_SECTIONS: dict[str, type] = {
    "models": Models,
    "contexts": Contexts,
    "design": Design,
    "doses": Doses,
    "training": Training,
    "provider": Provider,
    "limits": Limits,
    "sampling": Sampling,
}
_TOP = {"name": rules.text(), "seed": rules.count(0, 2**63 - 1)}
_CONDITION = {"name": rules.text(), "marker": rules.text(), "effect": rules.any_of(*EFFECTS)}


def read(study: str | Path) -> StudyFile:
    """Read and check the file of a study.

    Parameters
    ----------
    study
        The study's folder.

    Returns
    -------
    StudyFile

    Raises
    ------
    InputError
        Where the file is missing or breaks a rule; names the field.
    """
    folder = Path(study)
    path = folder / FILE
    if folder.name == FILE and folder.is_file():
        raise InputError.at("the folder of a study", f"its {FILE}; give {folder.parent}", file=folder)
    if not path.is_file():
        raise InputError.at(f"a study: a folder with {FILE} (avowal init makes one)", "none", file=folder)
    return parse(read_text(path), path)


def parse(source: str, file: str | Path) -> StudyFile:
    """Check the text of a study's file; files of contexts are looked for beside it.

    Parameters
    ----------
    source
        TOML.
    file
        Where it stands.

    Returns
    -------
    StudyFile

    Raises
    ------
    InputError
        Where it breaks a rule; names the field.
    """
    name = str(file)
    try:
        held = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise InputError.at("TOML", error, file=name) from None
    _known(held, [*_TOP, *_SECTIONS, "condition"], name, "")
    top = {key: _value(held, key, rule, MISSING, name, key) for key, rule in _TOP.items()}
    parts = {key: _section(held.get(key, {}), kind, name, key) for key, kind in _SECTIONS.items()}
    if parts["provider"].base_url != "simulated":
        try:
            Endpoint(parts["provider"].base_url)
        except InputError as error:
            raise InputError(f"{name}, provider.{error}") from None
    asked = parts["contexts"]
    there = load(*(Path(file).parent / each for each in asked.files)) if asked.files else builtin()
    trained, native = picking.pick(there, asked, name)
    conditions = _conditions(held.get("condition", []), name)
    study = StudyFile(**top, **parts, trained=trained, native=native, conditions=conditions)
    picking.check(study, name)
    return study


def _conditions(held: Any, file: str) -> tuple[Condition, ...]:
    if not isinstance(held, list) or not all(isinstance(each, dict) for each in held):
        raise InputError.at("tables, [[condition]]", repr(held), file=file, field="condition")
    found: list[Condition] = []
    for place, each in enumerate(held):
        field = f"condition[{place}]"
        _known(each, [*_CONDITION], file, f"{field}.")
        values = {key: _value(each, key, rule, MISSING, file, f"{field}.{key}") for key, rule in _CONDITION.items()}
        condition = Condition(**values)
        for key in ("name", "marker"):
            value = getattr(condition, key)
            if value in [getattr(other, key) for other in found]:
                raise InputError.at(f"a {key} used once", f"{value!r} again", file=file, field=f"{field}.{key}")
        found.append(condition)
    return tuple(found)


def _section(held: Any, kind: Any, file: str, section: str) -> Any:
    if not isinstance(held, dict):
        raise InputError.at(f"a table, [{section}]", repr(held), file=file, field=section)
    _known(held, [each.name for each in fields(kind)], file, f"{section}.")
    return kind(
        **{
            each.name: _value(held, each.name, each.metadata["rule"], each.default, file, f"{section}.{each.name}")
            for each in fields(kind)
        }
    )


def _value(held: dict[str, Any], key: str, rule: Rule, default: Any, file: str, field: str) -> Any:
    if key in held:
        return rule.check(held[key], file, field)
    if default is MISSING:
        raise InputError.at(rule.expected, "nothing", file=file, field=field)
    return default


def _known(held: dict[str, Any], known: list[str], file: str, prefix: str) -> None:
    for key in held:
        if key not in known:
            close = get_close_matches(key, known, n=1)
            likely = f" (did you mean {prefix}{close[0]}?)" if close else f": {', '.join(known)}"
            raise InputError.at(f"a field that is known{likely}", repr(key), file=file, field=f"{prefix}{key}")
