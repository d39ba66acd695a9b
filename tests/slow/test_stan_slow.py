"""Real CmdStan, calibration of the programs, recovery of a known correlation, and the time a hundred contexts take.

CmdStan is the one that ``CMDSTAN`` names or cmdstanpy finds, else one assembled by ``../shared/cmdstan/build``.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from stan_oracle import check_accuracies, check_choices, oracle
from stan_worlds import study

from avowal.fit import fit
from avowal.published import read
from avowal.stan import Sampling, choice_posterior, choose, joint_posterior
from avowal.stan.calibration import SIMULATIONS, calibrate
from avowal.stan.cmdstan import obstacle
from avowal.stan.recovery import PAIRS, STUDIES, recover, summarise

FEWER = 102
"""Simulations of the joint model, which takes longest: 6 for each bin of ranks."""


@pytest.fixture(scope="module")
def cmdstan(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sampling]:
    pytest.importorskip("cmdstanpy")
    with pytest.MonkeyPatch.context() as patch:
        if obstacle() is not None:
            build = root.parent / "shared" / "cmdstan" / "build"
            if not build.exists():
                pytest.skip("no CmdStan: CMDSTAN may name one, python -m cmdstanpy.install_cmdstan builds one")
            folder = tmp_path_factory.mktemp("cmdstan")
            # Compiling takes far longer here than drawing.
            patch.setenv("O", "1")
            patch.setenv("PYTHON", sys.executable)
            subprocess.run([build, folder], check=True, stdout=subprocess.DEVNULL)
            patch.setenv("CMDSTAN", str(folder))
            patch.setenv("AVOWAL_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield Sampling(engine="cmdstan")


@pytest.mark.slow
@pytest.mark.xdist_group("cmdstan")
def test_cmdstan_is_taken_where_it_works(cmdstan: Sampling) -> None:
    assert obstacle() is None
    assert choose("auto") == "cmdstan"


@pytest.mark.slow
@pytest.mark.xdist_group("cmdstan")
def test_cmdstan_agrees_with_brms(cmdstan: Sampling, published: Path) -> None:
    data = read(published)
    engine = check_choices(data, oracle(published, "choices"), cmdstan, 0.08)
    assert engine.startswith("CmdStan 2.")
    check_accuracies(data, oracle(published, "accuracy"), cmdstan)


@pytest.mark.heavy
def test_engines_agree_on_the_joint_model(cmdstan: Sampling) -> None:
    """The posteriors agree within Monte-Carlo error; the draws need not."""
    known, chosen, said = study(count=10, trials=30)
    found = [
        joint_posterior(chosen, known, {"set": said}, how=how) for how in (cmdstan, Sampling(engine="stanli", seed=2))
    ]
    one, other = (each.draws.summary() for each in found)
    assert one["quantity"].to_list() == other["quantity"].to_list()
    error = np.hypot(one["mcse"].to_numpy(), other["mcse"].to_numpy())
    assert (np.abs(one["mean"].to_numpy() - other["mean"].to_numpy()) / error).max() < 5
    assert found[0].draws.engine != found[1].draws.engine


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "simulations"), [("choices", SIMULATIONS), ("accuracy", SIMULATIONS), ("joint", FEWER)]
)
def test_ranks_are_even(name: str, simulations: int) -> None:
    found = calibrate(name, simulations, seed=2, engine="stanli")
    assert found.passed, found.to_frame().sort("p").head(3)


@pytest.mark.slow
def test_recovers_a_known_correlation() -> None:
    """Ten studies, five for each pair of values, at most 2 of 5 intervals miss (chance .001 where they cover 95%).

    They are others than those of the docs.
    """
    numbers = range(STUDIES, STUDIES + 5)
    rows = [row for pair in range(len(PAIRS)) for number in numbers for row in recover(pair, number, engine="stanli")]
    table = summarise(rows)
    assert table["rho"].to_list() == [0.0, 0.3, 0.6, 0.9]
    assert (table["coverage"] >= 0.6).all()
    assert (table["accuracy_coverage"] >= 0.6).all()
    attenuated = table.filter(pl.col("rho") >= 0.6)
    assert (attenuated["plain"] < attenuated["mean"] - 0.05).all()


@pytest.mark.slow
def test_a_hundred_contexts_take_seconds() -> None:
    """100 contexts x 50 choices, 4 x 1,000 draws: under 20 s on two cores, so at most 40 s of processor time."""
    known, chosen, _ = study(count=100, width=5, trials=50)
    start = time.process_time()
    posterior = choice_posterior(chosen, known, how=Sampling(engine="stanli"))
    assert time.process_time() - start < 40
    assert posterior.problems == ()
    modes = fit(chosen, known).weights
    assert np.corrcoef(posterior.weights["slope"], modes["slope"])[0, 1] > 0.99
