"""The intervals exclude what they should as often as they say; run in full, the tables of docs/soundness.md."""

from math import sqrt
from statistics import NormalDist

import numpy as np
import polars as pl
import pytest
from scipy.integrate import quad
from scipy.special import gammaln, hyp2f1

from avowal.laws import Entries, accuracy_intervals, fisher_power
from avowal.simulate import Settings
from avowal.soundness import (
    CLUSTER_CASES,
    GAIN_CASES,
    POWER_CASES,
    SILENT,
    SIZE_STUDIES,
    clustering,
    gains,
    markdown,
    power,
    size,
    study_gains,
    study_power,
)

FULL = 20_000
LARGE = [law for law in GAIN_CASES if law.contexts == 100]


def noise(share: float, replicates: int) -> float:
    """Four Monte-Carlo standard errors: one comparison in 16,000 is further off by chance."""
    return 4 * sqrt(share * (1 - share) / replicates)


def check_size(found: pl.DataFrame, replicates: int, off: float) -> None:
    """Two-sided sizes and tails, `off` being how far the measured sizes of the page are from nominal."""
    for row in found.iter_rows(named=True):
        assert abs(row["cluster"] - 0.05) < off + noise(0.05, replicates), row
        for tail in ("below", "above"):
            assert abs(row[f"cluster {tail}"] - 0.025) < off + noise(0.025, replicates), row
            assert abs(row[f"slope {tail}"] - 0.025) < off + noise(0.025, replicates), row
        assert row["without"] == 0, row


def inflation(law: Entries) -> float:
    """Return the variance of a correlation of 0 relative to that from independent entries."""
    shares = [-1 / (law.attributes - 1) if icc == -1.0 else icc for icc in (law.weights_icc, law.reports_icc)]
    return 1 + (law.attributes - 1) * shares[0] * shares[1]


def check_clustering(cases: list[Entries], replicates: int) -> None:
    for law, row in zip(cases, clustering(replicates, 3, cases).iter_rows(named=True), strict=True):
        assert abs(row["cluster"] - 0.05) < 0.01 + noise(0.05, replicates), row
        if not law.scale_sd:
            plain = 2 * NormalDist().cdf(-1.96 / sqrt(inflation(law)))
            assert abs(row["fisher"] - plain) < 0.01 + noise(plain, replicates), row


def check_gains(found: pl.DataFrame, replicates: int) -> None:
    for row in found.iter_rows(named=True):
        assert 0.92 - noise(0.05, replicates) <= row["covers"] <= 0.96 + noise(0.05, replicates), row


def exact_power(rho: float, n: int) -> float:
    """Power of Fisher's interval from the exact density of r (Hotelling 1953, JRSS B 15:2)."""
    constant = np.log(n - 2) + gammaln(n - 1) - 0.5 * np.log(2 * np.pi) - gammaln(n - 0.5)

    def density(r: float) -> float:
        logs = 0.5 * (n - 1) * np.log1p(-rho * rho) + 0.5 * (n - 4) * np.log1p(-r * r) - (n - 1.5) * np.log1p(-rho * r)
        return float(np.exp(constant + logs) * hyp2f1(0.5, 0.5, n - 0.5, (1 + rho * r) / 2))

    critical = np.tanh(NormalDist().inv_cdf(0.975) / sqrt(n - 3))
    assert quad(density, -1, 1, points=[rho])[0] == pytest.approx(1, abs=1e-8)
    return quad(density, critical, 1, points=[rho])[0] + quad(density, -1, -critical)[0]


@pytest.mark.parametrize(("rho", "n"), [(0.4, 50), (0.3, 100), (0.2, 200), (0.1, 500)])
def test_the_formula_is_the_exact_power(rho: float, n: int) -> None:
    assert fisher_power(rho, n) == pytest.approx(exact_power(rho, n), abs=0.01)
    assert fisher_power(rho, n, corrected=True) == pytest.approx(exact_power(rho, n), abs=0.003)


def test_silent_reports_are_found_true_as_seldom_as_they_should() -> None:
    studies = {name: SIZE_STUDIES[name] for name in ("20 agents",)}
    check_size(size(4000, 2, studies), 4000, 0.012)


