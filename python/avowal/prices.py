"""Prices: what a model's tokens cost, from a table with dates and sources that a user's file can override."""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Context as Arithmetic
from decimal import Decimal, Inexact, InvalidOperation
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from avowal.checks import as_u64
from avowal.errors import InputError
from avowal.json_values import read_text
from avowal.tokens import DEFAULT_ENCODING

__all__ = ["RATES", "Entry", "Mode", "Prices", "builtin", "load", "parse", "priced_as", "total"]

Mode = Literal["sync", "batch"]

RATES = (
    "input",
    "cached_input",
    "output",
    "batch_input",
    "batch_output",
    "training",
    "tuned_input",
    "tuned_cached_input",
    "tuned_output",
    "tuned_batch_input",
    "tuned_batch_output",
)
"""The keys of rates, in US dollars per million tokens; ``tuned_`` is for models tuned from the one that is priced."""

# Rates have a few decimals and counts a few digits; a sum that would not be exact is an error, never rounded.
_EXACT = Arithmetic(prec=60, traps=[Inexact, InvalidOperation])
_TUNED = "ft:"


@dataclass(frozen=True, slots=True)
class Entry:
    """What one model costs.

    Attributes
    ----------
    model
        Its name, without ``ft:``.
    as_of
        The day on which the rates were known to hold.
    source
        Where they stand.
    rates
        US dollars per million tokens, by the keys of :data:`RATES`; those that are not known are absent.
    encoding
        Of its tokens: ``o200k_base`` or ``cl100k_base``.
    aliases
        Other names of the same model.
    """

    model: str
    as_of: datetime.date
    source: str
    rates: Mapping[str, Decimal]
    encoding: str = DEFAULT_ENCODING
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prices:
    """A price table.

    Attributes
    ----------
    entries
        By model.
    """

    entries: Mapping[str, Entry]

    def entry(self, model: str) -> Entry:
        """Find the entry that prices a model.

        Parameters
        ----------
        model
            A name in the table, an alias, or a tuned model, ``ft:BASE:...``, which is priced by its base's entry
            unless the table has it by its own name.

        Returns
        -------
        Entry

        Raises
        ------
        InputError
            For an unknown model; says what to write where.
        """
        return self._find(model)[0]

    def encoding(self, model: str) -> str:
        """Return the name of a model's encoding; parameters and errors as for :meth:`entry`."""
        return self.entry(model).encoding

    def rate(self, model: str, key: str) -> Decimal:
        """Look one rate up.

        Parameters
        ----------
        model
            As for :meth:`entry`. For a tuned model priced by its base, ``input`` means the base's ``tuned_input``, and
            so on.
        key
            One of :data:`RATES`.

        Returns
        -------
        decimal.Decimal
            US dollars per million tokens.

        Raises
        ------
        InputError
            For an unknown model, or one without that rate; says what to write where.
        """
        entry, tuned = self._find(model)
        if tuned and key != "training":
            key = f"tuned_{key}"
        if key not in entry.rates:
            raise InputError.at(
                f"`{key}`, in US dollars per million tokens, under [models.{entry.model!r}] of a TOML file of prices",
                "no such rate" if key in RATES else f"no such key; known are {', '.join(RATES)}",
                field=f"price of {model!r}",
            )
        return entry.rates[key]

    def price(
        self, model: str, input_tokens: int, output_tokens: int, *, cached_tokens: int = 0, mode: Mode = "sync"
    ) -> Decimal:
        """Price the tokens of requests.

        Parameters
        ----------
        model
            As for :meth:`entry`.
        input_tokens, output_tokens
            Of prompts and replies.
        cached_tokens
            How many of the input tokens are billed at the cached rate; with batches they are not told apart.
        mode
            ``sync`` or ``batch``.

        Returns
        -------
        decimal.Decimal
            US dollars, exact.

        Raises
        ------
        InputError
            For an unknown model or a missing rate, another mode, or counts that don't fit.
        """
        if mode not in ("sync", "batch"):
            raise InputError.at("sync or batch", repr(mode), field="mode")
        counts = [as_u64(name, n) for name, n in (("input_tokens", input_tokens), ("output_tokens", output_tokens))]
        cached = as_u64("cached_tokens", cached_tokens)
        if cached > counts[0] or (cached and mode == "batch"):
            expected = "0 with batches" if mode == "batch" else f"at most the {counts[0]} input tokens"
            raise InputError.at(expected, cached, field="cached_tokens")
        prefix = "batch_" if mode == "batch" else ""
        parts = [(f"{prefix}input", counts[0] - cached), (f"{prefix}output", counts[1])]
        if cached:
            parts.append(("cached_input", cached))
        return total(_cost(self.rate(model, key), tokens) for key, tokens in parts)

    def training(self, model: str, tokens: int) -> Decimal:
        """Price a fine-tuning job.

        Parameters
        ----------
        model
            What is tuned: a base model, or a tuned one, at its base's rate.
        tokens
            Of the training file, times the epochs.

        Returns
        -------
        decimal.Decimal
            US dollars, exact.

        Raises
        ------
        InputError
            For an unknown model, or one without a training rate.
        """
        return _cost(self.rate(model, "training"), as_u64("tokens", tokens))

    def _find(self, model: str) -> tuple[Entry, bool]:
        found = self._named(model)
        if found is not None:
            return found, False
        # A base model's name may hold colons of its own, as those of local servers do.
        pieces = model.removeprefix(_TUNED).split(":") if model.startswith(_TUNED) else [model]
        bases = [":".join(pieces[:count]) for count in range(len(pieces), 0, -1)]
        base = next((each for each in bases if self._named(each) is not None), bases[-1])
        found = self._named(base)
        if found is None:
            raise InputError.at(
                f"a priced model ({', '.join(self.entries)}), or [models.{base!r}] with as_of, source and its rates "
                "(input, output, ... in US dollars per million tokens) in a TOML file of prices",
                "neither",
                field=f"price of {model!r}",
            )
        return found, True

    def _named(self, name: str) -> Entry | None:
        if name in self.entries:
            return self.entries[name]
        return next((entry for entry in self.entries.values() if name in entry.aliases), None)


