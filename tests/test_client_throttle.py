"""The throttle keeps its limits in every minute, yields to a provider that is busy, and wakes whoever waits."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Condition

import pytest
from hypothesis import given
from hypothesis import strategies as st
from study_parts import client as client_of
from study_parts import requests

from avowal import InputError
from avowal.provider import Client, Reply, Throttle, completion
from avowal.simulated import running


class Clock:
    """A clock that waiting moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:  # noqa: D102
        return self.now

    def wait(self, _: Condition, seconds: float | None) -> None:  # noqa: D102
        assert seconds is not None, "nobody is there to wake this one"
        self.now += seconds


def throttle(*limits: int | None, clock: Clock | None = None) -> Throttle:
    held = clock or Clock()
    return Throttle(*limits, clock=held, wait=held.wait)


@given(
    st.integers(1, 20),
    st.integers(50, 500),
    st.lists(st.tuples(st.floats(0, 30), st.integers(0, 200)), min_size=1, max_size=60),
)
def test_no_minute_holds_more_than_its_limit(requests: int, tokens: int, sends: list[tuple[float, int]]) -> None:
    clock = Clock()
    sender, begun = throttle(5, requests, tokens, clock=clock), []
    for pause, amount in sends:
        clock.now += pause
        assert sender.acquire(amount)
        begun.append((clock.now, amount))
        sender.release()
    for at, _ in begun:
        window = [amount for when, amount in begun if at <= when < at + 60 - 1e-6]
        assert len(window) <= requests
        # One that is larger than the limit goes when nothing else has for a minute.
        assert sum(window) <= tokens or sum(amount > 0 for amount in window) == 1


def test_nobody_waits_longer_than_the_limits_ask() -> None:
    clock = Clock()
    sender = throttle(1, 10, clock=clock)
    for _ in range(35):
        sender.acquire(1)
        sender.release()
    assert clock.now == 1000 + 3 * 60


def test_concurrency_is_a_limit_and_a_release_makes_room() -> None:
    sender = Throttle(3)
    assert [sender.try_acquire(1) for _ in range(4)] == [True, True, True, False]
    sender.release()
    assert sender.try_acquire(1)


def fail_together(sender: Throttle, count: int, status: int = 429, wait: float | None = None) -> None:
    """Begin requests in so many threads, let all of them fail, then end them."""
    ready = threading.Barrier(count)

    def one() -> None:
        assert sender.acquire(1)
        ready.wait(5)
        sender.failed("HTTP", status, wait)
        sender.release()

    threads = [threading.Thread(target=one) for _ in range(count)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


def test_a_burst_of_429_halves_once_and_successes_grow_slowly() -> None:
    sender = Throttle(16)
    fail_together(sender, 16)
    assert sender.now == 8
    fail_together(sender, 8)
    assert sender.now == 4
    fail_together(sender, 4, status=500)
    assert sender.now == 4
    for expected in (5, 6):
        before = sender.now
        for done in range(before):
            assert sender.now == before, done
            assert sender.acquire(1)
            sender.release()
        assert sender.now == expected
    for _ in range(1000):
        sender.acquire(1)
        sender.release()
    assert sender.now == 16
    for _ in range(10):
        fail_together(sender, 1)
    assert sender.now == 1


def test_a_request_that_failed_and_then_got_through_is_a_success() -> None:
    clock = Clock()
    sender = throttle(2, clock=clock)
    sender.acquire(1)
    sender.failed("HTTP 429", 429, None)
    assert sender.now == 1
    assert sender.rest(3)
    assert clock.now == 1003
    sender.release()
    assert sender.now == 2


def test_retry_after_pauses_everyone() -> None:
    clock = Clock()
    sender = throttle(4, clock=clock)
    sender.failed("HTTP 503", 503, 300.0)
    assert not sender.try_acquire(1)
    assert sender.acquire(1)
    assert clock.now == 1300


def test_a_rest_leaves_its_place_to_others() -> None:
    sender, began = Throttle(1), time.monotonic()

    def tired() -> None:
        assert sender.acquire(1)
        assert sender.rest(0.4)
        sender.release()

    resting = threading.Thread(target=tired)
    resting.start()
    time.sleep(0.1)
    assert sender.acquire(1)
    assert time.monotonic() - began < 0.35
    sender.release()
    resting.join()
    assert sender.try_acquire(1)


def test_stop_wakes_all_who_wait_or_rest() -> None:
    sender, found = Throttle(1), []
    assert sender.acquire(1)

    def resting() -> None:
        found.append(sender.rest(1000))

    def waiting() -> None:
        found.append(sender.acquire(1))

    threads = [threading.Thread(target=each) for each in (resting, waiting, waiting)]
    for each in threads:
        each.start()
    time.sleep(0.1)
    sender.stop()
    for each in threads:
        each.join(5)
    assert found == [False] * 3
    assert not sender.rest(1000)
    sender.release()
    assert not sender.acquire(1)
    assert not sender.try_acquire(1)


def test_many_threads_never_exceed_the_concurrency() -> None:
    sender, guard = Throttle(3), threading.Lock()
    now, most, done = 0, 0, 0

    def work() -> None:
        nonlocal now, most, done
        for _ in range(50):
            assert sender.acquire(1)
            with guard:
                now += 1
                most = max(most, now)
            time.sleep(0)
            with guard:
                now -= 1
                done += 1
            sender.release()

    threads = [threading.Thread(target=work) for _ in range(12)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(20)
    assert done == 600
    assert most <= 3


@pytest.mark.parametrize("limits", [(0,), (1, 0), (1, None, 0)])
def test_limits_without_sense_are_refused(limits: tuple[int | None, ...]) -> None:
    with pytest.raises(InputError, match="1 or more"):
        Throttle(*limits)


def test_many_senders_get_through_a_provider_full_of_faults() -> None:
    faults = ["429=0.2", "500=0.05", "reset=0.02", "truncate=0.02", "wrong-type=0.02"]
    sender, bodies = Throttle(8), [json.loads(each.body) for each in requests(200)]

    def send(client: Client, body: dict[str, object]) -> Reply:
        assert sender.acquire(300)
        try:
            return client.complete(body)
        finally:
            sender.release()

    with (
        running(faults=faults, seed=2) as url,
        client_of(url, sleep=sender.rest, failed=sender.failed) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        found = list(pool.map(lambda body: send(client, body), bodies))
    assert {completion(each.body).text for each in found} <= {"A", "B"}
    kinds = {kind for each in found for kind in each.retries}
    assert kinds == {"HTTP 429", "HTTP 500", "no connection", "unreadable"}
    # Nothing is held at the end, whatever happened on the way.
    assert sender.now < 8
    for _ in range(sender.now):
        assert sender.try_acquire(1)
