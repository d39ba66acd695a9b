"""Sweeps: the same numbers in any company, and summaries that are what they say."""

import math
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint
from sweeps import GRID, TINY, same

import avowal
from avowal import prices
from avowal.errors import InputError
from avowal.optimal import optimal_differences
from avowal.quantities import Settings
from avowal.simulate import simulate
from avowal.sweep import run as runs
from avowal.sweep.dump import dump
from avowal.sweep.estimands import COLUMNS, ESTIMANDS, claim
from avowal.sweep.grid import cells
from avowal.sweep.money import Pricing
from avowal.sweep.pairs import DESIGNS
from avowal.sweep.power import carry_out, prepare
from avowal.sweep.run import here
from avowal.sweep.summary import share_interval, summarise

FREE = Pricing(seed=1)


@given(st.integers(0, 400), st.integers(1, 400))
def test_wilsons_interval_is_statsmodels(count, of):
    count = min(count, of)
    expected = proportion_confint(count, of, method="wilson")
    assert share_interval(count, of) == pytest.approx(expected, abs=1e-12)


def test_a_cell_is_the_simulation_of_its_settings():
    found = avowal.power(GRID, tests=["gain.native<0.3", "accuracy", "learned_target>0.5"], replicates=130, seed=9)
    for cell in found.sweep.cells:
        every = simulate(cell.settings, 130, seed=cell.seed(9))
        rows = found.table.filter(cell=cell.number)
        gain, accuracy, learned = rows.to_dicts()
        assert gain["power"] == np.mean(every["gain_native.cluster_high"] < 0.3)
        assert accuracy["power"] == np.mean(every["weight_trained.cluster_low"] > 0)
        assert learned["power"] == np.mean(every["learned_target.cluster_low"] > 0.5)
        r, truth = every["weight_trained.r"], every["weight_trained.true_r"]
        low, high = every["weight_trained.cluster_low"], every["weight_trained.cluster_high"]
        off, width = r - truth, high - low
        exact = {
            "mean": r.mean(),
            "sd": r.std(ddof=1),
            "truth": truth.mean(),
            "bias": off.mean(),
            "bias_error": off.std(ddof=1) / np.sqrt(130),
            "coverage": ((low <= r.mean()) & (r.mean() <= high))[~np.isnan(width)].mean(),
        }
        assert {name: accuracy[name] for name in exact} == pytest.approx(exact, abs=1e-12)
        assert accuracy["power_per_dollar"] == pytest.approx(accuracy["power"] / accuracy["price"])
        assert accuracy["width"] == pytest.approx(np.nanmean(width), abs=1e-12)
        assert accuracy["undefined"] == np.isnan(width).sum()
        most = max(
            every[f"{name}.contexts_lost"].mean() for name in ("off_the_shelf", "weight_trained", "native_before")
        )
        assert accuracy["contexts_lost"] == pytest.approx(most)


def test_the_papers_interval_is_that_of_its_regression():
    found = avowal.power(GRID, tests=["over_baseline", "learned_target<0.9"], replicates=60, interval="regression")
    every = simulate(found.sweep.cells[1].settings, 60, seed=found.sweep.cells[1].seed(1))
    over, learned = found.table.filter(cell=1).to_dicts()
    assert over["power"] == np.mean(every["over_baseline.slope_low"] > 0)
    assert learned["power"] == np.mean(every["learned_target.slope_high"] < 0.9)
    assert learned["mean"] == pytest.approx(every["learned_target.slope"].mean())


def test_an_interval_on_the_wrong_side_is_no_power():
    unaware = Settings(trained_agents=40, native_agents=3).but({"weight_trained.fidelity": -0.9})
    found = avowal.power(base=unaware, tests=["accuracy>0", "accuracy<0"], replicates=20)
    above, below = found.table.to_dicts()
    assert (above["power"], above["excluded"]) == (0.0, 1.0)
    assert (below["power"], below["excluded"]) == (1.0, 1.0)
    assert below["truth"] == pytest.approx(-0.9, abs=0.05)


def test_replicates_without_an_interval_support_nothing_and_are_counted():
    lost = Settings(trained_agents=4, native_agents=4, replies=1).but(
        {"native_before.invalid": 1.0, "weight_trained.invalid": 0.7}
    )
    found = avowal.power(base=lost, tests=["gain.native", "accuracy", "accuracy.native_before<0.5"], replicates=50)
    gain, accuracy, before = found.table.to_dicts()
    for row in (gain, before):
        assert (row["power"], row["undefined"], row["excluded"]) == (0.0, 50, 0.0)
        assert [row[name] for name in ("mean", "sd", "width", "truth", "bias", "coverage")] == [None] * 6
    assert 0 < accuracy["undefined"] < 50
    assert accuracy["contexts_lost"] == 4


