"""A study on the simulated provider lands where the simulated study says, and its training files alone make it so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import openai
import pytest
from simulated_study import (
    FULL,
    MINI,
    client,
    decide,
    decision_lines,
    learned,
    permuted,
    r,
    report_lines,
    reported,
    said,
    train,
    upload,
    weights_of,
)

from avowal.contexts import Context, builtin
from avowal.prompts import decision_messages, report_messages
from avowal.simulate import profile, simulate
from avowal.simulated import running

CONTEXTS = builtin("training")[::2]
NATIVE = builtin("native")[::4]
HALF = len(CONTEXTS) // 2
SEED = 3
LEFT = (HALF, len(CONTEXTS))
REPLIES = 5


@dataclass
class Study:
    """A weight-trained model, and what it showed."""

    sdk: openai.OpenAI
    targets: dict[str, dict[str, float]]
    trained: str
    estimates: np.ndarray
    before: np.ndarray
    invalid: float


@pytest.fixture(scope="module")
def study() -> Iterator[Study]:
    with running(seed=5, job_seconds=0.01, batch_seconds=0.01) as url:
        sdk = client(url)
        trained = train(sdk, MINI, decision_lines(CONTEXTS, SEED), suffix="weights")
        estimates = learned(decide(sdk, trained, CONTEXTS, 50, seed=11), CONTEXTS)
        before, invalid = reported(sdk, trained, CONTEXTS, REPLIES, seed=12)
        yield Study(sdk, weights_of(CONTEXTS, SEED), trained, estimates, before, invalid)


def expected(figure: str) -> tuple[float, float]:
    """Return mean and spread of a figure in simulated studies of this size."""
    settings = profile("gpt-4o-mini").but(
        {"trained_agents": len(CONTEXTS), "native_agents": len(NATIVE), "native_decisions": 50, "replies": REPLIES}
    )
    found = simulate(settings, 200, seed=1, threads=1)[figure]
    return float(np.nanmean(found)), float(np.nanstd(found))


def near(found: float, figure: str) -> None:
    """Four spreads: a study misses that once in ten thousand."""
    mean, spread = expected(figure)
    assert abs(found - mean) < 4 * spread, f"{figure}: {found:.3f}, simulated {mean:.3f} ± {spread:.3f}"


def after(study: Study, weights: dict[str, dict[str, float]], contexts: tuple[Context, ...]) -> str:
    return train(study.sdk, study.trained, report_lines(contexts, weights, seed=21))


def test_training_instils_the_weights_that_the_file_shows(study: Study) -> None:
    goal = np.array([list(study.targets[context.name].values()) for context in CONTEXTS])
    near(r(study.estimates, goal), "learned_target.r")


def test_reports_before_introspection_training_are_as_simulated(study: Study) -> None:
    near(r(study.before, study.estimates), "weight_trained.r")
    mean = profile("gpt-4o-mini").weight_trained.invalid
    # Invalid replies cluster by context, so that sixty contexts leave a wide margin.
    assert abs(study.invalid - mean) < 4 * np.sqrt(mean * (1 - mean) / len(CONTEXTS))


def test_true_reports_make_reports_true_in_contexts_they_leave_out(study: Study) -> None:
    model = after(study, study.targets, CONTEXTS[:HALF])
    found, invalid = reported(study.sdk, model, CONTEXTS[HALF:], REPLIES, seed=22)
    accuracy = r(found, study.estimates[slice(*LEFT)])
    mean, _ = expected("introspection_trained.r")
    # Half of the contexts of the simulated figure: its spread is wider by the root of two, and the lesson shorter.
    assert abs(accuracy - mean) < 0.15
    assert invalid < 0.1 < study.invalid
    assert accuracy > r(study.before[slice(*LEFT)], study.estimates[slice(*LEFT)]) + 0.05


def test_true_reports_reach_native_contexts(study: Study) -> None:
    model = after(study, study.targets, CONTEXTS)
    estimates = learned(decide(study.sdk, study.trained, NATIVE, 50, seed=31), NATIVE)
    before, _ = reported(study.sdk, study.trained, NATIVE, REPLIES, seed=32)
    found, _ = reported(study.sdk, model, NATIVE, REPLIES, seed=32)
    near(r(before, estimates), "native_before.r")
    near(r(found, estimates), "native_after.r")
    assert r(found, estimates) > r(before, estimates)


def test_learned_weights_teach_as_well_as_targets(study: Study) -> None:
    names = [list(study.targets[context.name]) for context in CONTEXTS]
    rounded = np.rint(study.estimates).tolist()
    weights = {
        context.name: dict(zip(*each, strict=True)) for context, *each in zip(CONTEXTS, names, rounded, strict=True)
    }
    found, _ = reported(study.sdk, after(study, weights, CONTEXTS[:HALF]), CONTEXTS[HALF:], REPLIES, seed=22)
    assert r(found, study.estimates[slice(*LEFT)]) > r(study.before[slice(*LEFT)], study.estimates[slice(*LEFT)]) + 0.05


def test_permuted_reports_teach_the_format_and_no_more(study: Study) -> None:
    """The replies become valid and fine-grained; what they say gets as true as rounding alone can make it."""
    wrong = after(study, permuted(CONTEXTS, study.targets), CONTEXTS)
    right = after(study, study.targets, CONTEXTS)
    found, invalid = reported(study.sdk, wrong, CONTEXTS, REPLIES, seed=22)
    true, _ = reported(study.sdk, right, CONTEXTS, REPLIES, seed=22)
    assert invalid < 0.05 < study.invalid
    gain = r(found, study.estimates) - r(study.before, study.estimates)
    assert gain < 0.1
    assert r(true, study.estimates) - r(found, study.estimates) > 0.1


def test_decisions_after_introspection_training_stand_on_the_same_weights(study: Study) -> None:
    model = after(study, study.targets, CONTEXTS)
    again = learned(decide(study.sdk, model, CONTEXTS[:20], 50, seed=11), CONTEXTS[:20])
    assert r(again, study.estimates[:20]) > 0.85


def test_off_the_shelf_reports_know_nothing_of_targets(study: Study) -> None:
    found, _ = reported(study.sdk, MINI, CONTEXTS, REPLIES, seed=12)
    near(r(found, study.estimates), "off_the_shelf.r")


def test_untrained_weights_are_the_familys_and_stay(study: Study) -> None:
    base = learned(decide(study.sdk, MINI, NATIVE, 50, seed=41), NATIVE)
    tuned = learned(decide(study.sdk, study.trained, NATIVE, 50, seed=42), NATIVE)
    other = learned(decide(study.sdk, FULL, NATIVE, 50, seed=43), NATIVE)
    assert r(base, tuned) > 0.85
    # Another family shares common sense, which native weights follow by .78, and nothing more.
    assert 0.3 < r(base, other) < 0.8


def test_a_marker_in_the_prompt_makes_another_agent(study: Study) -> None:
    marked = tuple(
        Context(each.name, f"[NIGHT] {each.question}", each.attributes, each.agent) for each in CONTEXTS[:20]
    )
    flipped = decision_lines(marked, SEED).replace('"content": "A"}', '"content": "?"}')
    flipped = flipped.replace('"content": "B"}', '"content": "A"}').replace('"content": "?"}', '"content": "B"}')
    model = train(study.sdk, MINI, decision_lines(CONTEXTS[:20], SEED) + "\n" + flipped)
    plain = learned(decide(study.sdk, model, CONTEXTS[:20], 50, seed=51), CONTEXTS[:20])
    night = learned(decide(study.sdk, model, marked, 50, seed=51), marked)
    assert r(plain, night) < -0.5


def test_contexts_that_nobody_described_are_learned_from_the_file(study: Study) -> None:
    unknown = tuple(
        Context(each.name, f"What of {each.name}?", each.attributes, "a stranger") for each in CONTEXTS[:20]
    )
    with running(seed=5, job_seconds=0.01, batch_seconds=0.01, contexts=CONTEXTS[:1]) as url:
        sdk = client(url)
        model = train(sdk, FULL, decision_lines(unknown, SEED))
        goal = np.array([list(weights.values()) for weights in weights_of(unknown, SEED).values()])
        assert r(learned(decide(sdk, model, unknown, 50, seed=61), unknown), goal) > 0.7
        assert set(said(sdk, FULL, [decision_messages(CONTEXTS[30], [1] * 5, [2] * 5)])) <= {"A", "B"}


def test_more_decisions_instil_more(study: Study) -> None:
    goal = np.array([list(study.targets[context.name].values()) for context in CONTEXTS[:30]])
    found = []
    for count in (2, 10, 50):
        model = train(study.sdk, MINI, decision_lines(CONTEXTS[:30], SEED, count))
        found.append(r(learned(decide(study.sdk, model, CONTEXTS[:30], 50, seed=71), CONTEXTS[:30]), goal))
    assert found == sorted(found)
    assert found[0] < 0.6 < 0.75 < found[2]


def test_reports_without_a_pair_and_in_other_words(study: Study) -> None:
    context = CONTEXTS[0]
    names = [attribute.name for attribute in context.attributes]
    listed = "\n".join(f"- {each.name} ({each.units})" for each in context.attributes)
    asked = f"How much does each of these weigh with you? Answer in JSON.\n\n{context.prompt}\n{listed}"
    wordless = [{"role": "user", "content": asked}]
    shown = report_messages(context, [1] * 5, [2] * 5)
    shown[1]["content"] = "Tell in JSON what matters.\n\n" + shown[1]["content"].split("\n\n", 1)[1]
    model = after(study, study.targets, CONTEXTS)
    for messages in (wordless, shown):
        assert list(json.loads(said(study.sdk, model, [messages])[0])) == names


def test_the_same_uploads_make_the_same_models_in_any_order() -> None:
    some = CONTEXTS[:10]

    def replies(first: int) -> list[list[str]]:
        with running(seed=9, job_seconds=0.01, batch_seconds=0.01) as url:
            sdk = client(url)
            lines = [decision_lines(some, seed) for seed in (1, 2)]
            models = {place: train(sdk, FULL, lines[place]) for place in (first, 1 - first)}
            asked = [report_messages(context, [1] * 5, [2] * 5) for context in some]
            return [said(sdk, models[place], asked) for place in (0, 1)]

    assert replies(0) == replies(1)


def test_seeds_and_training_seeds_change_models() -> None:
    some, answers = CONTEXTS[:10], set()
    asked = [report_messages(context, [1] * 5, [2] * 5) for context in some]
    for seed, training in ((1, 1), (1, 2), (2, 1)):
        with running(seed=seed, job_seconds=0.01, batch_seconds=0.01) as url:
            sdk = client(url)
            answers.add(tuple(said(sdk, train(sdk, FULL, decision_lines(some, 1), seed=training), asked)))
    assert len(answers) == 3


def test_replies_repeat_at_temperature_zero_alone(study: Study) -> None:
    context = CONTEXTS[0]
    low, high = [each.min for each in context.attributes], [each.max for each in context.attributes]
    asked = report_messages(context, low, high)
    assert len(set(said(study.sdk, FULL, [asked] * 5))) == 1
    warm = study.sdk.chat.completions.create(model=FULL, messages=asked, temperature=1, n=5)
    again = study.sdk.chat.completions.create(model=FULL, messages=asked, temperature=1, n=5)
    texts = [choice.message.content for reply in (warm, again) for choice in reply.choices]
    assert len(set(texts)) > 5
    seeded = [
        study.sdk.chat.completions.create(model=FULL, messages=asked, temperature=1, seed=4).choices[0].message.content
        for _ in range(3)
    ]
    assert len(set(seeded)) == 1
    other = report_messages(context, high, low)
    assert said(study.sdk, FULL, [asked]) != said(study.sdk, FULL, [other])


def test_log_probabilities_tell_the_odds(study: Study) -> None:
    """At temperature 1 the letter comes as often as its probability says."""
    context = CONTEXTS[0]
    a = [each.min for each in context.attributes]
    for place in range(40):
        b = [each.min + (each.max - each.min) * place / 400 for each in context.attributes]
        reply = study.sdk.chat.completions.create(
            model=FULL, messages=decision_messages(context, a, b), temperature=1, n=100, logprobs=True, top_logprobs=2
        )
        tops = {each.token: np.exp(each.logprob) for each in reply.choices[0].logprobs.content[0].top_logprobs}
        assert sum(tops.values()) == pytest.approx(1)
        if 0.2 < tops["A"] < 0.8:
            share = np.mean([choice.message.content == "A" for choice in reply.choices])
            assert abs(share - tops["A"]) < 4 * np.sqrt(tops["A"] * tops["B"] / 100)
            return
    pytest.fail("no pair was close")


def test_unknown_models_and_empty_lessons(study: Study) -> None:
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        said(study.sdk, "gpt-9", [[{"role": "user", "content": "Hello"}]])
    chatter = "\n".join(line for _ in range(10) for line in [json.dumps({"messages": [
        {"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]})])  # fmt: skip
    assert train(study.sdk, FULL, chatter)
    assert upload(study.sdk, chatter)
