"""The exceptions of avowal: what a caller can do wrong, told with file, row, field, expected and found."""

from __future__ import annotations

from pathlib import Path


class AvowalError(Exception):
    """The root of every exception that avowal raises on purpose."""


class InputError(AvowalError, ValueError):
    """Input that no computation can start from.

    Use :meth:`at` to say where the input stands; the command line prints the message and exits with code 2.
    """

    @classmethod
    def at(
        cls,
        expected: str,
        found: object,
        *,
        file: str | Path | None = None,
        line: int | None = None,
        field: str | None = None,
    ) -> InputError:
        """Build the message ``file, line N, field: expected ..., found ...`` from the parts that are known.

        Parameters
        ----------
        expected
            What would have been accepted.
        found
            What was there; shortened to 200 characters.
        file
            The file it stands in.
        line
            Its line, counted from 1, the header included.
        field
            The column, key or argument.

        Returns
        -------
        InputError
            To be raised by the caller.
        """
        place = [str(file)] if file is not None else []
        if line is not None:
            place.append(f"line {line}")
        if field is not None:
            place.append(str(field))
        text = str(found)
        if len(text) > 200:
            text = text[:197] + "..."
        where = ", ".join(place)
        return cls(f"{where}: expected {expected}, found {text}" if where else f"expected {expected}, found {text}")
