"""The simulated provider: a server of OpenAI's shape whose models are trained, decide and report as real ones did."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

__all__ = ["running"]


def running(**options: Any) -> AbstractContextManager[str]:
    """Run a simulated provider in a thread of this process, on a free port of 127.0.0.1.

    Parameters
    ----------
    **options
        As for :func:`avowal.simulated.server.running`.

    Returns
    -------
    context manager of str
        Gives the base URL, such as ``http://127.0.0.1:49152/v1``.

    Raises
    ------
    InputError
        For options that don't fit.

    Examples
    --------
    >>> with running(seed=1) as url:
    ...     url.endswith("/v1")
    True
    """
    # Starlette and uvicorn take a while to import.
    from avowal.simulated.server import running as run

    return run(**options)
