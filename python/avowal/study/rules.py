"""Rules: what a field of a study's file may hold, and how an error says so."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from avowal.errors import InputError

__all__ = ["Rule", "any_of", "count", "each", "either", "number", "optional", "several_of", "text", "truth"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What a field may hold.

    Attributes
    ----------
    expected
        In words, for errors.
    take
        Returns the value as it is kept, or raises ValueError.
    """

    expected: str
    take: Callable[[Any], Any]

    def check(self, value: Any, file: str, field: str) -> Any:
        """Return the value as it is kept.

        Raises
        ------
        InputError
            Where it breaks the rule; names file and field.
        """
        try:
            return self.take(value)
        except ValueError:
            raise InputError.at(self.expected, repr(value), file=file, field=field) from None


def _must(good: bool) -> None:
    if not good:
        raise ValueError


def count(least: int, most: int = 1_000_000) -> Rule:
    """Return the rule of whole numbers from `least` to `most`."""

    def take(value: Any) -> int:
        _must(isinstance(value, int) and not isinstance(value, bool) and least <= value <= most)
        return int(value)

    return Rule(f"a whole number from {least} to {most:,}", take)


def number(least: float, most: float = math.inf, *, above: bool = False) -> Rule:
    """Return the rule of finite numbers from `least`, or above it, to `most`."""

    def take(value: Any) -> float:
        _must(isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value))
        _must((value > least if above else value >= least) and value <= most)
        return float(value)

    low = f"above {least:g}" if above else f"of {least:g} or more"
    return Rule(f"a number {low}" + ("" if math.isinf(most) else f", {most:g} at most"), take)


def truth() -> Rule:
    """Return the rule of true and false."""

    def take(value: Any) -> bool:
        _must(isinstance(value, bool))
        return bool(value)

    return Rule("true or false", take)


def text() -> Rule:
    """Return the rule of texts that are not blank and stay on one line."""

    def take(value: Any) -> str:
        _must(isinstance(value, str) and bool(value.strip()) and value.isprintable())
        return str(value)

    return Rule("text on one line", take)


def any_of(*known: str) -> Rule:
    """Return the rule of one of these words."""

    def take(value: Any) -> str:
        _must(value in known and isinstance(value, str))
        return str(value)

    return Rule(" or ".join(f'"{word}"' for word in known), take)


def each(rule: Rule, *, least: int = 1) -> Rule:
    """Return the rule of lists of `least` values or more that keep another rule and differ."""

    def take(value: Any) -> tuple[Any, ...]:
        _must(isinstance(value, list) and len(value) >= least)
        taken = tuple(rule.take(one) for one in value)
        _must(len(set(taken)) == len(taken))
        return taken

    many = "a list of values that differ" if least == 0 else f"a list of {least} or more values that differ"
    return Rule(f"{many}, each {rule.expected}", take)


def several_of(*known: str) -> Rule:
    """Return the rule of lists of some of these words, or none."""
    return each(any_of(*known), least=0)


def optional(rule: Rule, word: str) -> Rule:
    """Return the rule of another one, or the word that stands for None."""

    def take(value: Any) -> Any:
        return None if value == word and isinstance(value, str) else rule.take(value)

    return Rule(f'{rule.expected}, or "{word}"', take)


def either(*choices: Rule) -> Rule:
    """Return the rule of values that keep one of these rules."""

    def take(value: Any) -> Any:
        for rule in choices:
            try:
                return rule.take(value)
            except ValueError:
                continue
        raise ValueError

    return Rule(", or ".join(rule.expected for rule in choices), take)
