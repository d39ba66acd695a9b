"""Prices: exact sums, tuned models, a user's file over the table, and errors that say what to write where."""

import decimal
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avowal.errors import InputError
from avowal.prices import RATES, builtin, load, parse, total

OWN = """
[models."my-model"]
as_of = 2026-11-01
source = "the invoice of October"
input = 0.2
output = 1
"""


# OpenAI's pricing page: input, cached, output, training, and of tuned models input, cached, output, batched in and out.
@pytest.mark.parametrize(
    ("model", "rates"),
    [
        ("gpt-4o-2024-08-06", "2.5 1.25 10 25 3.75 1.875 15 2.225 12.5"),
        ("gpt-4o-mini-2024-07-18", ".15 .075 .6 3 .3 .15 1.2 .15 .6"),
        ("gpt-4.1-2025-04-14", "2 .5 8 25 3 .75 12 1.5 6"),
        ("gpt-4.1-mini-2025-04-14", ".4 .1 1.6 5 .8 .2 3.2 .4 1.6"),
        ("gpt-4.1-nano-2025-04-14", ".1 .025 .4 1.5 .2 .05 .8 .1 .4"),
    ],
)
def test_rates_are_the_published_ones(model, rates):
    keys = ["input", "cached_input", "output", "training", "tuned_input", "tuned_cached_input", "tuned_output"]
    keys += ["tuned_batch_input", "tuned_batch_output"]
    prices = builtin()
    assert [prices.rate(model, key) for key in keys] == [Decimal(rate) for rate in rates.split()]
    for key in ("input", "output"):
        assert prices.rate(model, f"batch_{key}") * 2 == prices.rate(model, key)


def test_every_entry_has_every_rate_a_date_and_a_source():
    for entry in builtin().entries.values():
        assert set(entry.rates) == set(RATES)
        assert entry.source.startswith("https://")
        assert entry.as_of.year >= 2026
        assert entry.encoding == "o200k_base"
        for alias in entry.aliases:
            assert builtin().entry(alias) is entry


def test_a_tuned_model_is_priced_by_its_base():
    prices = builtin()
    for base in ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"):
        for name in (f"ft:{base}:org:suffix:id", f"ft:{base}::id:ckpt-step-90", f"ft:{base}"):
            assert prices.price(name, 10**6, 10**6) == Decimal("1.5")
            assert prices.price(name, 10**6, 10**6, mode="batch") == Decimal("0.75")
            assert prices.training(name, 10**6) == prices.training(base, 10**6) == 3
            assert prices.encoding(name) == "o200k_base"


def test_a_base_model_may_have_colons_in_its_name():
    prices = parse(OWN.replace("my-model", "house/llama3:8b"), "f")
    for name in ("ft:house/llama3:8b:", "ft:house/llama3:8b:lab::id"):
        assert prices.entry(name).model == "house/llama3:8b"


tokens = st.integers(0, 10**12)


@given(st.sampled_from(sorted(builtin().entries)), tokens, tokens, tokens)
def test_prices_are_exact_whatever_the_decimal_context(model, first, second, more):
    prices = builtin()
    with decimal.localcontext(prec=3):
        prompt = prices.price(model, first, second)
        cached = prices.price(model, first + more, second, cached_tokens=more)
        trained = prices.training(model, more)
        together = total([prompt, cached, trained])
    rates = {key: Fraction(prices.rate(model, key)) / 10**6 for key in RATES}
    plain = rates["input"] * first + rates["output"] * second
    assert Fraction(prompt) == plain
    assert Fraction(cached) == plain + rates["cached_input"] * more
    assert Fraction(together) == 2 * plain + (rates["cached_input"] + rates["training"]) * more


def test_a_users_file_adds_and_replaces(tmp_path):
    file = tmp_path / "prices.toml"
    file.write_text(OWN + '[models."gpt-4o"]\nas_of = 2026-11-01\nsource = "a contract"\ninput = 2\n', "utf-8")
    prices = load(file)
    assert prices.price("my-model", 1, 1) == Decimal("0.0000012")
    assert prices.rate("gpt-4o", "input") == 2
    assert prices.rate("gpt-4o-2024-08-06", "input") == Decimal("2.5")
    assert prices.rate("gpt-4.1", "input") == 2
    # An entry is replaced whole: its date and source would not speak for rates that it doesn't have.
    with pytest.raises(InputError, match=r"`output`, in US dollars per million tokens, under \[models.'gpt-4o'\]"):
        prices.rate("gpt-4o", "output")
    with pytest.raises(InputError, match="`tuned_input`"):
        prices.price("ft:my-model:org::id", 1, 1)


def test_an_entry_of_its_own_prices_a_tuned_model():
    own = OWN.replace("my-model", "ft:gpt-4o-2024-08-06:org::id")
    assert parse(own, "f").price("ft:gpt-4o-2024-08-06:org::id", 10, 0) == Decimal("0.000002")


def test_an_unknown_model_is_an_error_that_says_what_to_write():
    with pytest.raises(InputError) as caught:
        builtin().price("ft:gpt-9:org::id", 1, 1)
    message = str(caught.value)
    assert message.startswith("price of 'ft:gpt-9:org::id': expected a priced model (gpt-4o-2024-08-06, ")
    assert "or [models.'gpt-9'] with as_of, source and its rates" in message
    assert "in a TOML file of prices, found neither" in message


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("input = 0.2", "input = -1", "f, models.'my-model'.input: expected US dollars per million .* found -1"),
        ("input = 0.2", "input = nan", "found NaN"),
        ("input = 0.2", "input = inf", "found Infinity"),
        ("input = 0.2", "input = true", "found True"),
        ("input = 0.2", 'input = "0.2"', "input: expected US dollars"),
        ("input = 0.2", "input = 1e-10", "at most 9 decimals, found 1E-10"),
        ("input = 0.2", "inputs = 0.2", "expected only as_of, .* found 'inputs'"),
        ("2026-11-01", '"2026-11-01"', "as_of: expected a date, as 2026-07-30 without quotes"),
        ("2026-11-01", "2026-11-01T00:00:00", "as_of: expected a date"),
        ('"the invoice of October"', '" "', "source: expected where the rates stand"),
        ("input = 0.2\noutput = 1", "", "expected one of the rates input, "),
        ("input = 0.2", "encoding = 3", "encoding: expected the name"),
        ("input = 0.2", 'aliases = "a"', "aliases: expected a list of names"),
        ('[models."my-model"]', "[prices]", r"f: expected tables \[models"),
        ("input = 0.2", "input = ", "f: expected TOML, found Invalid value"),
    ],
)
def test_a_bad_file_names_its_fault(old, new, match):
    with pytest.raises(InputError, match=match):
        parse(OWN.replace(old, new), "f")


def test_counts_and_modes_are_checked():
    prices = builtin()
    with pytest.raises(InputError, match="mode: expected sync or batch, found 'flex'"):
        prices.price("gpt-4o", 1, 1, mode="flex")
    with pytest.raises(InputError, match="cached_tokens: expected at most the 1 input tokens, found 2"):
        prices.price("gpt-4o", 1, 1, cached_tokens=2)
    with pytest.raises(InputError, match="cached_tokens: expected 0 with batches, found 1"):
        prices.price("gpt-4o", 1, 1, cached_tokens=1, mode="batch")
    with pytest.raises(InputError, match="output_tokens: expected an integer"):
        prices.price("gpt-4o", 1, 1.5)
    with pytest.raises(InputError, match="no such key; known are input, "):
        prices.rate("gpt-4o", "inputs")
