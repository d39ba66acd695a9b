"""Training jobs: one per stage and attempt, written down before it is created, and adopted rather than repeated."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from avowal.errors import InputError
from avowal.provider import Client, ProviderError, files, jobs
from avowal.study.ending import Interrupted, StageError
from avowal.study.spending import EXPECTED
from avowal.study.store import Store

__all__ = ["train"]

INTENDED = "intended"
"""The state of a job that may have been created, or not: its row has no name of the provider's yet."""


def train(
    store: Store,
    client: Client,
    stage: str,
    model: str,
    text: str,
    validation: str | None,
    hyperparameters: Mapping[str, float | str],
    seed: int | None,
    suffix: str,
    *,
    poll: float,
    tell: Callable[[str], object],
    stop: threading.Event,
    detach: bool = False,
    tokens: int = 0,
    hold: Callable[[bool], object] = lambda _: None,
) -> str | None:
    """Train a model, or wait for the job that does.

    Parameters
    ----------
    store, client
        Where jobs stand, and what sends.
    stage
        The stage's name.
    model
        Which is trained further, by the provider's name.
    text, validation
        Of the training file and the validation file; no validation if None.
    hyperparameters
        Numbers or ``auto``.
    seed
        The provider's choice if None.
    suffix
        Part of the tuned model's name.
    poll
        Seconds between two looks.
    tell
        Is told of every state, in one line.
    stop
        Ends the waiting; the job goes on.
    detach
        Whether to return as soon as there is a job.
    tokens
        That the job is expected to be billed for.
    hold
        Is told before a job is created, or adopted, whether there is one already; what it raises ends the stage.

    Returns
    -------
    str or None
        The tuned model's name; None where the job goes on without anybody waiting for it.

    Raises
    ------
    StageError
        Where the job has failed or was cancelled, with the provider's reason, or the provider refuses it. The next run
        makes another attempt.
    InputError
        Where the stage has a job, running or done, that trains something else.
    Interrupted
        Where `stop` was set.
    """
    work = _Work(store, client, stage, model, text, validation, dict(hyperparameters), seed, suffix, tokens)
    try:
        job = work.begun(tell, hold)
        if detach and job.get("status") not in ("succeeded", *jobs.DEAD):
            return None
        return work.wait(job, poll, tell, stop)
    except ProviderError as error:
        raise StageError(str(error)) from None


