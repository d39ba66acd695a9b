"""The workshop: how one stage of a study is carried out, whatever it is."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from hashlib import sha256
from typing import Any, TypeAlias

import polars as pl

from avowal import __version__
from avowal.contexts import Context
from avowal.fit import fit
from avowal.prices import total
from avowal.provider import Client, Throttle, completion
from avowal.replies import choice, report
from avowal.sends import Training
from avowal.study import config
from avowal.study.asking import Asked, ask
from avowal.study.batching import Limits, ask_in_batches, waiting
from avowal.study.budget import Budget
from avowal.study.collect import choices_of
from avowal.study.ending import Interrupted, StageError
from avowal.study.parity import check_parity
from avowal.study.place import Place
from avowal.study.requests import requests
from avowal.study.stages import Stage
from avowal.study.store import Answer, Left, Request, Store
from avowal.study.training_checks import check
from avowal.study.training_files import TrainingFile, build, validation
from avowal.study.training_jobs import refuse_changed, train
from avowal.study.watch import DONE, Progress, Watch

__all__ = ["Workshop"]


SUFFIX = "avowal"
"""What the names of tuned models have in them."""

UNDER_WAY = "select 1 from jobs where stage = ? and state not in ('intended', 'failed', 'cancelled') and tuned is null"
"""Whether a stage has a job that is not known to have ended."""

_FINISHED = "finished "
"""What stands before a stage's name in the name of the fact that says what it sent when it finished."""

_Held: TypeAlias = tuple[Decimal, tuple[str, str]]
"""What is held back for a request, and the names of its models, which its price goes by; not the request itself."""

