"""Clusters: the chunks of a sweep simulated by the workers of a Dask cluster, with the same figures as here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from avowal import __version__
from avowal.errors import AvowalError, InputError
from avowal.sweep.run import Chunk, Executor, simulate_chunk

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["AHEAD", "cluster"]

Floats = NDArray[np.float64]

AHEAD = 4
"""Chunks that are with the cluster for each of its threads: enough that none waits for the next one to be sent, and few
enough that a sweep of millions doesn't fill the scheduler's memory."""

_GLANCE = 1.0
"""Seconds after which the cluster is asked again how many threads it has."""

_FETCH = 10.0
"""Seconds for fetching the figures of a finished chunk; they take longer only where they are to be made again."""


def cluster(address: str, *, timeout: float = 60.0) -> Executor:
    """Return the executor that sends chunks to a Dask cluster.

    Each chunk takes one of the cluster's threads. A chunk whose worker dies is simulated by another one; the scheduler
    gives it up after as many deaths as its setting ``distributed.scheduler.allowed-failures`` allows (3). Workers may
    join and leave at any time; all must run this version of avowal.

    Parameters
    ----------
    address
        The scheduler's, such as ``tcp://10.0.0.7:8786``.
    timeout
        Seconds after which a scheduler that doesn't answer, or a cluster without workers, is given up.

    Returns
    -------
    callable
        Takes chunks and yields each with its figures, in the order in which they are finished. It raises `InputError`
        where the scheduler can't be reached or workers have another avowal or none, and `AvowalError` where chunks
        can't be simulated, the scheduler is lost, or no worker is left. When it ends early, chunks that are still with
        the cluster are called off.

    Raises
    ------
    InputError
        If ``distributed`` isn't installed, or for a timeout that is not positive.

    Notes
    -----
    A chunk's figures depend on its settings, seed and replicates alone (:mod:`avowal.rng`), so neither the number of
    workers nor their deaths change a number.
    """
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise InputError.at("the package distributed: pip install distributed", error, field="scheduler") from None
    if not timeout > 0:
        raise InputError.at("a positive number of seconds", timeout, field="timeout")

    def execute(chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, Floats]]:
        with _connected(address, timeout) as client:
            _check_versions(client)
            yield from _spread(client, iter(chunks), timeout)

    return execute


def simulate_there(chunk: Chunk, version: str) -> Floats:
    """Simulate a chunk on one thread of a worker.

    Parameters
    ----------
    chunk
        Which replicates of what.
    version
        The avowal that asks. Workers that join a running sweep were not asked for theirs before.

    Returns
    -------
    ndarray, shape (count, columns)
        As :func:`~avowal.sweep.run.simulate_chunk` returns it.

    Raises
    ------
    InputError
        On a worker with another version.
    """
    if version != __version__:
        from distributed import get_worker

        raise _other_version({get_worker().address: __version__}, version)
    return simulate_chunk(chunk, threads=1)


def installed() -> str:
    """Return the version of avowal where this is called."""
    return __version__


@contextmanager
def _connected(address: str, patience: float) -> Iterator[Client]:
    from distributed import Client

    try:
        # A client that never connected closes itself late and loudly, so one is made only where somebody answers. The
        # thread is for notebooks, where this one has an event loop already.
        with ThreadPoolExecutor(1) as apart:
            apart.submit(asyncio.run, _knock(address, patience)).result()
        client = Client(address, timeout=patience, set_as_default=False, name="avowal")
    except (OSError, ValueError, MemoryError) as error:  # MemoryError: other protocols' first bytes, read as a size.
        raise InputError.at("the address of a Dask scheduler", f"{address!r}: {error}", field="scheduler") from None
    with client:
        yield client


async def _knock(address: str, patience: float) -> None:
    from distributed.comm import connect
    from distributed.security import Security

    comm = await connect(address, timeout=patience, **Security().get_connection_args("client"))
    comm.abort()


def _check_versions(client: Client) -> None:
    told = client.run(installed, on_error="return")
    others = {worker: version for worker, version in told.items() if version != __version__}
    if others:
        raise _other_version(others, __version__)


def _other_version(found: dict[str, object], version: str) -> InputError:
    told = ", ".join(f"{worker} with {each if isinstance(each, str) else repr(each)}" for worker, each in found.items())
    return InputError.at(f"avowal {version} on every worker", told, field="scheduler")


def _spread(client: Client, chunks: Iterator[Chunk], patience: float) -> Iterator[tuple[Chunk, Floats]]:
    arrived: SimpleQueue[Future] = SimpleQueue()
    pending: dict[str, tuple[Future, Chunk]] = {}
    threads = _Threads(client, patience)
    try:
        while True:
            for chunk in islice(chunks, max(AHEAD * threads.count() - len(pending), 0 if pending else 1)):
                future = client.submit(simulate_there, chunk, __version__, pure=False)
                pending[future.key] = future, chunk
                future.add_done_callback(arrived.put)
            if not pending:
                return
            try:
                future = arrived.get(timeout=_GLANCE)
                figures = _figures(future)
            except Empty:
                continue
            except TimeoutError:
                # Its worker died with the figures, and they are being made again.
                arrived.put(future)
                continue
            yield pending.pop(future.key)[1], figures
    finally:
        if pending and client.status == "running":
            client.cancel([future for future, _ in pending.values()])


class _Threads:
    """How many threads a cluster has, asked for now and then."""

    def __init__(self, client: Client, patience: float) -> None:
        self._client, self._patience = client, patience
        self._count, self._asked, self._alive = 0, -np.inf, time.monotonic()

    def count(self) -> int:
        """Return the number; raise where there has been none for too long, or the scheduler doesn't answer."""
        now = time.monotonic()
        if now - self._asked < _GLANCE:
            return self._count
        try:
            self._count = sum(self._client.nthreads().values())
        except (OSError, CancelledError) as error:
            raise _lost(error) from None
        self._asked = now
        if self._count:
            self._alive = now
        elif now - self._alive > self._patience:
            raise AvowalError(f"the Dask cluster has had no worker for {self._patience:g} seconds")
        return self._count


def _figures(future: Future) -> Floats:
    from distributed import KilledWorker

    try:
        figures: Floats = future.result(timeout=_FETCH)
    except KilledWorker as error:
        deaths = error.allowed_failures + 1
        raise AvowalError(
            f"{deaths} of the workers died, each while it had the same chunk; their logs may say why"
        ) from error
    except CancelledError as error:
        raise _lost(error) from None
    except (AvowalError, TimeoutError):
        raise
    except Exception as error:
        raise AvowalError(f"a worker could not simulate a chunk: {error!r}") from error
    return figures


def _lost(error: BaseException) -> AvowalError:
    return AvowalError(f"the Dask scheduler is lost ({error!r})")
