"""The workshop: how one stage of a study is carried out, whatever it is."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from avowal.contexts import Context
from avowal.lines import Training
from avowal.provider import Client, completion
from avowal.provider.throttle import Throttle
from avowal.replies import choice, report
from avowal.study.asking import Asked, ask
from avowal.study.budget import Budget
from avowal.study.ending import Interrupted, StageError
from avowal.study.place import Place
from avowal.study.requests import requests
from avowal.study.stages import Stage
from avowal.study.store import Request, Store
from avowal.study.watch import Progress, Watch

__all__ = ["Workshop"]


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
        names = [each.name for each in self.listed]
        self.store.enter(stage.name, names.index(stage.name))
        work = self._train if isinstance(stage.sends, Training) else self._ask
        try:
            finished = work(stage)
        except (StageError, Interrupted) as error:
            reason = str(error) or "interrupted"
            self.store.leave(stage.name, reason)
            self.watch.end(stage.name, f"stopped: {reason}")
            raise
        if finished:
            self.store.leave(stage.name, None)
        self.watch.end(stage.name, "done" if finished else "under way at the provider")
        return finished

    def finished(self, name: str) -> bool:
        """Whether a stage has finished, in this run or before."""
        return self.store.rows("select 1 from stages where name = ? and state = 'finished'", (name,)) != []

    def _ask(self, stage: Stage) -> bool:
        study = self.place.study
        listed = requests(
            stage, study, self._model(stage), self.place.endpoint, encoding=self.budget.encoding(stage.base)
        )
        self.store.plan(stage.name, listed)
        progress = self.watch.begin(stage.name, len(listed))
        judge = _Judge(stage, listed, progress, lenient=study.sampling.lenient)
        for key, body in self.store.bodies(stage.name):
            judge.count(key, body)
        progress.before = progress.done
        if study.provider.mode == "batch":
            return self._ask_in_batches(stage, judge)
        ask(
            self.store.left(stage.name),
            store=self.store,
            client=self.client,
            throttle=self.throttle,
            budget=self.budget,
            workers=study.limits.concurrency,
            stop=self.stop,
            told=judge.told,
            tell=self.watch.tell,
        )
        if left := len(self.store.left(stage.name)):
            raise StageError(f"{left:,} requests got no reply; the next run asks them again")
        return True

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


class _Judge:
    """Counts the replies of one stage as they come: those that say what was asked for, and the others."""

    def __init__(self, stage: Stage, listed: list[Request], progress: Progress, *, lenient: bool) -> None:
        contexts: dict[str, Context] = {each.name: each for each in stage.sends.contexts}
        self._contexts = {each.key: contexts[each.context] for each in listed}
        self._decides, self._lenient = stage.sends.kind == "decisions", lenient
        self._progress = progress

    def told(self, asked: Asked) -> None:
        """Count an end."""
        self._progress.retries += len(asked.answer.retries)
        self._progress.spend += asked.price
        if asked.answer.failure is None:
            self.count(asked.answer.key, asked.answer.body)
        else:
            self._progress.failed += 1

    def count(self, key: str, body: str) -> None:
        """Count a reply."""
        said = completion(body)
        failure = (
            choice(said).failure if self._decides else report(said, self._contexts[key], lenient=self._lenient).failure
        )
        if failure is None:
            self._progress.valid += 1
        else:
            self._progress.invalid += 1