@given(st.data())
@effort(max_examples=30)
def test_summaries_against_plain_loops(data):
    count = data.draw(st.integers(1, 12))
    value = st.one_of(st.just(math.nan), st.floats(-1, 1))
    figures = np.array([[data.draw(value) for _ in COLUMNS[:3]] for _ in range(count)])
    whole = np.full((count, len(COLUMNS)), 0.25)
    whole[:, :3] = figures
    each = claim(f"{next(iter(ESTIMANDS))}{data.draw(st.sampled_from('<>'))}0.1")
    (row,) = summarise((np.arange(count, dtype=np.uint64), whole), [each], "contexts", count)
    support = [(low > 0.1) if each.above else (high < 0.1) for _, low, high in figures]
    assert row["power"] == sum(support) / count
    assert row["undefined"] == sum(math.isnan(low) or math.isnan(high) for _, low, high in figures)
    known = [r for r, _, _ in figures if not math.isnan(r)]
    assert row["mean"] == (pytest.approx(sum(known) / len(known)) if known else None)
    assert row["bias"] == (pytest.approx(sum(known) / len(known) - 0.25) if known else None)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_and_chunks_change_nothing(threads, monkeypatch):
    expected = avowal.power(GRID, replicates=70)
    monkeypatch.setattr(runs, "CHUNK", 13)
    same(avowal.power(GRID, replicates=70, executor=here(threads)), expected)


def test_optimal_pairs_are_those_of_the_designs_at_hand(tmp_path):
    sweep = prepare({"agents": 6, **TINY, "pairs": ["uniform", "d-optimal"]}, replicates=8)
    found = carry_out(sweep, out=tmp_path / "s")
    given = optimal_differences(5, 12, DESIGNS, seed=0)
    cell = sweep.cells[1]
    every = simulate(cell.settings, 8, seed=cell.seed(1), designs={"trained": given, "native": given})
    assert found.table.filter(cell=1)["mean"][0] == pytest.approx(every["weight_trained.r"].mean(), abs=1e-12)
    assert dump(sweep, cell, 3, tmp_path / "d", kept=tmp_path / "s")["learned_target.r"] == every["learned_target.r"][3]
    choices = pl.read_parquet(tmp_path / "d" / "choices.parquet").filter(group="native", context=2)
    # Agent i of replicate r takes design r * agents + i.
    assert np.array_equal(choices["differences"].to_numpy(), given[3 * 6 + 2])
    assert found.table["price_status"].unique(maintain_order=True).to_list() == ["exact", "extrapolated"]


def test_designs_without_a_price_say_why():
    reasons = [
        FREE.bill(cell).status
        for cell in (cells({}, Settings())[0], cells({"attributes": 7}, "gpt-4o")[0], cells({"agents": 1}, "gpt-4o")[0])
    ]
    assert reasons == ["no model named", "too few contexts with 7 attributes", "fewer than two trained agents"]
    with pytest.raises(InputError, match="my-model"):
        avowal.power(GRID, pricing=Pricing(seed=1, model="my-model"), replicates=1)
    rates = "".join(f"{name} = 0\n" for name in ("input", "output", "training", "tuned_input", "tuned_output"))
    table = prices.parse(f'[models."my-model"]\nas_of = 2026-01-01\nsource = "mine"\n{rates}', "p.toml")
    found = avowal.power(GRID, pricing=Pricing(seed=1, model="my-model", prices=table), replicates=1)
    assert found.table["price"].to_list() == [0.0] * 8
    assert found.table["power_per_dollar"].null_count() == 8
    assert Decimal(0) == Pricing(seed=1, model="my-model", prices=table).bill(found.sweep.cells[0]).price


def test_the_cheapest_design_is_that_of_every_test():
    found = avowal.power({"agents": [8, 30, 60], "reports": [4, 8]}, tests=["accuracy", "gain"], replicates=80)
    rows = found.table.group_by("cell").agg(pl.col("power").min(), pl.col("price").first()).sort("price").to_dicts()
    assert found.cheapest(0.8) == next(row["cell"] for row in rows if row["power"] >= 0.8)
    with pytest.raises(InputError, match="power"):
        found.cheapest(90)


def test_the_cheapest_design_holds_whatever_the_study_meets():
    axes = {"weight_trained.fidelity": [0.4, 0.7], "agents": [15, 60]}
    found = avowal.power(axes, tests=["accuracy>0.2"], replicates=100)
    least = found.table.group_by("agents").agg(pl.col("power").min())
    assert (
        least.filter(pl.col("agents") == 15)["power"].item()
        < 0.7
        < least.filter(pl.col("agents") == 60)["power"].item()
    )
    best = found.table.filter(cell=found.cheapest(0.7))
    assert best.select("agents", "weight_trained.fidelity").row(0) == (60, 0.4)
    assert found.cheapest(1.0) is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"tests": []}, "one test"),
        ({"tests": ["gain", "gain.instilled>0"]}, "that differ"),
        ({"replicates": 0}, "1 to 10,000,000"),
        ({"level": 1.0}, "level"),
        ({"interval": "bayes"}, "contexts or regression"),
        ({"seed": -1}, "seed"),
        ({"base": "gpt-9"}, "gpt-4o"),
    ],
)
def test_arguments_that_are_none_are_told(changes, told):
    with pytest.raises(InputError, match=told):
        avowal.power(GRID, **changes)


def test_claims_that_differ_are_told_apart_to_the_last_digit():
    found = avowal.power(GRID, tests=["accuracy>0.1234567", "accuracy>0.1234568"], replicates=3)
    assert found.table["test"].unique().len() == 2
    assert [str(each) for each in found.sweep.claims] == [
        "accuracy.weight_trained > 0.1234567",
        "accuracy.weight_trained > 0.1234568",
    ]
