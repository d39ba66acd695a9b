"""Export: a study's tables as parquet, its results in the authors' format, or everything as it came."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from avowal.analysis.material import GROUPS, Material, ModelMaterial
from avowal.errors import InputError
from avowal.published import files
from avowal.published.files import numbered
from avowal.published.rebuild import csv_text, scenarios_text, targets_text
from avowal.study.analysis import analyze_study, material, write
from avowal.study.collect import Collected
from avowal.study.config import StudyFile
from avowal.study.place import Place
from avowal.study.status import look
from avowal.study.store import FILE, Store
from avowal.study.whole import whole

__all__ = ["FORMATS", "RAW", "export"]

RAW = "requests.jsonl"
"""The file of requests and replies as they came."""


def export(place: Place, form: str, folder: Path) -> tuple[Path, ...]:
    """Write a study for others.

    Parameters
    ----------
    place
        Where the study runs, or ran.
    form
        ``parquet``: all tables, as ``avowal analyze`` writes them. ``csv``: the authors' files, which
        ``avowal replicate`` reads; they hold what the paper's study has, without weights after introspection training,
        and each variant in a folder of its own.
        ``jsonl``: one line for each request, with its replies raw and whole.
    folder
        Made where it doesn't exist.

    Returns
    -------
    tuple of pathlib.Path
        The files.

    Raises
    ------
    InputError
        For another format, a study that was never run, or one that the authors' format can't hold.
    """
    if form not in FORMATS:
        raise InputError.at(" or ".join(FORMATS), repr(form), field="format")
    if not (place.folder / FILE).exists():
        raise InputError.at("a study that has been run (avowal run)", f"no {FILE}", file=place.folder)
    folder.mkdir(parents=True, exist_ok=True)
    return FORMATS[form](place, folder)


def _parquet(place: Place, folder: Path) -> tuple[Path, ...]:
    collected = look(place)
    return write(folder, collected, analyze_study(collected))


def _jsonl(place: Place, folder: Path) -> tuple[Path, ...]:
    path = folder / RAW
    with (
        Store.reading(place.folder) as store,
        whole(path) as part,
        part.open("w", encoding="utf-8", newline="\n") as file,
    ):
        if store is not None:
            file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in _lines(store))
    return (path,)


def _lines(store: Store) -> Iterator[dict[str, Any]]:
    asked = store.rows(
        "select asks.stage, context, trial, key, requests.body, replicate, requests.state, unsure"
        " from asks join requests using (key) left join stages on stages.name = asks.stage"
        " order by stages.place, requests.rowid, asks.context, asks.trial"
    )
    query = (
        "select batch, seconds, status, retries, failure, body, prompt_tokens, completion_tokens"
        " from replies where key = ? order by id"
    )
    names = ("batch", "seconds", "status", "retries", "failure", "body", "prompt_tokens", "completion_tokens")
    for stage, context, trial, key, body, replicate, state, unsure in asked:
        replies = [dict(zip(names, row, strict=True)) for row in store.rows(query, (key,))]
        yield {
            "stage": stage,
            "context": context,
            "trial": trial,
            "key": key,
            "replicate": replicate,
            "state": state,
            "unsure": unsure,
            "request": json.loads(body),
            "replies": [reply | {"retries": json.loads(reply["retries"])} for reply in replies],
        }


def _csv(place: Place, folder: Path) -> tuple[Path, ...]:
    """Write the usual models into the folder and each variant of them into one of its own.

    A folder of the authors' format has one mean of its models and one file of targets, and takes each model for a mind
    of its own; so none may hold both a model and its variants.
    """
    collected = look(place)
    found = material(collected)
    widths = {len(context.attributes) for context in found.contexts}
    if len(widths) > 1:
        expected = "contexts with equal numbers of attributes, as the authors' files have columns for"
        raise InputError.at(expected, sorted(widths), field="format csv")
    texts: dict[str, str] = {}
    taken: dict[str, str] = {}
    for variant in dict.fromkeys(model.variant for model in found.models):
        models = [model for model in found.models if model.variant == variant]
        inside = f"{_prefix(variant)}/" if variant else ""
        texts |= {f"{inside}{files.SCENARIOS}": scenarios_text(found.contexts)}
        texts |= {f"{inside}{name}": text for name, text in _targets(found, models[0]).items()}
        for model in models:
            name = f"{inside}{_prefix(model.decider or model.name)}"
            if taken.setdefault(name, model.name) != model.name:
                expected = f"names that differ as files from {taken[name]!r}"
                raise InputError.at(expected, repr(model.name), field="models")
            texts |= {f"{name}_{ending}.csv": text for ending, text in _of_model(model, collected, max(widths))}
    written = []
    for file, text in texts.items():
        (folder / file).parent.mkdir(exist_ok=True)
        with whole(folder / file) as part:
            part.write_text(text, encoding="utf-8", newline="")
        written.append(folder / file)
    return tuple(written)


def _targets(found: Material, model: ModelMaterial) -> dict[str, str]:
    """Return the file of a variant's targets with its name; none for a study that trains nothing."""
    targets = found.targets if model.targets is None else model.targets
    if targets is None or not len(targets):
        return {}
    known = dict(targets.group_by("context", maintain_order=True).agg("weight").iter_rows())
    trained = [context for context in found.contexts if context.name in known]
    return {files.TARGETS: targets_text(trained, [known[context.name] for context in trained])}


