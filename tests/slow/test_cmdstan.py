"""Real CmdStan: that which ``CMDSTAN`` names or cmdstanpy finds, else one assembled by ``../shared/cmdstan/build``."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from stan_oracle import check_accuracies, check_choices, oracle
from stan_worlds import study

from avowal.published import read
from avowal.stan import Sampling, choose, joint_posterior
from avowal.stan.cmdstan import obstacle


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
def test_cmdstan_is_taken_where_it_works(cmdstan: Sampling) -> None:
    assert obstacle() is None
    assert choose("auto") == "cmdstan"


@pytest.mark.slow
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
