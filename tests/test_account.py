"""The parts of an account add up to the whole, and accounts add like numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avowal.account import Account, total

kinds = st.dictionaries(st.sampled_from(["wrong keys", "refusal", "not recorded"]), st.integers(0, 50))


@st.composite
def accounts(draw: st.DrawFn) -> Account:
    valid, invalid, failed = draw(st.integers(0, 100)), draw(kinds), draw(kinds)
    return Account(valid + sum(invalid.values()) + sum(failed.values()), valid, invalid, failed)


@given(accounts(), accounts(), accounts())
def test_sums_keep_every_part_and_need_no_order(a: Account, b: Account, c: Account) -> None:
    whole = a + b
    assert whole.planned == a.planned + b.planned
    assert whole.lost == a.lost + b.lost == whole.planned - whole.valid
    assert whole == b + a
    assert (a + b) + c == a + (b + c) == total([a, b, c])
    for kind in whole.invalid:
        assert whole.invalid[kind] == a.invalid.get(kind, 0) + b.invalid.get(kind, 0)


@given(accounts())
def test_share_lost_is_a_share(a: Account) -> None:
    assert 0 <= a.share_lost <= 1
    assert a.share_lost * a.planned == pytest.approx(a.lost)
    assert a + Account(0, 0) == Account(0, 0) + a


def test_the_empty_account() -> None:
    assert total([]) == Account(0, 0)
    assert total([]).share_lost == 0.0


@given(accounts(), st.integers(-5, 5).filter(bool))
def test_parts_that_do_not_add_up_are_refused(a: Account, off: int) -> None:
    with pytest.raises(ValueError, match=f"an account of {a.planned + off} planned units"):
        Account(a.planned + off, a.valid, a.invalid, a.failed)


@pytest.mark.parametrize("parts", [(0, -1, {"x": 1}, {}), (2, 3, {"x": -1}, {}), (2, 3, {}, {"x": -1})])
def test_parts_below_zero_are_refused(parts: tuple) -> None:
    with pytest.raises(ValueError, match="below zero"):
        Account(*parts)
