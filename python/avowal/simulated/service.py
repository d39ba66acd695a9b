"""The service: what all endpoints share: settings, store, faults, log, and the minds behind the models' names."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avowal.contexts import Context
from avowal.quantities import Settings
from avowal.simulated.faults import Fate, Fault
from avowal.simulated.learning import learn
from avowal.simulated.mind import Mind
from avowal.simulated.store import Store
from avowal.simulated.wire import ApiError, Document
from avowal.simulated.world import World

LOG = "requests.jsonl"


@dataclass(frozen=True, slots=True)
class Setup:
    """How a simulated provider is set up.

    Attributes
    ----------
    profiles
        Settings by name of base model; a model also answers to its name without the date.
    contexts
        What models know of the world before training.
    seed
        Decides everything drawn.
    state
        Folder of what outlives the server; None for none.
    faults
        What goes wrong.
    job_seconds, batch_seconds
        How long a fine-tuning job and a batch take.
    shutdown
        Dates (YYYY-MM-DD) on which models shut down, by name.
    """

    profiles: Mapping[str, Settings]
    contexts: tuple[Context, ...]
    seed: int = 1
    state: Path | None = None
    faults: tuple[Fault, ...] = ()
    job_seconds: float = 1.0
    batch_seconds: float = 1.0
    shutdown: Mapping[str, str] | None = None


class Service:
    """State behind the endpoints; all of it is touched by the server's one thread.

    Parameters
    ----------
    setup
        How the provider is set up.
    """

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.store = Store(setup.state, setup.seed)
        self.fate = Fate(setup.faults, setup.seed)
        self.world = World(setup.contexts)
        self.asked: Counter[str] = Counter()
        self.started = int(time.time())
        self._minds: dict[str, Mind] = {}
        self._tuned = {job["_becomes"]: job for job in self.store.all("job") if succeeds(job)}
        self._learning = asyncio.Lock()
        self._log = None if setup.state is None else (setup.state / LOG).open("a", encoding="utf-8", buffering=1)

    def close(self) -> None:
        """Let go of the database and the log."""
        self.store.close()
        if self._log is not None:
            self._log.close()

    def log(self, **entry: Any) -> None:
        """Write one line of the request log, which is on its way to the disk when this returns."""
        if self._log is not None:
            self._log.write(json.dumps({"time": time.time(), **entry}) + "\n")

    def base(self, model: str) -> str | None:
        """Return the full name of a base model, or None."""
        profiles = self.setup.profiles
        return model if model in profiles else next((name for name in profiles if undated(name) == model), None)

    def tuned(self, model: str) -> Document | None:
        """Return the job that makes a tuned model, whatever its state, or None."""
        return self._tuned.get(model)

    def expect(self, job: Document) -> None:
        """Remember the model that a job is to make, or forget that of a job that won't."""
        self._tuned.pop(job["_becomes"], None)
        if succeeds(job):
            self._tuned[job["_becomes"]] = job

    def check_shutdown(self, model: str) -> None:
        """Refuse a model that has shut down."""
        date = (self.setup.shutdown or {}).get(self.base(self._base_of(model)) or model)
        if date is not None and date <= time.strftime("%Y-%m-%d", time.gmtime()):
            raise ApiError(404, f"The model `{model}` has been deprecated.", code="model_not_found")

    async def mind(self, model: str) -> Mind:
        """Return the mind behind a model, taught when it is first asked.

        Parameters
        ----------
        model
            A base model, or one that a job has made.

        Returns
        -------
        Mind

        Raises
        ------
        ApiError
            404 for any other.
        """
        if model in self._minds:
            return self._minds[model]
        self.check_shutdown(model)
        base = self.base(model)
        if base is not None:
            self._minds[model] = Mind(self.setup.seed, base, self.setup.profiles[base], self.world)
            return self._minds[model]
        job = self._tuned.get(model)
        if job is None or time.time() < job["_created"] + self.setup.job_seconds:
            raise ApiError(404, f"The model `{model}` does not exist or you do not have access to it.",
                           code="model_not_found", param="model")  # fmt: skip
        parent = await self.mind(job["model"])
        async with self._learning:
            if model not in self._minds:
                text = self.store.content(job["_digest"]).decode("utf-8")
                # In another thread, so that those who ask other models needn't wait.
                lesson = await asyncio.to_thread(learn, text, self.world)
                self._minds[model] = parent.taught(lesson, job["_training"])
        return self._minds[model]

    def _base_of(self, model: str) -> str:
        while (job := self._tuned.get(model)) is not None:
            model = job["model"]
        return model


def succeeds(job: Document) -> bool:
    """Tell whether a job makes a model, sooner or later."""
    return not (job["_problem"] or job["_fails"] or job["_cancelled"])


def undated(model: str) -> str:
    """Return a model's name without the date at its end."""
    parts = model.rsplit("-", 3)
    return parts[0] if len(parts) == 4 and all(part.isdigit() for part in parts[1:]) else model