ROUNDS = 3
"""How often a stage asks in one run what has failed before."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """What every stage needs.

    Attributes
    ----------
    place, listed
        The study, and all its stages.
    store, client, throttle, budget
        Where requests stand, what sends them, how fast, and for how much.
    stop
        Ends the work.
    watch
        Is told how far it is.
    detach
        Whether jobs and batches are not waited for.
    poll
        Seconds between two looks at a job or a batch.
    """

    place: Place
    listed: tuple[Stage, ...]
    store: Store
    client: Client
    throttle: Throttle
    budget: Budget
    stop: threading.Event
    watch: Watch
    detach: bool
    poll: float

    def carry_out(self, stage: Stage) -> bool:
        """Carry a stage out.

        Parameters
        ----------
        stage
            Those that it needs have finished.

        Returns
        -------
        bool
            Whether it has finished; if not, it is under way at the provider.

        Raises
        ------
        StageError
            Where it can't go on.
        Interrupted
            Where the run was told to end.
        """
        if self.finished(stage.name):
            return True
        names = [each.name for each in self.listed]
        self.store.enter(stage.name, names.index(stage.name))
        work = self._train if isinstance(stage.sends, Training) else self._ask
        progress = self.watch.begin(stage.name)
        try:
            finished = work(stage, progress)
        except BaseException as error:
            reason = "interrupted" if isinstance(error, Interrupted) else str(error)
            # On a full disk this can't be written down, and the error itself says why.
            with suppress(sqlite3.Error):
                self.store.leave(stage.name, reason)
            self.watch.end(stage.name, f"stopped: {reason}")
            raise
        if finished:
            self.store.note({_FINISHED + stage.name: self._decides(stage)})
            self.store.leave(stage.name, None)
        self.watch.end(stage.name, DONE if finished else "under way at the provider")
        return finished

    def finished(self, name: str) -> bool:
        """Whether a stage has finished, in this run or before, and the study still asks of it what it did then."""
        ended = self.store.rows("select 1 from stages where name = ? and state = 'finished'", (name,))
        (stage,) = [each for each in self.listed if each.name == name]
        return ended != [] and self.store.fact(_FINISHED + name) == self._decides(stage)

    def _decides(self, stage: Stage) -> str:
        """Return a hash of all that decides what a stage sends, but for the replies to stages that it needs."""
        study = self.place.study
        held: list[object] = [__version__, self.place.endpoint, study.seed, stage]
        held += [each for each in self.listed if each.name in stage.needs]
        held += [self.store.rows("select tuned from jobs where stage = ?", (each,)) for each in stage.needs]
        if isinstance(stage.sends, Training):
            held.append(_hyperparameters(study.training, stage.sends))
        else:
            held.append(replace(study.sampling, lenient=False))
        return sha256(repr(held).encode()).hexdigest()

    def _train(self, stage: Stage, progress: Progress) -> bool:
        study, sends = self.place.study, stage.sends
        if not isinstance(sends, Training):
            raise TypeError(f"{stage.name} asks and trains nothing")
        file = build(stage, study, self._learned(stage) if stage.label == "learned" else None)
        checks = validation(stage, study)
        self._write(stage, file, checks)
        checked = check(file.text, sends.kind, file=stage.name, encoding=self.budget.encoding(stage.base))
        check_parity(file, stage, study)
        for each in checked.warnings:
            self.watch.tell(f"{stage.name}: {each}")
        tokens = checked.tokens * sends.epochs
        price = self.budget.training(stage.base, tokens)
        # What an earlier run has created is held back since this one began, what it has waited for is spent.
        held, spent = price if self.store.rows(UNDER_WAY, (stage.name,)) else Decimal(0), Decimal(0)

        def hold(begun: bool) -> None:
            nonlocal held
            self.budget.hold(price, begun=begun)
            held = price

        try:
            tuned = train(
                self.store,
                self.client,
                **self._job(stage, file, checks),
                poll=self.poll,
                tell=progress.tell,
                stop=self.stop,
                detach=self.detach,
                tokens=tokens,
                hold=hold,
            )
            spent = held
        finally:
            self.budget.settle(held, spent)
        progress.spend = spent
        return tuned is not None

    def refuse_changed(self) -> None:
        """Refuse a study whose jobs would train something else now, before anything is sent that rests on it.

        Jobs that teach learned weights are held against theirs when their stage's turn comes.

        Raises
        ------
        InputError
            For the first such job.
        """
        begun = "select 1 from jobs where stage = ? and state not in ('failed', 'cancelled', 'intended')"
        for stage in self.listed:
            if self.store.rows(begun, (stage.name,)) and stage.label != "learned" and not self.finished(stage.name):
                file, checks = build(stage, self.place.study), validation(stage, self.place.study)
                refuse_changed(self.store, self.client, **self._job(stage, file, checks))

    def _job(self, stage: Stage, file: TrainingFile, checks: TrainingFile | None) -> dict[str, Any]:
        """Return what decides a job."""
        if not isinstance(stage.sends, Training):
            raise TypeError(f"{stage.name} asks and trains nothing")
        return {
            "stage": stage.name,
            "model": self._model(stage),
            "text": file.text,
            "validation": None if checks is None else checks.text,
            "hyperparameters": _hyperparameters(self.place.study.training, stage.sends),
            "seed": stage.seed,
            "suffix": SUFFIX,
        }

    def _learned(self, stage: Stage) -> pl.DataFrame:
        """Return the weights that a chain's decisions tell, as they are taught."""
        (decided,) = [each for each in self.listed if each.role == "learned" and each.name in stage.needs]
        choices = choices_of(self.store, decided, self.place.study.seed)
        return fit(choices, decided.sends.contexts).weights

    def _write(self, stage: Stage, file: TrainingFile, checks: TrainingFile | None) -> None:
        """Keep what is uploaded beside the database, for whoever wants to see it."""
        folder = self.place.folder / "training"
        folder.mkdir(exist_ok=True)
        name = re.sub(r"[^A-Za-z0-9.]+", "-", stage.name).strip("-")
        for ending, held in (("", file), ("-validation", checks)):
            if held is not None:
                (folder / f"{name}{ending}.jsonl").write_bytes(held.text.encode())

    def _ask(self, stage: Stage, progress: Progress) -> bool:
        judge = self._planned(stage, progress)
        if self.place.study.provider.mode == "batch":
            return self._ask_in_batches(stage, judge)
        self._ask_by_themselves(stage, judge)
        # Batches of a time when the study asked in them are paid for: they are read before the stage has finished.
        return self._ask_in_batches(stage, judge, more=False)

    def _planned(self, stage: Stage, progress: Progress) -> _Judge:
        """Write a stage's requests down, and count the replies that are there; the requests themselves aren't kept."""
        study = self.place.study
        listed = requests(
            stage, study, self._model(stage), self.place.endpoint, encoding=self.budget.encoding(stage.base)
        )
        self.store.plan(stage.name, listed)
        progress.total = len(listed)
        judge = _Judge(stage, listed, progress, lenient=study.sampling.lenient)
        for key, body in self.store.bodies(stage.name):
            judge.count(key, body)
        progress.before = progress.done
        return judge

    def _ask_by_themselves(self, stage: Stage, judge: _Judge) -> None:
        progress = judge.progress
        for _ in range(ROUNDS):
            left = self.store.left(stage.name)
            if not left:
                return
            progress.failed = 0
            ask(
                left,
                store=self.store,
                client=self.client,
                throttle=self.throttle,
                budget=self.budget,
                workers=self.place.study.limits.concurrency,
                stop=self.stop,
                told=judge.told,
                tell=self.watch.tell,
            )
        if left := self.store.left(stage.name):
            raise StageError(f"{len(left):,} requests got no reply; the next run asks them again")

    def _ask_in_batches(self, stage: Stage, judge: _Judge, *, more: bool = True) -> bool:
        def price(names: tuple[str, str], prompt: int, reply: int) -> Decimal:
            return self.budget.price(*names, prompt, reply, "batch")

        def priced(part: Sequence[Left]) -> dict[str, _Held]:
            named = {each.key: (each.base, str(json.loads(each.body)["model"])) for each in part}
            return {
                each.key: (price(named[each.key], each.tokens - each.reply_tokens, each.reply_tokens), named[each.key])
                for each in part
            }

        def hold(part: Sequence[Left], begun: bool) -> None:
            prices = priced(part)
            self.budget.hold(total(cost for cost, _ in prices.values()), begun=begun)
            held.update(prices)

        # What earlier runs have submitted is held back since this one began.
        open_before = "select id from batches where stage = ? and read = 0 and state <> 'intended'"
        held: dict[str, _Held] = {}
        for (identity,) in self.store.rows(open_before, (stage.name,)):
            held.update(priced(waiting(self.store, identity)))

        def told(answers: Sequence[Answer]) -> None:
            for each in answers:
                before, names = held.pop(each.key, (Decimal(0), None))
                cost = before if each.failure is None else Decimal(0)
                if names is not None and each.prompt_tokens is not None and each.completion_tokens is not None:
                    cost = price(names, each.prompt_tokens, each.completion_tokens)
                self.budget.settle(before, cost)
                judge.told(Asked(each, cost))

        return ask_in_batches(
            self.store,
            self.client,
            stage.name,
            poll=self.poll,
            stop=self.stop,
            tell=judge.progress.tell,
            limits=Limits(tokens=self.place.study.limits.batch_tokens),
            detach=self.detach,
            more=more,
            hold=hold,
            told=told,
        )

    def _model(self, stage: Stage) -> str:
        """Return the name of the model that a stage asks or trains further."""
        if stage.model is None:
            return stage.base
        found = self.store.rows(
            "select tuned from jobs where stage = ? and tuned is not null order by rowid desc limit 1", (stage.model,)
        )
        if not found:
            raise StageError(f"stage {stage.model!r} has trained no model yet")
        return str(found[0][0])


