"""The joint model: choices and raw reports together, so that the accuracy is free of the error of estimating either."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from avowal.contexts import Context
from avowal.errors import InputError
from avowal.fit import fit
from avowal.stan.choices import check_positive, padding, trial_data
from avowal.stan.diagnostics import Diagnosis
from avowal.stan.draws import Draws
from avowal.stan.engines import Sampling, sample
from avowal.stan.gather import Gathered, gather, not_finite
from avowal.stan.program import program
from avowal.trials import by_name

Floats = NDArray[np.float64]

LATENT = "latent correlation"
"""Correlation of weights in log odds per full range with beliefs, over the population of contexts and attributes; each
agent's own shift and scale of reports are taken out. Scale: logit."""

EXPECTED = "accuracy without error"
"""Correlation of weights scaled to ±100 per context with the reports expected of each agent over endless replies,
standardised within each reporting model, over the very contexts that have replies in the set (for a gain, in both): the
paper's accuracy with no error of estimation. Scale: ±100."""

ESTIMATES = {
    "quantity": pl.String(),
    "scale": pl.String(),
    "set": pl.String(),
    "mean": pl.Float64(),
    "median": pl.Float64(),
    "sd": pl.Float64(),
    "hdi_low": pl.Float64(),
    "hdi_high": pl.Float64(),
    "problems": pl.List(pl.String),
}
"""Columns of estimates; `set` names both sets, joined by an arrow, for the gain of the second over the first."""

FEWEST = 3
"""Contexts that need valid replies in each set, and one of them two: fewer say nothing of a correlation or of noise."""


@dataclass(frozen=True, slots=True)
class JointPriors:
    """Priors of the joint model, all proper; reports are on the ±100 scale, weights in log odds per full range.

    Attributes
    ----------
    mu_sd
        Standard deviation of the normal prior on the weights' mean.
    log_tau_mean, log_tau_sd
        Mean and standard deviation of the normal prior on the logarithm of the weights' standard deviation: by default
        about 3 log odds, give or take a factor of 2.
    intercept_mean_sd, intercept_sd_scale
        Normal and half-normal prior on the mean and the standard deviation of the contexts' intercepts.
    shift_mean_sd, shift_sd_scale
        The same of the agents' shifts of reports.
    log_scale_mean, log_scale_mean_sd, log_scale_sd_scale
        Mean (normal, with centre and standard deviation) and standard deviation (half-normal) of the logarithm of the
        agents' scales.
    log_noise_mean, log_noise_sd
        Mean and standard deviation of the normal prior on the logarithm of the standard deviation of replies around
        what their agent would report on average: by default about 15, give or take a factor of 2.
    """

    mu_sd: float = 1.0
    log_tau_mean: float = 1.1
    log_tau_sd: float = 0.7
    intercept_mean_sd: float = 1.0
    intercept_sd_scale: float = 1.0
    shift_mean_sd: float = 30.0
    shift_sd_scale: float = 30.0
    log_scale_mean: float = 3.7
    log_scale_mean_sd: float = 0.7
    log_scale_sd_scale: float = 0.5
    log_noise_mean: float = 2.7
    log_noise_sd: float = 0.7

    def __post_init__(self) -> None:
        centres = ("log_tau_mean", "log_scale_mean", "log_noise_mean")
        check_positive(self, [name for name in asdict(self) if name not in centres])
        for name in centres:
            if not np.isfinite(getattr(self, name)):
                raise InputError.at("a finite number", getattr(self, name), field=name)


@dataclass(frozen=True, slots=True)
class JointPosterior:
    """Posterior of how well a model knows its weights.

    Attributes
    ----------
    status
        "ok", "too few reports", "no variation" or "not finite"; else the run's: "divergent", "not converged".
    message
        What the status speaks of; empty for "ok".
    estimates
        :data:`LATENT` and :data:`EXPECTED` for each set, and for two sets the gain: columns of :data:`ESTIMATES`.
        Without rows where nothing was drawn.
    contexts
        One row for each context: context, status ("ok", "no variation", "too few reports", or another of
        :data:`avowal.fit.STATUSES`), choices, and for each set ``replies_SET`` (used) and ``out_of_range_SET``. Every
        context counts, whatever its status: pooling gives it the influence that it has.
    sets
        Their names, in order.
    priors
        What was assumed.
    diagnosis, draws
        Of the run; None without one.
    """

    status: str
    message: str
    estimates: pl.DataFrame
    contexts: pl.DataFrame = field(repr=False)
    sets: tuple[str, ...]
    priors: JointPriors
    diagnosis: Diagnosis | None = field(repr=False)
    draws: Draws | None = field(repr=False)

    @property
    def problems(self) -> tuple[str, ...]:
        """What failed; empty where nothing did."""
        if self.diagnosis is None:
            return (f"{self.status}: {self.message}",)
        return self.diagnosis.problems

    def to_frame(self) -> pl.DataFrame:
        """Return the estimates."""
        return self.estimates


