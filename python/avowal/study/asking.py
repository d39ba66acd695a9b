"""Asking: a stage's requests sent by several workers, each reply on the disk before its worker's next request goes."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from avowal.provider import Client, ProviderError, usage
from avowal.provider.throttle import Throttle
from avowal.study.budget import Budget
from avowal.study.ending import Interrupted, StageError
from avowal.study.store import Answer, Left, Store

__all__ = ["Asked", "ask"]

FULL_DISK = 5.0
"""Seconds between tries to write down replies that a full disk has refused."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is told of each request that has ended.

    Attributes
    ----------
    answer
        How it ended.
    price
        What it cost.
    """

    answer: Answer
    price: Decimal


def ask(
    left: Sequence[Left],
    *,
    store: Store,
    client: Client,
    throttle: Throttle,
    budget: Budget,
    workers: int,
    stop: threading.Event,
    told: Callable[[Asked], object],
    tell: Callable[[str], object],
) -> None:
    """Send requests until each has a reply, or has failed as often as the client's policy allows.

    Parameters
    ----------
    left
        The requests.
    store
        Where they stand; their replies are written there.
    client, throttle, budget
        What sends, how fast, and for how much.
    workers
        Requests under way at once, at most.
    stop
        Ends the work: what is under way is waited for and kept, nothing more is sent.
    told
        Is told of each end, once it is on the disk; by one worker at a time.
    tell
        Is told what a person should know, in one line.

    Raises
    ------
    StageError
        Where the provider refuses a request, or no request gets a reply any more; and at the spending limit.
    Interrupted
        Where `stop` was set before the end.
    """
    work = _Work(left, store, client, throttle, budget, workers, stop, told, tell)
    with ThreadPoolExecutor(min(workers, max(1, len(left))), thread_name_prefix="ask") as pool:
        done = [pool.submit(work.run) for _ in range(min(workers, len(left)))]
    for each in done:
        each.result()
    if work.reason is not None:
        raise work.reason
    if stop.is_set() and work.waiting:
        raise Interrupted


class _Work:
    """What the workers of one stage share."""

    def __init__(
        self,
        left: Sequence[Left],
        store: Store,
        client: Client,
        throttle: Throttle,
        budget: Budget,
        workers: int,
        stop: threading.Event,
        told: Callable[[Asked], object],
        tell: Callable[[str], object],
    ) -> None:
        self.waiting = deque(left)
        self.reason: StageError | None = None
        self._store, self._client, self._throttle, self._budget = store, client, throttle, budget
        self._stop, self._told, self._tell = stop, told, tell
        # With that many failures and no reply between them, each worker has seen one: nobody answers there.
        self._patience, self._failures = workers, 0
        self._guard = threading.Lock()
        self._broken = False

    def run(self) -> None:
        """Do one worker's part."""
        try:
            self._work()
        except BaseException:
            # What ends one worker unforeseen ends all of them: what it has lost is not to be lost again and again.
            self._broken = True
            raise

    def _work(self) -> None:
        ended: list[Asked] = []
        while (taken := self._take()) is not None:
            left, body, price = taken
            if not self._throttle.try_acquire(left.tokens):
                # The wait may be long: what has come is put on the disk first.
                self._write(ended, [])
                ended = []
                if not self._throttle.acquire(left.tokens, lambda: self._broken or self.reason is not None):
                    self._give_back(left, price)
                    return
            self._write(ended, [left.key])
            ended = self._send(left, body, price)
        self._write(ended, [])

    def _take(self) -> tuple[Left, dict[str, Any], Decimal] | None:
        with self._guard:
            if self._broken or self._stop.is_set() or self.reason is not None or not self.waiting:
                return None
            left = self.waiting[0]
            body = json.loads(left.body)
            try:
                price = self._price(left, body, left.tokens - left.reply_tokens, left.reply_tokens)
                self._budget.hold(price)
            except StageError as limit:
                self.reason = limit
                return None
            self.waiting.popleft()
            return left, body, price

    def _give_back(self, left: Left, price: Decimal) -> None:
        self._budget.settle(price, Decimal(0))
        with self._guard:
            self.waiting.appendleft(left)

    def _send(self, left: Left, body: dict[str, Any], held: Decimal) -> list[Asked]:
        try:
            reply = self._client.complete(body)
        except ProviderError as error:
            answer = Answer(left.key, str(error), error.kind, error.status, None, error.retries)
            self._budget.settle(held, Decimal(0))
            self._failed(error)
            return [Asked(answer, Decimal(0))]
        except Interrupted:
            # Its last try had failed before the wait that was interrupted: nothing of it is under way.
            self._store.unsend([left.key])
            self._give_back(left, held)
            return []
        finally:
            self._throttle.release()
        prompt, completion = usage(reply.body)
        answer = Answer(
            left.key,
            reply.body,
            status=reply.status,
            seconds=reply.seconds,
            retries=reply.retries,
            prompt_tokens=prompt,
            completion_tokens=completion,
        )
        price = held if prompt is None or completion is None else self._price(left, body, prompt, completion)
        self._budget.settle(held, price)
        self._failures = 0
        return [Asked(answer, price)]

    def _failed(self, error: ProviderError) -> None:
        with self._guard:
            self._failures += 1
            if not error.passing or self._failures >= self._patience:
                self.reason = self.reason or StageError(str(error))
                self._throttle.wake()

    def _price(self, left: Left, body: dict[str, Any], prompt: int, reply: int) -> Decimal:
        return self._budget.price(left.base, body["model"], prompt, reply, "sync")

    def _write(self, ended: Sequence[Asked], sending: Sequence[str]) -> None:
        if not ended and not sending:
            return
        warned = False
        while True:
            try:
                self._store.step([each.answer for each in ended], sending)
                break
            except sqlite3.OperationalError as error:
                # The replies are paid for and nowhere else: they are kept until there is room, or nobody wants them.
                if not warned:
                    self._tell(f"{self._store.path}: {error}; nothing more is sent until it can be written")
                    warned = True
                if self._stop.wait(FULL_DISK):
                    raise StageError(f"{self._store.path}: {error}; {len(ended)} replies are lost with it") from None
        with self._guard:
            for each in ended:
                self._told(each)
