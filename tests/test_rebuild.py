"""The authors' files, built again from candidates, roles and seeds."""

import random

import pytest

from avowal import published as authors
from avowal.contexts import load
from avowal.errors import InputError
from avowal.published import Recipe
from avowal.published.rebuild import read_roles

REBUILT = [
    "scenarios.csv",
    "instilled_weights.csv",
    "instill_100_prefs.jsonl",
    "instill_100_prefs_val.jsonl",
    "instilled_weights_100_training.jsonl",
    "instilled_weights_50_training.jsonl",
    "instilled_weights_50_test.jsonl",
    "instilled_weights_50_training_test_last.jsonl",
    "instilled_weights_50_test_test_last.jsonl",
]


def test_the_nine_files_are_rebuilt_byte_for_byte(published, tmp_path):
    state = random.getstate()
    written = authors.rebuild(published, tmp_path / "new")
    assert random.getstate() == state
    assert sorted(path.name for path in written) == sorted(REBUILT)
    for path in written:
        assert path.read_bytes() == (published / path.name).read_bytes(), path.name


def test_other_seeds_give_other_files(published):
    candidates, roles = load(published / "candidate_scenarios.json"), read_roles(published / "roles.csv")
    sizes = {"contexts": 12, "instilled": 6, "fold": 2, "training": 3, "validation": 2}
    first = authors.build(candidates, roles, Recipe(**sizes))
    assert list(first) == [
        "scenarios.csv",
        "instilled_weights.csv",
        "instill_6_prefs.jsonl",
        "instill_6_prefs_val.jsonl",
        "instilled_weights_6_training.jsonl",
        "instilled_weights_4_training.jsonl",
        "instilled_weights_2_test.jsonl",
        "instilled_weights_2_training_test_last.jsonl",
        "instilled_weights_4_test_test_last.jsonl",
    ]
    for seed, changed in (
        ("role_seed", {"scenarios.csv"}),
        ("target_seed", {"instilled_weights.csv"}),
        ("pair_seed", {"instill_6_prefs.jsonl", "instill_6_prefs_val.jsonl"}),
        ("report_seed", {"instilled_weights_6_training.jsonl", "instilled_weights_4_training.jsonl"}),
    ):
        other = authors.build(candidates, roles, Recipe(**sizes, **{seed: 99}))
        assert changed <= {name for name in first if first[name] != other[name]}, seed
    assert first["instill_6_prefs.jsonl"].count("\n") == 6 * 3 - 1


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (Recipe(contexts=2000), "candidates: expected at least 2000, found 1365"),
        (Recipe(contexts=1200), "roles: expected at least 1200, found 1134"),
        (Recipe(fold=100), "recipe: expected 0 < fold < instilled <= contexts"),
        (Recipe(validation=-1), "recipe: expected numbers of pairs of at least 0"),
    ],
)
def test_recipes_that_do_not_fit_are_refused(published, recipe, message):
    candidates, roles = load(published / "candidate_scenarios.json"), read_roles(published / "roles.csv")
    with pytest.raises(InputError, match=message):
        authors.build(candidates, roles, recipe)
