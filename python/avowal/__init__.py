"""avowal tells whether a language model's account of itself is true.

The modules follow a study: :mod:`~avowal.simulate` and :mod:`~avowal.cost` before it, then :mod:`~avowal.contexts`,
:mod:`~avowal.agents`, :mod:`~avowal.design` or :mod:`~avowal.optimal`, :mod:`~avowal.reports`, :mod:`~avowal.fit`,
:mod:`~avowal.bootstrap`, :mod:`~avowal.accuracy` and :mod:`~avowal.stan`; :mod:`~avowal.recovery`,
:func:`~avowal.power` and :mod:`~avowal.sweep` plan it, :mod:`~avowal.study` runs it, :mod:`~avowal.draft` asks a
:mod:`~avowal.provider` for new contexts, :mod:`~avowal.replies` reads what a model answered, :mod:`~avowal.analysis`
says what came of it, and :mod:`~avowal.published` reads the paper's files. Everything is imported when it is first
used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from avowal._core import __version__
from avowal.errors import AvowalError, InputError

if TYPE_CHECKING:
    from avowal import (
        accuracy,
        agents,
        analysis,
        bootstrap,
        bounds,
        ceiling,
        companions,
        contexts,
        correlation,
        cost,
        design,
        draft,
        entries,
        estimators,
        fit,
        intervals,
        jackknife,
        optimal,
        prices,
        provider,
        published,
        recovery,
        replies,
        reports,
        rng,
        saving,
        simulate,
        stan,
        study,
        sweep,
        tables,
        tokens,
        trials,
    )
    from avowal.fit import fit_arrays
    from avowal.published.replicate import replicate
    from avowal.sweep.power import power

__all__ = [
    "AvowalError",
    "InputError",
    "__version__",
    "accuracy",
    "agents",
    "analysis",
    "bootstrap",
    "bounds",
    "ceiling",
    "companions",
    "contexts",
    "correlation",
    "cost",
    "design",
    "draft",
    "entries",
    "estimators",
    "fit",
    "fit_arrays",
    "intervals",
    "jackknife",
    "optimal",
    "power",
    "prices",
    "provider",
    "published",
    "recovery",
    "replicate",
    "replies",
    "reports",
    "rng",
    "saving",
    "simulate",
    "stan",
    "study",
    "sweep",
    "tables",
    "tokens",
    "trials",
]

_FUNCTIONS = {
    "fit_arrays": "avowal.fit",
    "power": "avowal.sweep.power",
    "replicate": "avowal.published.replicate",
}


def __getattr__(name: str) -> Any:
    if name in _FUNCTIONS:
        return getattr(import_module(_FUNCTIONS[name]), name)
    if name in __all__:
        return import_module(f"avowal.{name}")
    raise AttributeError(f"module 'avowal' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
