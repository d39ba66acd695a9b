"""The throttle: how many requests may be under way, and how many may begin within a minute, for all who send."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from threading import Condition

from avowal.errors import InputError

MINUTE = 60.0
"""Seconds in which limits per minute count: any that long, wherever it begins."""


LONGEST = 3600.0
"""Seconds after which those who wait look again: a provider may ask for more than a wait can last."""


class Throttle:
    """Lets requests begin, in the order in which they ask, from any thread; a thread has one under way at most.

    Concurrency starts at its limit, halves when a provider answers 429, and grows by one for every so many successes as
    may be under way. Of the requests that were under way together only the first 429 halves it: they tell the same
    thing.

    Parameters
    ----------
    concurrency
        Requests under way at once, at most.
    requests_per_minute, tokens_per_minute
        What may begin within any minute; None for no limit. A request with more tokens than the limit begins when
        nothing else has for a minute.
    clock
        Tells the time in seconds; only differences count.
    wait
        Waits on a condition for so many seconds, or until it is notified where they are None.

    Raises
    ------
    InputError
        For a limit below 1.
    """

    def __init__(
        self,
        concurrency: int,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[Condition, float | None], object] = Condition.wait,
    ) -> None:
        limits = {"requests_per_minute": requests_per_minute, "tokens_per_minute": tokens_per_minute}
        for name, value in {"concurrency": concurrency, **limits}.items():
            if value is not None and value < 1:
                raise InputError.at("1 or more", value, field=name)
        self.most, self.now = concurrency, concurrency
        self._requests, self._tokens = _Minute(requests_per_minute), _Minute(tokens_per_minute)
        self._clock, self._wait = clock, wait
        self._busy, self._good, self._bursts = 0, 0, 0
        self._open, self._stopped = float("-inf"), False
        self._guard = threading.Lock()
        self._waiting: deque[Condition] = deque()
        self._resting: list[Condition] = []
        self._own = threading.local()

    def acquire(self, tokens: int, given_up: Callable[[], bool] = lambda: False) -> bool:
        """Wait until a request may begin.

        Parameters
        ----------
        tokens
            That it is expected to take.
        given_up
            Whether it isn't wanted any more; is asked again after :meth:`wake`.

        Returns
        -------
        bool
            False where :meth:`stop` came first, or nobody wants it: the request may not begin.
        """
        with self._guard:
            return self._acquire(tokens, given_up)

    def try_acquire(self, tokens: int) -> bool:
        """Begin a request if it needn't wait; else return False."""
        with self._guard:
            if self._stopped or self._waiting or self._left(tokens) != 0:
                return False
            self._take(tokens)
            return True

    def release(self) -> None:
        """End this thread's request; it counts as a success unless its last try has failed."""
        with self._guard:
            if not self._own.spoilt:
                self._good += 1
                if self._good >= self.now and self.now < self.most:
                    self.now, self._good = self.now + 1, 0
            self._let_go()

    def failed(self, _: str, status: int | None, retry_after: float | None) -> None:
        """Take note that a try has failed.

        Parameters
        ----------
        _
            Its kind.
        status
            Of HTTP; 429 lowers the concurrency.
        retry_after
            Seconds that the provider asks to wait: nobody begins anything before they are over.
        """
        with self._guard:
            if retry_after is not None:
                self._open = max(self._open, self._clock() + retry_after)
            if getattr(self._own, "tokens", None) is None:
                return
            self._own.spoilt = True
            if status == 429 and self._own.burst == self._bursts:
                self.now, self._good = max(1, self.now // 2), 0
                self._bursts += 1

    def rest(self, seconds: float) -> bool:
        """Wait before this thread's request is tried again, and leave its place to others meanwhile.

        Parameters
        ----------
        seconds
            To wait at least. The next try counts like another request.

        Returns
        -------
        bool
            False where :meth:`stop` came first. The request counts as under way then too, until it is released. A
            thread that has none under way just waits.
        """
        with self._guard:
            tokens = getattr(self._own, "tokens", None)
            if tokens is not None:
                self._let_go()
            mine, end = Condition(self._guard), self._clock() + seconds
            self._resting.append(mine)
            while not self._stopped and (left := end - self._clock()) > 0:
                self._wait(mine, min(left, LONGEST))
            self._resting.remove(mine)
            if tokens is not None and not self._acquire(tokens):
                self._begin(tokens)
            return not self._stopped

    def stop(self) -> None:
        """Let nothing begin any more, and wake all who wait."""
        with self._guard:
            self._stopped = True
            for each in (*self._waiting, *self._resting):
                each.notify()

    def wake(self) -> None:
        """Let all who wait to begin look whether what they wait for is still wanted."""
        with self._guard:
            for each in self._waiting:
                each.notify()

    def _acquire(self, tokens: int, given_up: Callable[[], bool] = lambda: False) -> bool:
        mine = Condition(self._guard)
        self._waiting.append(mine)
        try:
            while not self._stopped and not given_up():
                # Only the first in the line looks and is woken: a crowd would spend its time on looking.
                left = self._left(tokens) if self._waiting[0] is mine else None
                if left == 0:
                    self._take(tokens)
                    return True
                self._wait(mine, left if left is None else min(left, LONGEST))
            return False
        finally:
            self._waiting.remove(mine)
            self._wake()

    def _left(self, tokens: int) -> float | None:
        """Return the seconds until a request may begin; None until another ends."""
        if self._busy >= self.now:
            return None
        now = self._clock()
        return max(0.0, self._open - now, self._requests.left(1, now), self._tokens.left(tokens, now))

    def _take(self, tokens: int) -> None:
        now = self._clock()
        self._requests.add(1, now)
        self._tokens.add(tokens, now)
        self._begin(tokens)

    def _begin(self, tokens: int) -> None:
        self._busy += 1
        self._own.tokens, self._own.burst, self._own.spoilt = tokens, self._bursts, False

    def _let_go(self) -> None:
        self._busy -= 1
        self._own.tokens = None
        self._wake()

    def _wake(self) -> None:
        if self._waiting:
            self._waiting[0].notify()


class _Minute:
    """What has begun within the last minute; a bucket that refills could let nearly twice its limit through."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._begun: deque[tuple[float, int]] = deque()
        self._sum = 0

    def left(self, amount: int, now: float) -> float:
        """Return the seconds until so much more may begin."""
        if self._limit is None:
            return 0.0
        while self._begun and self._begun[0][0] + MINUTE <= now:
            self._sum -= self._begun.popleft()[1]
        over, until = self._sum + min(amount, self._limit) - self._limit, now
        for at, begun in self._begun:
            if over <= 0:
                break
            over, until = over - begun, at + MINUTE
        return until - now

    def add(self, amount: int, now: float) -> None:
        """Count what begins."""
        if self._limit is not None:
            self._begun.append((now, amount))
            self._sum += amount