def joint_posterior(
    choices: pl.DataFrame,
    contexts: Iterable[Context],
    reports: Mapping[str, pl.DataFrame],
    *,
    limit: float | None = 100.0,
    priors: JointPriors | None = None,
    how: Sampling | None = None,
) -> JointPosterior:
    """Draw the latent correlation of one model's weights with its reports.

    Parameters
    ----------
    choices
        A table of :data:`avowal.tables.CHOICES`, all of one model.
    contexts
        The contexts that it names.
    reports
        One or two sets by name, such as before and after training: tables of :data:`avowal.tables.REPORTS`.
    limit
        Replies with a number beyond ±limit answer another question than the one asked; they are left out and counted.
        None keeps them.
    priors
        By default weakly informative.
    how
        Engine, chains, iterations, seed.

    Returns
    -------
    JointPosterior

    Raises
    ------
    InputError
        For several models, no or more than two sets, or reports on contexts without choices.
    EngineError
        Where no Stan engine works.
    """
    priors, named, sets = priors or JointPriors(), by_name(contexts), tuple(reports)
    if not 1 <= len(sets) <= 2:
        raise InputError.at("one or two sets of reports", list(sets), field="reports")
    broken = not_finite(choices, reports)
    if broken is not None:
        nothing = pl.DataFrame(schema=ESTIMATES)
        return JointPosterior("not finite", broken, nothing, pl.DataFrame(), sets, priors, None, None)
    fitted = fit(choices, named.values())
    if fitted.agents["model"].n_unique() != 1:
        raise InputError.at("the choices of one model", fitted.agents["model"].unique().to_list(), field="choices")
    parts = [trials for trials, _ in fitted.parts]
    names = [context for trials in parts for _, context in trials.keys]
    widths = [trials.differences.shape[1] for trials in parts for _ in trials.keys]
    gathered = gather(reports, names, widths, limit)
    table = _contexts(fitted.agents, gathered, sets)
    chosen = np.concatenate([trials.choices for trials in parts])
    obstacle = _obstacle(chosen, fitted.agents["valid"].to_numpy(), gathered, sets)
    if obstacle is not None:
        return JointPosterior(*obstacle, pl.DataFrame(schema=ESTIMATES), table, sets, priors, None, None)
    draws = sample(program("joint"), {**trial_data(parts), **gathered.data(), **asdict(priors)}, how)
    draws = draws.without(padding("w", widths, max(widths)))
    diagnosis = draws.diagnosis()
    estimates = _estimates(draws.summary(diagnosis), sets)
    return JointPosterior(
        diagnosis.status, "; ".join(diagnosis.problems), estimates, table, sets, priors, diagnosis, draws
    )


def _contexts(agents: pl.DataFrame, gathered: Gathered, sets: tuple[str, ...]) -> pl.DataFrame:
    few = np.asarray((gathered.replies < 2).any(axis=0))
    status = [
        "too few reports" if lacking and own in ("ok", "separated") else own
        for own, lacking in zip(agents["status"], few, strict=True)
    ]
    counts: dict[str, Any] = {}
    for s, name in enumerate(sets):
        counts[f"replies_{name}"] = gathered.replies[s]
        counts[f"out_of_range_{name}"] = gathered.out_of_range[s]
    return agents.select("context", pl.Series("status", status), pl.col("valid").alias("choices")).with_columns(
        pl.Series(name, values) for name, values in counts.items()
    )


def _obstacle(
    chosen: NDArray[np.uint8], valid: NDArray[np.int64], gathered: Gathered, sets: tuple[str, ...]
) -> tuple[str, str] | None:
    if not len(chosen) or (chosen == chosen[0]).all():
        return "no variation", "all choices are the same"
    decided = (gathered.replies > 0) & (valid > 0)
    for s, name in enumerate(sets):
        replies = gathered.replies[s]
        reported = int(decided[s].sum())
        if reported < FEWEST or replies.max() < 2:
            found = f"{reported} contexts with valid replies and choices, at most {replies.max()} replies in one"
            return "too few reports", f"{name}: {found}; at least {FEWEST} contexts are needed, one with two replies"
        if np.ptp(gathered.report[gathered.entry_replies(s) > 0, s]) == 0:
            return "no variation", f"{name}: every report is the same"
        if gathered.within_ss[s] == 0:
            return (
                "no variation",
                f"{name}: each context's replies are the same, which leaves no noise to estimate",
            )
    common = int(decided.all(axis=0).sum())
    if common < FEWEST:
        found = f"{common} contexts with valid replies in each of both sets"
        return "too few reports", f"{' and '.join(sets)}: {found}; at least {FEWEST} are needed"
    return None


def _estimates(summary: pl.DataFrame, sets: tuple[str, ...]) -> pl.DataFrame:
    found = {row["quantity"]: row for row in summary.iter_rows(named=True)}
    both = " → ".join(sets)
    rows = []
    for kind, scale, variable in ((LATENT, "logit", "rho"), (EXPECTED, "±100", "accuracy")):
        asked = [(f"{variable}[{s}]", kind, name) for s, name in enumerate(sets, 1)]
        if len(sets) == 2:
            asked.append((f"{variable}_gain[1]", f"gain in {kind}", both))
        for name, quantity, which in asked:
            numbers = {c: found[name][c] for c in list(ESTIMATES)[3:]}
            rows.append({"quantity": quantity, "scale": scale, "set": which, **numbers})
    return pl.DataFrame(rows, schema=ESTIMATES)
