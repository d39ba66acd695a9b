"""Calibration: what can be counted is counted, known settings are found again, shipped ones look like the studies."""

import numpy as np
import polars as pl
import pytest

from avowal.calibrate import Effort, calibrate, counted
from avowal.errors import InputError
from avowal.likeness import HELD_OUT, MET, likeness, markdown, profiles
from avowal.observed import Observed, observe
from avowal.published import read
from avowal.simulate import FIGURES, PROFILES, SETS, Settings, dump, profile, simulate

TRUTH = Settings(trained_agents=40, native_agents=40).but(
    {
        "instilling": 0.8,
        "trained.position_bias": 0.3,
        "native.inverse_temperature": 4.0,
        "weight_trained.fidelity": 0.7,
        "weight_trained.noise": 20.0,
        "weight_trained.shift": 15.0,
        "weight_trained.scale": 0.5,
        "native_before.fidelity": 0.3,
        "introspection_trained.step": 1.0,
        "introspection_trained.coarse": 0.4,
        "introspection_trained.coarse_step": 10.0,
        "native_after.invalid": 0.3,
        "native_after.invalid_clustering": 0.5,
    }
)


@pytest.fixture(scope="module")
def made() -> Observed:
    """Make a study of known settings: figures free of chance (means over replicates), and one replicate's replies."""
    found = simulate(TRUTH, 300, seed=3)
    means = {name: float(np.nanmean(found[name])) for name in FIGURES if np.isfinite(found[name]).any()}
    study = dump(TRUTH, seed=3, replicate=0)
    replies = {name: tuple(each[np.isfinite(each).all(axis=1)] for each in study.replies[name]) for name in SETS}
    return Observed(
        "made", means, {}, replies, 10, {"trained": 50, "native": 100}, {name: means[f"{name}.r"] for name in SETS}
    )


def test_rounding_habit_and_invalid_replies_are_counted(made):
    found = counted(made)
    assert found.weight_trained.step == 5
    assert found.introspection_trained.step == 1
    assert found.introspection_trained.coarse_step == 10
    # 400 replies: .4 give or take four standard errors; some round to multiples of ten by chance.
    assert 0.3 < found.introspection_trained.coarse < 0.52
    assert found.introspection_trained.habit == 1
    assert abs(found.native_after.invalid - 0.3) < 4 * np.sqrt(0.21 * 0.55 / 40)
    assert 0.25 < found.native_after.invalid_clustering < 0.75
    assert found.weight_trained.invalid == found.weight_trained.invalid_clustering == 0


def test_one_round_moves_every_kind_of_figure_nearer(made):
    said = []
    calibrate([made], effort=Effort(replicates=10, rounds=2, seed=5), progress=said.append)
    first, second = (float(line.split("distance ")[1].split()[0]) for line in (said[0], said[-1]))
    assert second < first


@pytest.mark.slow
def test_settings_that_made_the_figures_are_found_again(made):
    found = calibrate([made], effort=Effort(replicates=100, rounds=6, seed=5))["made"]
    assert (found.trained_agents, found.native_decisions, found.replies) == (40, 100, 10)
    for name, slack in {
        "instilling": 0.03,
        "trained.position_bias": 0.1,
        "native.inverse_temperature": 0.5,
        "weight_trained.fidelity": 0.05,
        "native_before.fidelity": 0.05,
        # Replies that reach 100 by chance are taken for habit, which moves the noise a little.
        "weight_trained.noise": 5.0,
        "weight_trained.shift": 2.0,
        "weight_trained.scale": 0.07,
    }.items():
        assert abs(found.to_dict()[name] - TRUTH.to_dict()[name]) < slack, name


def test_one_or_two_models(made):
    with pytest.raises(InputError, match="models"):
        calibrate([made] * 3)
    with pytest.raises(InputError, match="models"):
        calibrate([])


@pytest.mark.parametrize("model", PROFILES)
def test_profiles_are_studies_of_the_papers_size(model):
    found = profile(model)
    assert (found.trained_agents, found.native_agents, found.attributes, found.replies) == (100, 100, 5, 10)
    assert (found.trained_decisions, found.native_decisions) == (50, 100)


@pytest.fixture(scope="module")
def likened(published) -> pl.DataFrame:
    observed = observe(read(published))
    return likeness(observed, simulate(profiles(observed), 400, seed=1))


def test_published_figures_are_observed(likened):
    gpt = dict(likened.filter(pl.col("model") == "gpt-4o-2024-08-06").select("figure", "observed").iter_rows())
    paper = {
        "learned_target.r": 0.84,
        "learned.agreement": 0.826,
        "off_the_shelf.slope": 0.10,
        "weight_trained.slope": 0.54,
        "introspection_trained.slope": 0.74,
        "native_before.slope": 0.46,
        "native_after.slope": 0.71,
        "weight_trained.r_target": 0.49,
        "introspection_trained.r_target": 0.68,
    }
    for name, value in paper.items():
        assert abs(gpt[name] - value) <= 0.005, name


def test_simulated_studies_look_like_the_published_ones(likened):
    met, held = likened.filter(pl.col("figure").is_in(MET)), likened.filter(pl.col("figure").is_in(HELD_OUT))
    assert len(met) == 24
    assert met["inside"].all()
    assert (~likened["inside"]).sum() <= 0.05 * len(likened)
    assert (~held["inside"]).sum() <= 0.07 * len(held)
    assert likened.drop_nulls("ratio")["ratio"].is_between(0.8, 1.2).all()


def test_the_table_counts_what_it_shows(likened):
    text = markdown(likened)
    assert text.count("**no**") == (~likened["inside"]).sum()
    assert f"of {len(likened.filter('held_out'))} that are no aim of it" in text
