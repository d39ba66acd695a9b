"""The three Stan programs agree with brms and with what is known, and what can't be estimated is a status."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from stan_oracle import check_accuracies, check_choices, oracle
from stan_worlds import study

from avowal.accuracy import accuracy
from avowal.entries import entries
from avowal.errors import InputError
from avowal.fit import fit
from avowal.published import read
from avowal.stan import (
    AccuracyPriors,
    ChoicePriors,
    JointPriors,
    Sampling,
    accuracy_posterior,
    choice_posterior,
    joint_posterior,
)
from avowal.stan.calibration import WORLDS, calibrate
from avowal.stan.joint import EXPECTED, LATENT
from avowal.stan.predictive import check_accuracy, prior_sensitivity
from avowal.stan.predictive import check_choices as predictive_choices

pytest.importorskip("stanli")
HOW = Sampling(engine="stanli")
SHORT = Sampling(engine="stanli", chains=4, warmup=300, draws=400)


def test_choices_agree_with_brms(published: Path) -> None:
    expected = oracle(published, "choices")
    assert check_choices(read(published), expected, HOW, 0.08).startswith("stanli")


def test_accuracies_agree_with_brms(published: Path) -> None:
    check_accuracies(read(published), oracle(published, "accuracy"), HOW)


def test_contexts_share_nothing() -> None:
    """A context's posterior does not depend on which other contexts, of whatever width, are in the run."""
    known, chosen, _ = study(count=3, trials=30)
    wide, more, _ = study(count=1, width=5, trials=30, seed=2)
    wide = (replace(wide[0], name="wide"),)
    together = choice_posterior(
        pl.concat([chosen, more.with_columns(pl.lit("wide").alias("context"))]), (*known, *wide), how=HOW
    )
    alone = choice_posterior(chosen.filter(context="c1"), known, how=HOW)
    assert len(together.weights) == 3 * 3 + 5
    one, other = (p.weights.filter(context="c1") for p in (together, alone))
    np.testing.assert_allclose(one["slope"], other["slope"], atol=0.12)
    np.testing.assert_allclose(one["sd"], other["sd"], rtol=0.1)


def test_choice_posterior_lies_by_the_mode() -> None:
    known, chosen, _ = study(count=4, trials=60)
    posterior = choice_posterior(chosen, known, how=HOW)
    modes = fit(chosen, known).weights
    np.testing.assert_allclose(posterior.weights["slope"], modes["slope"], atol=0.25)
    np.testing.assert_allclose(posterior.weights["sd"], modes["standard_error"], rtol=0.15)
    assert posterior.weights.group_by("context").agg(pl.col("weight").abs().max())["weight"].to_list() == [100.0] * 4


def test_a_context_without_variation_keeps_its_status_and_gets_no_weight() -> None:
    known, chosen, _ = study(count=3)
    constant = chosen.with_columns(
        pl.when(pl.col("context") == "c1").then(pl.lit("A")).otherwise("choice").alias("choice")
    )
    posterior = choice_posterior(constant, known, how=SHORT)
    assert posterior.agents.filter(context="c1")["status"].item() == "no variation"
    assert posterior.weights.filter(context="c1")["weight"].null_count() == 3
    assert posterior.weights.filter(context="c0")["weight"].null_count() == 0
    joint = joint_posterior(constant, known, {"set": study(count=3)[2]}, how=SHORT)
    assert joint.contexts.filter(context="c1")["status"].item() == "no variation"
    assert len(joint.estimates) == 2


def test_flat_slopes_give_least_squares() -> None:
    known, chosen, said = study(count=12, width=4)
    weights = fit(chosen, known).weights
    found = accuracy(weights, said)
    posterior = accuracy_posterior({"m": found.entries}, how=HOW)
    row = posterior.estimates.row(0, named=True)
    assert row["mean"] == pytest.approx(found.slope.estimate, abs=0.01)
    assert row["hdi_low"] == pytest.approx(found.slope.low, abs=0.03)
    table = check_accuracy(
        posterior, found.entries.weights_z, found.entries.reports_z, np.zeros(len(found.entries), dtype=int)
    )
    assert table["observed"][3] == pytest.approx(found.r)
    assert table["p"].is_between(0.001, 0.999).all()


