"""The simulated study: the same numbers in any company, the limits of theory, and the package's own way to them."""

import math

import numpy as np
import polars as pl
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from avowal import tables
from avowal.accuracy import accuracy, difference, gain
from avowal.companions import sign_agreement, top_agreement, within
from avowal.contexts import Attribute, Context
from avowal.correlation import pearson, slope
from avowal.errors import InputError
from avowal.fit import fit
from avowal.jackknife import Cell, jackknife
from avowal.simulate import FIGURES, PARAMETERS, SETS, Deciding, Reported, Settings, dump, profile, simulate

SMALL = Settings(trained_agents=12, native_agents=9, trained_decisions=30, native_decisions=40, replies=4)
LOSSY = SMALL.but(
    {
        "weight_trained.invalid": 0.5,
        "weight_trained.invalid_clustering": 0.6,
        "native_before.invalid": 0.4,
        "native_before.invalid_clustering": 0.8,
        "introspection_trained.invalid": 0.2,
        "trained.position_bias_sd": 1.5,
    }
)


def same(a, b):
    return np.array_equal(a, b, equal_nan=True)


@given(seed=st.integers(0, 2**64 - 1), first=st.integers(0, 2**63), attributes=st.integers(2, 12))
@effort(max_examples=15)
def test_a_replicate_alone_gives_the_numbers_that_it_gives_among_others(seed, first, attributes):
    settings = LOSSY.but({"attributes": attributes})
    together = simulate(settings, 4, seed=seed, first=first).figures
    for place in range(4):
        assert same(together[place], simulate(settings, 1, seed=seed, first=first + place).figures[0])


def test_threads_change_nothing():
    runs = [simulate(LOSSY, 40, seed=5, threads=threads).figures for threads in (1, 2, 3)]
    assert same(runs[0], runs[1])
    assert same(runs[0], runs[2])


def test_replicates_seeds_and_models_differ():
    found = simulate([SMALL, SMALL], 2, seed=1).figures
    other = simulate([SMALL, SMALL], 2, seed=2).figures
    r = FIGURES.index("weight_trained.r")
    assert len({*found[:, :, r].ravel(), *other[:, :, r].ravel()}) == 8


def test_a_second_model_leaves_the_first_as_it_is():
    alone, beside = (simulate(s, 5, seed=3).to_frame() for s in (LOSSY, [LOSSY, SMALL]))
    between = [name for name in FIGURES if name.endswith(("between_models", "crossed_r"))]
    assert alone.drop(between).equals(beside.filter(pl.col("model") == 0).drop(between))
    assert beside.select(pl.col(between).is_not_null().all()).row(0) == (True,) * len(between)
    assert alone.select(pl.col(between).is_null().all()).row(0) == (True,) * len(between)


def test_reports_of_nothing_correlate_with_nothing():
    deaf = Settings().but({f"{name}.fidelity": 0.0 for name in SETS})
    found = simulate(deaf, 200, seed=4)
    for name in SETS:
        r, interval = found[f"{name}.r"], [found[f"{name}.cluster_{end}"] for end in ("low", "high")]
        assert abs(r.mean()) < 4 * r.std() / np.sqrt(200)
        # 200 intervals at .95: 180 is 3.2 standard deviations below the mean.
        assert 180 <= ((interval[0] < 0) & (interval[1] > 0)).sum() <= 200


def test_many_decisions_and_true_reports_correlate_perfectly():
    told = {
        f"{name}.{key}": value for name in SETS for key, value in {"fidelity": 1.0, "noise": 0.0, "step": 1e-6}.items()
    }
    plain = {f"{name}.scale_sd": 0.0 for name in SETS}
    sure = {
        "trained_decisions": 20_000,
        "native_decisions": 20_000,
        "instilling": 1.0,
        "trained_agents": 10,
        "native_agents": 10,
    }
    still = {"trained.inverse_temperature": 3.0, "native.inverse_temperature": 3.0}
    found = simulate(Settings().but(told | plain | sure | still | {"introspection_trained.habit": 0.0}), 3, seed=6)
    for name in SETS[1:]:
        # Two reporting models of five contexts each are standardised apart, which costs a little.
        assert (found[f"{name}.r"] > (0.99 if name == "introspection_trained" else 0.998)).all(), name
    assert (found["learned_target.r"] > 0.998).all()
    assert (found["introspection_trained.r_target"] > 0.99).all()


def test_the_true_correlations_are_those_of_beliefs_and_targets_with_the_weights_in_force():
    found = simulate(Settings().but({f"{name}.fidelity": 0.6 for name in SETS}), 50, seed=12)
    for name in SETS[1:]:
        assert abs(found[f"{name}.true_r"].mean() - 0.6) < 0.02
    kept = [dump(Settings(), seed=12, replicate=r) for r in range(3)]
    truth = [pearson(study.weights["trained"].ravel(), study.targets.ravel()).r for study in kept]
    assert np.allclose(found["learned_target.true_r"][:3], truth, atol=1e-12)
    gain = found["introspection_trained.true_r"] - found["weight_trained.true_r"]
    assert same(found["gain_instilled.true_r"], gain)


