"""Engines: CmdStan where it really works, else the interpreter stanli, behind one call and named in every result."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avowal.errors import AvowalError, InputError
from avowal.stan import cmdstan, interpreter
from avowal.stan.draws import Draws
from avowal.stan.program import Program

ENGINES = ("auto", "cmdstan", "stanli")
"""What may be asked for; "auto" takes CmdStan where it works, else stanli."""

INSTALL = (
    "pip install 'avowal[stan]' brings stanli, which needs no compiler (Linux, macOS, Windows), and cmdstanpy; "
    "after that, python -m cmdstanpy.install_cmdstan builds CmdStan, which needs make and a C++ compiler"
)
"""Which command installs which engine."""

SAMPLER = ("lp__", "accept_stat__", "stepsize__", "treedepth__", "n_leapfrog__", "divergent__", "energy__")
"""The sampler's own columns, in Stan's order."""


class EngineError(AvowalError):
    """No Stan engine works here, or the one asked for does not, or a chain failed."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to sample.

    Attributes
    ----------
    engine
        One of :data:`ENGINES`.
    chains, warmup, draws
        Chains, and iterations of each before and after adaptation.
    seed
        From 1 to 2**31 - 1.
    delta
        The acceptance that step sizes are adapted to.
    max_depth
        The largest tree depth.
    """

    engine: str = "auto"
    chains: int = 4
    warmup: int = 1000
    draws: int = 1000
    seed: int = 1
    delta: float = 0.8
    max_depth: int = 10

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise InputError.at(" or ".join(ENGINES), repr(self.engine), field="engine")
        for name, low in (("chains", 1), ("warmup", 1), ("draws", 4), ("max_depth", 1)):
            if getattr(self, name) < low:
                raise InputError.at(f"at least {low}", getattr(self, name), field=name)
        if not 1 <= self.seed <= 2**31 - 1:
            raise InputError.at("an integer from 1 to 2**31 - 1", self.seed, field="seed")
        if not 0 < self.delta < 1:
            raise InputError.at("a number between 0 and 1", self.delta, field="delta")


def choose(engine: str = "auto") -> str:
    """Tell which engine a call would use.

    Parameters
    ----------
    engine
        One of :data:`ENGINES`.

    Returns
    -------
    str
        "cmdstan" or "stanli".

    Raises
    ------
    InputError
        For another name.
    EngineError
        Where it doesn't work here; the message says why and which command installs what.
    """
    if engine not in ENGINES:
        raise InputError.at(" or ".join(ENGINES), repr(engine), field="engine")
    reasons = {}
    for name, obstacle in (("cmdstan", cmdstan.obstacle), ("stanli", _no_stanli)):
        if engine in ("auto", name):
            reason = obstacle()
            if reason is None:
                return name
            reasons[name] = reason
    why = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    raise EngineError(f"no Stan engine works here ({why}). {INSTALL}")


def sample(program: Program, data: Mapping[str, Any], how: Sampling | None = None) -> Draws:
    """Draw from a program's posterior.

    Parameters
    ----------
    program
        The program.
    data
        Its data: numbers and arrays by name.
    how
        Engine, chains, iterations, seed.

    Returns
    -------
    Draws
        Parameters, transformed parameters and generated quantities.

    Raises
    ------
    EngineError
        Where no engine works, or a chain could not start.
    """
    how = how or Sampling()
    engine = choose(how.engine)
    draw = cmdstan.draw if engine == "cmdstan" else interpreter.draw
    cores = os.cpu_count() or 1
    start = time.perf_counter()
    try:
        version, names, values, sampler, compiling = draw(program, data, how, min(how.chains, cores))
    except RuntimeError as error:
        raise EngineError(f"{engine} failed on {program.name}: {error}") from error
    stats: dict[str, NDArray[np.float64]] = {name: sampler[:, :, i] for i, name in enumerate(SAMPLER)}
    seconds = time.perf_counter() - start - compiling
    return Draws(version, program.name, names, values, stats, how.max_depth, how.seed, seconds)


def _no_stanli() -> str | None:
    return None if find_spec("stanli") else "stanli is not installed"
