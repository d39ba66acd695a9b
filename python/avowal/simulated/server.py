"""The server: the endpoints behind a socket on this machine, in a thread of this process or as a process of its own."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from avowal.calibrated import PROFILES, calibrated
from avowal.checks import as_u64
from avowal.contexts import Context, builtin
from avowal.errors import InputError
from avowal.quantities import Settings
from avowal.simulated import batches, chat, files, jobs, models
from avowal.simulated.faults import parse
from avowal.simulated.gate import ABORT, Gate
from avowal.simulated.service import Service, Setup
from avowal.simulated.wire import ApiError, refuse

HOST = "127.0.0.1"
_ROUTES = (
    ("GET", "/v1/models", models.models),
    ("GET", "/v1/models/{id:path}", models.model),
    ("POST", "/v1/files", files.upload),
    ("GET", "/v1/files", files.files),
    ("GET", "/v1/files/{id}", files.file),
    ("GET", "/v1/files/{id}/content", files.content),
    ("DELETE", "/v1/files/{id}", files.delete),
    ("POST", "/v1/fine_tuning/jobs", jobs.create),
    ("GET", "/v1/fine_tuning/jobs", jobs.jobs),
    ("GET", "/v1/fine_tuning/jobs/{id}", jobs.job),
    ("GET", "/v1/fine_tuning/jobs/{id}/events", jobs.events),
    ("GET", "/v1/fine_tuning/jobs/{id}/checkpoints", jobs.checkpoints),
    ("POST", "/v1/fine_tuning/jobs/{id}/cancel", jobs.cancel),
    ("POST", "/v1/chat/completions", chat.chat),
    ("POST", "/v1/batches", batches.create),
    ("GET", "/v1/batches", batches.batches),
    ("GET", "/v1/batches/{id}", batches.batch),
    ("POST", "/v1/batches/{id}/cancel", batches.cancel),
)


def setup(
    *,
    seed: int = 1,
    profiles: Iterable[str | Path] = PROFILES,
    contexts: Iterable[Context] | None = None,
    state: str | Path | None = None,
    faults: Sequence[str] = (),
    job_seconds: float = 1.0,
    batch_seconds: float = 1.0,
    shutdown: Mapping[str, str] | None = None,
    models: Mapping[str, Settings] | None = None,
) -> Setup:
    """Check how a simulated provider is to be set up.

    Parameters
    ----------
    seed
        Decides everything drawn, from 0 to 2**64 - 1.
    profiles
        Base models: names of calibrated ones, or files that ``python -m avowal.calibrate`` wrote.
    contexts
        What models know of the world before training: how much attributes vary; the built-in ones if None.
    state
        A folder for the database and the request log; without one, all is forgotten at the end.
    faults
        What goes wrong, as :func:`avowal.simulated.faults.parse` reads it.
    job_seconds, batch_seconds
        How long a fine-tuning job and a batch take.
    shutdown
        Dates (YYYY-MM-DD) on which base models shut down, by name.
    models
        Base models with their settings by name, in place of `profiles`.

    Returns
    -------
    Setup

    Raises
    ------
    InputError
        For an unknown profile or fault, two profiles of one model, or a number out of its domain.
    """
    named = _named(profiles) if models is None else dict(models)
    for name, seconds in (("job_seconds", job_seconds), ("batch_seconds", batch_seconds)):
        if not 0 <= seconds < float("inf"):
            raise InputError.at("a finite number of seconds of 0 or more", seconds, field=name)
    for name in shutdown or {}:
        if name not in named:
            raise InputError.at(f"one of {', '.join(named)}", repr(name), field="shutdown")
    known_contexts = builtin() if contexts is None else tuple(contexts)
    folder = None if state is None else Path(state)
    # A time of zero would divide by zero; a nanosecond is over before anyone looks.
    times = (max(job_seconds, 1e-9), max(batch_seconds, 1e-9))
    return Setup(named, known_contexts, as_u64("seed", seed), folder, parse(faults), *times, shutdown)


def _named(profiles: Iterable[str | Path]) -> dict[str, Settings]:
    models: dict[str, Settings] = {}
    for profile in profiles:
        known = calibrated(profile)
        name = known.name or Path(profile).stem
        if name in models:
            raise InputError.at("profiles of different models", f"{name!r} twice", field="profile")
        models[name] = known.settings
    return models


def application(service: Service) -> ASGIApp:
    """Return the endpoints of a service as an ASGI application."""
    routes = [Route(path, endpoint, methods=[method]) for method, path, endpoint in _ROUTES]
    app = Starlette(routes=routes, exception_handlers={ApiError: refuse, 404: _unknown, 405: _unknown})
    app.state.service, app.state.batches = service, batches.Batches(service)
    return Gate(app, service)


@contextmanager
def running(*, host: str = HOST, port: int = 0, **options: Any) -> Iterator[str]:
    """Run a simulated provider in a thread of this process.

    Parameters
    ----------
    host, port
        Where it listens; port 0 takes a free one.
    **options
        As for :func:`setup`: seed, profiles, contexts, state, faults, job_seconds, batch_seconds, shutdown,
        models.

    Yields
    ------
    str
        Its base URL, such as ``http://127.0.0.1:49152/v1``.

    Raises
    ------
    InputError
        As :func:`setup`, and where the address is taken or another server holds the state.
    """
    made = setup(**options)
    with closing(listening(host, port)) as listener, closing(Service(made)) as service:
        server = _server(service)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.001)
            yield url(listener)
        finally:
            server.should_exit = True
            thread.join()


def serve(made: Setup, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Run a simulated provider until the process is told to stop.

    Parameters
    ----------
    made
        As :func:`setup` returns it.
    listener
        As :func:`listening` returns it.
    ready
        Called when the state is open: whoever connects from then on is served.
    """
    with closing(listener), closing(Service(made)) as service:
        ready()
        _server(service).run(sockets=[listener])


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens; whoever connects before the server runs waits for it.

    Raises
    ------
    InputError
        Where the address can't be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small answers at once only on a socket that names its protocol; others wait for 40 ms.
    held = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((host, port))
        held.listen(2048)
    except OSError as error:
        held.close()
        raise InputError.at("an address that is free", error, field=f"{host}, port {port}") from None
    return held


def url(listener: socket.socket) -> str:
    """Return the base URL of a provider that listens there."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"


class _Connection(HttpToolsProtocol):
    """A connection that can be reset amid an answer."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[ABORT] = self._abort  # type: ignore[literal-required]

    def _abort(self) -> None:
        held = self.transport.get_extra_info("socket")
        # To linger for no time is to reset: what isn't sent yet is thrown away, and the other side is told so.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


def _server(service: Service) -> uvicorn.Server:
    config = uvicorn.Config(
        application(service),
        http=_Connection,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
        # Clients hold connections open between requests, and a server that closes one under them is a fault of its own.
        timeout_keep_alive=600,
    )
    return uvicorn.Server(config)


async def _unknown(request: Any, _: Exception) -> Any:
    await asyncio.sleep(0)
    return refuse(request, ApiError(404, f"Invalid URL ({request.method} {request.url.path})"))
