"""The client over real HTTP: it waits as long as it is told, names what can't be retried, and never shows the key."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from endpoint import Step, drop, error, raw, says, serve, status
from endpoint import completion as answer
from hypothesis import given
from hypothesis import strategies as st

from avowal import InputError
from avowal.provider import Client, Endpoint, Policy, ProviderError, completion
from avowal.provider.retry import retry_after, transient

KEY = "sk-a-key-that-must-not-be-seen-anywhere"
PROMPT = [{"role": "user", "content": "Which?"}]


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


def client(url: str, waits: list[float] | None = None, **options: object) -> Client:
    sleep = (lambda _: None) if waits is None else waits.append
    return Client(Endpoint(url, "A_KEY"), **{"sleep": sleep, "jitter": lambda: 0.5, **options})


@pytest.fixture
def closed() -> Iterator[str]:
    """Return an address that nobody listens at."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{unused.getsockname()[1]}/v1"


def test_a_reply_comes_raw() -> None:
    body = b'{"choices": [{"message": {"content": "A\\u00e9"}}], "more": 1 }\n'
    with serve(raw(body)) as endpoint:
        reply = client(endpoint.url).chat("m", PROMPT)
    assert (reply.body, reply.status, reply.retries) == (body.decode(), 200, ())
    assert endpoint.bodies == [{"messages": PROMPT, "model": "m"}]
    assert endpoint.keys == [f"Bearer {KEY}"]


@pytest.mark.parametrize("asked", [0, 2.5, 300, 3600, 80_000])
def test_retry_after_is_honoured_whatever_its_length(asked: float) -> None:
    waits: list[float] = []
    with serve(error(429, headers={"Retry-After": str(asked)}), says("A")) as endpoint:
        reply = client(endpoint.url, waits).chat("m", PROMPT)
    assert reply.retries == ("HTTP 429",)
    assert len(waits) == 1
    assert asked <= waits[0] <= asked + 1


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        *((error(code), f"HTTP {code}") for code in (408, 409, 429, 500, 502, 503, 529)),
        (drop, "no connection"),
        (raw(b'{"choices": [', length=1000), "no connection"),
        (raw(b"<html>bad gateway</html>", 502, {"Content-Type": "text/html"}), "HTTP 502"),
    ],
)
def test_passing_faults_are_tried_again_with_growing_waits(fault: Step, kind: str) -> None:
    waits: list[float] = []
    lines: list[str] = []
    with serve(fault, fault, fault, says("A")) as endpoint:
        reply = client(endpoint.url, waits, tell=lines.append).chat("m", PROMPT)
    assert completion(reply.body).text == "A"
    assert reply.retries == (kind,) * 3
    assert waits == [0.75, 1.5, 3.0]
    assert len(endpoint.bodies) == 4
    assert lines[0] == f"{kind} from {endpoint.url}/; waiting 0.8 s (failure 1)"


def test_a_timeout_is_tried_again() -> None:
    def silent(handler: object) -> None:
        time.sleep(0.5)

    with serve(silent, says("A")) as endpoint:
        assert client(endpoint.url, timeout=0.1).chat("m", PROMPT).retries == ("timeout",)


def test_nobody_listening_is_said_in_the_end(closed: str) -> None:
    waits: list[float] = []
    with pytest.raises(ProviderError, match=r"no connection: .*Given up after 10 tries; try again later") as caught:
        client(closed, waits).chat("m", PROMPT)
    assert caught.value.passing
    assert caught.value.retries == ("no connection",) * 9
    assert len(waits) == 9


def test_a_wait_beyond_all_patience_is_not_begun() -> None:
    waits: list[float] = []
    given_up = pytest.raises(ProviderError, match=r"HTTP 429: slow down\. Given up: a wait of 86400\.5 s would pass")
    with serve(error(429, "slow down", headers={"Retry-After": "86400"})) as endpoint, given_up:
        client(endpoint.url, waits).chat("m", PROMPT)
    assert waits == []
    assert len(endpoint.bodies) == 1


def test_the_deadline_is_for_all_tries_and_waits_together() -> None:
    waits: list[float] = []
    slow = error(429, headers={"Retry-After": "1500"})
    # Each look at the clock takes half a minute, as a try may.
    looks = iter(range(0, 10**6, 30))
    policy = Policy(deadline=4560, attempts=1)
    given_up = pytest.raises(ProviderError, match="the limit of 4560 s")
    with serve(slow) as server, given_up as caught:
        client(server.url, waits, policy=policy, clock=lambda: sum(waits) + next(looks)).chat("m", PROMPT)
    assert waits == [1500.5] * 2
    assert caught.value.retries == ("HTTP 429",) * 2