def test_gains_are_differences_of_accuracies() -> None:
    known, chosen, said = study(count=12)
    after = study(count=12, rho=0.95)[2]
    weights = fit(chosen, known).weights
    before, later = entries(weights, said), entries(weights, after)
    found = accuracy_posterior(
        {"one": before, "two": later}, {"one": later, "two": before}, priors=AccuracyPriors(coefficient_sd=10), how=HOW
    )
    cell = {
        (row["quantity"], row["model"], row["trained"]): row["mean"] for row in found.estimates.iter_rows(named=True)
    }
    gain = cell["accuracy", "one", True] - cell["accuracy", "one", False]
    assert cell["gain", "one", None] == pytest.approx(gain)
    assert cell["mean gain", None, None] == pytest.approx((gain + cell["gain", "two", None]) / 2)
    assert cell["mean gain", None, None] == pytest.approx(0, abs=0.02)


def test_accuracies_that_cannot_be_drawn_have_a_status() -> None:
    known, chosen, said = study(count=4)
    weights = fit(chosen, known).weights
    whole = entries(weights, said)

    def status(**changed: np.ndarray) -> tuple[str, int]:
        found = accuracy_posterior({"m": replace(whole, **changed)}, how=SHORT)
        return found.status, len(found.estimates)

    nan = whole.weights.copy()
    nan[0] = np.nan
    assert status(weights=nan) == ("not finite", 0)
    assert status(reports_z=np.full(len(whole), np.nan)) == ("no variation", 0)
    few = accuracy_posterior({"m": whole.where(np.arange(len(whole)) < 2)}, how=SHORT)
    assert (few.status, few.problems[0][:15]) == ("too few entries", "too few entries")
    with pytest.raises(InputError, match="models"):
        accuracy_posterior({"m": whole}, {"other": whole})


def test_joint_finds_a_strong_correlation_and_its_gain() -> None:
    known, chosen, said = study(count=25, trials=40, replies=4, rho=0.2)
    after = study(count=25, trials=40, replies=4, rho=0.95)[2]
    found = joint_posterior(chosen, known, {"before": said, "after": after}, how=SHORT)
    assert found.diagnosis is not None
    assert found.diagnosis.divergences == 0
    rows = {(row["quantity"], row["set"]): row for row in found.estimates.iter_rows(named=True)}
    assert rows[LATENT, "after"]["hdi_low"] < 0.95 < rows[LATENT, "after"]["hdi_high"] + 0.05
    assert rows[LATENT, "before"]["hdi_high"] < rows[LATENT, "after"]["hdi_low"]
    gain = rows[f"gain in {LATENT}", "before → after"]
    assert gain["mean"] == pytest.approx(rows[LATENT, "after"]["mean"] - rows[LATENT, "before"]["mean"])
    assert 0 < rows[EXPECTED, "after"]["sd"] < rows[LATENT, "after"]["sd"]


def test_what_pads_a_narrow_context_is_no_attribute() -> None:
    """Beside one wide context, narrow ones keep latent correlation and accuracy, as if the padding weren't there."""
    known, chosen, said = study(count=12, width=2, trials=60, replies=4, rho=0.95)
    wide, more, reported = study(count=1, width=6, trials=20, seed=2)
    wide = (replace(wide[0], name="wide"),)
    more, reported = (table.with_columns(pl.lit("wide").alias("context")) for table in (more, reported))
    alone = joint_posterior(chosen, known, {"set": said}, how=SHORT)
    both = joint_posterior(
        pl.concat([chosen, more]),
        (*known, *wide),
        {"set": pl.concat([said, reported.filter(pl.col("reply") < 0)])},
        how=SHORT,
    )
    assert both.draws is not None
    assert sum(name.startswith("w[") for name in both.draws.names) == 12 * 2 + 6
    for row in range(2):
        one, other = (found.estimates.row(row, named=True) for found in (alone, both))
        assert one["mean"] == pytest.approx(other["mean"], abs=0.05)


