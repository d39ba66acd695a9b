"""Grids: the designs that a sweep goes through, each cell with settings and a seed of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal, InvalidOperation
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avowal.calibrated import Calibrated, calibrated
from avowal.errors import InputError
from avowal.quantities import PARAMETERS, SETS, Deciding, Reported, Settings

__all__ = ["MODEL", "PAIRS", "SHORT", "Cell", "Design", "Value", "cells", "parse"]

MODEL = "model"
"""The axis of base models: names of shipped profiles, or files that :mod:`avowal.calibrate` wrote."""

PAIRS = "pairs"
"""The axis of ways to draw pairs."""

WAYS = ("uniform", "d-optimal")
"""How pairs are drawn: as in the paper, or so that the choices tell most about the weights."""

SHORT: Mapping[str, tuple[str, ...]] = {
    "agents": ("trained_agents", "native_agents"),
    "decisions": ("trained_decisions", "native_decisions"),
    "reports": ("replies",),
    **{one.name: tuple(f"{part}.{one.name}" for part in ("trained", "native")) for one in fields(Deciding)},
    **{one.name: tuple(f"{part}.{one.name}" for part in SETS) for one in fields(Reported)},
}
"""Names that stand for several parameters: a parameter without its part is that of every part."""

Value = float | str

Design = Mapping[str, Value | Sequence[Value]]
"""What a sweep goes through: a value or several of each parameter that differs from the model's settings."""

_MOST_CELLS = 100_000
_BEYOND = 1e300


@dataclass(frozen=True, slots=True)
class Cell:
    """One design of a sweep.

    Attributes
    ----------
    number
        Its place in the grid, from 0; the last axis varies fastest.
    values
        Its value on each axis.
    settings
        Everything that is simulated.
    pairs
        How pairs are drawn, one of ``uniform`` and ``d-optimal``.
    model
        The base model's name, by which it is priced; None for settings without one.
    """

    number: int
    values: Mapping[str, Value]
    settings: Settings
    pairs: str
    model: str | None

    def key(self, seed: int, level: float) -> str:
        """Return 32 hexadecimal digits for what the cell's figures depend on; they name its file.

        Parameters
        ----------
        seed, level
            Of the sweep.
        """
        return self._digest(seed, np.array([level]))

    def seed(self, seed: int) -> int:
        """Return the seed of the cell's replicates.

        It depends on the sweep's seed, the settings and the way of drawing pairs alone: a cell keeps its numbers in
        whatever grid it stands.

        Parameters
        ----------
        seed
            Of the sweep.
        """
        return int(self._digest(seed, np.empty(0))[:16], 16)

    def _digest(self, seed: int, more: NDArray[np.float64]) -> str:
        # Adding zero makes a negative zero, which means the same, a positive one.
        numbers = np.concatenate([self.settings.flat() + 0.0, more]).astype("<f8")
        content = numbers.tobytes() + self.pairs.encode() + seed.to_bytes(8, "little")
        return blake2b(content, digest_size=16).hexdigest()


def cells(design: Design, base: Settings | str | Path) -> list[Cell]:
    """Cross the values of all parameters.

    Parameters
    ----------
    design
        Values by name: a parameter (:data:`avowal.quantities.PARAMETERS`), a name that stands for several
        (:data:`SHORT`), ``model`` or ``pairs``. Parameters with one value are set, those with more are axes.
    base
        Settings, or the name or file of a model, where the design names no ``model``.

    Returns
    -------
    list of Cell
        At least one; the last parameter varies fastest.

    Raises
    ------
    InputError
        For an unknown name, a parameter that is set twice, no value or equal values, a value out of its domain, or more
        than 100,000 cells.
    """
    if not isinstance(design, Mapping):
        raise InputError.at("values by name, such as {'agents': [50, 100]}", repr(design), field="design")
    axes = {name: _values(name, given) for name, given in design.items()}
    _check_names(axes)
    count = int(np.prod([len(values) for values in axes.values()], dtype=object)) if axes else 1
    if count > _MOST_CELLS:
        raise InputError.at(f"at most {_MOST_CELLS:,} cells", f"{count:,}", field="design")
    models: dict[Value | None, Calibrated] = {name: calibrated(str(name)) for name in axes.get(MODEL, [])}
    if not models:
        models[None] = calibrated(base)
    varied = [name for name, values in axes.items() if len(values) > 1]
    found = []
    for number, values in enumerate(itertools.product(*axes.values())):
        chosen = dict(zip(axes, values, strict=True))
        model = models[chosen.get(MODEL)]
        changes = {
            parameter: value
            for name, value in chosen.items()
            if not isinstance(value, str)
            for parameter in SHORT.get(name, (name,))
        }
        settings = _changed(model.settings, changes, chosen)
        held = {name: chosen[name] for name in varied}
        found.append(Cell(number, held, settings, str(chosen.get(PAIRS, WAYS[0])), model.name))
    return found


