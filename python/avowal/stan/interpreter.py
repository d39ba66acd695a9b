"""stanli: Stan without a compiler. Its intermediate form of a program is kept by content."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from avowal.stan.program import Program, cache_folder

if TYPE_CHECKING:
    from avowal.stan.engines import Sampling

Floats = NDArray[np.float64]


def draw(
    program: Program, data: Mapping[str, Any], how: Sampling, threads: int
) -> tuple[str, tuple[str, ...], Floats, Floats, float]:
    """Draw with stanli.

    Parameters
    ----------
    program, data, how
        As for :func:`avowal.stan.sample`.
    threads
        Chains that run at once.

    Returns
    -------
    tuple
        The engine with its version, names, values (chains, draws, columns), the sampler's columns (chains, draws, 7),
        seconds of compilation.
    """
    import stanli

    start = time.perf_counter()
    model = _model(program, dict(data))
    compiling = time.perf_counter() - start
    fit = model.sample(
        chains=how.chains,
        seed=how.seed,
        warmup=how.warmup,
        samples=how.draws,
        delta=how.delta,
        max_depth=how.max_depth,
        parallel_chains=threads,
        refresh=0,
    )
    return f"stanli {stanli.__version__}", tuple(fit.names), fit.draws(), fit.sampler_stats, compiling


def _model(program: Program, data: dict[str, Any]) -> Any:
    """Build a model from the form that is kept, or anew where that is damaged; nothing has to be kept."""
    import stanli

    name = f"{program.name}-{program.key('stanli', stanli.__version__, stanli.build_id())}.mir"
    try:
        kept = cache_folder() / name
        text = kept.read_text(encoding="utf-8") if kept.exists() else _compile(program, kept)
    except OSError:
        return stanli.Model(mir=stanli.stan_to_mir(program.source), data=data)
    try:
        return stanli.Model(mir=text, data=data)
    except RuntimeError:
        # Half a file, after a sudden death of the machine; data that don't fit fail again.
        return stanli.Model(mir=_compile(program, kept), data=data)


def _compile(program: Program, kept: Path) -> str:
    import stanli

    text: str = stanli.stan_to_mir(program.source)
    # Into place at once, so that a second process never reads half a file.
    draft = kept.with_suffix(f".{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(kept)
    return text