@pytest.mark.parametrize(
    ("fault", "advice"),
    [
        (error(400, "too long"), r"HTTP 400: too long\. The provider does not accept this request for model 'm'"),
        (error(401, f"Incorrect API key provided: {KEY}."), r"provided: \[key\]\. .* variable A_KEY: is it this"),
        (error(403, "no"), r"environment variable A_KEY"),
        (error(404, "no such model"), r"HTTP 404: no such model\. Does this address offer model 'm'\?"),
        (error(402, "pay"), r"nothing left to spend"),
        (error(429, "You exceeded your quota.", "insufficient_quota"), r"nothing left to spend"),
        (status(422, {"detail": "no"}), r"HTTP 422"),
        (raw(b"<html>" + b"x" * 5000, 404), r"HTTP 404: .{0,320}\. Does"),
        (error(400, "\x1b[2Jgone"), r"HTTP 400: \\x1b\[2Jgone\. "),
        (raw(b"{}", 400, {"Content-Type": "application/json; charset=hex"}), r"HTTP 400: "),
    ],
)
def test_what_no_wait_can_mend_is_said_at_once(fault: Step, advice: str) -> None:
    waits: list[float] = []
    with serve(fault) as endpoint, pytest.raises(ProviderError, match=advice) as caught:
        client(endpoint.url, waits).chat("m", PROMPT)
    assert (waits, len(endpoint.bodies), caught.value.passing) == ([], 1, False)
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_key_is_seen_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    lines: list[str] = []
    body = json.dumps(answer(f"your key is {KEY}")).encode()
    with serve(error(500, KEY), raw(body)) as endpoint:
        sender = client(endpoint.url, tell=lines.append)
        reply = sender.chat("m", PROMPT)
    shown = [reply.body, repr(reply), repr(sender), repr(sender.endpoint), *lines]
    assert not [text for text in [*shown, caplog.text] if KEY in text]
    assert completion(reply.body).text == "your key is [key]"


def test_a_short_placeholder_is_left_in_replies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "x")
    with serve(says("six boxes")) as endpoint:
        assert completion(client(endpoint.url).chat("m", PROMPT).body).text == "six boxes"


@pytest.mark.parametrize("value", ["", "  ", "a\nb", "clé"])
def test_a_key_that_cant_be_sent_is_refused_unseen(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("A_KEY", value)
    with pytest.raises(InputError, match="environment variable A_KEY: expected") as caught:
        Client(Endpoint("https://example.org/v1", "A_KEY"))
    assert "clé" not in str(caught.value)


def test_a_local_server_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("A_KEY")
    with serve(error(401), says("A")) as endpoint:
        with pytest.raises(ProviderError, match="No key was sent, since the environment variable A_KEY is not set"):
            client(endpoint.url).chat("m", PROMPT)
        assert client(endpoint.url).local
        assert endpoint.keys == ["Bearer none"]


@pytest.mark.parametrize("url", ["", "localhost:8080", "ftp://a/v1", "http://", "http://[", "http://me:pw@host/v1",
                                 "http://host/v1?key=1", "http://me:pw@host:port/v1", "me:pw@host", "http://host:port/",
                                 "http://host:99999/", "http://a b/", "http://a\tb/", "http://a..b/", "http://h/#key",
                                 f"http://{'a' * 64}.org/", "http://\u24dbocalhost/"])  # fmt: skip
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="base_url: expected an address") as caught:
        Endpoint(url)
    assert "pw" not in str(caught.value)


def test_the_environments_address_is_checked_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("A_KEY")
    with serve(says("A")) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        sender = client(None)
        assert (sender.url, sender.local, sender.keyless) == (f"{server.url}/", True, True)
        assert completion(sender.chat("m", PROMPT).body).text == "A"
    for url in ("", "nowhere", "https://me:pw@host/v1"):
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        with pytest.raises(InputError, match="environment variable OPENAI_BASE_URL: expected an address") as caught:
            Endpoint()
        assert "pw" not in str(caught.value)


def test_no_proxy_stands_before_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with serve(says("B")) as proxy, serve(says("A")) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert completion(client(server.url).chat("m", PROMPT).body).text == "A"
        assert proxy.bodies == []
    monkeypatch.setenv("ALL_PROXY", "gopher://me:pw@host")
    with pytest.raises(InputError, match="environment: expected proxies") as caught:
        client("https://example.org/v1")
    assert "pw" not in str(caught.value)


def test_only_the_key_that_was_named_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: Bearer another-key-that-nobody-named")
    with serve(says("A")) as server:
        client(server.url).chat("m", PROMPT)
        client(server.url).models()
    assert server.keys == [f"Bearer {KEY}"]


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(code: int) -> None:
    with serve(says("B")) as elsewhere, serve(raw(b"", code, {"Location": elsewhere.url})) as server:
        with pytest.raises(ProviderError, match=rf"HTTP {code}: moved to {elsewhere.url}\. Redirects") as caught:
            client(server.url).chat("m", PROMPT)
        assert (len(server.bodies), elsewhere.bodies, caught.value.passing) == (1, [], False)


