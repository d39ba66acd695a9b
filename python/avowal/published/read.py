"""Reading: the authors' files as contexts and as avowal's own tables, every row checked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from avowal import tables
from avowal.contexts import MAX_ATTRIBUTES, Attribute, Context, arrays
from avowal.errors import InputError
from avowal.published import files
from avowal.published.files import numbered
from avowal.published.sheet import Sheet, read_sheet

# Agents have full stops in their names, questions have none before their end.
_PROMPT = re.compile(r"Imagine you are (.*\S.*)\. (.*\S.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """What a folder holds of one model; a kind that it does not hold is not a key.

    Attributes
    ----------
    name
        The prefix of the model's files, which is also the `model` of its choices and weights.
    choices
        Tables of :data:`avowal.tables.CHOICES` by group: ``learned``, ``native``.
    reports
        Tables of :data:`avowal.tables.REPORTS` by set (:data:`avowal.published.files.REPORT_FILES`); their `model` is
        the reporting model's own name, which differs between sets.
    weights
        The authors' fitted weights, tables of :data:`avowal.tables.WEIGHTS` by group.
    """

    name: str
    choices: Mapping[str, pl.DataFrame]
    reports: Mapping[str, pl.DataFrame]
    weights: Mapping[str, pl.DataFrame]


@dataclass(frozen=True, slots=True)
class Published:
    """A folder of the authors' files, or of a rerun of theirs.

    Attributes
    ----------
    folder
        Where it was read from.
    contexts
        The contexts of ``scenarios.csv``, in its order.
    targets
        A table of :data:`avowal.tables.TARGETS`, or None without the file.
    models
        Every model, ordered by name.
    """

    folder: Path
    contexts: tuple[Context, ...]
    targets: pl.DataFrame | None
    models: tuple[PublishedModel, ...]


def read(folder: str | Path) -> Published:
    """Read a folder of the authors' files; ``scenarios.csv`` and one file of one model must be there.

    Parameters
    ----------
    folder
        The folder.

    Returns
    -------
    Published
        All that it holds.

    Raises
    ------
    InputError
        For a folder without models or scenarios, and for any malformed row: file, line (the header is line 1), column,
        what was expected and what was found.
    """
    folder = Path(folder)
    found = files.find_models(folder)
    if not found:
        raise InputError.at(
            "the file of at least one model, such as MODEL_instilled_selections.csv", "none in the folder", file=folder
        )
    contexts = read_scenarios(folder / files.SCENARIOS)
    target_file = folder / files.TARGETS
    return Published(
        folder,
        contexts,
        read_targets(target_file, contexts) if target_file.exists() else None,
        tuple(
            PublishedModel(
                model.model,
                {group: read_choices(path, contexts, model.model) for group, path in model.choices.items()},
                {name: read_reports(path, contexts, name) for name, path in model.reports.items()},
                {group: read_weights(path, contexts, model.model) for group, path in model.weights.items()},
            )
            for model in found
        ),
    )


def read_scenarios(path: str | Path) -> tuple[Context, ...]:
    """Read the contexts of ``scenarios.csv``, which has no units; the agent is split off the question.

    Parameters
    ----------
    path
        The file, with columns ``attr1`` to ``attrK``, their ``attr1_min`` and ``attr1_max`` and so on.

    Returns
    -------
    tuple of Context
        In the file's order, all with K attributes; at least one.

    Raises
    ------
    InputError
        For a malformed row, a scenario in two rows, a range that does not increase, or no rows.
    """
    sheet = read_sheet(path)
    sheet.require(("scenario", "question"))
    count = sheet.count(files.ATTRIBUTE)
    if count > MAX_ATTRIBUTES:
        raise InputError.at(f"1 to {MAX_ATTRIBUTES} attributes", count, file=sheet.file, line=1)
    names, mins, maxs = (numbered(pattern, count) for pattern in (files.ATTRIBUTE, files.MIN, files.MAX))
    sheet.require([*mins, *maxs])
    if not sheet.rows:
        raise InputError.at("at least one scenario", "a header alone", file=sheet.file)
    for column in ("scenario", "question", *names):
        sheet.texts(column)
    sheet.unique("scenario")
    limits = sheet.numbers([*mins, *maxs])
    for low, high in zip(mins, maxs, strict=True):
        width = limits[high] - limits[low]
        sheet.check(high, (width > 0) & width.is_finite(), f"a number greater than {low}")
    rows = zip(sheet.frame.select("scenario", "question", *names).rows(), limits.rows(), strict=True)
    return tuple(_context(sheet, row, texts, bounds) for row, (texts, bounds) in enumerate(rows))


def _context(sheet: Sheet, row: int, texts: tuple[str, ...], bounds: tuple[float, ...]) -> Context:
    name, prompt, *attributes = texts
    for position, attribute in enumerate(attributes):
        if attribute in attributes[:position]:
            column = files.ATTRIBUTE.format(position + 1)
            raise sheet.error(row, column, "an attribute name used once in the scenario")
    split = _PROMPT.fullmatch(prompt)
    agent, question = (split[1], split[2]) if split else (None, prompt)
    ranges = zip(attributes, bounds[: len(attributes)], bounds[len(attributes) :], strict=True)
    return Context(name, question, tuple(Attribute(each, "", low, high) for each, low, high in ranges), agent)


def read_choices(path: str | Path, contexts: Sequence[Context], model: str) -> pl.DataFrame:
    """Read choices (``MODEL_instilled_selections.csv`` and its native twin).

    Parameters
    ----------
    path
        The file, all of one model.
    contexts
        The contexts of ``scenarios.csv``.
    model
        The name that stands in the table; the fine-tuned model's own name is checked to be one, and left.

    Returns
    -------
    polars.DataFrame
        :data:`avowal.tables.CHOICES`, in the file's order.

    Raises
    ------
    InputError
        For a malformed row, an unknown scenario, or a selection other than A or B.
    """
    sheet = read_sheet(path)
    count = _attributes(contexts)
    column = files.MODEL_COLUMN["choices"]
    sheet.require((column, "scenario", "selection"))
    a, b = (_numbered(sheet, pattern, count) for pattern in (files.OPTION_A, files.OPTION_B))
    own = sheet.texts(column)
    if sheet.rows:
        sheet.check(column, own == own[0], f"one model in the file, {own[0]!r}")
    scenario = _known(sheet, contexts)
    selection = sheet.frame.get_column("selection")
    sheet.check("selection", selection.is_in(["A", "B"]), "A or B")
    frame = sheet.numbers([*a, *b]).select(pl.concat_list(a).alias("a"), pl.concat_list(b).alias("b"))
    frame = frame.with_columns(
        pl.lit(model).alias("model"),
        scenario.alias("context"),
        selection.alias("choice"),
        pl.lit(None).alias("failure"),
    ).with_columns(pl.int_range(pl.len()).over("context").alias("trial"))
    return tables.conform(frame, tables.CHOICES, str(path))


def read_reports(path: str | Path, contexts: Sequence[Context], name: str) -> pl.DataFrame:
    """Read one set of reports; the authors kept only the replies that parsed.

    Parameters
    ----------
    path
        The file; without rows, or empty, it says that no reply was valid.
    contexts
        The contexts of ``scenarios.csv``.
    name
        The set's name.

    Returns
    -------
    polars.DataFrame
        :data:`avowal.tables.REPORTS`, in the file's order; `model` is the file's ``explaining_model``.

    Raises
    ------
    InputError
        For a malformed row, an unknown scenario, or a second model.
    """
    sheet = read_sheet(path, may_be_empty=True)
    if not sheet.frame.columns:
        return tables.empty(tables.REPORTS)
    count = _attributes(contexts)
    column = files.MODEL_COLUMN["reports"]
    sheet.require((column, "scenario"))
    report, a, b = (_numbered(sheet, pattern, count) for pattern in (files.REPORT, files.OPTION_A, files.OPTION_B))
    model = sheet.texts(column)
    if sheet.rows:
        sheet.check(column, model == model[0], f"one model in the file, {model[0]!r}")
    scenario = _known(sheet, contexts)
    lists = {"report": report, "a": a, "b": b}
    frame = sheet.numbers([*report, *a, *b]).select(pl.concat_list(names).alias(key) for key, names in lists.items())
    frame = frame.with_columns(
        model.alias("model"), pl.lit(name).alias("set"), scenario.alias("context"), pl.lit(None).alias("failure")
    ).with_columns(pl.int_range(pl.len()).over("model", "context").alias("reply"))
    return tables.conform(frame, tables.REPORTS, str(path))


def read_weights(path: str | Path, contexts: Sequence[Context], model: str) -> pl.DataFrame:
    """Read the authors' fitted weights (``MODEL_regression_results.csv`` and its native twin).

    Parameters
    ----------
    path
        The file, one row for each context.
    contexts
        The contexts of ``scenarios.csv``.
    model
        The name that stands in the table.

    Returns
    -------
    polars.DataFrame
        :data:`avowal.tables.WEIGHTS`, in the file's order.

    Raises
    ------
    InputError
        For a malformed row, an unknown scenario, or one in two rows.
    """
    frame = _long(read_sheet(path), contexts, files.WEIGHT)
    return tables.conform(frame.with_columns(pl.lit(model).alias("model")), tables.WEIGHTS, str(path))


def read_targets(path: str | Path, contexts: Sequence[Context]) -> pl.DataFrame:
    """Read target weights (``instilled_weights.csv``).

    Parameters
    ----------
    path
        The file, one row for each context.
    contexts
        The contexts of ``scenarios.csv``.

    Returns
    -------
    polars.DataFrame
        :data:`avowal.tables.TARGETS`, in the file's order.

    Raises
    ------
    InputError
        For a malformed row, an unknown scenario, or one in two rows.
    """
    return tables.conform(_long(read_sheet(path), contexts, files.TARGET), tables.TARGETS, str(path))


def _long(sheet: Sheet, contexts: Sequence[Context], pattern: str) -> pl.DataFrame:
    """One row for each context and attribute from one row for each context."""
    count = _attributes(contexts)
    sheet.require(("scenario",))
    columns = _numbered(sheet, pattern, count)
    scenario = _known(sheet, contexts)
    sheet.unique("scenario")
    weights = sheet.numbers(columns).select(pl.concat_list(columns).alias("weight"))
    names = pl.DataFrame(
        {
            "context": [context.name for context in contexts],
            "attribute": [[attribute.name for attribute in context.attributes] for context in contexts],
        }
    )
    return (
        weights.with_columns(scenario.alias("context"), pl.lit(list(range(count))).alias("position"))
        .join(names, on="context", how="left", maintain_order="left")
        .explode("attribute", "position", "weight")
    )


def _known(sheet: Sheet, contexts: Sequence[Context]) -> pl.Series:
    scenario = sheet.frame.get_column("scenario")
    known = pl.Series([context.name for context in contexts])
    sheet.check("scenario", scenario.is_in(known.implode()), f"one of the {len(known)} scenarios of {files.SCENARIOS}")
    return scenario


def _numbered(sheet: Sheet, pattern: str, count: int) -> list[str]:
    sheet.count(pattern, count)
    return numbered(pattern, count)


def _attributes(contexts: Sequence[Context]) -> int:
    return int(arrays(contexts)[0].shape[1])
