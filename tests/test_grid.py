"""Grids and claims: what a line of words means, and what it can't."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avowal.errors import InputError
from avowal.quantities import PARAMETERS, SETS, Settings
from avowal.sweep.estimands import ESTIMANDS, claim
from avowal.sweep.grid import SHORT, cells, parse

counts = st.lists(st.integers(1, 500), min_size=1, max_size=4, unique=True)


@given(agents=counts, replies=counts, fidelity=st.floats(-1, 1))
def test_every_combination_is_a_cell_and_the_last_axis_varies_fastest(agents, replies, fidelity):
    grid = cells({"trained_agents": agents, "weight_trained.fidelity": fidelity, "reports": replies}, "gpt-4o")
    assert [cell.number for cell in grid] == list(range(len(agents) * len(replies)))
    expected = [(a, r) for a in agents for r in replies]
    assert [(cell.settings.trained_agents, cell.settings.replies) for cell in grid] == expected
    assert all(cell.settings.weight_trained.fidelity == fidelity for cell in grid)
    axes = [name for name, values in (("trained_agents", agents), ("reports", replies)) if len(values) > 1]
    assert all(list(cell.values) == axes for cell in grid)


@given(agents=counts, seed=st.integers(0, 2**64 - 1))
def test_a_cell_keeps_its_seed_and_key_in_any_grid(agents, seed):
    wide = cells({"agents": [*agents, 501], "reports": [3, 10]}, "gpt-4o")
    alone = {each: cells({"reports": 10, "agents": each}, "gpt-4o")[0] for each in agents}
    for cell in wide:
        if cell.values["reports"] == 10 and cell.values["agents"] in alone:
            same = alone[cell.values["agents"]]
            assert cell.seed(seed) == same.seed(seed)
            assert cell.key(seed, 0.95) == same.key(seed, 0.95) != cell.key(seed, 0.9)
    assert len({cell.seed(seed) for cell in wide}) == len(wide)
    assert wide[0].seed(seed) != wide[0].seed((seed + 1) % 2**64)


def test_pairs_and_models_are_axes_too():
    grid = cells({"model": ["gpt-4o", "gpt-4o-mini"], "pairs": ["uniform", "d-optimal"]}, Settings())
    assert [(c.model, c.pairs) for c in grid] == [
        (model, pairs)
        for model in ("gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18")
        for pairs in ("uniform", "d-optimal")
    ]
    assert len({c.seed(1) for c in grid}) == 4
    assert cells({}, Settings())[0].model is None


@pytest.mark.parametrize("name", SHORT)
def test_short_names_set_all_that_they_stand_for(name):
    value = 2 if SHORT[name][0] in ("trained_agents", "trained_decisions", "replies") else 0.25
    changed = cells({name: value}, Settings())[0].settings.to_dict()
    assert {parameter for parameter in PARAMETERS if changed[parameter] == value} >= set(SHORT[name])
    untouched = [parameter for parameter in PARAMETERS if parameter not in SHORT[name]]
    assert all(changed[parameter] == Settings().to_dict()[parameter] for parameter in untouched)


@given(first=st.decimals(0, 1, places=2), step=st.decimals("0.01", 1, places=2), count=st.integers(1, 30))
def test_ranges_are_decimal_and_hold_their_end(first, step, count):
    last = first + step * (count - 1)
    assert parse([f"fidelity={first}:{last}:{step}"])["fidelity"] == [float(first + step * i) for i in range(count)]
    over = parse([f"fidelity={first}:{last + step / 2}:{step}"])["fidelity"]
    assert len(over) == count
    assert Decimal(str(over[-1])) == last


@pytest.mark.parametrize(
    ("design", "told"),
    [
        ({"agent": 5}, "such as agents"),
        ({"agents": [5, 5]}, "that differ"),
        ({"agents": []}, "one value or several"),
        ({"agents": "many"}, "a number"),
        ({"agents": 10**400}, "a number of ordinary size"),
        ({"agents": True}, "a number"),
        ({"agents": 5, "trained_agents": 6}, "trained_agents set once, found by agents and by trained_agents"),
        ({"agents": 2.5}, "trained_agents: expected a whole number"),
        ({"fidelity": 1.5}, "fidelity: expected a number from -1 to 1"),
        ({"attributes": 13}, "attributes: expected a whole number from 2 to 12"),
        ({"pairs": "best"}, "uniform or d-optimal"),
        ({"pairs": 3}, "text"),
        ({"model": "gpt-9"}, "gpt-4o-mini"),
        ({"agents": range(1, 1001), "reports": range(1, 1001)}, "at most 100,000 cells"),
    ],
)
def test_designs_that_are_none_are_told(design, told):
    with pytest.raises(InputError, match=told):
        cells(design, "gpt-4o")


@pytest.mark.parametrize(
    "word",
    [
        "agents",
        "=5",
        "agents=",
        "agents=5,,6",
        "agents=5:6",
        "agents=6:5:1",
        "agents=1:2:0",
        "agents=nan",
        "lapse=0:1e999999:1e-999999",
        "lapse=1e400",
    ],
)
def test_words_that_are_no_design_are_told(word):
    with pytest.raises(InputError):
        parse([word])


def test_counts_written_with_a_point_are_counts(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text('{"model": "gpt-4o", "settings": {"trained_agents": 6.0, "native_agents": 5.0, "replies": 3.0}}')
    (cell,) = cells({"model": str(path)}, "gpt-4o")
    assert [type(getattr(cell.settings, name)) for name in ("trained_agents", "native_agents", "replies")] == [int] * 3


def test_a_profile_has_its_models_name_too():
    assert cells({"model": "gpt-4o-2024-08-06"}, Settings())[0].settings == cells({}, "gpt-4o")[0].settings


def test_errors_name_the_parameter_as_it_was_written():
    with pytest.raises(InputError, match=r"agents, which is trained_agents: expected a whole number .* found 10\.5"):
        cells({"agents": 10.5}, "gpt-4o")


def test_a_name_comes_once():
    with pytest.raises(InputError, match="'agents' twice"):
        parse(["agents=5", "agents=6"])


def test_settings_from_a_file(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text('{"model": "mine-1", "settings": {"trained_agents": 7, "native.lapse": 0.125}}')
    (cell,) = cells({"model": str(path)}, "gpt-4o")
    assert (cell.model, cell.settings) == ("mine-1", Settings().but({"trained_agents": 7, "native.lapse": 0.125}))
    for text, told in (
        ("[]", "an object with"),
        ('{"settings": {"agents": 3}}', "mine.json, settings, changes: expected the name of a parameter"),
        ('{"settings": {"trained_agents": "3"}}', "mine.json, settings, trained_agents: expected a number"),
        ('{"settings": {}, "model": 3}', "mine.json, model: expected text"),
        ("{", "line 1"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=told):
            cells({"model": str(path)}, "gpt-4o")


@given(
    estimand=st.sampled_from(list(ESTIMANDS)),
    sign=st.sampled_from("<>"),
    threshold=st.floats(-0.99, 0.99).map(lambda x: round(x, 4)),
    space=st.sampled_from(["", " "]),
)
def test_claims_are_read_as_written(estimand, sign, threshold, space):
    found = claim(f"{estimand}{space}{sign}{space}{threshold}")
    assert (found.estimand, found.above, found.threshold) == (estimand, sign == ">", threshold)
    assert claim(str(found)) == found


def test_short_claims():
    assert claim("accuracy") == claim("accuracy.weight_trained>0")
    assert claim("gain<-.5") == claim("gain.instilled < -0.5")


def test_claims_on_sets_name_them():
    assert {name for name in ESTIMANDS if name.startswith("accuracy")} == {f"accuracy.{name}" for name in SETS}


@pytest.mark.parametrize(
    "text", ["", "accuracy>", "accuracy>=0.5", "r>0", "accuracy>1", "gain<2", "accuracy>nan", "accuracy>1e", ">0"]
)
def test_texts_that_are_no_claim_are_told(text):
    with pytest.raises(InputError, match="test"):
        claim(text)