def test_what_a_narrow_context_has_not_is_no_number() -> None:
    known, chosen, _ = study(count=3, width=2)
    wide, more, _ = study(count=1, width=4, seed=2)
    wide = (replace(wide[0], name="wide"),)
    more = more.with_columns(pl.lit("wide").alias("context"))
    found = choice_posterior(pl.concat([chosen, more]), (*known, *wide), how=SHORT)
    missing = np.isnan(found.draws["slope"]).all(axis=0)
    assert np.isnan(found.draws["slope"]).any(axis=0).tolist() == missing.tolist()
    assert sorted(missing.sum(axis=1)) == [0, 2, 2, 2]


def test_nothing_is_drawn_where_nothing_is_told() -> None:
    """Equal replies with decimals, choices of one side, and replies where nobody decided are statuses."""
    known, chosen, said = study(count=6, trials=3)
    same = said.with_columns(pl.lit([0.1, 0.7, 33.3]).alias("report")).with_columns(
        pl.when(pl.col("context") == "c0").then(pl.lit([5.3, -0.7, 1.1])).otherwise("report").alias("report")
    )
    assert joint_posterior(chosen, known, {"set": same}, how=SHORT).status == "no variation"
    assert joint_posterior(chosen.with_columns(choice=pl.lit("A")), known, {"set": said}, how=SHORT).status == (
        "no variation"
    )
    decided = pl.col("context").is_in(["c0", "c1", "c2"])
    halved = chosen.with_columns(
        pl.when(decided).then("choice").alias("choice"),
        pl.when(~decided).then(pl.lit("refused")).alias("failure"),
    )
    found = joint_posterior(halved, known, {"set": said.filter(~decided)}, how=SHORT)
    assert (found.status, len(found.estimates)) == ("too few reports", 0)
    apart = joint_posterior(chosen, known, {"one": said.filter(decided), "two": said.filter(~decided)}, how=SHORT)
    assert (apart.status, "in each of both sets" in apart.message) == ("too few reports", True)


def test_few_reports_count_as_what_they_are() -> None:
    """One reply in a context is a status and still counts; one reply in all is nothing to estimate from."""
    known, chosen, said = study(count=6, replies=3)
    scarce = said.filter((pl.col("context") != "c2") | (pl.col("reply") == 0))
    found = joint_posterior(chosen, known, {"set": scarce}, how=SHORT)
    assert found.contexts.filter(context="c2").select("status", "replies_set").row(0) == ("too few reports", 1)
    assert len(found.estimates) == 2
    one = joint_posterior(chosen, known, {"set": scarce.filter(pl.col("context") == "c2")}, how=SHORT)
    assert (one.status, len(one.estimates), one.draws) == ("too few reports", 0, None)
    assert "1 contexts with valid replies" in one.message
    single = joint_posterior(chosen, known, {"set": said.filter(pl.col("reply") == 0)}, how=SHORT)
    assert single.status == "too few reports"


def test_numbers_out_of_range_are_left_out_and_counted() -> None:
    known, chosen, said = study(count=5)
    first = (pl.col("context") == "c0") & (pl.col("reply") == 0)
    wild = said.with_columns(pl.when(first).then(pl.lit([2388.0, 0.0, 0.0])).otherwise("report").alias("report"))
    found = joint_posterior(chosen, known, {"set": wild}, how=SHORT)
    assert found.contexts.filter(context="c0").select("replies_set", "out_of_range_set").row(0) == (2, 1)
    kept = joint_posterior(chosen, known, {"set": wild}, limit=None, how=SHORT)
    assert kept.contexts["out_of_range_set"].sum() == 0


