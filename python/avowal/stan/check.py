"""The final check: MAP, bootstrap and Stan side by side, conclusions that depend on the method, and the joint model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import polars as pl

from avowal.accuracy import Accuracy, accuracy, ends, gain
from avowal.analysis.material import GAINS, SETS, Material, ModelMaterial
from avowal.display import Shown
from avowal.errors import InputError
from avowal.jackknife import context_bootstrap
from avowal.stan.accuracy import AccuracyPosterior, accuracy_posterior
from avowal.stan.choices import choice_posterior
from avowal.stan.engines import Sampling
from avowal.stan.joint import ESTIMATES, joint_posterior
from avowal.stan.predictive import check_choices
from avowal.text import Table

MAP, BOOTSTRAP, JACKKNIFE, STAN = "MAP", "bootstrap", "jackknife", "Stan"
"""The methods: regression on posterior modes; for accuracies contexts drawn anew; contexts left out in turn (r with its
interval by context, paired for gains); and regression on posterior means, itself drawn by Stan."""

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

PREDICTIVE = {
    "model": pl.String(),
    "group": pl.String(),
    "statistic": pl.String(),
    "observed": pl.Float64(),
    "mean": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "p": pl.Float64(),
}
"""Columns of predictive checks of the choices: those of :func:`avowal.stan.predictive.check_choices`."""

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
class Check(Shown):
    """The final check of a study.

    Attributes
    ----------
    engine
        Which Stan engine drew.
    weights
        One row for each model and group: columns of :data:`WEIGHTS`.
    predictive
        Whether the choices look like those that the weights would make: columns of :data:`PREDICTIVE`.
    accuracies, gains
        One row for each quantity and method: columns of :data:`COMPARED`.
    joint
        The joint model's estimates with their model, :data:`avowal.stan.joint.ESTIMATES`; empty where not asked for.
    warnings
        Where a conclusion depends on the method.
    problems
        Statuses and diagnostics that failed, each with where; a strict command fails on any.
    missing
        By model, why an accuracy that is looked for is not there.
    """

    engine: str
    weights: pl.DataFrame
    predictive: pl.DataFrame
    accuracies: pl.DataFrame
    gains: pl.DataFrame
    joint: pl.DataFrame
    warnings: tuple[str, ...]
    problems: tuple[str, ...]
    missing: Mapping[str, Mapping[str, str]]

    def _shown(self) -> Iterable[Table | str]:
        from avowal.analysis.material import LABELS
        from avowal.stan.printed import printed

        return printed(self, LABELS)

    def to_dict(self) -> dict[str, object]:
        """Return everything as JSON holds it."""
        names = ("weights", "predictive", "accuracies", "gains", "joint")
        return {
            "engine": self.engine,
            **{name: getattr(self, name).to_dicts() for name in names},
            "warnings": list(self.warnings),
            "problems": list(self.problems),
            "missing": {model: dict(reasons) for model, reasons in self.missing.items()},
        }


def check(
    material: Material,
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
    material
        What is checked, a folder's or a study's, finished or not; weights are fitted from its choices.
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
        For no model with choices, or malformed tables.
    EngineError
        Where no Stan engine works.
    """
    if not any(len(table) for model in material.models for table in model.choices.values()):
        raise InputError.at("choices of at least one model", "none", file=material.source, field="choices")
    work = _Work(material, how or Sampling(), resamples, seed)
    steps = list(work.steps(joint))
    for number, step in enumerate(steps, 1):
        step()
        if progress is not None:
            progress(number, len(steps))
    return work.result()


Step = Callable[[], None]


