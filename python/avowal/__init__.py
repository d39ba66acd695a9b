"""avowal tells whether a language model's account of itself is true.

The modules follow a study: :mod:`~avowal.simulate` and :mod:`~avowal.cost` before it, then :mod:`~avowal.contexts`,
:mod:`~avowal.agents`, :mod:`~avowal.design` or :mod:`~avowal.optimal`, :mod:`~avowal.reports`, :mod:`~avowal.fit`,
:mod:`~avowal.bootstrap` and :mod:`~avowal.accuracy`; :mod:`~avowal.published` reads the paper's files. Everything is
imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from avowal._core import __version__
from avowal.errors import AvowalError, InputError

if TYPE_CHECKING:
    from avowal import (
        accuracy,
        agents,
        bootstrap,
        bounds,
        ceiling,
        companions,
        contexts,
        correlation,
        cost,
        design,
        entries,
        estimators,
        fit,
        intervals,
        jackknife,
        optimal,
        prices,
        published,
        reports,
        rng,
        saving,
        simulate,
        tables,
        tokens,
        trials,
    )
    from avowal.fit import fit_arrays
    from avowal.published.replicate import replicate

__all__ = [
    "AvowalError",
    "InputError",
    "__version__",
    "accuracy",
    "agents",
    "bootstrap",
    "bounds",
    "ceiling",
    "companions",
    "contexts",
    "correlation",
    "cost",
    "design",
    "entries",
    "estimators",
    "fit",
    "fit_arrays",
    "intervals",
    "jackknife",
    "optimal",
    "prices",
    "published",
    "replicate",
    "reports",
    "rng",
    "saving",
    "simulate",
    "tables",
    "tokens",
    "trials",
]

_FUNCTIONS = {"fit_arrays": "avowal.fit", "replicate": "avowal.published.replicate"}


def __getattr__(name: str) -> Any:
    if name in _FUNCTIONS:
        return getattr(import_module(_FUNCTIONS[name]), name)
    if name in __all__:
        return import_module(f"avowal.{name}")
    raise AttributeError(f"module 'avowal' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
