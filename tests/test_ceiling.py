"""The ceiling lies in (0, 1], rises to 1 with trials, and is what plain draws from the same normals give."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from frames import context

from avowal import agents, contexts, design
from avowal.bootstrap import agent_units, laplace_draws
from avowal.ceiling import ceiling, corrected, split_half
from avowal.errors import InputError
from avowal.fit import Fit, fit

KNOWN = [context(f"c{i}", 2 + i % 4) for i in range(24)]
NAMES = [each.name for each in KNOWN]


def fitted(trials: int, seed: int = 1, temperature: float = 6.0) -> Fit:
    targets = agents.targets(KNOWN, seed=seed)
    pairs = design.pairs(KNOWN, trials, seed=seed)
    return fit(agents.choose(pairs, KNOWN, targets, rule=agents.Logistic(temperature), seed=seed), KNOWN)


def test_more_trials_raise_the_ceiling_to_one() -> None:
    tops = [ceiling(fitted(n), NAMES, draws=200) for n in (10, 60, 300, 1500)]
    assert tops == sorted(tops)
    assert 0 < tops[0] < 0.9
    assert 0.995 < tops[-1] <= 1


@pytest.mark.parametrize("seed", range(6))
def test_the_ceiling_is_a_positive_share(seed: int) -> None:
    assert 0 < ceiling(fitted(5 + 7 * seed, seed, temperature=1.0 + seed), NAMES, draws=100, seed=seed) <= 1


def test_the_ceiling_is_the_mean_correlation_of_scaled_draws() -> None:
    result = fitted(30)
    points, drawn = [], []
    for trials, part in result.parts:
        slopes = laplace_draws(part, 50, seed=7, units=agent_units(trials))
        for agent in range(len(trials.keys)):
            points += part.scaled[agent].tolist()
            drawn += [[100 * d[k] / max(abs(d)) for d in slopes[agent]] for k in range(slopes.shape[2])]
    expected = np.mean([np.corrcoef(points, column)[0, 1] for column in np.array(drawn).T])
    assert ceiling(result, NAMES, draws=50, seed=7) == pytest.approx(expected, rel=1e-12)


def test_the_ceiling_is_near_that_of_plain_draws() -> None:
    result, rng = fitted(40), np.random.default_rng(0)
    points, columns = [], []
    for _, part in result.parts:
        for agent, mean in enumerate(part.slopes):
            k = len(mean)
            draws = rng.multivariate_normal(mean, part.covariance[agent, :k, :k], size=1000)
            columns.append(draws / abs(draws).max(axis=1, keepdims=True))
            points.append(part.scaled[agent])
    table, point = np.concatenate(columns, axis=1), np.concatenate(points)
    expected = np.mean([np.corrcoef(row, point)[0, 1] for row in table])
    assert ceiling(result, NAMES, draws=1000) == pytest.approx(expected, abs=0.004)


def test_seeds_and_contexts_count_and_threads_do_not() -> None:
    result = fitted(30)
    assert ceiling(result, NAMES, seed=1, threads=1) == ceiling(result, NAMES, seed=1, threads=2)
    assert ceiling(result, NAMES, seed=1) != ceiling(result, NAMES, seed=2)
    assert ceiling(result, NAMES[::-1], seed=1) == ceiling(result, NAMES, seed=1)
    assert ceiling(result, NAMES[:6], seed=1) != ceiling(result, NAMES, seed=1)
    alone = fit(choices_of(NAMES[:6]), KNOWN)
    assert ceiling(alone, NAMES[:6], seed=1) == pytest.approx(ceiling(result, NAMES[:6], seed=1), rel=1e-12)


def choices_of(names: list[str]) -> pl.DataFrame:
    targets, pairs = agents.targets(KNOWN, seed=1), design.pairs(KNOWN, 30, seed=1)
    chosen = agents.choose(pairs, KNOWN, targets, rule=agents.Logistic(6.0), seed=1)
    return chosen.filter(pl.col("context").is_in(names))


def test_without_estimates_there_is_no_ceiling() -> None:
    constant = choices_of(NAMES).with_columns(pl.lit("A").alias("choice"))
    result = fit(constant, KNOWN)
    assert ceiling(result, NAMES) is None
    assert split_half(result) is None
    assert ceiling(fitted(30), []) is None
    assert ceiling(fitted(30), ["c0"]) is None
    with pytest.raises(InputError, match="draws: expected at least 1, found 0"):
        ceiling(fitted(30), NAMES, draws=0)


def test_split_halves_are_odd_and_even_trials() -> None:
    result, chosen = fitted(30), choices_of(NAMES)
    halves = [fit(chosen.filter(pl.col("trial") % 2 == side), KNOWN).weights for side in (0, 1)]
    pair = halves[0].join(halves[1], on=["context", "position"]).drop_nulls(["weight", "weight_right"])
    both = pair.filter(
        pl.len().over("context")
        == pl.col("context").replace_strict({each.name: len(each.attributes) for each in KNOWN})
    )
    r = np.corrcoef(both["weight"], both["weight_right"])[0, 1]
    assert split_half(result) == pytest.approx(2 * r / (1 + r), rel=1e-9)
    assert split_half(fitted(1000)) > 0.98


def test_correction_divides_where_it_can() -> None:
    assert corrected(0.6, 0.8) == pytest.approx(0.75)
    assert corrected(-0.6, 0.8) == pytest.approx(-0.75)
    assert corrected(None, 0.8) is corrected(0.6, None) is corrected(0.6, 0.0) is corrected(0.6, -0.1) is None


def test_a_contexts_agents_share_the_builtin_contexts() -> None:
    known = contexts.builtin()
    chosen = agents.choose(
        design.pairs(known, 20, seed=3), known, agents.targets(known, seed=3), rule=agents.Deterministic(), seed=3
    )
    assert 0 < ceiling(fit(chosen, known), [each.name for each in known]) < 1
