"""Replicate: the analysis of a folder of the authors' files, or of a rerun of theirs."""

from __future__ import annotations

from collections.abc import Callable

from avowal.analysis import Analysis, Material, ModelMaterial, Settings, analyze
from avowal.analysis.material import GROUPS, SETS, reasons
from avowal.published.files import CHOICE_FILES, REPORT_FILES, WEIGHT_FILES
from avowal.published.read import Published, PublishedModel, read

__all__ = ["Settings", "material", "replicate"]


def replicate(
    source: Published | str, settings: Settings | None = None, *, progress: Callable[[int, int], None] | None = None
) -> Analysis:
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
    Analysis
        What the folder allows; what it doesn't is named in each model's `missing`.

    Raises
    ------
    InputError
        For a malformed file, or settings out of range.
    """
    settings = settings or Settings()
    data = source if isinstance(source, Published) else read(source)
    return analyze(material(data, settings), settings, progress=progress)


def material(data: Published, settings: Settings) -> Material:
    """Turn what was read from a folder into the material of an analysis.

    Parameters
    ----------
    data
        The folder.
    settings
        Say whose weights count, and so which files are missed.

    Returns
    -------
    Material
    """
    return Material(
        "folder",
        str(data.folder),
        data.contexts,
        data.targets,
        tuple(
            ModelMaterial(model.name, model.choices, model.reports, model.weights, _missing(model, settings))
            for model in data.models
        ),
    )


def _missing(model: PublishedModel, settings: Settings) -> dict[str, str]:
    groups = {}
    for group in GROUPS[:2]:
        kind, held = ("choices", model.choices) if settings.weights == "fitted" else ("weights", model.weights)
        names = CHOICE_FILES if settings.weights == "fitted" else WEIGHT_FILES
        if group not in held:
            groups[group] = f"no file {model.name}_{names[group]}.csv"
        elif not len(held[group]):
            groups[group] = f"{model.name}_{names[group]}.csv has no {kind}"
    absent = {file for name in tuple(SETS)[:5] for file in SETS[name][1] if file not in model.reports}
    files = {file: REPORT_FILES[file].replace(r"\d+", "N") for file in absent}
    return reasons(groups, {file: f"no file {model.name}_{name}.csv" for file, name in files.items()})
