"""The final check: MAP, bootstrap and Stan side by side, conclusions that depend on the method, and the joint model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from avowal.accuracy import Accuracy, accuracy, ends, gain
from avowal.contexts import Context
from avowal.errors import InputError
from avowal.jackknife import context_bootstrap
from avowal.stan.accuracy import AccuracyPosterior, accuracy_posterior
from avowal.stan.choices import choice_posterior
from avowal.stan.engines import Sampling
from avowal.stan.joint import ESTIMATES, joint_posterior
from avowal.trials import by_name

MAP, BOOTSTRAP, JACKKNIFE, STAN = "MAP", "bootstrap", "jackknife", "Stan"
"""The methods: regression on posterior modes; contexts drawn anew (for gains, contexts left out, paired); and
regression on posterior means, itself drawn by Stan."""

Numbers = tuple[float | None, tuple[float, float] | None, str, Sequence[str]]
"""An estimate, its interval, its status, and the problems beside it."""

COMPARED = {
    "model": pl.String(),
    "quantity": pl.String(),
    "method": pl.String(),
    "estimate": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "difference": pl.Float64(),
    "status": pl.String(),
    "problems": pl.List(pl.String),
}
"""Columns of comparisons: `model` is null for a gain over models; `difference` is from MAP."""

WEIGHTS = {
    "model": pl.String(),
    "group": pl.String(),
    "agents": pl.Int64(),
    "statuses": pl.List(pl.String),
    "r": pl.Float64(),
    "mean_difference": pl.Float64(),
    "largest_difference": pl.Float64(),
    "engine": pl.String(),
    "problems": pl.List(pl.String),
}
"""Columns on weights: how far posterior means lie from modes on the ±100 scale; statuses other than "ok", counted."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is known of one model.

    Attributes
    ----------
    name
        The model.
    choices
        Tables of :data:`avowal.tables.CHOICES` by group of contexts, such as ``learned`` and ``native``.
    reports
        By set: the group whose weights count, and a table of :data:`avowal.tables.REPORTS` (folds put together).
    """

    name: str
    choices: Mapping[str, pl.DataFrame] = field(repr=False)
    reports: Mapping[str, tuple[str, pl.DataFrame]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Check:
    """The final check of a study.

    Attributes
    ----------
    engine
        Which Stan engine drew.
    weights
        One row for each model and group: columns of :data:`WEIGHTS`.
    accuracies, gains
        One row for each quantity and method: columns of :data:`COMPARED`.
    joint
        The joint model's estimates with their model, :data:`avowal.stan.joint.ESTIMATES`; empty where not asked for.
    warnings
        Where a conclusion depends on the method.
    problems
        Statuses and diagnostics that failed, each with where; a strict command fails on any.
    """

    engine: str
    weights: pl.DataFrame
    accuracies: pl.DataFrame
    gains: pl.DataFrame
    joint: pl.DataFrame
    warnings: tuple[str, ...]
    problems: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """Return everything as JSON holds it."""
        tables = {name: getattr(self, name).to_dicts() for name in ("weights", "accuracies", "gains", "joint")}
        return {"engine": self.engine, **tables, "warnings": list(self.warnings), "problems": list(self.problems)}


def check(
    subjects: Sequence[Subject],
    contexts: Iterable[Context],
    gains: Mapping[str, tuple[str, str]],
    *,
    how: Sampling | None = None,
    joint: bool = True,
    resamples: int = 10_000,
    seed: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Check:
    """Estimate everything by MAP, bootstrap and Stan, and compare.

    Parameters
    ----------
    subjects
        The models.
    contexts
        The contexts that their tables name.
    gains
        By name, the set before and the set after training; models with both enter.
    how
        Engine, chains, iterations, seed.
    joint
        Whether to draw the joint model too, for each model and gain.
    resamples, seed
        Of the context bootstrap.
    progress
        Called with the steps done and the steps in all.

    Returns
    -------
    Check

    Raises
    ------
    InputError
        For no models, one named twice, or malformed tables.
    EngineError
        Where no Stan engine works.
    """
    named, how = tuple(by_name(contexts).values()), how or Sampling()
    if not subjects or len({subject.name for subject in subjects}) < len(subjects):
        raise InputError.at("models, each once", [subject.name for subject in subjects], field="subjects")
    work = _Work(named, how, resamples, seed, progress)
    work.steps = sum(len(s.choices) + len(s.reports) for s in subjects) + len(gains) * (1 + joint * len(subjects))
    for subject in subjects:
        work.weigh(subject)
    for subject in subjects:
        work.compare(subject)
    for name, sides in gains.items():
        work.train(name, *sides, subjects)
        for subject in subjects if joint else ():
            work.join(subject, *sides)
    return work.result()


@dataclass(slots=True)
class _Work:
    """What a check has found so far."""

    contexts: Sequence[Context]
    how: Sampling
    resamples: int
    seed: int
    progress: Callable[[int, int], None] | None
    steps: int = 0
    done: int = 0
    engine: str = ""
    weights: list[dict[str, object]] = field(default_factory=list)
    accuracies: list[dict[str, object]] = field(default_factory=list)
    gains: list[dict[str, object]] = field(default_factory=list)
    estimates: list[pl.DataFrame] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    tables: dict[tuple[str, str], tuple[pl.DataFrame, pl.DataFrame]] = field(default_factory=dict)
    found: dict[tuple[str, str], tuple[Accuracy, Accuracy]] = field(default_factory=dict)

    def step(self) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(self.done, self.steps)

    def note(self, place: str, problems: Iterable[str]) -> None:
        self.problems += [f"{place}: {problem}" for problem in problems]

    def weigh(self, subject: Subject) -> None:
        """Draw the weights of each group of contexts, beside their modes."""
        for group, choices in subject.choices.items():
            posterior = choice_posterior(choices, self.contexts, how=self.how)
            self.engine = posterior.engine
            modes, means = (
                table.select("context", "position", "weight") for table in (posterior.fitted.weights, posterior.weights)
            )
            self.tables[subject.name, group] = modes, means
            both = posterior.weights.drop_nulls(["weight", "map"])
            away = (both["weight"] - both["map"]).abs()
            counts = posterior.agents.filter(pl.col("status") != "ok")["status"].value_counts().sort("status")
            self.weights.append(
                {
                    "model": subject.name, "group": group, "agents": len(posterior.agents),
                    "statuses": [f"{count} {status}" for status, count in counts.iter_rows()],
                    "r": both.select(pl.corr("weight", "map")).item(), "mean_difference": away.mean(),
                    "largest_difference": away.max(), "engine": posterior.engine,
                    "problems": list(posterior.problems),
                }
            )  # fmt: skip
            self.note(f"{subject.name}, weights, {group}", posterior.problems)
            self.step()

    def compare(self, subject: Subject) -> None:
        """Estimate each accuracy by every method."""
        for name, (group, reports) in subject.reports.items():
            if (subject.name, group) in self.tables:
                modes, means = (accuracy(w, reports) for w in self.tables[subject.name, group])
                self.found[subject.name, name] = modes, means
                drawn = accuracy_posterior({subject.name: means.entries}, how=self.how)
                rows = [
                    (MAP, modes.slope.estimate, ends(modes.slope), modes.slope.status, ()),
                    (BOOTSTRAP, *self._again(modes)),
                    (STAN, *_drawn(drawn, "accuracy")),
                ]
                self.accuracies += _compared(subject.name, name, rows)
                self.note(f"{subject.name}, {name}", drawn.problems)
            self.step()

    def _again(self, found: Accuracy) -> Numbers:
        if found.slope.status != "ok":
            return None, None, found.slope.status, ()
        again = context_bootstrap(found.entries.cell(), replicates=self.resamples, seed=self.seed)
        low, high = again.percentile.low, again.percentile.high
        interval = None if low is None or high is None else (low, high)
        return again.r, interval, again.status, ()

    def train(self, name: str, before: str, after: str, subjects: Sequence[Subject]) -> None:
        """Estimate the effect of training over the models that have both sets."""
        models = [s.name for s in subjects if {(s.name, before), (s.name, after)} <= set(self.found)]
        if models:
            sides = [[self.found[model, side] for model in models] for side in (before, after)]
            modes = gain([each[0] for each in sides[0]], [each[0] for each in sides[1]], models)
            entries = [{m: each[1].entries for m, each in zip(models, side, strict=True)} for side in sides]
            drawn = accuracy_posterior(*entries, how=self.how)
            cluster = modes.cluster
            self.gains += _compared(
                None,
                name,
                [
                    (MAP, modes.contrast.estimate, ends(modes.contrast), modes.contrast.status, ()),
                    (JACKKNIFE, cluster.estimate, ends(cluster), cluster.status, ()),
                    (STAN, *_drawn(drawn, "mean gain")),
                ],
            )
            self.note(f"gain, {name}", drawn.problems)
        self.step()

    def join(self, subject: Subject, before: str, after: str) -> None:
        """Draw the joint model of one model's choices and both sets of reports, or of the one that there is."""
        sets = {name: subject.reports[name] for name in (before, after) if name in subject.reports}
        groups = {group for group, _ in sets.values()}
        if len(groups) == 1 and groups <= set(subject.choices):
            table = subject.choices[groups.pop()]
            found = joint_posterior(table, self.contexts, {n: r for n, (_, r) in sets.items()}, how=self.how)
            self.estimates.append(found.estimates.select(pl.lit(subject.name).alias("model"), pl.all()))
            self.note(f"{subject.name}, joint model, {' and '.join(sets)}", found.problems)
        self.step()

    def result(self) -> Check:
        accuracies = pl.DataFrame(self.accuracies, schema=COMPARED)
        gains = pl.DataFrame(self.gains, schema=COMPARED)
        return Check(
            engine=self.engine,
            weights=pl.DataFrame(self.weights, schema=WEIGHTS),
            accuracies=accuracies,
            gains=gains,
            joint=pl.concat([pl.DataFrame(schema={"model": pl.String(), **ESTIMATES}), *self.estimates]),
            warnings=(*disagreements(accuracies), *disagreements(gains)),
            problems=tuple(self.problems),
        )