def _hyperparameters(asked: config.Training, sends: Training) -> dict[str, int | float | str]:
    size = asked.batch_size if sends.kind == "decisions" else asked.introspection_batch_size
    return {
        "n_epochs": sends.epochs,
        "batch_size": "auto" if size is None else size,
        "learning_rate_multiplier": "auto"
        if asked.learning_rate_multiplier is None
        else asked.learning_rate_multiplier,
    }


class _Judge:
    """Counts the replies of one stage as they come: those that say what was asked for, and the others."""

    def __init__(self, stage: Stage, listed: list[Request], progress: Progress, *, lenient: bool) -> None:
        contexts: dict[str, Context] = {each.name: each for each in stage.sends.contexts}
        self._contexts = {each.key: contexts[each.context] for each in listed}
        self._decides, self._lenient = stage.sends.kind == "decisions", lenient
        self.progress = progress

    def told(self, asked: Asked) -> None:
        """Count an end."""
        self.progress.retries += len(asked.answer.retries)
        self.progress.spend += asked.price
        if asked.answer.failure is None:
            self.count(asked.answer.key, asked.answer.body)
        else:
            self.progress.failed += 1

    def count(self, key: str, body: str) -> None:
        """Count a reply."""
        said = completion(body)
        failure = (
            choice(said).failure if self._decides else report(said, self._contexts[key], lenient=self._lenient).failure
        )
        if failure is None:
            self.progress.valid += 1
        else:
            self.progress.invalid += 1