@dataclass(frozen=True, slots=True)
class _Work:
    """What one stage trains."""

    store: Store
    client: Client
    stage: str
    model: str
    text: str
    validation: str | None
    hyperparameters: dict[str, float | str]
    seed: int | None
    suffix: str
    tokens: int

    def begun(self, tell: Callable[[str], object], hold: Callable[[bool], object]) -> dict[str, Any]:
        """Return the job, created if there is none."""
        content = self._content()
        self._check_unchanged(content)
        attempt = 1
        for identity, digest, state, body in self._rows():
            if digest != f"{content}-{attempt}":
                continue
            if state not in (*jobs.DEAD, INTENDED):
                found: dict[str, Any] = json.loads(body)
                return found if state == "succeeded" else jobs.job(self.client, identity)
            attempt += state in jobs.DEAD
        digest = f"{content}-{attempt}"
        job = jobs.find(self.client, digest)
        hold(job is not None)
        with self.store.transaction() as db:
            # Whoever comes after a sudden end knows from this that there may be a job, and under which digest.
            db.execute(
                "insert or ignore into jobs (id, stage, digest, attempt, file, state, body)"
                " values (?, ?, ?, ?, '', ?, '{}')",
                (f"new:{digest}", self.stage, digest, attempt, INTENDED),
            )
            db.execute("insert or replace into facts values (?, ?)", (EXPECTED + digest, str(self.tokens)))
        if job is None:
            job = jobs.create(self.client, self._order(digest))
            tell(f"{self.stage}: job {job['id']} created")
        else:
            tell(f"{self.stage}: job {job['id']} found")
        self._adopt(job, digest)
        return job

    def wait(self, job: dict[str, Any], poll: float, tell: Callable[[str], object], stop: threading.Event) -> str:
        """Wait for the job's end and keep what it left."""
        identity, state = str(job["id"]), job.get("status")
        while state not in ("succeeded", *jobs.DEAD):
            if stop.wait(poll):
                raise Interrupted
            job = jobs.job(self.client, identity)
            if job.get("status") != state:
                state = job.get("status")
                tell(f"{self.stage}: job {identity} is {state}")
                self._see(job)
        self._keep(job)
        tuned = job.get("fine_tuned_model")
        if state == "succeeded" and isinstance(tuned, str) and tuned:
            return tuned
        reason = (job.get("error") or {}).get("message") or "the provider gives no reason"
        raise StageError(f"job {identity} is {state}: {reason}")

    def _content(self) -> str:
        """Return a hash of everything that decides what is trained; validation only measures it."""
        decides = [
            self.stage,
            *self.store.rows("select value from facts where name = 'number'"),
            self.store.fact("endpoint") or self.client.url,
            self.model,
            _hash(self.text),
            self.hyperparameters,
            self.seed,
            self.suffix,
        ]
        return _hash(json.dumps(decides, sort_keys=True))[:32]

    def _rows(self) -> list[tuple[Any, ...]]:
        return self.store.rows(
            "select id, digest, state, body from jobs where stage = ? order by attempt, rowid", (self.stage,)
        )

    def _check_unchanged(self, content: str) -> None:
        for identity, digest, state, _ in self._rows():
            if digest.startswith(f"{content}-") or state in jobs.DEAD:
                continue
            job = {"id": identity, "status": state}
            if state == INTENDED:
                found = jobs.find(self.client, digest)
                if found is None:
                    with self.store.transaction() as db:
                        db.execute("delete from jobs where id = ?", (identity,))
                    continue
                self._adopt(found, digest)
                job = found
            raise InputError.at(
                "what its job was created for (put the study's file back, or start in a new folder)",
                f"other lines, hyperparameters, seed or model than those of job {job['id']} ({job['status']})",
                field=f"what stage {self.stage!r} trains",
            )

    def _order(self, digest: str) -> jobs.Order:
        uploaded = [
            None if text is None else files.upload(self.client, "fine-tune", f"avowal-{_hash(text)[:24]}.jsonl", data)
            for text in (self.text, self.validation)
            for data in ((text or "").encode(),)
        ]
        return jobs.Order(
            self.model, str(uploaded[0]), uploaded[1], self.hyperparameters, self.seed, self.suffix, digest
        )

    def _adopt(self, job: dict[str, Any], digest: str) -> None:
        with self.store.transaction() as db:
            db.execute(
                "update jobs set id = ?, file = ?, state = ?, body = ? where id = ?",
                (job["id"], str(job.get("training_file")), str(job.get("status")), json.dumps(job), f"new:{digest}"),
            )

    def _see(self, job: dict[str, Any]) -> None:
        with self.store.transaction() as db:
            db.execute(
                "update jobs set state = ?, body = ? where id = ? and state not in ('succeeded', 'failed', 'cancelled')"
                " and ? not in ('succeeded', 'failed', 'cancelled')",
                (str(job.get("status")), json.dumps(job), job["id"], str(job.get("status"))),
            )

    def _keep(self, job: dict[str, Any]) -> None:
        """Write down how a job ended, and all that it told, at once: what has ended is never looked at again."""
        identity = str(job["id"])
        if self.store.rows("select 1 from jobs where id = ? and tuned is not null", (identity,)):
            return
        told = [("event", each) for each in jobs.events(self.client, identity)]
        told += [("checkpoint", each) for each in jobs.checkpoints(self.client, identity)]
        trained = job.get("trained_tokens")
        with self.store.transaction() as db:
            db.executemany(
                "insert or replace into job_events (job, id, kind, body) values (?, ?, ?, ?)",
                [(identity, str(each["id"]), kind, json.dumps(each)) for kind, each in told],
            )
            db.execute(
                "update jobs set state = ?, body = ?, tuned = ?, tokens = ? where id = ?",
                (
                    job["status"],
                    json.dumps(job),
                    job.get("fine_tuned_model"),
                    trained if type(trained) is int else None,
                    identity,
                ),
            )


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()