def _of_model(model: ModelMaterial, collected: Collected, width: int) -> Iterator[tuple[str, str]]:
    """Return the endings and texts of a model's files; a kind that was not asked has none."""
    sides = [*numbered(files.OPTION_A, width), *numbered(files.OPTION_B, width)]
    for group in GROUPS[:2]:
        if group in model.choices:
            table = model.choices[group].filter(pl.col("choice").is_not_null())
            header = [files.MODEL_COLUMN["choices"], "scenario", *sides, "selection"]
            rows = table.select("model", "context", "a", "b", "choice").iter_rows()
            yield files.CHOICE_FILES[group], csv_text([header, *([m, c, *a, *b, x] for m, c, a, b, x in rows)])
    for name, table in model.reports.items():
        # The authors' format has a place neither for reports without a pair nor for those about others' contexts.
        if name not in files.REPORT_FILES or not table["a"].count():
            continue
        header = [files.MODEL_COLUMN["reports"], "scenario", *numbered(files.REPORT, width), *sides]
        rows = table.filter(pl.col("report").is_not_null()).select("model", "context", "report", "a", "b").iter_rows()
        yield (
            _ending(name, collected.study, model.mind),
            csv_text([header, *([m, c, *r, *a, *b] for m, c, r, a, b in rows)]),
        )


def _ending(name: str, study: StudyFile, base: str) -> str:
    """Return what follows the model's name in a file of reports; the trained ones name their contexts and pairs."""
    counts: tuple[int, ...] = ()
    if study.trained and name in ("introspection_first", "introspection_last", "native_after"):
        trained = study.trained_by(base)
        folds = dict(zip(("introspection_first", "introspection_last"), study.folds(base), strict=True))
        counts = (len(folds[name]), len(trained)) if name in folds else (len(trained),)
    pattern = files.REPORT_FILES[name]
    for count in (*counts, study.design.training):
        pattern = pattern.replace(r"\d+", str(count), 1)
    return pattern


def _prefix(name: str) -> str:
    """Return a model's name as the names of files can hold it."""
    return re.sub(r'[/\\:*?"<>|\x00-\x1f]', "_", name)


FORMATS: dict[str, Callable[[Place, Path], tuple[Path, ...]]] = {"parquet": _parquet, "csv": _csv, "jsonl": _jsonl}
"""What writes each format."""
