"""What counts as a failure, what passes, and what is told of it; bodies that are no replies among them."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from endpoint import Step, error, raw, says, serve, status

from avowal.provider import Client, Endpoint, Policy, ProviderError, completion

PROMPT = [{"role": "user", "content": "Which?"}]


def client(url: str, **options: object) -> Client:
    return Client(Endpoint(url, "A_KEY"), **{"sleep": lambda _: None, **options})


@pytest.mark.parametrize(
    "fault",
    [
        raw(b'{"id": "x", "choices": [{"message": {"con'),
        raw(b"<html>welcome</html>", headers={"Content-Type": "text/html"}),
        raw(b""),
        raw(b"[1]"),
        status(200, {"error": {"message": "upstream is busy", "code": 502}}),
        status(200, {"error": "upstream is busy"}),
    ],
)
def test_a_success_without_a_reply_is_tried_again(fault: Step) -> None:
    told: list[tuple[object, ...]] = []
    with serve(fault, fault, says("A")) as endpoint:
        reply = client(endpoint.url, failed=lambda *each: told.append(each)).chat("m", PROMPT)
    assert completion(reply.body).text == "A"
    assert reply.retries == ("unreadable",) * 2
    assert told == [("unreadable", 200, None)] * 2


def test_the_last_body_is_kept_in_the_error() -> None:
    body = b'{"id": "x", "choices": [{"mess'
    with serve(raw(body)) as endpoint, pytest.raises(ProviderError, match="is it the address of an API") as caught:
        client(endpoint.url, policy=Policy(attempts=3)).chat("m", PROMPT)
    assert (caught.value.kind, caught.value.body, caught.value.passing) == ("unreadable", body.decode(), True)
    assert len(endpoint.bodies) == 3


@pytest.mark.parametrize("held", [{}, {"choices": []}, {"error": None, "choices": []}, {"choices": [3], "error": "x"}])
def test_other_objects_are_replies_that_say_nothing(held: dict[str, object]) -> None:
    with serve(status(200, held)) as endpoint:
        assert completion(client(endpoint.url).chat("m", PROMPT).body).fault is not None
    assert len(endpoint.bodies) == 1


@pytest.mark.parametrize(
    "fault",
    [
        error(429, "spent", "insufficient_quota"),
        error(429, "spent", "billing_hard_limit_reached"),
        status(429, {"error": "insufficient_quota: add credit"}),
        status(429, {"error": "billing_hard_limit_reached"}),
        status(200, {"error": {"message": "spent", "code": "insufficient_quota"}}),
    ],
)
def test_no_wait_fills_an_empty_account(fault: Step) -> None:
    with serve(fault) as endpoint, pytest.raises(ProviderError, match="nothing left to spend") as caught:
        client(endpoint.url).chat("m", PROMPT)
    assert (len(endpoint.bodies), caught.value.passing) == (1, False)


def test_a_rate_limit_told_in_plain_words_passes() -> None:
    with serve(status(429, {"error": "too many requests, your quota is 3 per second"}), says("A")) as endpoint:
        assert client(endpoint.url).chat("m", PROMPT).retries == ("HTTP 429",)


def test_the_throttle_is_told_of_every_failed_try() -> None:
    told: list[tuple[object, ...]] = []
    steps = [error(429, headers={"Retry-After": "7"}), error(500), error(400)]
    with serve(*steps) as endpoint, pytest.raises(ProviderError):
        client(endpoint.url, failed=lambda *each: told.append(each)).chat("m", PROMPT)
    assert told == [("HTTP 429", 429, 7.0), ("HTTP 500", 500, None), ("HTTP 400", 400, None)]


def test_a_body_is_sent_as_it_is_and_timed() -> None:
    known = {"temperature": 0, "logprobs": True, "top_logprobs": 5, "seed": 3, "max_completion_tokens": 9}
    body = {
        "model": "m",
        "messages": PROMPT,
        **known,
        "response_format": {"type": "json_object"},
        "vendors": {"x": [1]},
    }
    looks = iter([10.0, 12.5])
    with serve(says("é")) as endpoint:
        reply = client(endpoint.url, clock=lambda: next(looks)).complete(body)
    assert endpoint.bodies == [body]
    assert reply.seconds == 2.5


def test_what_a_sleep_raises_ends_the_request() -> None:
    class EndError(BaseException):
        pass

    def woken(_: float) -> None:
        raise EndError

    with serve(error(500)) as endpoint, pytest.raises(EndError):
        client(endpoint.url, sleep=woken).chat("m", PROMPT)
    assert len(endpoint.bodies) == 1


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_a_certificate_that_is_not_trusted_ends_it_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "sk-a-key-that-must-not-be-seen-anywhere")
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    subprocess.run(
        [*command, "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"], check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        # The handshake that the client breaks off is an error of the server's too.
        server.handle_error = lambda *_: None
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            with pytest.raises(ProviderError, match="SSL_CERT_FILE") as caught:
                client(f"https://localhost:{server.server_address[1]}/v1").chat("m", PROMPT)
        finally:
            server.shutdown()
            thread.join()
    assert (caught.value.kind, caught.value.passing, caught.value.retries) == ("certificate", False, ())


@pytest.mark.parametrize(
    ("url", "exposed"),
    [("http://10.0.0.1/v1", True), ("http://example.org/v1", True), ("https://example.org/v1", False),
     ("http://127.0.0.1:1/v1", False), ("http://[::1]/v1", False)],
)  # fmt: skip
def test_plain_http_to_another_machine_is_told(url: str, exposed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "x")
    assert client(url).exposed is exposed
