"""Frames: tables of replies become the tables of choices and of reports, with an account of what became of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

import polars as pl

from avowal.account import Account
from avowal.contexts import Context
from avowal.errors import InputError
from avowal.provider.reply import Completion, Fault
from avowal.replies.read import Report, choice, report
from avowal.tables import CHOICES, DECISION_REPLIES, READ_REPORTS, REPORT_REPLIES, Schema, conform
from avowal.trials import by_name

NO_REPLY = "no reply"
"""The failure of a reply that never came, where its row does not say why."""

_OPTIONAL = ("fault", "a", "b")


@dataclass(frozen=True, slots=True)
class ReadChoices:
    """Choices as read from replies.

    Attributes
    ----------
    table
        A table of :data:`avowal.tables.CHOICES`, row for row as the replies.
    account
        Of the replies: ``invalid`` came and are no choice, ``failed`` never came.
    """

    table: pl.DataFrame
    account: Account


@dataclass(frozen=True, slots=True)
class ReadReports:
    """Reports as read from replies, with what the other reading would have made of them.

    Attributes
    ----------
    table
        A table of :data:`avowal.tables.READ_REPORTS`, row for row as the replies.
    is_lenient
        Which reading the table's `report` and `failure` are of.
    strict, lenient
        The accounts of both readings: ``invalid`` came and are no report, ``failed`` never came.
    repairs
        Replies with each kind of repair in lenient reading; one reply may have several.
    flags
        Reports of the table with each flag.
    """

    table: pl.DataFrame
    is_lenient: bool
    strict: Account
    lenient: Account
    repairs: Mapping[str, int]
    flags: Mapping[str, int]


def choices(replies: pl.DataFrame) -> ReadChoices:
    """Read the replies to decisions.

    Parameters
    ----------
    replies
        A table of :data:`avowal.tables.DECISION_REPLIES`; `fault` may be missing.

    Returns
    -------
    ReadChoices
        The choices and their account.

    Raises
    ------
    InputError
        Where a column is missing or of another type.
    """
    rows = []
    account = _Tally()
    for row in _rows(replies, DECISION_REPLIES, ("fault",)):
        whole = _completion(row)
        found = None if whole is None else choice(whole)
        failure = _missing(row) if found is None else found.failure
        account.count(failure, came=found is not None)
        rows.append({**row, "choice": None if found is None else found.choice, "failure": failure})
    return ReadChoices(_table(rows, CHOICES), account.account)


def reports(replies: pl.DataFrame, contexts: Iterable[Context], *, lenient: bool = False) -> ReadReports:
    """Read the replies to the question about weights, strictly and leniently.

    Parameters
    ----------
    replies
        A table of :data:`avowal.tables.REPORT_REPLIES`; `fault`, `a` and `b` may be missing.
    contexts
        The contexts asked about, and any others.
    lenient
        Whether the table's reports are those of lenient reading. Both accounts are returned in either case.

    Returns
    -------
    ReadReports
        The reports and both accounts.

    Raises
    ------
    InputError
        Where a column is missing or of another type, or a row is about an unknown context.
    """
    named = by_name(contexts)
    rows = []
    strict, lax, repairs, flags = _Tally(), _Tally(), Counter[str](), Counter[str]()
    for row in _rows(replies, REPORT_REPLIES, _OPTIONAL):
        if row["context"] not in named:
            raise InputError.at("the name of a known context", repr(row["context"]), file="replies", field="context")
        both = _both(row, named[row["context"]])
        failures = [_missing(row)] * 2 if both is None else [each.failure for each in both]
        for tally, failure in zip((strict, lax), failures, strict=True):
            tally.count(failure, came=both is not None)
        mended = Report(None) if both is None else both[1]
        kept = Report(None) if both is None else both[lenient]
        repairs.update(mended.repairs)
        flags.update(kept.flags)
        rows.append({**row, **_readings(kept, mended), **_failures(failures, lenient)})
    table = _table(rows, READ_REPORTS)
    return ReadReports(table, lenient, strict.account, lax.account, dict(repairs), dict(flags))


class _Tally:
    """Counts replies by what became of them."""

    def __init__(self) -> None:
        self.valid = 0
        self.invalid: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()

    def count(self, failure: str | None, *, came: bool) -> None:
        if failure is None:
            self.valid += 1
        else:
            (self.invalid if came else self.failed)[failure] += 1

    @property
    def account(self) -> Account:
        planned = self.valid + self.invalid.total() + self.failed.total()
        return Account(planned, self.valid, dict(self.invalid), dict(self.failed))


def _rows(replies: pl.DataFrame, schema: Schema, optional: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    if isinstance(replies, pl.DataFrame):
        absent = [column for column in optional if column not in replies.columns]
        replies = replies.with_columns(pl.lit(None, dtype=schema[column]).alias(column) for column in absent)
    return conform(replies, schema, "replies").iter_rows(named=True)


def _completion(row: Mapping[str, Any]) -> Completion | None:
    """Return the reply of a row, or None where it never came."""
    text, fault = row["text"], row["fault"]
    if text is None:
        return None
    if fault is not None and fault not in get_args(Fault):
        expected = f"null or one of {', '.join(get_args(Fault))} beside a text"
        raise InputError.at(expected, repr(fault), file="replies", field="fault")
    return Completion(text, fault)


def _missing(row: Mapping[str, Any]) -> str:
    return row["fault"] or NO_REPLY


def _both(row: Mapping[str, Any], context: Context) -> tuple[Report, Report] | None:
    """Read a reply strictly and leniently."""
    whole = _completion(row)
    if whole is None:
        return None
    strict = report(whole, context)
    return strict, strict if strict.failure is None else report(whole, context, lenient=True)


def _readings(kept: Report, mended: Report) -> dict[str, Any]:
    return {
        "report": None if kept.weights is None else list(kept.weights),
        "flags": list(kept.flags),
        "repairs": list(mended.repairs),
        "renamed": [{"key": _printable(key), "attribute": name} for key, name in mended.renamed],
    }


def _failures(failures: list[Any], lenient: bool) -> dict[str, Any]:
    strict, lax = failures
    return {"strict_failure": strict, "lenient_failure": lax, "failure": failures[lenient]}


def _printable(key: str) -> str:
    """Return a key as UTF-8 can hold it: JSON's escapes can name halves of characters."""
    return key.encode("utf-8", "backslashreplace").decode("utf-8")


def _table(rows: list[dict[str, Any]], schema: Schema) -> pl.DataFrame:
    return pl.DataFrame({column: [row[column] for row in rows] for column in schema}, schema=dict(schema))