def test_learned_against_target_has_the_jackknifes_interval_and_the_regressions():
    study = dump(Settings(), seed=13, replicate=0)
    found = simulate(Settings(), 1, seed=13)
    contexts = np.repeat(np.arange(100), 5)
    one = jackknife([Cell(study.estimated["trained"].ravel(), study.targets.ravel(), contexts, None)]).cells[0]
    ends = [found[f"learned_target.cluster_{end}"][0] for end in ("low", "high")]
    assert np.allclose(ends, [one.low, one.high], atol=1e-12)
    line = slope(*(scipy.stats.zscore(each.ravel(), ddof=1) for each in (study.estimated["trained"], study.targets)))
    ends = [found[f"learned_target.{end}"][0] for end in ("slope", "slope_low", "slope_high")]
    assert np.allclose(ends, [line.estimate, line.low, line.high], atol=1e-12)


def test_more_replies_extend_the_same_sequence():
    few, many = (dump(SMALL.but({"replies": n}), seed=8, replicate=2) for n in (3, 9))
    for name in SETS:
        assert same(few.replies[name], many.replies[name][:, :3])


def test_the_share_and_the_concentration_of_invalid_replies():
    found = simulate(LOSSY.but({"weight_trained.invalid_clustering": 0.999999}), 300, seed=9)
    valid, lost = found["weight_trained.replies_valid"], found["weight_trained.contexts_lost"]
    assert np.array_equal(valid, (12 - lost) * 4)
    assert abs(valid.mean() / 48 - 0.5) < 4 * np.sqrt(0.25 / 12 / 300)


def test_common_sense_and_natives_are_shared_as_asked_for():
    pair = Settings(native_common_sense=1.0, shared_common_sense=1.0)
    apart = pair.but({"shared_common_sense": 0.0, "shared_targets": 0.0})
    close, far = (simulate([s, s], 30, seed=10) for s in (pair, apart))
    assert close["native.between_models"].mean() > 0.9
    assert abs(far["native.between_models"].mean()) < 0.05
    assert abs(far["learned.between_models"].mean()) < 0.05
    assert close["learned.between_models"].mean() > 0.6


@pytest.mark.parametrize("settings", [LOSSY, SMALL.but({"attributes": 10, "trained_decisions": 9, "replies": 1})])
@pytest.mark.parametrize("replicate", range(4))
def test_the_package_computes_the_same_from_the_same_choices_and_replies(settings, replicate):
    study = dump(settings, seed=11, replicate=replicate)
    figures = simulate(settings, 1, seed=11, first=replicate)
    weights, sets = {}, {}
    for group, kind in (("trained", "learned"), ("native", "native")):
        contexts, choices = _choices(study.differences[group], study.choices[group], group)
        fitted = fit(choices, contexts)
        weights[group] = fitted.weights.select("context", "position", "weight")
        assert np.isclose(figures[f"{kind}.fit_accuracy"][0], fitted.agents["accuracy"].mean())
        slopes_only = fitted.agents["accuracy_slopes_only"].mean()
        expected = math.nan if slopes_only is None else slopes_only
        assert np.isclose(figures[f"{kind}.fit_accuracy_slopes"][0], expected, equal_nan=True)
        estimated = fitted.weights["weight"].fill_null(np.nan).to_numpy().reshape(study.estimated[group].shape)
        assert np.allclose(estimated, study.estimated[group], rtol=0, atol=1e-8, equal_nan=True)
    for name in SETS:
        group = "native" if name.startswith("native") else "trained"
        sets[name] = accuracy(weights[group], _reports(study.replies[name], name, group))
        _same_set(figures, name, sets[name], study)
    for name, (before, after) in {
        "gain_instilled": ("weight_trained", "introspection_trained"),
        "gain_native": ("native_before", "native_after"),
        "over_baseline": ("off_the_shelf", "weight_trained"),
    }.items():
        _same_difference(figures, name, sets[before], sets[after])


def _choices(differences, choices, group):
    agents, trials, k = differences.shape
    names = [f"{group} {index:03}" for index in range(agents)]
    contexts = [Context(name, "?", tuple(Attribute(f"x{i}", "", 0, 1) for i in range(k))) for name in names]
    frame = pl.DataFrame(
        {
            "model": "m",
            "context": np.repeat(names, trials),
            "trial": np.tile(np.arange(trials), agents),
            "a": np.maximum(differences, 0).reshape(-1, k).tolist(),
            "b": np.maximum(-differences, 0).reshape(-1, k).tolist(),
            "choice": np.where(choices.ravel() == 1, "A", "B"),
            "failure": None,
        }
    )
    return contexts, tables.conform(frame, tables.CHOICES, "choices")


