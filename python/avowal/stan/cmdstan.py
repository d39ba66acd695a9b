"""CmdStan through cmdstanpy: proven to work by compiling a program, executables kept by content."""

from __future__ import annotations

import logging
import os
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from avowal.stan.program import Program, cache_folder

if TYPE_CHECKING:
    from avowal.stan.engines import Sampling

Floats = NDArray[np.float64]

_PROOF = Program("proof", "parameters { real x; } model { x ~ std_normal(); }\n")

_MAINS = ("src/cmdstan/main.cpp", "src/main.cpp")
"""Where CmdStan keeps its main program, by the layouts known."""


def obstacle() -> str | None:
    """Tell what keeps CmdStan from working here.

    Returns
    -------
    str or None
        The reason, or None where a program could be compiled (once for each installation; the executable is kept).
    """
    if find_spec("cmdstanpy") is None:
        return "cmdstanpy is not installed"
    folder = _folder()
    if isinstance(folder, str):
        return folder
    try:
        _executable(_PROOF, folder)
    except (RuntimeError, OSError) as error:
        return f"{folder} can't compile a program: {error}"
    return None


def draw(
    program: Program, data: Mapping[str, Any], how: Sampling, threads: int
) -> tuple[str, tuple[str, ...], Floats, Floats, float]:
    """Draw with CmdStan.

    Parameters
    ----------
    program, data, how, threads
        As for :func:`avowal.stan.interpreter.draw`.

    Returns
    -------
    tuple
        As there.

    Raises
    ------
    RuntimeError
        Where the program doesn't compile or a chain fails.
    """
    import cmdstanpy

    folder = _folder()
    if isinstance(folder, str):
        raise RuntimeError(folder)
    start = time.perf_counter()
    executable = _executable(program, folder)
    compiling = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as scratch, _silent():
        cmdstanpy.set_cmdstan_path(str(folder))
        fit = cmdstanpy.CmdStanModel(exe_file=str(executable)).sample(
            data=dict(data),
            chains=how.chains,
            parallel_chains=threads,
            seed=how.seed,
            iter_warmup=how.warmup,
            iter_sampling=how.draws,
            adapt_delta=how.delta,
            max_treedepth=how.max_depth,
            output_dir=scratch,
            sig_figs=12,
            show_progress=False,
        )
        every = np.asarray(fit.draws(concat_chains=False), dtype=np.float64).transpose(1, 0, 2)
        names = tuple(fit.column_names)
    version = f"CmdStan {_version(folder)} (cmdstanpy {metadata.version('cmdstanpy')})"
    own = [i for i, name in enumerate(names) if not name.endswith("__")]
    kept = tuple(names[i] for i in own)
    from avowal.stan.engines import SAMPLER

    return version, kept, every[:, :, own], every[:, :, [names.index(name) for name in SAMPLER]], compiling


def _folder() -> Path | str:
    """Return the installation that cmdstanpy would take, or why there is none."""
    import cmdstanpy

    try:
        with _silent():
            folder = Path(cmdstanpy.cmdstan_path())
    except ValueError as error:
        return str(error).splitlines()[0]
    # A makefile alone makes cmdstanpy content; the sources and the compiler of the language must be there too.
    if not any((folder / main).exists() for main in _MAINS):
        return f"{folder} has a makefile but not CmdStan's sources"
    if not any((folder / "bin").glob("*stanc*")):
        return f"{folder} has no bin/stanc: CmdStan is not built"
    if shutil.which("make") is None and shutil.which("mingw32-make") is None:
        return "make is not installed"
    return folder


def _version(folder: Path) -> str:
    for line in (folder / "makefile").read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, value = line.partition(":=")
        if name.strip() == "CMDSTAN_VERSION":
            return value.strip()
    return "of an unknown version"


def _builder(folder: Path) -> Iterator[str]:
    """Name what compiles: the installation with its compiler of the language, and this kind of machine."""
    yield from (str(folder), _version(folder), platform.machine())
    for stanc in sorted((folder / "bin").glob("*stanc*")):
        state = stanc.stat()
        yield f"{stanc.name} {state.st_size} {state.st_mtime_ns}"


def _executable(program: Program, folder: Path) -> Path:
    """Compile a program unless the same source was compiled with the same installation before."""
    import cmdstanpy

    ending = ".exe" if os.name == "nt" else ""
    kept = cache_folder() / f"{program.name}-{program.key('cmdstan', *_builder(folder))}{ending}"
    if kept.exists():
        return kept
    with tempfile.TemporaryDirectory() as scratch, _silent():
        cmdstanpy.set_cmdstan_path(str(folder))
        source = Path(scratch) / f"{program.name}.stan"
        source.write_text(program.source, encoding="utf-8")
        try:
            built = cmdstanpy.CmdStanModel(stan_file=str(source)).exe_file
        except (ValueError, OSError, subprocess.SubprocessError) as error:
            lines = str(error).strip().splitlines()
            raise RuntimeError(lines[-1] if lines else repr(error)) from error
        if built is None:
            raise RuntimeError("cmdstanpy built no executable")
        # Into place at once, so that a second process never runs half a file.
        draft = kept.with_name(f"{kept.name}.{os.getpid()}")
        shutil.copy2(built, draft)
        draft.replace(kept)
    return kept


@contextmanager
def _silent() -> Iterator[None]:
    """Keep cmdstanpy's log off the terminal: what goes wrong comes back as an exception."""
    logger = logging.getLogger("cmdstanpy")
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before
