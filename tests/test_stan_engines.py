"""Engines: which one a call takes, what it says where none works, and that nothing heavy loads by itself."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from avowal.errors import InputError
from avowal.stan import EngineError, Program, Sampling, choose, program, sample
from avowal.stan import cmdstan as cmdstan_module
from avowal.stan.engines import SAMPLER
from avowal.stan.program import NAMES

pytest.importorskip("stanli")

NORMAL = Program(
    "normal",
    "data { int n; vector[n] y; } parameters { vector[2] m; } model { y ~ normal(m[1] + m[2], 1); m ~ std_normal(); }",
)


def test_import_loads_no_engine() -> None:
    code = "import sys, avowal, avowal.stan; assert not {'stanli', 'cmdstanpy', 'arviz', 'pandas'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_stanli_draws_what_the_posterior_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a conjugate normal: m1 + m2 has mean 2 sum(y) / (1 + 2 n) and variance 2 / (1 + 2 n)."""
    monkeypatch.setenv("AVOWAL_CACHE", str(tmp_path))
    y = np.arange(10.0)
    draws = sample(NORMAL, {"n": 10, "y": y}, Sampling(engine="stanli", seed=3))
    assert draws.engine.startswith("stanli ")
    assert draws.names == ("m[1]", "m[2]")
    assert draws.values.shape == (4, 1000, 2)
    assert set(draws.sampler) == set(SAMPLER)
    total = draws["m"].sum(axis=1)
    assert total.mean() == pytest.approx(2 * y.sum() / 21, abs=0.03)
    assert total.var() == pytest.approx(2 / 21, rel=0.1)
    assert draws.to_frame().columns[:2] == ["chain", "draw"]
    assert len(draws.to_frame()) == 4000
    kept = list((tmp_path / "stan").iterdir())
    assert len(kept) == 1
    # The same source again is read from the folder; another source is another file.
    text = kept[0].read_text()
    sample(NORMAL, {"n": 10, "y": y}, Sampling(engine="stanli", seed=3, chains=1, draws=10))
    assert [path.read_text() for path in (tmp_path / "stan").iterdir()] == [text]
    other = Program("normal", NORMAL.source.replace("std_normal()", "normal(0, 2)"))
    sample(other, {"n": 10, "y": y}, Sampling(engine="stanli", chains=1, draws=10))
    assert len(list((tmp_path / "stan").iterdir())) == 2


def test_a_damaged_or_forbidden_cache_costs_time_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVOWAL_CACHE", str(tmp_path))
    how, data = Sampling(engine="stanli", chains=1, warmup=20, draws=10), {"n": 1, "y": [0.5]}
    whole = sample(NORMAL, data, how).values
    (kept,) = (tmp_path / "stan").iterdir()
    text = kept.read_text()
    for half in ("", text[:100]):
        kept.write_text(half)
        np.testing.assert_array_equal(sample(NORMAL, data, how).values, whole)
        assert kept.read_text() == text
    monkeypatch.setenv("AVOWAL_CACHE", str(kept))
    np.testing.assert_array_equal(sample(NORMAL, data, how).values, whole)
    assert choose("auto") in ("cmdstan", "stanli")


def test_the_same_seed_draws_the_same() -> None:
    how = Sampling(engine="stanli", chains=2, warmup=100, draws=50, seed=5)
    one, other = (sample(NORMAL, {"n": 2, "y": [0.0, 1.0]}, how).values for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_a_makefile_alone_is_no_cmdstan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cmdstanpy")
    (tmp_path / "makefile").write_text("CMDSTAN_VERSION := 2.35.0\n")
    monkeypatch.setenv("CMDSTAN", str(tmp_path))
    assert choose("auto") == "stanli"
    with pytest.raises(EngineError, match="makefile but not CmdStan's sources"):
        choose("cmdstan")


def test_what_cannot_compile_is_no_cmdstan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sources and a stanc that does nothing look like an installation; compiling a program finds out."""
    pytest.importorskip("cmdstanpy")
    for name in ("src", "bin"):
        (tmp_path / name).mkdir()
    (tmp_path / "src" / "main.cpp").touch()
    (tmp_path / "bin" / "stanc").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "bin" / "stanc").chmod(0o755)
    (tmp_path / "makefile").write_text("CMDSTAN_VERSION := 2.35.0\n%:\n\tfalse\n")
    monkeypatch.setenv("CMDSTAN", str(tmp_path))
    monkeypatch.setenv("AVOWAL_CACHE", str(tmp_path / "cache"))
    assert choose("auto") == "stanli"
    with pytest.raises(EngineError, match="can't compile a program"):
        choose("cmdstan")


def test_no_engine_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avowal.stan.engines.find_spec", lambda _: None)
    monkeypatch.setattr(cmdstan_module, "find_spec", lambda _: None)
    with pytest.raises(EngineError, match=r"pip install 'avowal\[stan\]'") as caught:
        choose("auto")
    assert "stanli is not installed" in str(caught.value)
    assert "cmdstanpy is not installed" in str(caught.value)
    assert "install_cmdstan" in str(caught.value)


def test_a_program_that_cannot_start_is_an_error_not_a_number() -> None:
    hopeless = Program("hopeless", "parameters { real x; } model { target += negative_infinity(); }")
    with pytest.raises(EngineError, match="hopeless"):
        sample(hopeless, {}, Sampling(engine="stanli"))


@pytest.mark.parametrize(
    ("field", "value"),
    [("engine", "jags"), ("chains", 0), ("draws", 3), ("seed", 0), ("seed", 2**31), ("delta", 1.0), ("max_depth", 0)],
)
def test_settings_out_of_range(field: str, value: object) -> None:
    with pytest.raises(InputError, match=field):
        Sampling(**{field: value})


def test_unknown_names() -> None:
    with pytest.raises(InputError, match="program"):
        program("other")
    with pytest.raises(InputError, match="engine"):
        choose("jags")
    assert all(program(name).source.startswith("// ") for name in NAMES)


def test_to_arviz() -> None:
    pytest.importorskip("arviz")
    draws = sample(NORMAL, {"n": 1, "y": [0.5]}, Sampling(engine="stanli", chains=2, warmup=50, draws=20))
    found = draws.to_arviz()
    np.testing.assert_array_equal(np.asarray(found["posterior"]["m"]).reshape(40, 2), draws["m"])
    assert found["sample_stats"]["diverging"].dtype == bool
    assert found["posterior"].attrs["inference_library"] == draws.engine