def _reports(replies, name, group):
    agents = len(replies)
    rows = []
    for index, context in enumerate(replies):
        model = "last" if name == "introspection_trained" and index < agents // 2 else "first"
        for number, reply in enumerate(context):
            known = bool(np.isfinite(reply).all())
            value, failure = (reply.tolist(), None) if known else (None, "wrong keys")
            rows.append((model, name, f"{group} {index:03}", number, value, failure, None, None))
    return pl.DataFrame(rows, schema=dict(tables.REPORTS), orient="row")


def _equal(figures, name, expected):
    found = figures[name][0]
    assert np.isclose(found, np.nan if expected is None else expected, rtol=1e-9, atol=1e-10, equal_nan=True), name


def _same_set(figures, name, found, study):
    low, high = found.interval or (None, None)
    cluster_low, cluster_high = found.cluster_interval or (None, None)
    entries = found.entries
    inside = entries.where(np.abs(np.round(entries.weights)) < 100)
    correlations = within(entries)
    for key, expected in {
        "slope": found.slope.estimate,
        "slope_low": low,
        "slope_high": high,
        "r": found.r,
        "cluster_low": cluster_low,
        "cluster_high": cluster_high,
        "contexts_lost": found.context_account.lost,
        "replies_valid": found.replies.valid,
        "sign_agreement": sign_agreement(entries),
        "top_agreement": top_agreement(entries),
        "r_within": np.mean(correlations) if correlations else None,
        "r_without_extremes": pearson(inside.weights, inside.reports, groups=inside.groups).r,
        "extremes": (np.abs(study.replies[name][np.isfinite(study.replies[name])]) == 100).mean(),
    }.items():
        _equal(figures, f"{name}.{key}", expected)
    row = figures.to_frame().row(0, named=True)
    assert row[f"{name}.status"] == found.status
    assert row[f"{name}.cluster_status"] == found.cluster_status
    if not name.startswith("native"):
        places = [int(context.split()[1]) for context in entries.contexts]
        targets = study.targets[places, entries.positions]
        _equal(figures, f"{name}.r_target", pearson(targets, entries.reports, groups=entries.groups).r)


def _same_difference(figures, name, before, after):
    whole = gain([before], [after], ["m"])
    cluster, common = difference(after, before)
    for key, expected in {
        "slope": whole.contrast.estimate,
        "slope_low": whole.contrast.low,
        "slope_high": whole.contrast.high,
        "r": cluster.estimate,
        "cluster_low": cluster.low,
        "cluster_high": cluster.high,
        "common_contexts": common,
    }.items():
        _equal(figures, f"{name}.{key}", expected)
    assert figures.to_frame().row(0, named=True)[f"{name}.cluster_status"] == cluster.status


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("trained_agents", 0),
        ("trained_agents", 2.5),
        ("attributes", 1),
        ("attributes", 13),
        ("replies", -1),
        ("instilling", 1.1),
        ("trained.lapse", -0.1),
        ("trained.inverse_temperature", -1),
        ("native.position_bias", np.inf),
        ("weight_trained.fidelity", np.nan),
        ("weight_trained.step", 0),
        ("native_after.invalid", 1.5),
        ("native_after.invalid_clustering", -0.5),
        ("off_the_shelf.noise", "much"),
        ("off_the_shelf.noise", True),
        ("no_such_thing", 1),
    ],
)
def test_settings_out_of_their_domain_are_errors_that_name_them(name, value):
    with pytest.raises(InputError, match=name):
        Settings().but({name: value})


def test_arguments_out_of_their_domain_are_errors():
    with pytest.raises(InputError, match="level"):
        simulate(SMALL, 1, seed=1, level=1.0)
    with pytest.raises(InputError, match="seed"):
        simulate(SMALL, 1, seed=-1)
    with pytest.raises(InputError, match="first"):
        simulate(SMALL, 2, seed=1, first=2**64 - 1)
    with pytest.raises(InputError, match="models"):
        simulate([], 1, seed=1)
    with pytest.raises(InputError, match="models"):
        simulate([SMALL, Settings()], 1, seed=1)
    with pytest.raises(InputError, match="figure"):
        simulate(SMALL, 1, seed=1)["accuracy"]
    with pytest.raises(InputError, match="gpt-4o"):
        profile("gpt-5")


def test_parameters_are_those_of_the_dataclasses():
    assert tuple(Settings().to_dict()) == PARAMETERS
    assert Settings().but(SMALL.to_dict()) == SMALL
    changed = Settings().but({"trained.lapse": 0.1, "weight_trained.noise": 3})
    assert changed == Settings(trained=Deciding(lapse=0.1), weight_trained=Reported(noise=3))
