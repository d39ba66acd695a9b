"""Bills: to the digit what a quote of the same study says, counted once for all sizes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from avowal import cost, prices
from avowal.cli import app
from avowal.contexts import Attribute, Context
from avowal.errors import InputError
from avowal.lines import Queries, Training
from avowal.quantities import Settings
from avowal.sweep import money
from avowal.sweep.grid import Cell, cells
from avowal.sweep.money import Pricing


def made(names: str, attributes: Sequence[int], use: Any = None) -> tuple[Context, ...]:
    """Contexts of so many attributes each, with texts and ranges of different lengths."""
    return tuple(
        Context(
            f"choice {name}",
            f"Which {name * (2 + place)} would you take?",
            tuple(Attribute(f"{name} {i}", "km" * i, -i, 10.0 ** (i + place % 3)) for i in range(k)),
            use=use,
        )
        for place, (name, k) in enumerate(zip(names, attributes, strict=True))
    )


TRAINED = made("abcdefg", (5, 3, 5, 5, 2, 5, 5))
NATIVE = made("wxyz", (5, 2, 5, 3), "native")

# Rates that no mixture of others makes up for.
RATES = {name: f"{3 + 2**place}.{place}1" for place, name in enumerate(prices.RATES)}
TABLE = prices.parse(
    "".join(
        f'[models.{model}]\nas_of = 2026-01-01\nsource = "s"\nencoding = "{encoding}"\n'
        + "".join(f"{name} = {rate}\n" for name, rate in RATES.items())
        for model, encoding in (("new", "o200k_base"), ("old", "cl100k_base"))
    ),
    "p.toml",
)

size = st.fixed_dictionaries(
    {
        "trained_agents": st.integers(2, 5),
        "native_agents": st.integers(1, 2),
        "attributes": st.sampled_from([2, 3, 5]),
        "trained_decisions": st.integers(1, 9),
        "native_decisions": st.integers(1, 12),
        "replies": st.integers(1, 6),
    }
)


def cell(model: str | None = "new", pairs: str = "uniform", **sizes: float) -> Cell:
    return Cell(0, {}, Settings(**sizes), pairs, model)


def having(contexts: Sequence[Context], k: int) -> tuple[Context, ...]:
    return tuple(replace(c, attributes=c.attributes[:k]) for c in contexts if len(c.attributes) >= k)


def quoted(pricing: Pricing, model: str, *, many: tuple[int, int], **sizes: int) -> cost.Quote:
    """Quote a study of that many contexts in the ordinary way, prompt by prompt."""
    k = sizes["attributes"]
    stages = cost.paper(
        having(TRAINED, k)[: many[0]],
        having(NATIVE, k)[: many[1]],
        training=pricing.training,
        decisions=sizes["trained_decisions"],
        native_decisions=sizes["native_decisions"],
        reports=sizes["replies"],
        epochs=pricing.epochs,
    )
    return cost.quote(stages, [model], seed=pricing.seed, prices=pricing.prices, mode=pricing.mode)


@given(
    st.lists(st.tuples(size, st.sampled_from(["new", "old", "ft:new:lab::id"])), min_size=1, max_size=4),
    st.integers(0, 2**64 - 1),
    st.integers(1, 7),
    st.integers(1, 4),
    st.sampled_from(["sync", "batch"]),
)
@effort(max_examples=40, deadline=None)
def test_every_bill_is_the_quote_in_whatever_order_sizes_come(
    asked: list[tuple[dict[str, int], str]], seed: int, training: int, epochs: int, mode: prices.Mode
) -> None:
    pricing = Pricing(seed, None, TRAINED, NATIVE, training, epochs, mode, TABLE)
    for sizes, model in asked:
        bill = pricing.bill(cell(model, **sizes))
        assert bill.status == "exact"
        expected = quoted(pricing, model, many=(sizes["trained_agents"], sizes["native_agents"]), **sizes)
        assert bill.price == expected.total


SIZES = {"attributes": 5, "trained_decisions": 4, "native_decisions": 6, "replies": 2}


@pytest.mark.parametrize(("trained", "native"), [(5, 5), (11, 2), (4, 3), (5, 1), (7, 1), (13, 31)])
def test_each_kind_of_agents_beyond_the_contexts_costs_what_its_own_do(trained: int, native: int) -> None:
    """Five trained and two native contexts have five attributes."""
    pricing = Pricing(3, None, TRAINED, NATIVE, prices=TABLE)
    bill = pricing.bill(cell(trained_agents=trained, native_agents=native, **SIZES))
    many = (min(trained, 5), min(native, 2))
    items = quoted(pricing, "new", many=many, **SIZES).items
    factors = {True: Fraction(native, many[1]), False: Fraction(trained, many[0])}
    expected = sum(Fraction(item.price) * factors["native" in item.stage] for item in items)
    assert bill.price is not None
    assert abs(Fraction(bill.price) / expected - 1) < Fraction(1, 10**24)
    assert bill.status == ("exact" if many == (trained, native) else "extrapolated")


def test_other_pairs_are_taken_to_be_as_long() -> None:
    pricing = Pricing(3, None, TRAINED, NATIVE, prices=TABLE)
    sizes = {"trained_agents": 4, "native_agents": 2, **SIZES}
    plain, other = (pricing.bill(cell(pairs=pairs, **sizes)) for pairs in ("uniform", "d-optimal"))
    assert (plain.price, plain.status, other.status) == (other.price, "exact", "extrapolated")


def test_a_further_size_counts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[tuple[int, int]] = []
    drawn = money.drawn_tokens

    def watched(contexts: Sequence[Context], trials: int, **options: Any) -> Any:
        counted.append((len(contexts), trials))
        return drawn(contexts, trials, **options)

    monkeypatch.setattr(money, "drawn_tokens", watched)
    grid = {"agents": [60, 7, 31], "decisions": [40, 1, 17], "reports": [9, 2]}
    pricing = Pricing(seed=1)
    bills = [pricing.bill(one) for one in cells(grid, "gpt-4o")]
    # Decisions and reports in trained and in native contexts; the training's lines come first and are fewer.
    assert 4 <= len(counted) <= 8
    assert len({bill.price for bill in bills}) == 18
    counted.clear()
    rising = Pricing(seed=1)
    for one in cells({"agents": 4, "decisions": list(range(1, 301))}, "gpt-4o"):
        rising.bill(one)
    assert len(counted) < 20
    # Beyond twice what is needed nothing is counted.
    assert max(trials for _, trials in counted) <= 2 * 350


def test_a_pricing_with_a_change_starts_afresh() -> None:
    one = Pricing(1, None, TRAINED, NATIVE, prices=TABLE)
    sizes = {"trained_agents": 4, "native_agents": 2, **SIZES}
    first = one.bill(cell(**sizes))
    assert replace(one, mode="batch").bill(cell(**sizes)).price != first.price
    assert replace(one, mode="sync").bill(cell(**sizes)) == first


def test_a_study_by_parts_is_the_papers() -> None:
    known, others = having(TRAINED, 5), having(NATIVE, 5)
    for learned in (False, True):
        sizes: dict[str, Any] = {"training": 3, "decisions": 4, "native_decisions": 5, "reports": 2, "learned": learned}
        stages = cost.paper(known, others, **sizes)
        listed = cost.parts(len(known), len(others), **sizes)
        assert [part.name for part in listed] == [stage.name for stage in stages]
        for part, stage in zip(listed, stages, strict=True):
            held = known if part.group == "trained" else others
            assert stage.contexts == held[part.start : part.stop]
            assert isinstance(stage, Queries if part.epochs is None else Training)
            assert (part.trials, part.first, part.kind) == (stage.trials, stage.first, stage.kind)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"native": ()}, "native contexts: expected at least one with use = native, found none"),
        ({"trained": ()}, "trained contexts: expected at least two without use = native, found none"),
        (
            {"native": (*NATIVE, TRAINED[2])},
            "contexts: expected context names used once, found 'choice c' twice among trained and native contexts",
        ),
        (
            {"native": (*NATIVE, NATIVE[1])},
            "contexts: expected context names used once, found 'choice x' twice among native contexts",
        ),
        ({"training": 0}, "training: expected 1 or more"),
        ({"epochs": 0}, "epochs: expected 1 or more"),
        ({"epochs": 1.5}, "epochs"),
    ],
)
def test_contexts_and_numbers_that_do_not_fit_are_named(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=f"^{told}"):
        Pricing(**({"seed": 1, "trained": TRAINED, "native": NATIVE} | changes))


def test_too_few_contexts_leave_no_price() -> None:
    pricing = Pricing(1, "new", TRAINED[:1], NATIVE, prices=TABLE)
    assert pricing.bill(cell(trained_agents=4, native_agents=2, **SIZES)).price is None
    assert pricing.bill(cell(trained_agents=4, native_agents=2, **SIZES)).status == "too few contexts with 5 attributes"
    with pytest.raises(InputError, match="mode: expected sync or batch"):
        Pricing(1, "new", TRAINED, NATIVE, mode="post", prices=TABLE).bill(  # type: ignore[arg-type]
            cell(trained_agents=4, native_agents=2, **SIZES)
        )


@pytest.mark.parametrize(("use", "lacking"), [("training", "native"), ("native", "trained")])
def test_a_file_of_one_use_is_refused_before_anything_is_simulated(tmp_path: Path, use: str, lacking: str) -> None:
    held = [
        {name: value for name, value in asdict(context).items() if value is not None} | {"use": use}
        for context in TRAINED
    ]
    (tmp_path / "c.json").write_text(json.dumps({"contexts": held}), encoding="utf-8")
    words = ["power", "model=gpt-4o", "agents=6", "--replicates", "1", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, [*words, "--contexts", str(tmp_path / "c.json")])
    assert result.exit_code != 0
    assert f"{lacking} contexts: expected at least" in result.output + str(result.exception)
    assert not (tmp_path / "out").exists()


def test_a_free_model_costs_nothing() -> None:
    rates = "".join(f"{name} = 0\n" for name in RATES)
    table = prices.parse(f'[models.mine]\nas_of = 2026-01-01\nsource = "s"\n{rates}', "p.toml")
    bill = Pricing(1, "mine", prices=table).bill(cell(None, trained_agents=500, native_agents=2, **SIZES))
    assert (bill.price, bill.status) == (Decimal(0), "extrapolated")
