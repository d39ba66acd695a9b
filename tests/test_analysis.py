"""The analysis of studies: the same as the authors' files get, for whatever a study has so far."""

import json

import numpy as np
import polars as pl
import pytest
from filled_study import BASE, MINI, fill, folder
from hypothesis import given
from hypothesis import strategies as st

from avowal.analysis import Settings, document, printed
from avowal.analysis.material import GAINS, LABELS
from avowal.analysis.probabilities import probability_weights
from avowal.contexts import builtin
from avowal.design import pairs
from avowal.published.replicate import replicate
from avowal.study import read
from avowal.study.analysis import accuracies, analyze_study, material
from avowal.study.collect import collect
from avowal.study.export import export
from avowal.study.place import place
from avowal.study.store import Store
from avowal.text import table

FIVE = list(LABELS)[:5]
AGAIN = list(GAINS)[:4]
QUICK = Settings(replies=3, resamples=20, draws=50)


def found(path):
    with Store.reading(path) as store:
        return collect(store, read(path))


def shown(result):
    return [part for part in printed(result) if isinstance(part, str)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = folder(
        tmp_path_factory.mktemp("whole"), base=(BASE, MINI), again=True, introspection=("targets", "shuffled")
    )
    fill(path)
    return found(path)


def test_each_chain_is_a_model_of_its_own(whole):
    result = analyze_study(whole)
    assert [model.name for model in result.models] == [
        BASE, f"{BASE}, shuffled reports", MINI, f"{MINI}, shuffled reports",
    ]  # fmt: skip
    assert all(not model.missing for model in result.models)
    assert list(result.gains) == [*AGAIN, *(f"{name}, shuffled reports" for name in AGAIN)]
    assert list(result.gains["instilled"][1]) == [BASE, MINI]
    plain, shuffled = result.models[:2]
    assert plain.sets["weight_trained"] is shuffled.sets["weight_trained"]
    assert plain.groups["learned"] is shuffled.groups["learned"]
    assert plain.groups["learned_after"] is not shuffled.groups["learned_after"]
    # The pretender reports truly what it was taught, and little of it after shuffled reports.
    r = [model.sets["introspection_trained"].accuracy.r for model in (plain, shuffled)]
    assert r[0] > r[1]


def test_pairs_of_models_that_are_compared_differ_in_one_thing(whole):
    pairs_of = {name: [pair[:2] for pair in pairs] for name, pairs in analyze_study(whole).differences.items()}
    assert pairs_of["weight_trained"] == [(BASE, MINI)]
    assert pairs_of["introspection_trained"] == [
        (BASE, f"{BASE}, shuffled reports"),
        (BASE, MINI),
        (f"{BASE}, shuffled reports", f"{MINI}, shuffled reports"),
        (MINI, f"{MINI}, shuffled reports"),
    ]


def test_models_that_decide_again_are_compared_with_both_weights(whole):
    result = analyze_study(whole)
    model = result.models[0]
    assert list(model.sets) == list(LABELS)[:7]
    assert list(model.groups) == ["learned", "native", "learned_after", "native_after"]
    assert set(model.kept) == {"learned_after", "native_after"}
    # Deciding again goes by the same weights here.
    assert all(r > 0.8 for r in model.kept.values())
    own, before = (model.sets[name].accuracy for name in ("introspection_trained_own", "introspection_trained"))
    assert own.entries.names == before.entries.names
    assert (own.entries.reports == before.entries.reports).all()
    assert (own.entries.weights != before.entries.weights).any()
    # The other model, never the same one after other training, stands for minds that it has no access to.
    crossed = model.sets["native_after"].beside.crossed_r
    assert crossed is not None


def test_without_deciding_again_there_are_the_papers_accuracies(tmp_path):
    fill(folder(tmp_path))
    result = analyze_study(found(tmp_path))
    assert list(result.sets) == FIVE
    assert list(result.models[0].sets) == FIVE
    assert document(result)["models"][BASE]["kept"] == {}


def test_seeds_are_models_of_their_own(tmp_path):
    fill(folder(tmp_path, seeds=(0, 3)))
    result = analyze_study(found(tmp_path))
    assert [model.name for model in result.models] == [f"{BASE}, seed 0", f"{BASE}, seed 3"]
    assert list(result.gains["native"][1]) == [f"{BASE}, seed 0", f"{BASE}, seed 3"]


def test_no_two_things_differ_between_models_that_are_compared(tmp_path):
    folder(tmp_path, base=(BASE, MINI), seeds=(0, 3), introspection=("targets", "shuffled"))
    path = tmp_path / "study.toml"
    asked = path.read_text(encoding="utf-8").replace("[design]", '[design]\nreport_prompts = ["paper", "no pair"]')
    path.write_text(asked, encoding="utf-8")
    fill(tmp_path)
    traits = {model.name: model.traits for model in material(found(tmp_path)).models}
    assert len(traits) == 2 * 2 * 2 * 2
    compared = analyze_study(found(tmp_path), QUICK).differences["introspection_trained"]
    assert len(compared) == 16 * 4 // 2
    for one, other, *_ in compared:
        assert sum(a != b for a, b in zip(traits[one], traits[other], strict=True)) == 1


def test_chains_share_what_was_said_of_several_others_contexts(tmp_path):
    third = "gpt-4.1-2025-04-14"
    folder(tmp_path, base=(BASE, MINI, third), introspection=("targets", "shuffled"))
    path = tmp_path / "study.toml"
    asked = path.read_text(encoding="utf-8").replace("trained = 8", "trained = 12\nshared = false")
    path.write_text(asked.replace("[design]", "[design]\ncross_reports = true"), encoding="utf-8")
    fill(tmp_path)
    result = analyze_study(found(tmp_path), QUICK)
    plain, shuffled = result.models[:2]
    assert plain.sets["cross_before"] is shuffled.sets["cross_before"]
    assert [pair[:2] for pair in result.differences["cross_before"]] == [(BASE, MINI), (BASE, third), (MINI, third)]


def test_the_same_base_under_another_seed_is_no_other_mind(tmp_path):
    fill(folder(tmp_path / "one", seeds=(0, 3)))
    for model in analyze_study(found(tmp_path / "one"), QUICK).models:
        assert all(each.beside.crossed_r is None for each in model.sets.values())
    fill(folder(tmp_path / "two", base=(BASE, MINI), seeds=(0, 3)))
    result = analyze_study(found(tmp_path / "two"), QUICK)
    model, others = result.models[0], [each for each in result.models if each.name.startswith(MINI)]
    entries = model.sets["native_after"].accuracy.entries
    expected = []
    for other in others:
        weights = {(name, place): weight for name, place, weight in other.groups["native"].weights.iter_rows()}
        # Every context has as many attributes, one entry each, in order.
        own = [weights[name, place] for name in dict.fromkeys(entries.names) for place in range(5)]
        expected.append(np.corrcoef(own, entries.reports)[0, 1])
    assert model.sets["native_after"].beside.crossed_r == pytest.approx(np.mean(expected))


def test_replies_that_count_in_two_accuracies_are_counted_once(whole):
    asked = [each for each in whole.stages if each.requests is not None and each.stage.sends.kind == "reports"]
    result = analyze_study(whole, QUICK)
    for model in result.models:
        label = "shuffled" if "shuffled" in model.name else "targets"
        own = [each for each in asked if model.name.startswith(each.stage.base) and each.stage.label in (None, label)]
        assert result.replies[model.name].planned == sum(each.requests.planned for each in own)


@pytest.mark.parametrize("role", ["weights", "native", "native_before", "introspection_last", "native_after"])
def test_unfinished_studies_say_what_is_missing(tmp_path, role):
    fill(folder(tmp_path), until=lambda stage: (stage.role == role and stage.sends.__class__.__name__ == "Queries")
         or stage.role == role == "weights")  # fmt: skip
    result = analyze_study(found(tmp_path))
    model = result.models[0]
    assert {*model.sets, *model.missing} >= set(FIVE)
    assert not {*model.sets} & {*model.missing}
    assert any("has not begun" in reason for reason in model.missing.values())
    assert any("has not begun" in line for line in shown(result))
    assert json.loads(json.dumps(document(result), allow_nan=False))["settings"]["study"] == "small"
    assert sorted(accuracies(result)["set"].to_list()) == sorted(FIVE)


def test_a_fold_that_was_not_asked_yet_leaves_the_other(tmp_path):
    fill(folder(tmp_path), until=lambda stage: stage.role == "introspection_last" and stage.sends.kind == "reports"
         and stage.name.find("report,") > 0)  # fmt: skip
    result = analyze_study(found(tmp_path))
    folds = result.models[0].sets["introspection_trained"].folds
    assert list(folds) == ["introspection_first"]
    assert "introspection_last" in result.models[0].missing


def test_lost_replies_are_told_from_invalid_ones(tmp_path):
    from dataclasses import replace

    def spoil(stage, place, answer):
        if stage.role != "weight_trained" or place > 1:
            return answer
        return replace(answer, body="x", failure="HTTP 500") if place == 0 else replace(answer, body="{}")

    fill(folder(tmp_path), spoil=spoil)
    account = analyze_study(found(tmp_path)).models[0].sets["weight_trained"].accuracy.replies
    assert (account.planned, account.valid) == (24, 22)
    assert (dict(account.invalid), dict(account.failed)) == ({"unreadable": 1}, {"HTTP 500": 1})


def test_material_names_the_contexts_that_were_asked(whole):
    model = material(whole).models[0]
    trained = [context.name for context in whole.study.trained]
    assert model.asked["introspection_first"] == trained[4:]
    assert model.asked["introspection_last"] == trained[:4]


@given(st.integers(0, 2**32), st.floats(-2, 2))
def test_weights_come_back_from_probabilities(seed, intercept):
    contexts = builtin()[:3]
    draws = np.random.default_rng(seed)
    shown = pairs(contexts, 12, seed=seed)
    span = {c.name: np.array([x.max - x.min for x in c.attributes]) for c in contexts}
    weights = {c.name: draws.uniform(-3, 3, len(c.attributes)) for c in contexts}
    odds = [weights[name] @ ((np.array(a) - b) / span[name]) + intercept
            for name, a, b in shown.select("context", "a", "b").iter_rows()]  # fmt: skip
    choices = shown.with_columns(
        pl.lit("m").alias("model"), pl.Series("p_a", 1 / (1 + np.exp(-np.array(odds))), dtype=pl.Float64)
    )
    told = probability_weights(choices, contexts)
    expected = np.concatenate([100 * each / np.abs(each).max() for each in weights.values()])
    np.testing.assert_allclose(told["weight"].to_numpy(), expected, atol=1e-6)


def test_certain_and_constant_probabilities_give_no_weights():
    contexts = builtin()[:1]
    shown = pairs(contexts, 12, seed=1).with_columns(pl.lit("m").alias("model"))
    for p in (0.5, 1.0, None):
        told = probability_weights(shown.with_columns(pl.lit(p, dtype=pl.Float64).alias("p_a")), contexts)
        assert told["weight"].null_count() == len(told) == len(contexts[0].attributes)


def test_tables_print(whole):
    parts = list(printed(analyze_study(whole)))
    assert sum(isinstance(part, type(table("", [], []))) for part in parts) >= 9


MORE = """order = "shuffled"
report_prompts = ["paper", "no pair"]
cross_reports = true
[doses]
contexts = [3]
[[condition]]
name = "opposite day"
marker = "Today is opposite day."
effect = "flip"
"""


def test_doses_conditions_and_wordings_are_models_of_their_own(tmp_path):
    path = folder(tmp_path, base=(BASE, MINI))
    text = (path / "study.toml").read_text()
    text = text.replace("[design]\n", "shared = false\n[design]\n").replace(
        "[training]\n", MORE.split("[doses]")[0] + "[training]\n"
    )
    (path / "study.toml").write_text(text + "[doses]" + MORE.split("[doses]")[1])
    fill(path)
    its = found(path)
    assert its.tables["choices"]["swapped"].sum() > 0
    assert len(export(place(path), "csv", tmp_path / "csv")) > 10
    assert BASE in [model.name for model in replicate(str(tmp_path / "csv"), Settings(resamples=10)).models]
    result = analyze_study(its)
    of = {model.name: model for model in result.models}
    assert list(of)[:4] == [BASE, f"{BASE}, under opposite day", f"{BASE}, no pair", f"{BASE}, 3 contexts"]
    assert all("the study asks for none" not in line for line in shown(result))
    plain, under, unseen, dosed = (of[name] for name in list(of)[:4])
    assert {*FIVE, "cross_before", "cross_after"} == {*plain.sets}
    assert set(unseen.sets) == set(plain.sets)
    assert unseen.groups["learned"] is plain.groups["learned"]
    assert set(under.sets) == {"weight_trained", "introspection_trained"}
    assert under.groups["learned"] is not plain.groups["learned"]
    # The pretender knows nothing of conditions, under which all targets are turned round.
    assert plain.learned_vs_target > 0.5
    assert under.learned_vs_target < -0.5
    assert set(dosed.sets) == {"weight_trained"}
    assert dosed.sets["weight_trained"].accuracy.contexts == 3
    # The other's contexts, and the other's weights in them.
    other = plain.sets["cross_before"].accuracy
    assert set(other.entries.names) == set(of[MINI].groups["learned"].contexts)
    assert not set(other.entries.names) & set(plain.groups["learned"].contexts)
    assert result.gains["cross"][1].keys() == {BASE, MINI}
    json.dumps(document(result), allow_nan=False)


def test_a_study_that_trains_nothing_has_native_accuracies(tmp_path):
    path = folder(tmp_path)
    (path / "study.toml").write_text((path / "study.toml").read_text().replace("trained = 8", "trained = 0"))
    fill(path)
    (model,) = analyze_study(found(path)).models
    assert (model.name, list(model.sets)) == (BASE, ["native_before"])
    assert len(export(place(path), "csv", tmp_path / "csv")) == 3
