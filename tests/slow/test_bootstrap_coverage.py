"""How often the trial bootstrap's intervals hold the true weights.

Under maximum likelihood as often as they say. Under the posterior mode slopes are held ever less as weights grow, for
no resampling sees its shrinkage; scaled weights, from which most of it cancels, nearly as often as they say.
`pytest -m slow -s` prints the figures that the documentation quotes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from avowal.bootstrap import bootstrap_ragged
from avowal.trials import Trials

pytestmark = pytest.mark.slow

ATTRIBUTES = 5


def simulate(strength: float, agents: int, trials: int, seed: int) -> tuple[Trials, np.ndarray]:
    """Agents with weights uniform up to `strength` logits per range, scaled so that the largest is `strength`."""
    draw = np.random.default_rng([seed, trials, int(strength)])
    weights = draw.uniform(-1, 1, (agents, ATTRIBUTES))
    weights *= strength / np.abs(weights).max(axis=1, keepdims=True)
    x = draw.uniform(size=(agents, trials, ATTRIBUTES)) - draw.uniform(size=(agents, trials, ATTRIBUTES))
    eta = np.einsum("atk,ak->at", x, weights)
    y = draw.uniform(size=eta.shape) < 1 / (1 + np.exp(-eta))
    offsets = np.arange(agents + 1, dtype=np.uint64) * np.uint64(trials)
    keys = tuple(("m", str(i)) for i in range(agents))
    return Trials(keys, x.reshape(-1, ATTRIBUTES), y.astype(np.uint8).ravel(), offsets, ()), weights


def shares(data: Trials, weights: np.ndarray, resamples: int, **options: Any) -> tuple[float, float]:
    """Coverage of the 95% percentile intervals of slopes, and of scaled weights from the same resamples."""
    found = bootstrap_ragged(
        data, resamples=resamples, seed=1, level=0.95, scaled=False, method="percentile", keep_draws=True, **options
    )
    assert found.undefined.sum() == 0
    slopes = slice(0, ATTRIBUTES)
    raw = (found.lower[:, slopes] <= weights) & (weights <= found.upper[:, slopes])
    draws = np.stack(found.draws)[:, :, slopes]
    scaled = 100 * draws / np.abs(draws).max(axis=2, keepdims=True)
    low, high = np.quantile(scaled, [0.025, 0.975], axis=1)
    target = 100 * weights / np.abs(weights).max(axis=1, keepdims=True)
    inner = np.abs(target) < 100  # The largest is 100 by definition, at the edge of what a draw can be.
    return float(raw.mean()), float(((low <= target) & (target <= high))[inner].mean())


@pytest.mark.parametrize(("method", "agents", "resamples"), [("percentile", 150, 400), ("bca", 100, 400)])
def test_intervals_of_maximum_likelihood_hold_what_they_say(method: str, agents: int, resamples: int) -> None:
    data, weights = simulate(1.0, agents, 500, seed=2)
    found = bootstrap_ragged(data, resamples=resamples, seed=1, scaled=False, estimator="ml", method=method)
    assert (found.status == "ok").all()
    held = (found.lower[:, :ATTRIBUTES] <= weights) & (weights <= found.upper[:, :ATTRIBUTES])
    # Agents are independent and their entries nearly: the error of the share is what agents tell.
    error = held.mean(axis=1).std(ddof=1) / np.sqrt(agents)
    print(f"maximum likelihood, 500 trials, largest weight 1, {method}: {held.mean():.3f} +- {error:.3f}")
    assert error < 0.013
    assert 0.93 < held.mean() < 0.97


# Largest weight in logits, trials, and between what shares slopes and scaled weights are covered.
FIGURES = [
    (1.0, 50, (0.86, 0.95), (0.86, 0.98)),
    (1.0, 500, (0.91, 0.97), (0.86, 0.98)),
    (3.0, 50, (0.3, 0.5), (0.86, 0.98)),
    (3.0, 500, (0.72, 0.88), (0.86, 0.98)),
    (10.0, 50, (0.02, 0.15), (0.86, 0.98)),
    (10.0, 500, (0.02, 0.15), (0.86, 0.98)),
]


@pytest.mark.parametrize(("strength", "trials", "slopes", "scaled"), FIGURES)
def test_shrinkage_spoils_the_intervals_of_strong_weights(
    strength: float, trials: int, slopes: tuple[float, float], scaled: tuple[float, float]
) -> None:
    data, weights = simulate(strength, 200, trials, seed=2)
    found = shares(data, weights, 400, estimator="map")
    print(f"posterior mode, {trials} trials, largest weight {strength:g}: slopes {found[0]:.3f}, scaled {found[1]:.3f}")
    for share, (least, most) in zip(found, (slopes, scaled), strict=True):
        assert least < share < most
