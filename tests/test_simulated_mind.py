"""The formulas of docs/serve.md hold: what is read, recovered, instilled, taught, and spoilt."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated_study import decision_lines, permuted, r, report_lines, weights_of

from avowal.contexts import Attribute, Context, builtin
from avowal.prompts import decision_messages, report_messages
from avowal.published.read import read as read_published
from avowal.simulate import profile
from avowal.simulated.learning import dose, learn
from avowal.simulated.mind import RECOVERED, Mind
from avowal.simulated.reading import Key, read
from avowal.simulated.replying import Asking, reply, unreadable
from avowal.simulated.world import World

CONTEXTS = builtin("training")[:60]
WORLD = World(CONTEXTS)
WEIGHTS = weights_of(CONTEXTS, 1)
LESSON = learn(decision_lines(CONTEXTS, 1), WORLD)

words = st.text(st.characters(categories=("L", "N"), include_characters=" _-'/()%"), min_size=1, max_size=12).map(
    lambda text: f"x{text}x"
)
numbers = st.floats(-1e12, 1e12)


def mind(model: str = "gpt-4o-mini", seed: int = 1, **changes: float) -> Mind:
    return Mind(seed, model, profile(model).but(changes), WORLD)


def key_of(context: Context) -> Key:
    count = len(context.attributes)
    return read(decision_messages(context, [0] * count, [1] * count)).key


def in_order(context: Context, values: dict[str, float]) -> list[float]:
    return [values[name] for name in key_of(context).names]


@given(st.lists(words, min_size=1, max_size=12, unique=True), st.data(), words, st.booleans())
def test_prompts_are_read_as_they_are_written(names: list[str], data: st.DataObject, units: str, report: bool) -> None:
    context = Context("c", "Which?", tuple(Attribute(name, units, 0, 1) for name in names), "someone")
    a, b = (data.draw(st.lists(numbers, min_size=len(names), max_size=len(names))) for _ in "ab")
    asked = read((report_messages if report else decision_messages)(context, a, b))
    assert asked.task == ("report" if report else "decision")
    assert asked.names == tuple(names)
    assert asked.key == Key(context.prompt, tuple(sorted(names)))
    for values, found in ((a, asked.a), (b, asked.b)):
        assert dict(zip(asked.key.names, found, strict=True)) == dict(zip(names, values, strict=True))


def test_what_makes_a_context_another() -> None:
    context = CONTEXTS[0]
    plain = decision_messages(context, [1] * 5, [2] * 5)
    marked = [plain[0], {**plain[1], "content": "[RED] " + plain[1]["content"]}]
    added = [{**plain[0], "content": plain[0]["content"] + " It is night."}, plain[1]]
    reworded = [plain[0], {**plain[1], "content": "Choose, A or B:\n\n" + plain[1]["content"].split("\n\n", 1)[1]}]
    other = decision_messages(replace(context, agent="nobody"), [1] * 5, [2] * 5)
    keys = [read(messages).key for messages in (plain, marked, added, other)]
    assert len(set(keys)) == 4
    assert read(reworded).key == keys[0] == read(report_messages(context, [3] * 5, [4] * 5)).key


@pytest.mark.parametrize(
    "text", ["", "Hello", "A:\nx: 1\n\nB:\ny: 1", "A:\nx\n\nB:\nx", "[DECISION TASK] Choose:\n\nWhich?"]
)
def test_prompts_without_a_pair_are_no_decisions(text: str) -> None:
    assert read([{"role": "user", "content": text}]).task == "other"


def test_the_constant_of_recovery_is_what_fits_recover() -> None:
    """Two standard errors of this many agents are .002."""
    goal = np.array([in_order(context, WEIGHTS[context.name]) for context in CONTEXTS])
    found = np.array([LESSON.recovered[key_of(context)].weights for context in CONTEXTS])
    assert abs(r(found, goal) - RECOVERED) < 0.02


def test_recovery_from_the_authors_file(published: Path) -> None:
    held = read_published(published)
    text = (published / "instill_100_prefs.jsonl").read_text(encoding="utf-8")
    lesson = learn(text, World(held.contexts))
    goals = {(name, attribute): weight for name, attribute, weight in
             held.targets.select("context", "attribute", "weight").iter_rows()}  # fmt: skip
    by_prompt = {context.prompt: context for context in held.contexts}
    assert len(lesson.recovered) == 100
    pairs = [
        (weight, goals[by_prompt[key.prompt].name, name])
        for key, each in lesson.recovered.items()
        for name, weight in zip(key.names, each.weights, strict=True)
    ]
    assert abs(r(*np.array(pairs).T) - RECOVERED) < 0.02
    # Without the ranges, the values seen stand in for them.
    guessed = learn(text, World([])).recovered
    widths = np.array([guessed[key].widths / each.widths for key, each in lesson.recovered.items()])
    assert np.all((widths > 0.75) & (widths < 1.35))


def test_weights_in_force_are_instilled_as_far_as_the_profile_says() -> None:
    """The correlation with targets, over many seeds, is `instilling`."""
    goal = np.array([in_order(context, WEIGHTS[context.name]) for context in CONTEXTS])
    found = []
    for seed in range(10):
        model = mind(seed=seed).taught(LESSON, "w")
        found.append(r(np.array([model.agent(key_of(context)).weights for context in CONTEXTS]), goal))
    # Scaling to the largest weight moves a correlation by a hundredth or two.
    assert abs(np.mean(found) - profile("gpt-4o-mini").instilling) < 0.03


def test_doses_grow_to_one() -> None:
    doses = [dose(count) for count in range(80)]
    assert doses == sorted(doses)
    assert (doses[0], doses[50], doses[79]) == (0, 1, 1)


def test_two_families_share_what_their_profiles_say() -> None:
    sense = {name: [mind(name).agent(key_of(context)).common_sense for context in CONTEXTS] for name in
             ("gpt-4o", "gpt-4o-mini")}  # fmt: skip
    assert np.array_equal(*sense.values())
    native = [np.array([mind(name).agent(key_of(context)).weights for context in CONTEXTS]) for name in sense]
    assert 0.45 < r(*native) < 0.75


def lesson_of(weights: dict[str, dict[str, float]], contexts: tuple[Context, ...] = CONTEXTS) -> object:
    return learn(report_lines(contexts, weights, seed=1), WORLD)


def test_reports_teach_as_far_as_they_agree_with_the_weights_in_force() -> None:
    model = mind().taught(LESSON, "w")
    flipped = {name: {each: -weight for each, weight in held.items()} for name, held in WEIGHTS.items()}
    own = {
        context.name: dict(
            zip(key_of(context).names, np.rint(model.agent(key_of(context)).weights).tolist(), strict=True)
        )
        for context in CONTEXTS
    }
    constant = {name: dict.fromkeys(held, 5.0) for name, held in WEIGHTS.items()}
    for weights, truth in (
        (WEIGHTS, 1.0),
        (own, 1.0),
        (flipped, 0.0),
        (permuted(CONTEXTS, WEIGHTS), 0.0),
        (constant, 0.0),
    ):
        assert model.taught(lesson_of(weights), "i").truth() == (pytest.approx(truth, abs=0.05), 1.0)
    few = model.taught(lesson_of(WEIGHTS, CONTEXTS[:10]), "i").truth()
    assert few == (pytest.approx(0.6, abs=0.15), pytest.approx(0.6))
    # Reports about the weights that were trained are false of a model that wasn't.
    assert mind().taught(lesson_of(WEIGHTS), "i").truth()[0] < 0.15


def test_permuted_reports_leave_beliefs_as_they_are() -> None:
    model = mind().taught(LESSON, "w")
    taught = model.taught(lesson_of(permuted(CONTEXTS, WEIGHTS)), "i")
    for context in CONTEXTS:
        before, after = model.speaker(key_of(context)), taught.speaker(key_of(context))
        assert np.allclose(before.belief, after.belief)
        assert after.learned == 1
        assert np.array_equal(model.agent(key_of(context)).weights, taught.agent(key_of(context)).weights)


def test_noise_is_as_calibrated_after_true_reports() -> None:
    taught = mind().taught(LESSON, "w").taught(lesson_of(WEIGHTS), "i")
    style = taught.speaker(key_of(CONTEXTS[0])).styles[1]
    wanted = profile("gpt-4o-mini").introspection_trained
    assert taught.truth() == (1.0, 1.0)
    assert style == replace(wanted, noise=pytest.approx(wanted.noise))


@given(st.lists(words, min_size=1, max_size=12, unique=True), st.floats(0, 1, exclude_max=True), st.floats(0, 0.999))
def test_unreadable_reports_are_unreadable(names: list[str], kind: float, place: float) -> None:
    text = unreadable(dict.fromkeys(names, 1), kind, place)
    try:
        held = json.loads(text)
    except ValueError:
        return
    assert set(held) != set(names)


def test_unreadable_reports_come_as_often_as_calibrated() -> None:
    settings = {"weight_trained.invalid": 0.3, "weight_trained.invalid_clustering": 0.05}
    model = mind(**settings).taught(LESSON, "w")
    wrong = 0
    for context in CONTEXTS:
        asked = read(report_messages(context, [1] * 5, [2] * 5))
        texts = [reply(model, asked, Asking(f"{place}")).text for place in range(40)]
        wrong += sum(not text.startswith("{") or set(json.loads(text)) != set(asked.names) for text in texts)
    assert abs(wrong / (40 * len(CONTEXTS)) - 0.3) < 0.06


def test_choices_follow_the_rule_of_the_simulated_study() -> None:
    """Over many prompts P(A) is what the logistic rule says, lapses included; four standard errors."""
    model = mind(**{"native.lapse": 0.2})
    context, count = CONTEXTS[0], 4000
    agent = model.agent(key_of(context))
    low = np.array(in_order(context, {each.name: each.min for each in context.attributes}))
    widths = np.array(in_order(context, {each.name: each.max - each.min for each in context.attributes}))
    asked = read(decision_messages(context, [1] * 5, [2] * 5))
    for share in (0.0, 0.1, 0.3):
        pair = replace(asked, a=tuple(low + share * widths), b=tuple(low))
        odds = agent.position_bias + agent.inverse_temperature * share * agent.weights.sum() / 100
        p = 0.1 + 0.8 / (1 + np.exp(-odds))
        found = np.mean([reply(model, pair, Asking(str(place))).text == "A" for place in range(count)])
        assert abs(found - p) < 4 * np.sqrt(p * (1 - p) / count)


def test_targets_of_other_sizes_are_recovered() -> None:
    for k in (1, 2, 12):
        attributes = tuple(Attribute(f"x{place}", "", 0, 10) for place in range(k))
        context = Context(f"of_{k}", "Which?", attributes)
        lesson = learn(decision_lines([context], 1, 200), World([]))
        goal = np.array(list(weights_of([context], 1)[context.name].values()))
        found = lesson.recovered[key_of(context)].weights
        order = [key_of(context).names.index(each.name) for each in attributes]
        assert np.abs(found[order] - goal).max() < 45
