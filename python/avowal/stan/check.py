"""The final check: MAP, bootstrap and Stan side by side, conclusions that depend on the method, and the joint model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

import polars as pl

from avowal import __version__
from avowal.accuracy import Accuracy, accuracy, ends, gain
from avowal.analysis.material import GAINS, SETS, Material, ModelMaterial
from avowal.correlation import pearson
from avowal.errors import InputError
from avowal.jackknife import context_bootstrap
from avowal.stan.accuracy import AccuracyPosterior, accuracy_posterior
from avowal.stan.checked import JOINT, PREDICTIVE, SENSITIVITY, WEIGHTS, Check
from avowal.stan.choices import choice_posterior
from avowal.stan.compared import BOOTSTRAP, COMPARED, JACKKNIFE, MAP, STAN, Numbers, compared, disagreements
from avowal.stan.engines import Sampling
from avowal.stan.joint import joint_posterior
from avowal.stan.predictive import check_choices, prior_sensitivity
from avowal.tables import REPORTS

Joint = tuple[pl.DataFrame, tuple[str, ...]]
"""Estimates of a joint model, and its problems."""


def check(
    material: Material,
    *,
    how: Sampling | None = None,
    joint: bool = True,
    sensitivity: bool = False,
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
    sensitivity
        Whether to draw the weights anew under a narrower and a wider prior.
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
    if not any(_chosen(table) for model in material.models for table in model.choices.values()):
        raise InputError.at("valid choices of at least one model", "none", file=material.source, field="choices")
    work = _Work(material, how or Sampling(), joint, sensitivity, resamples, seed)
    steps = list(work.steps())
    for number, step in enumerate(steps, 1):
        step()
        if progress is not None:
            progress(number, len(steps))
    return work.result()


Step = Callable[[], None]


def _chosen(choices: pl.DataFrame) -> bool:
    """Tell whether there is a valid choice; a stage may have been planned and not answered yet."""
    return choices["choice"].count() > 0


@dataclass(slots=True)
class _Work:
    """What a check has found so far."""

    material: Material
    how: Sampling
    joint: bool
    varied: bool
    resamples: int
    seed: int
    engine: str = ""
    weights: list[dict[str, object]] = field(default_factory=list)
    predictive: list[pl.DataFrame] = field(default_factory=list)
    sensitivity: list[pl.DataFrame] = field(default_factory=list)
    accuracies: list[dict[str, object]] = field(default_factory=list)
    gains: list[dict[str, object]] = field(default_factory=list)
    estimates: list[pl.DataFrame] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    missing: dict[str, dict[str, str]] = field(default_factory=dict)
    tables: dict[tuple[str, str], tuple[pl.DataFrame, pl.DataFrame]] = field(default_factory=dict)
    drawn: dict[tuple[object, ...], tuple[Accuracy, Accuracy, AccuracyPosterior]] = field(default_factory=dict)
    joined: dict[tuple[object, ...], Joint] = field(default_factory=dict)
    under_priors: dict[tuple[object, ...], pl.DataFrame] = field(default_factory=dict)
    found: dict[tuple[str, str], tuple[Accuracy, Accuracy]] = field(default_factory=dict)

    def steps(self) -> Iterable[Step]:
        """List what is to be done, in order: weights once for each decider, then what rests on them."""
        models, sets = self.material.models, self.material.sets
        decided = {
            (model.decided_by(group), group): table
            for model in reversed(models)
            for group, table in model.choices.items()
            if _chosen(table)
        }
        yield from (partial(self.weigh, *key, table) for key, table in sorted(decided.items(), key=self._place))
        yield from (partial(self.compare, model, name) for model in models for name in sets)
        if self.varied:
            yield from (partial(self.vary, model, group) for model in models for group in model.choices)
        for name in self.material.gains:
            for variant in dict.fromkeys(model.variant for model in models):
                yield partial(self.train, name, variant)
            yield from (partial(self.join, model, name) for model in models if self.joint)

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
                "r": pearson(both["weight"].to_numpy(), both["map"].to_numpy()).r, "mean_difference": away.mean(),
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
            unanswered = group in model.choices and weights is None
            why = model.missing.get(name) or model.missing.get(group, "no valid choice" if unanswered else "no reports")
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
            (JACKKNIFE, modes.r, modes.cluster_interval, modes.cluster_status, ()),
            (BOOTSTRAP, *self._again(modes)),
            (STAN, *_drawn(drawn, "accuracy")),
        ]
        self.accuracies += compared(model.name, name, rows)
        self.note(f"{model.name}, {name}", (*_statuses(rows), *drawn.problems))

    def vary(self, model: ModelMaterial, group: str) -> None:
        """Estimate the accuracies that rest on one group's weights under other priors."""
        known = [context.name for context in self.material.contexts]
        sets = {name: self._reports(model, name) for name in self.material.sets if SETS[name][0] == group}
        sets = {name: reports for name, reports in sets.items() if (model.name, name) in self.found}
        if sets:
            key = (model.decided_by(group), group, *self._ids(model, sets))
            if key not in self.under_priors:
                choices, contexts = model.choices[group], self.material.contexts
                self.under_priors[key] = prior_sensitivity(choices, contexts, sets, compared=known, how=self.how)
            named = pl.lit(model.name).alias("model"), pl.lit(group).alias("group")
            self.sensitivity.append(self.under_priors[key].select(*named, pl.all()))

    def _ids(self, model: ModelMaterial, sets: Iterable[str]) -> list[object]:
        """Tell sets of reports apart: models that share one have the same table."""
        return [(name, *(id(model.reports.get(file)) for file in SETS[name][1])) for name in sets]

    def _reports(self, model: ModelMaterial, name: str) -> pl.DataFrame:
        tables = [model.reports[file] for file in SETS[name][1] if file in model.reports]
        return pl.concat(tables) if tables else pl.DataFrame(schema=dict(REPORTS))

    def _again(self, found: Accuracy) -> Numbers:
        # What the jackknife can't tell, drawing the same few contexts again can't either.
        for status in (found.slope.status, found.cluster_status):
            if status != "ok":
                return None, None, status, ()
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
        rows = [
            (MAP, modes.contrast.estimate, ends(modes.contrast), modes.contrast.status, ()),
            (JACKKNIFE, cluster.estimate, ends(cluster), cluster.status, ()),
            (STAN, *_drawn(drawn, "mean gain")),
        ]
        self.gains += compared(None, name, rows)
        self.note(f"gain, {name}", (*_statuses(rows), *drawn.problems))

    def _usable(self, model: str, name: str) -> bool:
        return (model, name) in self.found and all(each.slope.status == "ok" for each in self.found[model, name])

    def join(self, model: ModelMaterial, gain: str) -> None:
        """Draw the joint model of one model's choices and both sets of reports, or of the one that there is."""
        sets = [name for name in GAINS[gain] if (model.name, name) in self.found]
        groups = {SETS[name][0] for name in sets}
        if len(groups) > 1:
            why = "the joint model needs both sets of reports to be on the same weights"
            self.missing.setdefault(model.name, {})[f"joint model, {gain}"] = why
        if len(groups) != 1:
            return
        (group,) = groups
        key = (model.decided_by(group), group, *self._ids(model, sets))
        if key not in self.joined:
            self.joined[key] = self._joint(model, group, sets)
        estimates, problems = self.joined[key]
        rows = estimates.select(pl.lit(model.name).alias("model"), pl.all())
        # Two gains of a study half way may have the same side.
        if not any(rows.equals(other) for other in self.estimates):
            self.estimates.append(rows)
            self.note(f"{model.name}, joint model, {' and '.join(sets)}", problems)

    def _joint(self, model: ModelMaterial, group: str, sets: Sequence[str]) -> Joint:
        choices = model.choices[group]
        asked = pl.col("context").is_in(choices["context"].unique().to_list())
        reports = {name: self._reports(model, name).filter(asked) for name in sets}
        found = joint_posterior(choices, self.material.contexts, reports, how=self.how)
        if not len(found.contexts):
            return found.estimates, found.problems
        counts = pl.DataFrame(
            [
                {
                    "set": name,
                    "contexts": int((found.contexts[f"replies_{name}"] > 0).sum()),
                    "replies": found.contexts[f"replies_{name}"].sum(),
                    "out_of_range": found.contexts[f"out_of_range_{name}"].sum(),
                }
                for name in sets
            ]
        )
        return found.estimates.join(counts, on="set", how="left", maintain_order="left"), found.problems

    def result(self) -> Check:
        accuracies = pl.DataFrame(self.accuracies, schema=COMPARED)
        gains = pl.DataFrame(self.gains, schema=COMPARED)
        return Check(
            engine=self.engine,
            weights=pl.DataFrame(self.weights, schema=WEIGHTS),
            predictive=pl.concat([pl.DataFrame(schema=PREDICTIVE), *self.predictive]),
            sensitivity=pl.concat([pl.DataFrame(schema=SENSITIVITY), *self.sensitivity]),
            accuracies=accuracies,
            gains=gains,
            joint=pl.concat([pl.DataFrame(schema=JOINT), *self.estimates], how="diagonal") if self.joint else None,
            warnings=(*disagreements(accuracies), *disagreements(gains)),
            problems=tuple(self.problems),
            missing=self.missing,
            settings={
                "draws": self.how.draws,
                "seed": self.how.seed,
                "resamples": self.resamples,
                "version": __version__,
            },
        )


def _statuses(rows: Iterable[tuple[str, float | None, tuple[float, float] | None, str, Sequence[str]]]) -> list[str]:
    """Tell which methods have no estimate or no interval; Stan's own problems say it of Stan."""
    return [f"{method}: {status}" for method, _, _, status, _ in rows if status != "ok" and method != STAN]


def _drawn(posterior: AccuracyPosterior, quantity: str) -> Numbers:
    rows = posterior.estimates.filter(quantity=quantity)
    if not len(rows):
        return None, None, posterior.status, posterior.problems
    row = rows.row(0, named=True)
    return row["mean"], (row["hdi_low"], row["hdi_high"]), posterior.status, row["problems"]
