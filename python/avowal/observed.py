"""Observed: the figures of real choices and reports, defined as those of simulated studies are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from avowal.accuracy import Accuracy, accuracy, difference, gain
from avowal.companions import report_reliability, sign_agreement, top_agreement, within
from avowal.correlation import pearson
from avowal.entries import average_reports
from avowal.fit import Fit, fit
from avowal.jackknife import Cell, jackknife
from avowal.published.read import Published, PublishedModel

Floats = NDArray[np.float64]

FILES = {
    "off_the_shelf": ("off_the_shelf",),
    "weight_trained": ("weight_trained",),
    "introspection_trained": ("introspection_first", "introspection_last"),
    "native_before": ("native_before",),
    "native_after": ("native_after",),
}
"""The report files of each set."""

LIMIT = 100.0


@dataclass(frozen=True, slots=True)
class Observed:
    """What was measured of one model.

    Attributes
    ----------
    model
        Its name.
    figures
        By the names of :data:`avowal.simulate.FIGURES`; what the tables don't hold is no key.
    errors
        Standard errors of some of the figures: from deleting one context at a time for correlations (on the scale of
        r), from the spread between contexts for shares.
    replies
        Replies as numbers, by set: one array of shape (valid replies, attributes) for each context planned, in order.
    planned
        Replies planned for each context.
    decisions
        By ``trained`` and ``native``: the most decisions that any agent made.
    cut_r
        By set, the correlation with replies cut to the scale from -100 to 100, to which simulated ones keep.
    """

    model: str
    figures: Mapping[str, float]
    errors: Mapping[str, float]
    replies: Mapping[str, tuple[Floats, ...]]
    planned: int
    decisions: Mapping[str, int]
    cut_r: Mapping[str, float]


def observe(data: Published, *, planned: int = 10) -> tuple[Observed, ...]:
    """Compute every figure that the tables allow.

    Parameters
    ----------
    data
        From :func:`avowal.published.read`, or put together from tables of one's own; with target weights, and with both
        groups of choices and all sets of reports for each model.
    planned
        Replies planned for each context and set.

    Returns
    -------
    tuple of Observed
        One for each model, in order; figures between models where there are exactly two.

    Raises
    ------
    KeyError
        Where a model lacks choices or reports.
    """
    fits = [
        {group: fit(model.choices[group], data.contexts) for group in ("learned", "native")} for model in data.models
    ]
    out = []
    for place, model in enumerate(data.models):
        other = 1 - place if len(data.models) == 2 else None
        out.append(
            _observe(data, model, fits[place], None if other is None else (data.models[other], fits[other]), planned)
        )
    return tuple(out)


def _observe(
    data: Published,
    model: PublishedModel,
    fits: Mapping[str, Fit],
    other: tuple[PublishedModel, Mapping[str, Fit]] | None,
    planned: int,
) -> Observed:
    figures: dict[str, float | None] = {}
    errors: dict[str, float | None] = {}
    _targets(data, fits["learned"], figures, errors)
    for group, fitted in fits.items():
        _group(group, fitted, figures)
        if other is not None:
            figures[f"{group}.between_models"] = _correlated(fitted.weights, other[1][group].weights, "weight")
    sets: dict[str, Accuracy] = {}
    replies, cut = {}, {}
    baseline = average_reports(model.reports["off_the_shelf"])
    for name, files in FILES.items():
        group = "native" if name.startswith("native") else "learned"
        reports = pl.concat([model.reports[file] for file in files])
        weights = fits[group].weights.select("context", "position", "weight")
        sets[name] = found = accuracy(weights, reports, replies=planned)
        names = list(dict.fromkeys(weights["context"].to_list()))
        replies[name] = _by_context(reports, names)
        _set(name, found, reports, replies[name], figures, errors)
        cut[name] = accuracy(weights, _cut(reports), replies=planned).r
        if group == "learned" and data.targets is not None:
            figures[f"{name}.r_target"] = _with(found, data.targets)
        if name in ("weight_trained", "introspection_trained"):
            figures[f"{name}.baseline_r"] = _correlated(average_reports(reports), baseline, "report")
        if other is not None:
            figures[f"{name}.crossed_r"] = _with(found, other[1][group].weights)
            theirs = pl.concat([other[0].reports[file] for file in files])
            figures[f"{name}.between_models"] = _correlated(average_reports(reports), average_reports(theirs), "report")
    for contrast, (before, after) in {
        "gain_instilled": ("weight_trained", "introspection_trained"),
        "gain_native": ("native_before", "native_after"),
        "over_baseline": ("off_the_shelf", "weight_trained"),
    }.items():
        figures[f"{contrast}.slope"] = gain([sets[before]], [sets[after]], [model.name]).contrast.estimate
        figures[f"{contrast}.r"] = difference(sets[after], sets[before])[0].estimate
    return Observed(
        model.name,
        {name: value for name, value in figures.items() if value is not None},
        {name: value for name, value in errors.items() if value is not None},
        replies,
        planned,
        {
            "trained": _decisions(fits["learned"]),
            "native": _decisions(fits["native"]),
        },
        {name: r for name, r in cut.items() if r is not None},
    )


def _targets(data: Published, fitted: Fit, figures: dict[str, float | None], errors: dict[str, float | None]) -> None:
    if data.targets is None:
        return
    both = fitted.weights.drop_nulls("weight").join(data.targets, on=["context", "position"], suffix="_target")
    weights, targets = both["weight"].to_numpy(), both["weight_target"].to_numpy()
    figures["learned_target.r"] = pearson(weights, targets).r
    errors["learned_target.r"] = _error(Cell(weights, targets, both["context"].to_numpy(), None))
    named = {str(c): w.to_numpy() for (c,), w in _vectors(data.targets)}
    shares = []
    for trials, _ in fitted.parts:
        for agent, (_, name) in enumerate(trials.keys):
            rows = slice(int(trials.offsets[agent]), int(trials.offsets[agent + 1]))
            prescribed = trials.differences[rows] @ named[name] > 0
            shares.append(float((prescribed == (trials.choices[rows] == 1)).mean()))
    figures["learned.agreement"] = float(np.mean(shares))
    errors["learned.agreement"] = float(np.std(shares, ddof=1) / np.sqrt(len(shares)))


def _vectors(weights: pl.DataFrame) -> list[tuple[tuple[object, ...], pl.Series]]:
    groups = weights.sort("position").group_by("context", maintain_order=True)
    return [(key, rows["weight"]) for key, rows in groups]


def _group(group: str, fitted: Fit, figures: dict[str, float | None]) -> None:
    agents, weights = fitted.agents, fitted.weights.drop_nulls("weight")
    scaled = [result.slopes[~np.isnan(result.scaled).any(axis=1)] for _, result in fitted.parts]
    lengths = np.concatenate([np.log(np.linalg.norm(slopes, axis=1)) for slopes in scaled])
    figures |= {
        f"{group}.fitted": float(weights["context"].n_unique()),
        f"{group}.fit_accuracy": _share(agents, "accuracy"),
        f"{group}.fit_accuracy_slopes": _share(agents, "accuracy_slopes_only"),
        f"{group}.extremes": float((np.abs(np.round(weights["weight"].to_numpy())) >= LIMIT).mean()),
        f"{group}.log_length": float(lengths.mean()),
        f"{group}.log_length_sd": float(lengths.std(ddof=1)),
        f"{group}.intercept": float(agents["intercept"].to_numpy().mean()),
        f"{group}.intercept_sd": float(agents["intercept"].to_numpy().std(ddof=1)),
    }


def _share(agents: pl.DataFrame, name: str) -> float:
    known = agents.drop_nulls(name)
    return float(np.average(known[name].to_numpy(), weights=known["valid"].to_numpy()))


def _set(
    name: str,
    found: Accuracy,
    reports: pl.DataFrame,
    replies: tuple[Floats, ...],
    figures: dict[str, float | None],
    errors: dict[str, float | None],
) -> None:
    entries = found.entries
    inside = entries.where(np.abs(np.round(entries.weights)) < LIMIT)
    correlations = within(entries)
    numbers = np.concatenate([each for each in replies if len(each)])
    # Simulated replies keep to the scale, so what is said of the reports' size is said of real ones cut to it.
    cut = [np.clip(each, -LIMIT, LIMIT) for each in replies if len(each)]
    averaged = np.array([each.mean(axis=0) for each in cut])
    spread = averaged.std(axis=1)
    ours: dict[str, float | None] = {
        "slope": found.slope.estimate,
        "r": found.r,
        "contexts_lost": float(found.context_account.lost),
        "replies_valid": float(found.replies.valid),
        "r_without_extremes": pearson(inside.weights, inside.reports, groups=inside.groups).r,
        "r_within": float(np.mean(correlations)) if correlations else None,
        "sign_agreement": sign_agreement(entries),
        "top_agreement": top_agreement(entries),
        "extremes": float((np.abs(numbers) == LIMIT).mean()),
        "full_replies": float((np.abs(numbers).max(axis=1) == LIMIT).mean()),
        "reliability": report_reliability(_cut(reports).filter(pl.col("report").is_not_null())),
        "report_mean": float(averaged.mean()),
        "report_mean_sd": float(averaged.mean(axis=1).std(ddof=1)),
        "report_spread": float(np.sqrt((spread**2).mean())),
        "report_spread_log_sd": float(np.log1p(spread).std(ddof=1)),
    }
    figures |= {f"{name}.{key}": value for key, value in ours.items()}
    errors[f"{name}.r"] = _error(entries.cell())
    errors[f"{name}.slope"] = errors[f"{name}.r"]


def _decisions(fitted: Fit) -> int:
    return int(fitted.agents["valid"].to_numpy().max())


def _cut(reports: pl.DataFrame) -> pl.DataFrame:
    return reports.with_columns(pl.col("report").list.eval(pl.element().clip(-LIMIT, LIMIT)))


def _by_context(reports: pl.DataFrame, names: list[str]) -> tuple[Floats, ...]:
    valid = reports.filter(pl.col("report").is_not_null())
    held = {str(c): np.array(rows["report"].to_list()) for (c,), rows in valid.group_by("context", maintain_order=True)}
    width = next(iter(held.values())).shape[1] if held else 0
    return tuple(held.get(name, np.empty((0, width))) for name in names)


def _with(found: Accuracy, weights: pl.DataFrame) -> float | None:
    """Correlate the reports with other weights of the same attributes."""
    table = {(c, p): w for c, p, w in weights.select("context", "position", "weight").drop_nulls().iter_rows()}
    entries = found.entries
    keys = list(zip(entries.contexts.tolist(), entries.positions.tolist(), strict=True))
    known = np.array([key in table for key in keys])
    numbers = np.array([table[key] for key in keys if key in table])
    return pearson(numbers, entries.reports[known], groups=entries.groups[known]).r


def _correlated(one: pl.DataFrame, other: pl.DataFrame, column: str) -> float | None:
    both = one.join(other.select("context", "position", column), on=["context", "position"], suffix="_other")
    both = both.drop_nulls([column, f"{column}_other"])
    return pearson(both[column].to_numpy(), both[f"{column}_other"].to_numpy()).r


def _error(cell: Cell) -> float | None:
    found = jackknife([cell]).cells[0]
    return None if found.r is None or found.z_se is None else (1 - found.r**2) * found.z_se
