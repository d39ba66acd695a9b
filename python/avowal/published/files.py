"""The authors' files: their names, their columns, and the models that a folder of them holds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from avowal.errors import InputError

CANDIDATES = "candidate_scenarios.json"
ROLES = "roles.csv"
SCENARIOS = "scenarios.csv"
TARGETS = "instilled_weights.csv"

CHOICE_FILES = {"learned": "instilled_selections", "native": "instilled_latent_selections"}
"""Choices in trained and in native contexts: what follows ``MODEL_`` in the file's name, by group."""

WEIGHT_FILES = {"learned": "regression_results", "native": "latent_regression_results"}
"""The authors' fitted weights in trained and in native contexts, by group."""

REPORT_FILES = {
    "off_the_shelf": "weight_reports",
    "weight_trained": "instilled_weight_reports",
    "introspection_first": r"itrained_first_\d+_of_\d+_\d+ex_weight_reports",
    "introspection_last": r"itrained_last_\d+_of_\d+_\d+ex_weight_reports",
    "native_before": "instilled_latent_weight_reports",
    "native_after": r"itrained_all_\d+_\d+ex_latent_weight_reports",
}
"""Reports, by set, as patterns: the numbers of contexts and examples stand in the names of the trained models' files.

``introspection_first`` was trained on the first contexts and asked about the last, ``introspection_last`` the reverse.
"""

MODEL_COLUMN = {"choices": "model", "reports": "explaining_model"}


def numbered(pattern: str, count: int) -> list[str]:
    """Return the columns of one family, such as ``attr{}_min`` for attributes 1 to `count`."""
    return [pattern.format(position) for position in range(1, count + 1)]


OPTION_A, OPTION_B = "A_attribute_{}", "B_attribute_{}"
REPORT, WEIGHT = "report_attr{}", "b_attr{}"
TARGET = ATTRIBUTE = "attr{}"
MIN, MAX = "attr{}_min", "attr{}_max"


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The files of one model; a kind that the folder does not hold is not a key.

    Attributes
    ----------
    model
        The prefix of the files' names.
    choices, weights
        Files by group: ``learned``, ``native``.
    reports
        Files by set: the keys of :data:`REPORT_FILES`.
    """

    model: str
    choices: Mapping[str, Path]
    reports: Mapping[str, Path]
    weights: Mapping[str, Path]


def find_models(folder: str | Path) -> tuple[ModelFiles, ...]:
    """Find every model of a folder: a prefix for which any of the per-model files exists.

    Parameters
    ----------
    folder
        The folder of the authors' files, or of a rerun of theirs.

    Returns
    -------
    tuple of ModelFiles
        Ordered by name; empty where no file is a model's.

    Raises
    ------
    InputError
        Where the folder can't be read, or two files of one model are of the same kind.
    """
    folder = Path(folder)
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError as error:
        raise InputError.at("a readable folder", error.strerror or error, file=folder) from None
    found: dict[str, dict[tuple[str, str], Path]] = {}
    for name in names:
        matched = _kind(name)
        if matched is None:
            continue
        model, *place = matched
        paths, key = found.setdefault(model, {}), (place[0], place[1])
        if key in paths:
            raise InputError.at(
                f"one file of {key[1]} {key[0]} for {model}", f"{paths[key].name} and {name}", file=folder
            )
        paths[key] = folder / name
    return tuple(
        ModelFiles(model, *(_of_kind(paths, kind) for kind in ("choices", "reports", "weights")))
        for model, paths in sorted(found.items())
    )


def _of_kind(paths: Mapping[tuple[str, str], Path], kind: str) -> dict[str, Path]:
    """Return the files of one kind in the order of the tables above, whatever their names' order."""
    return {group: paths[kind, group] for _, known, group in _ENDINGS if known == kind and (kind, group) in paths}


def _kind(name: str) -> tuple[str, str, str] | None:
    """Return model, kind and group of a file's name; the longest ending counts, because endings end alike."""
    best: tuple[str, str, str] | None = None
    for pattern, kind, group in _ENDINGS:
        match = pattern.fullmatch(name)
        if match and (best is None or len(match["model"]) < len(best[0])):
            best = (match["model"], kind, group)
    return best


_ENDINGS = [
    (re.compile(rf"(?P<model>.+?)_{ending}\.csv"), kind, group)
    for kind, endings in (("choices", CHOICE_FILES), ("reports", REPORT_FILES), ("weights", WEIGHT_FILES))
    for group, ending in endings.items()
]