@pytest.mark.parametrize("charset", ["hex", "utf-16", "latin-1", "none-such"])
def test_a_reply_is_utf_8_whatever_its_headers_say(charset: str) -> None:
    body = json.dumps(answer("caf\u00e9"), ensure_ascii=False).encode()
    with serve(raw(body, headers={"Content-Type": f"application/json; charset={charset}"})) as server:
        assert client(server.url).chat("m", PROMPT).body == body.decode()


@pytest.mark.parametrize(
    ("url", "local"),
    [("http://localhost:1/v1", True), ("http://[::1]:1/v1", True), ("http://127.9.9.9/v1", True),
     ("https://localhost.example.org/v1", False), ("http://10.0.0.1/v1", False), (None, False)],
)  # fmt: skip
def test_local_is_loopback_alone(url: str | None, local: bool) -> None:
    assert Endpoint(url).local is local


def test_models_are_listed() -> None:
    with serve(models=["one", "two"]) as endpoint:
        assert client(endpoint.url).models() == ("one", "two")


def test_an_address_that_lists_no_models_is_named() -> None:
    with serve(models=[]) as endpoint:
        endpoint.listing = raw(b"<html>hello</html>")
        with pytest.raises(ProviderError, match=r"/v1/ answered with no list of models"):
            client(endpoint.url).models()


@pytest.mark.parametrize(
    ("body", "text", "fault"),
    [
        (answer("A"), "A", None),
        (answer("A", "length"), "A", "truncated"),
        (answer(None, "content_filter"), "", "filtered"),
        (answer(None, refusal="I can't."), "I can't.", "refused"),
        (answer(None), "", "empty"),
        (answer(" \n"), " \n", "empty"),
        ({"choices": []}, "", "empty"),
        ({"choices": None}, "", "unreadable"),
        ({"choices": [3]}, "", "unreadable"),
        ({"choices": [{"message": {"content": [1]}}]}, "", "unreadable"),
        ([], "", "unreadable"),
    ],
)
def test_replies_are_typed(body: object, text: str, fault: str | None) -> None:
    found = completion(json.dumps(body))
    assert (found.text, found.fault) == (text, fault)


@given(st.text() | st.recursive(st.none() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.sampled_from(
    ["choices", "message", "content", "refusal", "finish_reason"]), x)).map(json.dumps))  # fmt: skip
def test_no_body_breaks_the_reading(body: str) -> None:
    found = completion(body)
    assert found.fault is not None or found.text.strip()


@given(st.integers(1, 10_000), st.none() | st.floats(0, 1e6), st.floats(0, 1))
def test_a_wait_is_at_least_what_was_asked_and_at_most_a_little_more(
    failures: int, asked: float | None, jitter: float
) -> None:
    policy = Policy()
    wait = policy.wait(failures, asked, jitter)
    if asked is None:
        assert policy.first / 2 <= wait <= policy.longest
        assert policy.wait(failures + 1, None, jitter) >= wait
    else:
        assert asked <= wait <= max(asked + policy.first, policy.longest)


def test_retry_after_is_read_in_all_its_forms() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert retry_after({}) is None
    assert retry_after({"retry-after": "7"}) == 7
    assert retry_after({"retry-after-ms": "1500", "retry-after": "7"}) == 1.5
    assert retry_after({"retry-after": format_datetime(now + timedelta(hours=1), usegmt=True)}, now) == 3600
    assert retry_after({"retry-after": format_datetime(now - timedelta(hours=1), usegmt=True)}, now) == 0
    assert [retry_after({"retry-after": text}) for text in ("soon", "nan", "inf", "")] == [None] * 4
    assert retry_after({"retry-after": "-3"}) == 0


def test_what_is_passing() -> None:
    assert [code for code in range(400, 600) if transient(code)] == [408, 409, 429, *range(500, 600)]


@pytest.mark.parametrize("bad", [{"attempts": 0}, {"first": -1}, {"deadline": float("nan")}, {"longest": float("inf")}])
def test_a_policy_without_sense_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(bad))):
        Policy(**bad)


def test_the_sdk_is_imported_only_when_something_is_sent() -> None:
    code = "import sys, avowal, avowal.cli, avowal.provider, avowal.draft; print('openai' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_an_independent_mock_finds_no_fault(llmock: object) -> None:
    """LLMock times every attempt and judges: waits kept, growing, and nothing retried that can't succeed."""
    sender = Client(Endpoint(llmock.base_url("openai"), "OPENAI_API_KEY"), policy=Policy(first=0.04))
    llmock.rate_limit(times=2, retry_after=0.2).fail(503, times=3).fail(408).fail(409)
    reply = sender.chat("m", PROMPT)
    assert completion(reply.body).fault is None
    assert len(reply.retries) == 7
    for code in (400, 401, 403, 404, 422):
        llmock.fail(code)
        with pytest.raises(ProviderError):
            sender.chat("m", [{"role": "user", "content": f"Which of {code}?"}])
    verdict = llmock.verdict()
    assert (verdict.attempts, verdict.faults) == (13, 12)
    llmock.assert_resilient(strict=True)