def priced_as(base: str, *, tuned: bool) -> str:
    """Return the name under which a model is priced.

    Parameters
    ----------
    base
        The base model; one that was tuned before the study began is priced as that.
    tuned
        Whether it is a model tuned from the base.

    Returns
    -------
    str

    Examples
    --------
    >>> priced_as("gpt-4o-2024-08-06", tuned=True)
    'ft:gpt-4o-2024-08-06:'
    """
    return f"{_TUNED}{base}:" if tuned and not base.startswith(_TUNED) else base


def total(prices: Iterable[Decimal]) -> Decimal:
    """Add prices up.

    Parameters
    ----------
    prices
        In US dollars.

    Returns
    -------
    decimal.Decimal
        Exact, whatever the caller's decimal context.
    """
    result = Decimal(0)
    for price in prices:
        result = _EXACT.add(result, price)
    return result


@cache
def builtin() -> Prices:
    """Return the prices that come with the package.

    Returns
    -------
    Prices
        Those of ``avowal/prices.toml``.
    """
    text = (files("avowal") / "prices.toml").read_text(encoding="utf-8")
    return parse(text, "avowal/prices.toml", base=Prices({}))


def load(path: str | Path) -> Prices:
    """Read a file of prices over the built-in ones.

    Parameters
    ----------
    path
        TOML, as ``docs/prices.md`` describes it. An entry replaces the built-in one of its name whole.

    Returns
    -------
    Prices

    Raises
    ------
    InputError
        Names the file and the field.
    """
    path = Path(path)
    return parse(read_text(path), path)


def over(path: str | Path | None) -> Prices | None:
    """Read a file of prices over the built-in ones, if there is one: None without, as commands have it."""
    return None if path is None else load(path)


def parse(text: str, file: str | Path, base: Prices | None = None) -> Prices:
    """Read prices from TOML text.

    Parameters
    ----------
    text
        The TOML.
    file
        Named in errors; not opened.
    base
        What the text's entries are laid over; the built-in prices if None.

    Returns
    -------
    Prices

    Raises
    ------
    InputError
        As for :func:`load`.
    """
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise InputError.at("TOML", error, file=file) from None
    models = document.get("models")
    if set(document) != {"models"} or not isinstance(models, dict):
        raise InputError.at('tables [models."NAME"] and nothing else', sorted(document), file=file)
    over = {name: _entry(name, raw, file) for name, raw in models.items()}
    under = (builtin() if base is None else base).entries
    return Prices(MappingProxyType({**over, **{name: entry for name, entry in under.items() if name not in over}}))


def _entry(name: str, raw: Any, file: str | Path) -> Entry:
    place = f"models.{name!r}"
    if not isinstance(raw, dict):
        raise InputError.at("a table", repr(raw), file=file, field=place)
    unknown = sorted(set(raw) - {"as_of", "source", "encoding", "aliases", *RATES})
    if unknown:
        expected = f"only as_of, source, encoding, aliases, {', '.join(RATES)}"
        raise InputError.at(expected, repr(unknown[0]), file=file, field=place)
    as_of, source, encoding = raw.get("as_of"), raw.get("source"), raw.get("encoding", DEFAULT_ENCODING)
    aliases = raw.get("aliases", [])
    if not isinstance(as_of, datetime.date) or isinstance(as_of, datetime.datetime):
        raise InputError.at("a date, as 2026-07-30 without quotes", repr(as_of), file=file, field=f"{place}.as_of")
    if not isinstance(source, str) or not source.strip():
        raise InputError.at("where the rates stand", repr(source), file=file, field=f"{place}.source")
    if not isinstance(encoding, str):
        raise InputError.at("the name of an encoding", repr(encoding), file=file, field=f"{place}.encoding")
    if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in aliases):
        raise InputError.at("a list of names", repr(aliases), file=file, field=f"{place}.aliases")
    rates = {key: _rate(raw[key], f"{place}.{key}", file) for key in RATES if key in raw}
    if not rates:
        raise InputError.at(f"one of the rates {', '.join(RATES)}", "none", file=file, field=place)
    return Entry(name, as_of, source, MappingProxyType(rates), encoding, tuple(aliases))


def _rate(raw: Any, field: str, file: str | Path) -> Decimal:
    if isinstance(raw, (int, Decimal)) and not isinstance(raw, bool):
        rate = Decimal(raw)
        exponent = rate.as_tuple().exponent
        # Within these bounds every sum of prices is exact; they are far beyond any price list.
        if isinstance(exponent, int) and exponent >= -9 and 0 <= rate < 10**9:
            return rate
    expected = "US dollars per million tokens: a number from 0 to 10**9 with at most 9 decimals"
    raise InputError.at(expected, str(raw), file=file, field=field)


def _cost(rate: Decimal, tokens: int) -> Decimal:
    return _EXACT.scaleb(_EXACT.multiply(rate, Decimal(tokens)), -6)
