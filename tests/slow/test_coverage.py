"""The intervals cover as often as they say, over simulated studies of 100 contexts with 5 attributes.

Each context has a scale (lognormal) and a shift of its own in its reports and a shift in its weights; weights are then
scaled within the context so that the largest is 100 in size. The truth is the same correlation over 1,000,000 contexts.
The spread of scales, .3, lies above that of the authors' reports (standard deviation over contexts of the log of the
standard deviation within: .22 to .48; the simulation's is .50, and .40 without any scales).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from avowal.jackknife import Cell, combination, context_bootstrap, jackknife

pytestmark = pytest.mark.slow

CONTEXTS, ATTRIBUTES, SHIFT = 100, 5, 0.3
IDS = np.repeat(np.arange(CONTEXTS), ATTRIBUTES)
STUDIES = 20_000
# Latent correlations that give accuracies of 0, .5 and .75 under scales of spread .3.
ZERO, HALF, HIGH = 0.0, 0.562, 0.858


def draw(
    rng: np.random.Generator, contexts: int, latent: Sequence[float], spread: float
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Draw weights, and reports before and after training that share each context's scale and shift."""

    def shift() -> np.ndarray:
        return SHIFT * rng.normal(size=(contexts, 1))

    raw = rng.normal(size=(contexts, ATTRIBUTES)) + shift()
    scale, moved = rng.lognormal(sigma=spread, size=(contexts, 1)), shift()
    reports = [scale * (c * raw + np.sqrt(1 - c**2) * rng.normal(size=raw.shape) + moved) for c in latent]
    weights = 100 * raw / np.abs(raw).max(axis=1, keepdims=True)
    return weights.ravel(), [r.ravel() for r in reports]


def truth(latent: Sequence[float], spread: float) -> np.ndarray:
    found = []
    for seed in range(5):
        weights, reports = draw(np.random.default_rng(10_000 + seed), 200_000, latent, spread)
        found.append([np.corrcoef(weights, r)[0, 1] for r in reports])
    return np.mean(found, axis=0)


def studies(latent: Sequence[float], count: int, spread: float = 0.3, seed: int = 1):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        weights, reports = draw(rng, CONTEXTS, latent, spread)
        yield [Cell(weights, r, IDS) for r in reports]


@pytest.mark.parametrize(
    ("latent", "accuracy", "least"),
    [(ZERO, 0, 0.94), (HALF, 0.5, 0.92), (HIGH, 0.75, 0.92)],
    ids=["zero", "half", "high"],
)
def test_interval_of_an_accuracy(latent: float, accuracy: float, least: float) -> None:
    (r,) = truth([latent], 0.3)
    assert r == pytest.approx(accuracy, abs=0.005)
    intervals = [jackknife(cells).cells[0] for cells in studies([latent], STUDIES)]
    covered = np.mean([i.low <= r <= i.high for i in intervals])
    print(f"accuracy {r:.3f}: jackknife covers {covered:.4f}")
    assert least <= covered <= 0.96


@pytest.mark.parametrize("latent", [(HALF, HIGH), (ZERO, HALF), (HALF, HALF)], ids=["training", "from zero", "no gain"])
def test_interval_of_a_gain(latent: tuple[float, float]) -> None:
    before, after = truth(latent, 0.3)
    gain, z_gain = after - before, np.arctanh(after) - np.arctanh(before)
    found = [combination(cells, [-1, 1]) for cells in studies(latent, STUDIES // 2)]
    covered = np.mean([f.low <= gain <= f.high for f in found])
    z_covered = np.mean([f.z_low <= z_gain <= f.z_high for f in found])
    print(f"gain {before:.3f} to {after:.3f}: MOVER covers {covered:.4f}, the z scale {z_covered:.4f}")
    assert 0.94 <= covered <= 0.96
    assert 0.92 <= z_covered <= 0.96


def test_bootstrap_of_contexts_covers_less_than_the_jackknife() -> None:
    (r,) = truth([HIGH], 0.3)
    percentile, bca, ours = [], [], []
    for seed, cells in enumerate(studies([HIGH], 5000)):
        drawn = context_bootstrap(cells[0], replicates=1000, seed=seed, threads=1)
        percentile.append(drawn.percentile.low <= r <= drawn.percentile.high)
        bca.append(drawn.bca.low <= r <= drawn.bca.high)
        interval = jackknife(cells).cells[0]
        ours.append(interval.low <= r <= interval.high)
    shares = [np.mean(hits) for hits in (percentile, bca, ours)]
    print("bootstrap covers {:.4f} (percentile), {:.4f} (BCa); jackknife {:.4f}".format(*shares))
    assert min(shares[:2]) >= 0.91
    assert max(shares[:2]) < shares[2]


def test_wild_scales_and_high_accuracy_cost_little() -> None:
    """Scales of spread .5 are beyond the authors' reports; uncorrected, the jackknife would cover .906 here."""
    (r,) = truth([0.935], 0.5)
    assert r == pytest.approx(0.75, abs=0.005)
    intervals = [jackknife(cells).cells[0] for cells in studies([0.935], STUDIES // 2, spread=0.5)]
    covered = np.mean([i.low <= r <= i.high for i in intervals])
    print(f"accuracy {r:.3f}, scales of spread .5: jackknife covers {covered:.4f}")
    assert 0.92 <= covered <= 0.96