def _changed(settings: Settings, changes: Mapping[str, float], chosen: Mapping[str, Value]) -> Settings:
    """Change settings; an error names the parameter as it was written."""
    try:
        return settings.but(changes)
    except InputError as error:
        wrong = str(error).partition(":")[0]
        short = [name for name in chosen if name in SHORT and wrong in SHORT[name]]
        if not short:
            raise
        raise InputError(f"{short[0]}, which is {error}") from None


def parse(words: Iterable[str]) -> dict[str, list[Value]]:
    """Read a design as it is written on the command line.

    Parameters
    ----------
    words
        ``NAME=VALUE``, ``NAME=VALUE,VALUE,...`` or ``NAME=FIRST:LAST:STEP``, with LAST included where a step meets it.

    Returns
    -------
    dict of str to list
        Values by name, as :func:`cells` takes them.

    Raises
    ------
    InputError
        For a word of another form.

    Examples
    --------
    >>> parse(["agents=25,50", "fidelity=0.1:0.3:0.1", "model=gpt-4o"])
    {'agents': [25.0, 50.0], 'fidelity': [0.1, 0.2, 0.3], 'model': ['gpt-4o']}
    """
    found: dict[str, list[Value]] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not name or not text:
            raise InputError.at("NAME=VALUE, NAME=VALUE,VALUE or NAME=FIRST:LAST:STEP", repr(word), field="design")
        if name in found:
            raise InputError.at("each name once", f"{name!r} twice", field="design")
        if name in (MODEL, PAIRS):
            found[name] = list(text.split(","))
        elif ":" in text:
            found[name] = list(_range(name, text))
        else:
            found[name] = [float(_decimal(name, part)) for part in text.split(",")]
    return found


def _range(name: str, text: str) -> list[float]:
    parts = [_decimal(name, part) for part in text.split(":")]
    if len(parts) != 3 or parts[2] <= 0 or parts[1] < parts[0]:
        raise InputError.at("FIRST:LAST:STEP with FIRST <= LAST and a positive STEP", repr(text), field=name)
    first, last, step = parts
    if last - first >= step * _MOST_CELLS:
        raise InputError.at(f"at most {_MOST_CELLS:,} values", repr(text), field=name)
    return [float(first + step * place) for place in range(int((last - first) / step) + 1)]


def _decimal(name: str, text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise InputError.at("a number", repr(text), field=name) from None
    # Beyond these no parameter has a meaning, and sums of decimals are exact within them.
    if not number.is_finite() or (number and not -12 <= number.adjusted() <= 12):
        raise InputError.at("a finite number of ordinary size", repr(text), field=name)
    return number


def _values(name: str, given: Any) -> list[Value]:
    several = isinstance(given, Iterable) and not isinstance(given, str)
    values = list(given) if several else [given]
    text = name in (MODEL, PAIRS)
    for value in values:
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if isinstance(value, int) and abs(value) > _BEYOND:
            raise InputError.at("a number of ordinary size", "one beyond all floats", field=name)
        if (text and not isinstance(value, str)) or (not text and not number):
            raise InputError.at("text" if text else "a number", repr(value), field=name)
        if name == PAIRS and value not in WAYS:
            raise InputError.at(" or ".join(WAYS), repr(value), field=name)
    plain: list[Value] = [value if isinstance(value, str) else _plain(value) for value in values]
    if not plain or len(set(plain)) < len(plain):
        raise InputError.at("one value or several that differ", repr(values), field=name)
    return plain


def _plain(value: float) -> float:
    """Make whole numbers integers, so that 50 agents print as 50."""
    return int(value) if float(value).is_integer() else float(value)


def _check_names(axes: Iterable[str]) -> None:
    owners: dict[str, str] = {}
    for name in axes:
        if name in (MODEL, PAIRS):
            continue
        if name not in SHORT and name not in PARAMETERS:
            from difflib import get_close_matches

            close = get_close_matches(name, [*SHORT, *PARAMETERS, MODEL, PAIRS], n=3, cutoff=0.5)
            likely = f", such as {', '.join(close)}" if close else ""
            raise InputError.at(f"the name of a parameter{likely}", repr(name), field="design")
        for parameter in SHORT.get(name, (name,)):
            if parameter in owners:
                expected = f"{parameter} set once"
                raise InputError.at(expected, f"by {owners[parameter]} and by {name}", field="design")
            owners[parameter] = name