@dataclass(slots=True)
class _Work:
    """What a check has found so far."""

    material: Material
    how: Sampling
    resamples: int
    seed: int
    engine: str = ""
    weights: list[dict[str, object]] = field(default_factory=list)
    predictive: list[pl.DataFrame] = field(default_factory=list)
    accuracies: list[dict[str, object]] = field(default_factory=list)
    gains: list[dict[str, object]] = field(default_factory=list)
    estimates: list[pl.DataFrame] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    missing: dict[str, dict[str, str]] = field(default_factory=dict)
    tables: dict[tuple[str, str], tuple[pl.DataFrame, pl.DataFrame]] = field(default_factory=dict)
    drawn: dict[tuple[object, ...], tuple[Accuracy, Accuracy, AccuracyPosterior]] = field(default_factory=dict)
    found: dict[tuple[str, str], tuple[Accuracy, Accuracy]] = field(default_factory=dict)

    def steps(self, joint: bool) -> Iterable[Step]:
        """List what is to be done, in order: weights once for each decider, then what rests on them."""
        models, sets = self.material.models, self.material.sets
        decided = {
            (model.decided_by(group), group): table
            for model in reversed(models)
            for group, table in model.choices.items()
            if len(table)
        }
        yield from (partial(self.weigh, *key, table) for key, table in sorted(decided.items(), key=self._place))
        yield from (partial(self.compare, model, name) for model in models for name in sets)
        for name in self.material.gains:
            for variant in dict.fromkeys(model.variant for model in models):
                yield partial(self.train, name, variant)
            yield from (partial(self.join, model, *GAINS[name]) for model in models if joint)

    def _place(self, item: tuple[tuple[str, str], object]) -> tuple[int, int]:
        (decider, group), _ = item
        models = [model.decided_by(group) for model in self.material.models]
        return models.index(decider), self.material.groups.index(group)

    def note(self, place: str, problems: Iterable[str]) -> None:
        self.problems += [f"{place}: {problem}" for problem in problems]

    def weigh(self, decider: str, group: str, choices: pl.DataFrame) -> None:
        """Draw the weights of one group of contexts, beside their modes."""
        posterior = choice_posterior(choices, self.material.contexts, how=self.how)
        self.engine = posterior.engine
        modes, means = (
            table.select("context", "position", "weight") for table in (posterior.fitted.weights, posterior.weights)
        )
        self.tables[decider, group] = modes, means
        both = posterior.weights.drop_nulls(["weight", "map"])
        away = (both["weight"] - both["map"]).abs()
        counts = posterior.agents.filter(pl.col("status") != "ok")["status"].value_counts().sort("status")
        self.weights.append(
            {
                "model": decider, "group": group, "agents": len(posterior.agents),
                "statuses": [f"{count} {status}" for status, count in counts.iter_rows()],
                "r": both.select(pl.corr("weight", "map")).item(), "mean_difference": away.mean(),
                "largest_difference": away.max(), "engine": posterior.engine,
                "problems": list(posterior.problems),
            }
        )  # fmt: skip
        told = check_choices(posterior, seed=self.seed)
        self.predictive.append(told.select(pl.lit(decider).alias("model"), pl.lit(group).alias("group"), pl.all()))
        self.note(f"{decider}, weights, {group}", posterior.problems)

    def compare(self, model: ModelMaterial, name: str) -> None:
        """Estimate one accuracy by every method."""
        group, files = SETS[name]
        weights = self.tables.get((model.decided_by(group), group))
        tables = [model.reports[file] for file in files if file in model.reports]
        if weights is None or not any(len(table) for table in tables):
            why = model.missing.get(name) or model.missing.get(group, "no reports")
            self.missing.setdefault(model.name, {})[name] = why
            return
        # Models that share choices and reports share what is drawn from them.
        key = (model.decided_by(group), name, *map(id, tables))
        if key not in self.drawn:
            known = [context.name for context in self.material.contexts]
            modes, means = (accuracy(each, pl.concat(tables), contexts=known) for each in weights)
            self.drawn[key] = modes, means, accuracy_posterior({model.name: means.entries}, how=self.how)
        modes, means, drawn = self.drawn[key]
        self.found[model.name, name] = modes, means
        rows = [
            (MAP, modes.slope.estimate, ends(modes.slope), modes.slope.status, ()),
            (JACKKNIFE, modes.r, modes.cluster_interval, modes.status, ()),
            (BOOTSTRAP, *self._again(modes)),
            (STAN, *_drawn(drawn, "accuracy")),
        ]
        self.accuracies += _compared(model.name, name, rows)
        self.note(f"{model.name}, {name}", drawn.problems)

    def _again(self, found: Accuracy) -> Numbers:
        if found.slope.status != "ok":
            return None, None, found.slope.status, ()
        again = context_bootstrap(found.entries.cell(), replicates=self.resamples, seed=self.seed)
        low, high = again.percentile.low, again.percentile.high
        interval = None if low is None or high is None else (low, high)
        return again.r, interval, again.status, ()

    def train(self, name: str, variant: str) -> None:
        """Estimate the effect of training over the models of one variant that have both sets."""
        sides = GAINS[name]
        models = [
            model.name
            for model in self.material.models
            if model.variant == variant and all(self._usable(model.name, side) for side in sides)
        ]
        if not models:
            return
        name = f"{name}, {variant}" if variant else name
        pairs = [[self.found[model, side] for model in models] for side in sides]
        modes = gain([each[0] for each in pairs[0]], [each[0] for each in pairs[1]], models)
        entries = [{m: each[1].entries for m, each in zip(models, side, strict=True)} for side in pairs]
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

    def _usable(self, model: str, name: str) -> bool:
        return (model, name) in self.found and all(each.slope.status == "ok" for each in self.found[model, name])

    def join(self, model: ModelMaterial, before: str, after: str) -> None:
        """Draw the joint model of one model's choices and both sets of reports, or of the one that there is."""
        sets = {}
        for name in (before, after):
            group, files = SETS[name]
            if (model.name, name) in self.found:
                asked = set(model.choices[group]["context"].to_list())
                reports = pl.concat([model.reports[file] for file in files if file in model.reports])
                sets[name] = group, reports.filter(pl.col("context").is_in(asked))
        groups = {group for group, _ in sets.values()}
        if len(groups) == 1:
            table = model.choices[groups.pop()]
            found = joint_posterior(
                table, self.material.contexts, {name: held for name, (_, held) in sets.items()}, how=self.how
            )
            self.estimates.append(found.estimates.select(pl.lit(model.name).alias("model"), pl.all()))
            self.note(f"{model.name}, joint model, {' and '.join(sets)}", found.problems)

    def result(self) -> Check:
        accuracies = pl.DataFrame(self.accuracies, schema=COMPARED)
        gains = pl.DataFrame(self.gains, schema=COMPARED)
        return Check(
            engine=self.engine,
            weights=pl.DataFrame(self.weights, schema=WEIGHTS),
            predictive=pl.concat([pl.DataFrame(schema=PREDICTIVE), *self.predictive]),
            accuracies=accuracies,
            gains=gains,
            joint=pl.concat([pl.DataFrame(schema={"model": pl.String(), **ESTIMATES}), *self.estimates]),
            warnings=(*disagreements(accuracies), *disagreements(gains)),
            problems=tuple(self.problems),
            missing=self.missing,
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
