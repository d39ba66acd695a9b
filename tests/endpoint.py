"""A small HTTP server of OpenAI's shape on loopback, which plays one scripted step per request and keeps what came."""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


class Handler(BaseHTTPRequestHandler):
    """Plays the step that is next."""

    protocol_version = "HTTP/1.1"
    endpoint: Endpoint

    def do_POST(self) -> None:  # noqa: D102
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.endpoint.bodies.append(json.loads(body))
        self.endpoint.keys.append(self.headers["Authorization"])
        place = len(self.endpoint.bodies) - 1
        steps = self.endpoint.steps
        steps[min(place, len(steps) - 1)](self)

    def do_GET(self) -> None:  # noqa: D102
        listing = self.endpoint.listing
        (listing or status(200, {"data": [{"id": name} for name in self.endpoint.models]}))(self)

    def log_message(self, *arguments: object) -> None:  # noqa: D102
        pass


Step = Callable[[Handler], None]


@dataclass
class Endpoint:
    """What the server is to do, the last step again and again, and what it was sent."""

    steps: Sequence[Step]
    models: Sequence[str] = ("a-model",)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    url: str = ""
    listing: Step | None = None


@contextmanager
def serve(*steps: Step, models: Sequence[str] = ("a-model",)) -> Iterator[Endpoint]:
    endpoint = Endpoint(steps, models)
    handler = type("Bound", (Handler,), {"endpoint": endpoint})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        endpoint.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield endpoint
        finally:
            server.shutdown()
            thread.join()


def raw(body: bytes, code: int = 200, headers: Mapping[str, str] | None = None, length: int | None = None) -> Step:
    """Answer with these bytes; a `length` beyond theirs ends the connection in the middle of the body."""

    def step(handler: Handler) -> None:
        handler.send_response(code)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = length is not None

    return step


def status(code: int, document: object, headers: Mapping[str, str] | None = None) -> Step:
    return raw(json.dumps(document).encode(), code, headers)


def error(code: int, message: str = "no", kind: str | None = None, headers: Mapping[str, str] | None = None) -> Step:
    return status(code, {"error": {"message": message, "type": kind, "code": kind}}, headers)


def drop(handler: Handler) -> None:
    """Reset the connection without an answer."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True


def completion(text: str | None, finish: str = "stop", refusal: str | None = None) -> dict[str, Any]:
    message = {"role": "assistant", "content": text, "refusal": refusal}
    return {"object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": finish}]}


def says(text: str | None, finish: str = "stop", refusal: str | None = None) -> Step:
    return status(200, completion(text, finish, refusal))


def asked(body: Mapping[str, Any]) -> int:
    """Return how many contexts a request asks for, as its words say."""
    word = re.search(r"with (\w+) in the list", body["messages"][-1]["content"])[1]
    return WORDS.index(word) + 1 if word in WORDS else int(word)


def context(number: int, attributes: int = 5) -> dict[str, Any]:
    """Return a context that shares no word with any other number's."""
    return {
        "name": f"thing{number}",
        "agent": f"Agent {number}",
        "question": f"Which gadget{number} would you like?",
        "attributes": [
            {"name": f"size{number}x{n}", "units": "meters", "min": 0, "max": 100 + n} for n in range(attributes)
        ],
    }


def contexts(first: int, *, attributes: int = 5, **changes: object) -> Step:
    """Answer with as many contexts as are asked for, numbered from `first`; `changes` go into each."""

    def step(handler: Handler) -> None:
        count = asked(handler.endpoint.bodies[-1])
        listed = [{**context(first + n, attributes), **changes} for n in range(count)]
        says(json.dumps({"contexts": listed}))(handler)

    return step
