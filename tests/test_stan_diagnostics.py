"""Diagnostics agree with ArviZ and react to what they are there to find."""

import warnings
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avowal.stan.diagnostics import Diagnosis, diagnose, ebfmi, mcse_mean, rank_statistics

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)
    # Its first import of a day writes a file, which another worker may be writing as well.
    with suppress(FileNotFoundError):
        pytest.importorskip("arviz", exc_type=ImportError)
    arviz = pytest.importorskip("arviz", exc_type=ImportError)


def chains(kind: str, count: int, draws: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(count, draws))
    if kind == "ties":
        return rng.integers(0, 4, size=(count, draws)).astype(float)
    if kind == "heavy":
        return rng.standard_cauchy((count, draws))
    if kind == "apart":
        return noise + np.arange(count)[:, None]
    phi, out = float(kind), noise.copy()
    for t in range(1, draws):
        out[:, t] = phi * out[:, t - 1] + noise[:, t]
    return out


KINDS = ("0", "0.5", "0.9", "0.99", "-0.5", "-0.9", "ties", "heavy", "apart")


@pytest.mark.parametrize(("count", "draws"), [(4, 1000), (4, 999), (2, 60), (3, 51)])
def test_agrees_with_arviz(count: int, draws: int) -> None:
    values = np.stack([chains(kind, count, draws, seed) for seed, kind in enumerate(KINDS)], axis=2)
    rhat, bulk, tail = rank_statistics(values)
    error = mcse_mean(values)
    for i in range(len(KINDS)):
        one = values[:, :, i]
        assert rhat[i] == pytest.approx(float(arviz.rhat(one)), rel=1e-12)
        assert bulk[i] == pytest.approx(float(arviz.ess(one, method="bulk")), rel=1e-10)
        assert tail[i] == pytest.approx(float(arviz.ess(one, method="tail", prob=(0.05, 0.95))), rel=1e-10)
        assert error[i] == pytest.approx(float(arviz.mcse(one, method="mean")), rel=1e-10)


def test_ebfmi_agrees_with_arviz() -> None:
    energy = chains("0.7", 4, 500, 3)
    posterior = {"x": energy}
    if int(arviz.__version__.split(".")[0]) >= 1:
        found = arviz.bfmi(arviz.from_dict({"posterior": posterior, "sample_stats": {"energy": energy}}))["energy"]
    else:
        found = arviz.bfmi(arviz.from_dict(posterior=posterior, sample_stats={"energy": energy}))
    # ArviZ divides by the draws in one place and by the differences in the other.
    np.testing.assert_allclose(ebfmi(energy), np.asarray(found) * 499 / 500, rtol=0.003)


@given(st.integers(0, 10**6), st.sampled_from([np.exp, np.arctan, lambda v: -v]))
def test_ranks_alone_count(seed: int, transform: object) -> None:
    """The bulk effective sample size rests on ranks: it doesn't change under monotone transformations or reflection."""
    values = chains("0.5", 4, 100, seed)[:, :, None]
    bulk = rank_statistics(values)[1]
    np.testing.assert_allclose(rank_statistics(transform(values))[1], bulk, rtol=1e-9)


def found(values: np.ndarray, *, divergent: int = 0, depth: int = 4) -> Diagnosis:
    shape = values.shape[:2]
    marks = np.zeros(shape)
    marks.ravel()[:divergent] = 1
    energy = np.random.default_rng(1).normal(size=shape)
    names = tuple(f"x[{i + 1}]" for i in range(values.shape[2]))
    return diagnose(names, values, divergent=marks, depth=np.full(shape, depth), energy=energy, max_depth=10)


def test_good_draws_have_no_problem() -> None:
    good = found(np.random.default_rng(1).normal(size=(4, 1000, 2)))
    assert (good.status, good.problems, good.of("x[1]")) == ("ok", (), ())


def test_each_failure_is_named_beside_what_it_spoils() -> None:
    values = np.random.default_rng(1).normal(size=(4, 1000, 2))
    values[0, :, 1] += 1
    apart = found(values)
    assert apart.status == "not converged"
    assert apart.of("x[1]") == ()
    assert any("R-hat" in text for text in apart.of("x[2]"))
    assert any("x[2]" in text for text in apart.problems)
    assert found(values, divergent=3).of("x[1]") == ("divergent: 3 of 4000 transitions",)
    assert found(values, divergent=3).status == "divergent"
    assert "tree depth" in found(values, depth=10).of("x[1]")[0]


def test_draws_that_are_not_finite_are_a_status() -> None:
    values = np.random.default_rng(1).normal(size=(4, 100, 2))
    values[0, 3, 1] = np.nan
    broken = found(values)
    assert broken.status == "not finite"
    assert np.isnan(broken.rhat[1])
    assert broken.of("x[2]")[-1].startswith("not finite")


def test_a_slow_energy_is_a_problem() -> None:
    values = np.random.default_rng(1).normal(size=(4, 1000, 1))
    energy = chains("0.99", 4, 1000, 1)
    zeros = np.zeros((4, 1000))
    slow = diagnose(("x",), values, divergent=zeros, depth=zeros, energy=energy, max_depth=10)
    assert "E-BFMI" in slow.of("x")[0]
