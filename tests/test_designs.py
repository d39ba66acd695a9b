"""Designs in the simulated study: agents decide about them in turn, and nothing else changes its place."""

from __future__ import annotations

import numpy as np
import pytest

from avowal.errors import InputError
from avowal.fit import fit_arrays
from avowal.optimal import optimal_differences
from avowal.saving import matched, precision
from avowal.simulate import FIGURES, Settings, dump, simulate

SMALL = Settings(trained_agents=12, native_agents=9, trained_decisions=30, native_decisions=40, replies=4)
DESIGNS = {
    "trained": np.random.default_rng(1).uniform(-1, 1, (7, 30, 5)),
    "native": np.random.default_rng(2).uniform(-1, 1, (100, 40, 5)),
}


def test_numbers_of_uniform_pairs_never_change() -> None:
    """Written down before designs came, to the last digit but for what summing in another order may do."""
    found = simulate(SMALL, 3, seed=11)
    for name, expected in {
        "weight_trained.r": [0.6240438148992811, 0.27169568281559087, 0.47028859258945505],
        "introspection_trained.slope": [0.7592608945040984, 0.6108256116318704, 0.6703191317340182],
        "learned_target.r": [0.8362193981350197, 0.8236310189792091, 0.808020414742631],
        "learned.agreement": [0.8333333333333334, 0.8, 0.7638888888888888],
        "gain_native.r": [0.21391179277706002, 0.10471028131619392, 0.6251184566631955],
    }.items():
        assert found[name].tolist() == pytest.approx(expected, rel=1e-12)
    study = dump(SMALL, seed=11, replicate=1)
    assert study.differences["trained"][3, 7].tolist() == [
        0.26834022998809814, 0.355885676573962, 0.1854434295091778, -0.5809642882086337, -0.3342618530150503
    ]  # fmt: skip
    assert (int(study.choices["trained"].sum()), int(study.choices["native"].sum())) == (188, 170)


@pytest.mark.parametrize("replicate", [0, 5, 2**64 - 1])
def test_agents_take_designs_in_turn(replicate: int) -> None:
    study = dump(SMALL, seed=3, replicate=replicate, designs=DESIGNS)
    for group, agents in (("trained", 12), ("native", 9)):
        given = DESIGNS[group]
        for i in range(agents):
            assert np.array_equal(study.differences[group][i], given[(replicate * agents + i) % len(given)])


def test_uniform_pairs_as_designs_change_no_digit() -> None:
    plain = dump(SMALL, seed=4, replicate=0)
    again = dump(SMALL, seed=4, replicate=0, designs=plain.differences)
    for group in ("trained", "native"):
        assert np.array_equal(plain.choices[group], again.choices[group])
        assert np.array_equal(plain.estimated[group], again.estimated[group], equal_nan=True)
    alone, beside = (simulate(SMALL, 1, seed=4, designs=designs).figures for designs in (None, plain.differences))
    assert np.array_equal(alone, beside, equal_nan=True)


def test_a_group_without_designs_and_all_reports_stay_as_they_are() -> None:
    plain, other = (dump(SMALL, seed=4, replicate=2, designs=d) for d in (None, {"trained": DESIGNS["trained"]}))
    assert np.array_equal(plain.choices["native"], other.choices["native"])
    assert not np.array_equal(plain.choices["trained"], other.choices["trained"])
    assert np.array_equal(plain.weights["trained"], other.weights["trained"])
    for name, replies in plain.replies.items():
        assert np.array_equal(replies, other.replies[name], equal_nan=True)


def test_a_replicate_alone_with_designs_gives_its_numbers_on_any_threads() -> None:
    runs = [simulate([SMALL, SMALL], 6, seed=5, threads=threads, designs=DESIGNS).figures for threads in (1, 2)]
    assert np.array_equal(*runs, equal_nan=True)
    alone = simulate([SMALL, SMALL], 1, seed=5, first=4, designs=DESIGNS).figures
    assert np.array_equal(alone[0], runs[0][4], equal_nan=True)
    assert not np.array_equal(runs[0], simulate([SMALL, SMALL], 6, seed=5).figures, equal_nan=True)


def test_the_figures_of_a_replicate_are_those_of_its_dump() -> None:
    study = dump(SMALL, seed=6, replicate=1, designs=DESIGNS)
    figures = simulate(SMALL, 1, seed=6, first=1, designs=DESIGNS).figures[0, 0]
    known = np.isfinite(study.estimated["trained"]).all(axis=1)
    r = np.corrcoef(study.estimated["trained"][known].ravel(), study.targets[known].ravel())[0, 1]
    assert figures[FIGURES.index("learned_target.r")] == pytest.approx(r)


def test_agents_whose_design_cannot_tell_weights_apart_have_none_as_in_a_fit() -> None:
    """Every second design confounds attributes with each other or with the intercept."""
    made = {
        group: np.random.default_rng(3).uniform(-1, 1, (8, trials, 5))
        for group, trials in (("trained", 30), ("native", 40))
    }
    for given in made.values():
        given[1, :, 1] = given[1, :, 0]
        given[3, :, 2] = 0.25
        given[5, :, 4] = given[5, :, 0] - 2 * given[5, :, 3] + 0.5
        given[7] = 0.0
    study = dump(SMALL, seed=8, replicate=1, designs=made)
    figures = simulate(SMALL, 1, seed=8, first=1, designs=made)
    for group, agents, count in (("trained", 12, "learned.fitted"), ("native", 9, "native.fitted")):
        fitted = fit_arrays(study.differences[group], study.choices[group].astype(np.uint8))
        deficient = (agents + np.arange(agents)) % 2 == 1
        assert [status == "rank deficient" for status in fitted.status] == deficient.tolist()
        assert np.array_equal(np.isnan(study.estimated[group]), np.isnan(fitted.scaled))
        assert np.array_equal(np.isnan(study.estimated[group]).all(axis=1), deficient)
        assert figures[count].tolist() == [agents - deficient.sum()]


@pytest.mark.parametrize(
    "designs",
    [
        {"trained": np.zeros((2, 31, 5))},
        {"trained": np.zeros((2, 30, 4))},
        {"trained": np.zeros((0, 30, 5))},
        {"trained": np.zeros((30, 5))},
        {"trained": np.full((2, 30, 5), np.nan)},
        {"native": np.zeros((2, 30, 5))},
        {"learned": np.zeros((2, 30, 5))},
    ],
)
def test_designs_that_do_not_fit_are_errors(designs: dict[str, np.ndarray]) -> None:
    with pytest.raises(InputError, match=r"^designs"):
        simulate(SMALL, 1, seed=1, designs=designs)
    with pytest.raises(InputError, match=r"^designs"):
        dump(SMALL, seed=1, replicate=0, designs=designs)
    with pytest.raises(InputError, match=r"^designs"):
        simulate([SMALL, SMALL.but({"trained_decisions": 20})], 1, seed=1, designs=DESIGNS)


def test_optimal_designs_spare_decisions() -> None:
    """At 40 decisions for 5 attributes at inverse temperature 6, uniform pairs need at least half as many again."""
    uniform = {count: precision(SMALL, count, 20, seed=7) for count in (40, 60, 90, 140)}
    optimal = precision(SMALL, 40, 20, seed=7, designs=optimal_differences(5, 40, 20, seed=1))
    needed, error = matched(optimal, uniform)
    assert needed - 3 * error > 60
    assert optimal.r[0] > uniform[40].r[0]
    same, none = matched(uniform[60], uniform)
    assert (same, none) == pytest.approx((60, 0))
    assert np.isnan(matched(uniform[40], {60: uniform[60], 90: uniform[90]})[0])