def test_the_power_of_a_plain_correlation() -> None:
    cases = [Entries(100, 1, 0.3), Entries(50, 5, 0.15)]
    for row in power(2000, 2, cases).iter_rows(named=True):
        for kind in ("slope", "fisher"):
            assert abs(row[kind] - row["with bias"]) < 0.01 + noise(row["formula"], 2000), row
        assert abs(row["cluster"] - row["with df"]) < 0.03 + noise(row["formula"], 2000), row


def test_clusters_keep_the_size() -> None:
    check_clustering([law for law in CLUSTER_CASES if law.contexts == 100], 2000)


def test_gains_are_covered() -> None:
    check_gains(gains(1000, 2, LARGE[:4]), 1000)
    check_gains(study_gains(300, 2, [(0.79, 0.79)]), 300)


def test_whole_studies_have_the_power_of_their_entries() -> None:
    for row in study_power(500, 2, [0.15]).iter_rows(named=True):
        assert abs(row["slope"] - row["formula, 500 entries"]) < 0.01 + noise(row["slope"], 500), row


def test_the_same_seed_gives_the_same_intervals() -> None:
    law = Entries(20, 3, 0.3, 0.2, 0.4)
    one, same, other = (accuracy_intervals(law, 410, seed)["cluster"].low for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.any(one == other)


def test_laws_are_what_they_say() -> None:
    law = Entries(3000, 5, 0.4, weights_icc=0.3, reports_icc=-1.0, kept=0.6, rho_after=0.7)
    weights, before, after = (part.reshape(-1, 5) for part in next(law.draw(1, 5)))
    assert np.corrcoef(weights.ravel(), before.ravel())[0, 1] == pytest.approx(0.4, abs=0.03)
    assert np.corrcoef(weights.ravel(), after.ravel())[0, 1] == pytest.approx(0.7, abs=0.03)
    assert np.corrcoef(weights[:, 0], weights[:, 1])[0, 1] == pytest.approx(0.3, abs=0.06)
    assert (before - 0.4 * weights).sum(axis=1) == pytest.approx(0, abs=1e-9)
    assert [part.std() for part in (weights, before, after)] == pytest.approx([1, 1, 1], abs=0.03)


@pytest.mark.parametrize("kept", [0.0, 0.5])
def test_contexts_have_their_share_of_errors_before_and_after_training(kept: float) -> None:
    law = Entries(8000, 5, 0.5, weights_icc=0.2, reports_icc=0.2, kept=kept, rho_after=0.75)
    weights, before, after = (part.reshape(-1, 5) for part in next(law.draw(1, 7)))
    errors = [(reports - rho * weights) / sqrt(1 - rho**2) for rho, reports in ((0.5, before), (0.75, after))]
    for part in (weights, *errors):
        # Pairs of attributes of one context, ten of them: the mean of their correlations is the share.
        assert np.corrcoef(part.T)[np.triu_indices(5, 1)].mean() == pytest.approx(0.2, abs=0.03)
        assert part.std() == pytest.approx(1, abs=0.02)
    assert np.corrcoef(errors[0].ravel(), errors[1].ravel())[0, 1] == pytest.approx(kept, abs=0.03)


def test_tables_show_shares_with_their_errors() -> None:
    table = pl.DataFrame({"contexts": [5], "rho": [0.25], "cluster": [0.5], "below": [0.25], "df": [17.4]})
    assert markdown(table, 100).splitlines()[-1] == "| 5 | 0.25 | 0.5000 ± 0.0500 | 0.2500 | 17 |"


@pytest.mark.heavy
def test_size_in_full() -> None:
    check_size(size(FULL, 1, {"100 agents": Settings().but(SILENT)}), FULL, 0.003)


@pytest.mark.slow
def test_power_in_full() -> None:
    for row in power(FULL, 1, POWER_CASES).iter_rows(named=True):
        for kind in ("slope", "fisher"):
            assert abs(row[kind] - row["with bias"]) < 0.01, row


@pytest.mark.slow
def test_clusters_in_full() -> None:
    check_clustering(list(CLUSTER_CASES), FULL)


@pytest.mark.heavy
def test_gains_in_full() -> None:
    check_gains(gains(FULL, 1, LARGE), FULL)
    check_gains(study_gains(FULL // 4, 1), FULL // 4)
