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

STAGE: Schema = {
    "stage": pl.String(),
    "role": pl.String(),
    "base": pl.String(),
    "seed": pl.Int64(),
    "label": pl.String(),
    "dose": pl.String(),
    "condition": pl.String(),
    "wording": pl.String(),
    "about": pl.String(),
}
"""What the tables of a study say of the stage that a row comes from: its name, its part in the chain of models
(:data:`avowal.study.stages.ROLES`), and what tells chains apart, as :class:`avowal.study.stages.Stage` has it."""

STUDY_CHOICES: Schema = {
    **STAGE,
    **CHOICES,
    "swapped": pl.Boolean(),
    "p_a": pl.Float64(),
    "tuned": pl.String(),
    "reply_id": pl.Int64(),
}
"""A study's choices. `model` is the base model, or the stage that trained the model asked, and `tuned` the provider's
name of that; `swapped` says whether `a` is the option that was drawn second; `p_a` is the probability of A among A and
B, where the provider told it; `reply_id` is the reply in ``study.db``."""

STUDY_REPORTS: Schema = {
    **STAGE,
    **READ_REPORTS,
    "trial": pl.Int64(),
    "swapped": pl.Boolean(),
    "tuned": pl.String(),
    "reply_id": pl.Int64(),
}
"""A study's reports; `set` is the stage's role, `trial` the number of the pair shown, all else as in STUDY_CHOICES."""

STUDY_WEIGHTS: Schema = {
    **STAGE,
    **FITTED_WEIGHTS,
    "status": pl.String(),
    "planned": pl.Int64(),
    "valid": pl.Int64(),
    "probability_weight": pl.Float64(),
}
"""Weights estimated from the choices of each stage that decides; `status` and counts are those of the context, and
`probability_weight` comes from probabilities instead of choices."""

STUDY_REQUESTS: Schema = {
    "stage": pl.String(),
    "context": pl.String(),
    "trial": pl.Int64(),
    "key": pl.String(),
    "model": pl.String(),
    "state": pl.String(),
    "failures": pl.List(pl.String),
    "retries": pl.Int64(),
    "unsure": pl.Int64(),
    "surplus": pl.Int64(),
    "seconds": pl.Float64(),
    "prompt_tokens": pl.Int64(),
    "completion_tokens": pl.Int64(),
    "price": pl.Decimal(38, 15),
    "batch": pl.String(),
    "reply_id": pl.Int64(),
}
"""Every request of a study. `failures` are the kinds of all failures, in the order in which they were written down;
`retries` counts them, `unsure` how often the request was under way when a run died, `surplus` replies beyond the first;
`price` is of all its replies, in US dollars, null where the model has no price."""

STUDY_JOBS: Schema = {
    "stage": pl.String(),
    "id": pl.String(),
    "attempt": pl.Int64(),
    "state": pl.String(),
    "model": pl.String(),
    "tuned": pl.String(),
    "tokens": pl.Int64(),
    "error": pl.String(),
}
"""Every training job of a study; `model` is what was trained further, `error` the provider's reason."""

STUDY_STAGES: Schema = {
    **STAGE,
    "kind": pl.String(),
    "state": pl.String(),
    "began": pl.Float64(),
    "ended": pl.Float64(),
    "error": pl.String(),
    "planned": pl.Int64(),
    "valid": pl.Int64(),
    "invalid": pl.Int64(),
    "failed": pl.Int64(),
    "retries": pl.Int64(),
    "unsure": pl.Int64(),
    "surplus": pl.Int64(),
    "spent": pl.Decimal(38, 15),
}
"""The account of each stage: `kind` is train, decisions or reports; planned = valid + invalid + failed, the last with
what has no reply yet; times in seconds since 1970."""

STUDY_ACCURACIES: Schema = {
    "model": pl.String(),
    "set": pl.String(),
    "slope": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "r": pl.Float64(),
    "cluster_low": pl.Float64(),
    "cluster_high": pl.Float64(),
    "ceiling": pl.Float64(),
    "contexts": pl.Int64(),
    "contexts_planned": pl.Int64(),
    "replies": pl.Int64(),
    "replies_planned": pl.Int64(),
    "status": pl.String(),
}
"""The accuracies of an analysis: both estimates with their intervals, the noise ceiling of `r`, and what was lost; a
missing one has a row with nulls and the reason in `status`."""


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