def test_joint_statuses() -> None:
    known, chosen, said = study(count=4)
    constant = joint_posterior(chosen.with_columns(pl.lit("A").alias("choice")), known, {"set": said}, how=SHORT)
    assert constant.status == "no variation"
    same = said.with_columns(pl.lit([1.0, 1.0, 1.0]).alias("report"))
    assert joint_posterior(chosen, known, {"set": same}, how=SHORT).status == "no variation"
    nan = said.with_columns(pl.lit([1.0, float("nan"), 1.0]).alias("report"))
    broken = joint_posterior(chosen, known, {"set": nan}, how=SHORT)
    assert broken.status == "not finite"
    assert "nan" in broken.message
    with pytest.raises(InputError, match="one or two sets"):
        joint_posterior(chosen, known, {})
    with pytest.raises(InputError, match="a context that has choices"):
        joint_posterior(chosen.filter(pl.col("context") != "c0"), known, {"set": said})
    both = pl.concat([chosen, chosen.with_columns(pl.lit("n").alias("model"))])
    with pytest.raises(InputError, match="one model"):
        joint_posterior(both, known, {"set": said})


def test_a_prior_that_forces_divergences_is_named() -> None:
    """A scale of choices that is all but unknown over almost no data makes a funnel, which the sampler can't enter."""
    known, chosen, said = study(count=4, trials=1, replies=2)
    funnel = JointPriors(log_tau_mean=-6.0, log_tau_sd=6.0)
    found = joint_posterior(chosen, known, {"set": said}, priors=funnel, how=SHORT)
    assert found.status in ("divergent", "not converged")
    assert found.diagnosis is not None
    assert found.diagnosis.divergences > 0
    assert found.problems[0].startswith("divergent")
    assert all(problems[0].startswith("divergent") for problems in found.estimates["problems"])


def test_a_stubborn_sampler_is_not_converged() -> None:
    known, chosen, _ = study(count=2)
    short = choice_posterior(chosen, known, how=Sampling(engine="stanli", warmup=5, draws=20, max_depth=1))
    assert short.diagnosis.status == "not converged"
    assert any("tree depth" in text for text in short.problems)


def test_predictive_checks_find_a_prior_that_does_not_fit() -> None:
    """Choices that follow slopes of size 3 agree more with the weights than slopes of size 0.3 would have it."""
    known, chosen, _ = study(count=15, trials=60)
    fine, narrow = (
        predictive_choices(choice_posterior(chosen, known, priors=ChoicePriors(slope_sd=sd), how=SHORT))
        for sd in (3.0, 0.3)
    )
    assert fine["statistic"].to_list()[0] == "share of A"
    assert fine["observed"][0] == pytest.approx((chosen["choice"] == "A").mean())
    assert fine["p"].is_between(0.01, 1).all()
    assert narrow.filter(pl.col("statistic") == "share predicted")["p"].item() < 0.01


def test_prior_sensitivity_shrinks_slopes_not_their_pattern() -> None:
    known, chosen, said = study(count=6, trials=30)
    table = prior_sensitivity(chosen, known, {"set": said}, how=SHORT)
    assert table["slope_sd"].to_list() == [0.5, 1.0, 2.0]
    assert table["mean_abs_slope"].is_sorted()
    assert (table["agreement"] > 0.9).all()


def test_priors_out_of_range() -> None:
    for build in (
        lambda: ChoicePriors(slope_sd=0),
        lambda: AccuracyPriors(coefficient_sd=-1),
        lambda: AccuracyPriors(df=float("nan")),
        lambda: JointPriors(mu_sd=float("inf")),
        lambda: JointPriors(log_scale_mean=float("nan")),
    ):
        with pytest.raises(InputError):
            build()


@pytest.mark.parametrize("name", list(WORLDS))
def test_calibration_ranks_every_quantity(name: str) -> None:
    found = calibrate(name, 2, seed=3, engine="stanli")
    assert found.simulations == 2
    again = calibrate(name, 2, seed=3, engine="stanli")
    assert all((again.ranks[quantity] == ranks).all() for quantity, ranks in found.ranks.items())
    assert found.to_frame()["histogram"].list.sum().to_list() == [2] * len(found.ranks)
