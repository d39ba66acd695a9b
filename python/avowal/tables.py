"""Tables: the columns and types of every table that avowal's parts hand to each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from avowal.errors import InputError

Schema = Mapping[str, Any]
"""Column names to polars types, in the table's order."""

CHOICES: Schema = {
    "model": pl.String(),
    "context": pl.String(),
    "trial": pl.Int64(),
    "a": pl.List(pl.Float64),
    "b": pl.List(pl.Float64),
    "choice": pl.String(),
    "failure": pl.String(),
}
"""One row for each answered pair.

`trial` counts from 0 within model and context; `a` and `b` hold one value for each attribute; `choice` is "A", "B", or
null with the reason in `failure`.
"""

REPORTS: Schema = {
    "model": pl.String(),
    "set": pl.String(),
    "context": pl.String(),
    "reply": pl.Int64(),
    "report": pl.List(pl.Float64),
    "failure": pl.String(),
    "a": pl.List(pl.Float64),
    "b": pl.List(pl.Float64),
}
"""One row for each reply to the question about weights.

`model` is the reporting model; `reply` counts from 0 within model, set and context; `report` holds one weight for each
attribute, or is null with the reason in `failure`; `a` and `b` are the pair shown.
"""

DECISION_REPLIES: Schema = {
    **{column: kind for column, kind in CHOICES.items() if column not in ("choice", "failure")},
    "text": pl.String(),
    "fault": pl.String(),
}
"""Replies to decisions before they are read, one row for each pair.

`text` is what the model wrote, null where no reply came; `fault` is what is known against it: the fault of an
:class:`avowal.provider.Completion`, or the kind of the failure beside a null text.
"""

REPORT_REPLIES: Schema = {
    **{column: kind for column, kind in REPORTS.items() if column not in ("report", "failure")},
    "text": pl.String(),
    "fault": pl.String(),
}
"""Replies to the question about weights before they are read; `text` and `fault` as in DECISION_REPLIES."""

READ_REPORTS: Schema = {
    **REPORTS,
    "strict_failure": pl.String(),
    "lenient_failure": pl.String(),
    "repairs": pl.List(pl.String),
    "renamed": pl.List(pl.Struct({"key": pl.String, "attribute": pl.String})),
    "flags": pl.List(pl.String),
}
"""Reports with how they were read: `failure` is one of the two others, by the reading that was asked for.

`repairs` and `renamed` are those of lenient reading, whichever was asked for; `flags` are those of `report`
(:class:`avowal.replies.Report`).
"""

WEIGHTS: Schema = {
    "model": pl.String(),
    "context": pl.String(),
    "attribute": pl.String(),
    "position": pl.Int64(),
    "weight": pl.Float64(),
}
"""Learned or native weights, one row for each attribute; `position` counts the context's attributes from 0."""

TARGETS: Schema = {
    "context": pl.String(),
    "attribute": pl.String(),
    "position": pl.Int64(),
    "weight": pl.Float64(),
}
"""Target weights, one row for each attribute; `position` counts the context's attributes from 0."""


AGENT_FITS: Schema = {
    "model": pl.String(),
    "context": pl.String(),
    "status": pl.String(),
    "intercept": pl.Float64(),
    "intercept_error": pl.Float64(),
    "centred_intercept": pl.Float64(),
    "centred_intercept_error": pl.Float64(),
    "log_likelihood": pl.Float64(),
    "log_posterior": pl.Float64(),
    "iterations": pl.Int64(),
    "gradient_norm": pl.Float64(),
    "accuracy": pl.Float64(),
    "accuracy_slopes_only": pl.Float64(),
    "planned": pl.Int64(),
    "valid": pl.Int64(),
    "failed": pl.Int64(),
}
"""One row for each fitted agent: the columns of :class:`avowal.fit.ArrayFit`, null where there is no estimate.

`planned`, `valid` and `failed` count choices.
"""

FITTED_WEIGHTS: Schema = {
    **{column: kind for column, kind in WEIGHTS.items() if column != "weight"},
    "slope": pl.Float64(),
    "standard_error": pl.Float64(),
    "weight": pl.Float64(),
}
"""Weights as fitted: `slope` in log odds per full range with its standard error, `weight` scaled as in WEIGHTS."""

WEIGHT_INTERVALS: Schema = {
    **WEIGHTS,
    "low": pl.Float64(),
    "high": pl.Float64(),
    "standard_error": pl.Float64(),
    "undefined": pl.Int64(),
    "status": pl.String(),
}
"""Scaled weights with bootstrap intervals; `undefined` counts the agent's resamples without an estimate."""


def empty(schema: Schema) -> pl.DataFrame:
    """Return a table of no rows.

    Parameters
    ----------
    schema
        One of this module's schemas.

    Returns
    -------
    polars.DataFrame
        With the schema's columns.
    """
    return pl.DataFrame(schema=dict(schema))


def conform(frame: pl.DataFrame, schema: Schema, name: str) -> pl.DataFrame:
    """Return a table with exactly a schema's columns, in its order and types.

    Parameters
    ----------
    frame
        A table with at least the schema's columns; further ones are dropped.
    schema
        One of this module's schemas.
    name
        The table's name, for errors.

    Returns
    -------
    polars.DataFrame
        The columns, cast where that loses nothing.

    Raises
    ------
    InputError
        Where a column is missing, or holds a value that its type can't.
    """
    if not isinstance(frame, pl.DataFrame):
        raise InputError.at("a polars DataFrame", type(frame).__name__, file=name)
    for column, kind in schema.items():
        if column not in frame.columns:
            raise InputError.at(f"a column of {kind}", f"only {', '.join(frame.columns)}", file=name, field=column)
        if kind == pl.Int64() and frame[column].dtype.is_float():
            broken = frame.filter(pl.col(column) != pl.col(column).round())
            if len(broken):
                raise InputError.at("whole numbers", broken[column][0], file=name, field=column)
    try:
        return frame.select(pl.col(column).cast(kind, strict=True) for column, kind in schema.items())
    except pl.exceptions.PolarsError as error:
        raise InputError.at(
            ", ".join(f"{column} of {kind}" for column, kind in schema.items()), str(error).splitlines()[0], file=name
        ) from None