def disagreements(compared: pl.DataFrame) -> list[str]:
    """Tell which conclusions depend on the method: whether a quantity is positive, negative, or not told from zero.

    Parameters
    ----------
    compared
        A table of :data:`COMPARED`.

    Returns
    -------
    list of str
        One line for each such quantity.
    """
    lines = []
    for (model, quantity), rows in compared.group_by("model", "quantity", maintain_order=True):
        said: dict[str, list[str]] = {}
        for method, low, high in rows.select("method", "low", "high").drop_nulls().iter_rows():
            verdict = "positive" if low > 0 else "negative" if high < 0 else "not told from zero"
            said.setdefault(verdict, []).append(method)
        if len(said) > 1:
            place = quantity if model is None else f"{model}, {quantity}"
            verdicts = "; ".join(f"{verdict} by {', '.join(methods)}" for verdict, methods in said.items())
            lines.append(f"{place}: the conclusion depends on the method ({verdicts})")
    return lines


def _compared(
    model: str | None,
    quantity: str,
    rows: Iterable[tuple[str, float | None, tuple[float, float] | None, str, Sequence[str]]],
) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    first: float | None = None
    for method, estimate, interval, status, problems in rows:
        first = estimate if method == MAP else first
        low, high = interval or (None, None)
        found.append(
            {
                "model": model, "quantity": quantity, "method": method, "estimate": estimate, "low": low, "high": high,
                "difference": None if estimate is None or first is None or method == MAP else estimate - first,
                "status": status, "problems": list(problems),
            }
        )  # fmt: skip
    return found


def _drawn(posterior: AccuracyPosterior, quantity: str) -> Numbers:
    rows = posterior.estimates.filter(quantity=quantity)
    if not len(rows):
        return None, None, posterior.status, posterior.problems
    row = rows.row(0, named=True)
    return row["mean"], (row["hdi_low"], row["hdi_high"]), posterior.status, row["problems"]
