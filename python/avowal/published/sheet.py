"""Sheets: CSV files parsed in whole columns; the first bad row is looked for only once one is known to exist."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import polars as pl

from avowal.errors import InputError
from avowal.json_values import read_text


@dataclass(frozen=True, slots=True)
class Sheet:
    """A CSV file whose rows all have the header's number of fields.

    Attributes
    ----------
    file
        Where it was read from.
    text
        The whole file, for finding lines.
    frame
        The rows as strings, null or empty where a field is; no columns where the file is empty.
    """

    file: Path
    text: str
    frame: pl.DataFrame

    @property
    def rows(self) -> int:
        """The number of rows below the header."""
        return self.frame.height

    def require(self, columns: Iterable[str]) -> None:
        """Refuse a header that lacks a column."""
        for column in columns:
            if column not in self.frame.columns:
                raise InputError.at("this column in the header", "none", file=self.file, line=1, field=column)

    def count(self, pattern: str, expected: int | None = None) -> int:
        """Return how many columns of a numbered family (``attr{}``) the header holds: 1 to the result, no gaps."""
        family = re.compile(re.escape(pattern).replace(re.escape("{}"), r"([1-9]\d*)"))
        numbers = [int(match[1]) for column in self.frame.columns if (match := family.fullmatch(column))]
        highest = max(numbers, default=0)
        if expected is not None and highest > expected:
            raise InputError.at(
                f"{expected} attributes, as in the scenarios",
                "a further column",
                file=self.file,
                line=1,
                field=pattern.format(highest),
            )
        self.require(pattern.format(number) for number in range(1, max(highest, expected or 1) + 1))
        return highest

    def texts(self, column: str) -> pl.Series:
        """Return a column in which no field is blank."""
        values = self.frame.get_column(column)
        self.check(column, values.is_not_null() & (values.str.strip_chars() != ""), "a text that is not blank")
        return values

    def numbers(self, columns: Sequence[str]) -> pl.DataFrame:
        """Return columns as float64, all finite."""
        cast = self.frame.select(pl.col(columns).cast(pl.Float64, strict=False))
        finite = cast.select(pl.all().is_finite().fill_null(value=False))
        good = finite.select(pl.all_horizontal(pl.all())).to_series()
        if not good.all():
            row = _first_false(good)
            column = next(name for name in columns if not finite[name][row])
            raise self.error(row, column, "a finite number")
        return cast

    def check(self, column: str, good: pl.Series, expected: str) -> None:
        """Raise for the first row where `good` is false or null."""
        good = good.fill_null(value=False)
        if not good.all():
            raise self.error(_first_false(good), column, expected)

    def unique(self, column: str) -> None:
        """Refuse a value that stands in two rows."""
        values = self.frame.get_column(column)
        self.check(column, values.is_first_distinct(), f"each {column} in one row")

    def error(self, row: int, column: str, expected: str) -> InputError:
        """Return the error for one field; `row` counts from 0 below the header."""
        value = self.frame.get_column(column)[row]
        found = "an empty field" if value in (None, "") else repr(value)
        lines = (line for line, _ in _records(self.file, self.text))
        line = next(islice(lines, row + 1, None), None)
        return InputError.at(expected, found, file=self.file, line=line, field=column)


def read_sheet(path: str | Path, *, may_be_empty: bool = False) -> Sheet:
    """Read a CSV file, UTF-8, with a header; blank lines may follow the last row.

    Parameters
    ----------
    path
        The file.
    may_be_empty
        Whether a file without even a header counts as one without rows.

    Returns
    -------
    Sheet
        Its rows as strings.

    Raises
    ------
    InputError
        Names the line of a row whose number of fields is not the header's, of text that is not UTF-8, or of a column
        named twice; or the file that can't be read or is empty.
    """
    path = Path(path)
    text = read_text(path)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = text.rstrip("\n")
    if not text:
        if may_be_empty:
            return Sheet(path, text, pl.DataFrame())
        raise InputError.at("a header", "an empty file", file=path)
    _, header = next(_records(path, text))
    for position, column in enumerate(header):
        if column in header[:position]:
            raise InputError.at("each column once in the header", "it twice", file=path, line=1, field=column)
    frame = _columns(text)
    # polars fills a short row up with nulls, drops an empty field too many and gives up on stray quotes: wherever it
    # could, what the csv module makes of the file counts.
    even = '"' not in text and text.count(",") == (len(header) - 1) * (text.count("\n") + 1)
    if frame is None or not even or frame.columns != header or any(frame.null_count().row(0)):
        rows = _checked_rows(path, text, len(header))
        frame = pl.DataFrame(rows, schema=dict.fromkeys(header, pl.String()), orient="row")
    return Sheet(path, text, frame)


def _columns(text: str) -> pl.DataFrame | None:
    try:
        return pl.read_csv(io.BytesIO(text.encode()), infer_schema=False)
    except pl.exceptions.PolarsError:
        return None


def _checked_rows(path: Path, text: str, fields: int) -> list[list[str]]:
    rows = []
    for line, record in _records(path, text):
        if len(record) != fields:
            raise InputError.at(f"{fields} fields, as in the header", len(record), file=path, line=line)
        rows.append(record)
    return rows[1:]


def _records(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each record with the line that it starts on; a quoted field may hold line ends."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for record in reader:
            yield line, record
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError.at("CSV", error, file=path, line=line) from None


def _first_false(good: pl.Series) -> int:
    return int((~good).arg_max() or 0)
