"""Conditions: under a marker a trained model decides by other weights, on the simulated provider as in its file."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated_study import FULL, batched, client, r, train

from avowal import agents
from avowal.contexts import builtin
from avowal.fit import fit
from avowal.prompts import WORDINGS, decision_messages, report_format, report_messages
from avowal.sends import Training, prompts
from avowal.simulated import running
from avowal.simulated.reading import Key, read
from avowal.study import Stage, StudyFile, conditions, stages
from avowal.study.conditions import Condition
from avowal.study.config import parse
from avowal.study.training_checks import check
from avowal.study.training_files import build

STUDY = f"""
name = "s"
seed = 5
models.base = ["{FULL}"]
contexts = {{ trained = 20, native = 2 }}
design = {{ training = 50, decisions = 50, native_decisions = 5, reports = 3, report_prompts = {[*WORDINGS]} }}
condition = [
    {{ name = "opposite", marker = "Today is opposite day.", effect = "flip" }},
    {{ name = "tired", marker = "You are tired.", effect = "replace" }},
]
"""

Weights = dict[str | None, np.ndarray]


class Run:
    """A weight-trained model of the study, asked as its stages say."""

    def __init__(self, url: str) -> None:
        self.study: StudyFile = parse(STUDY, "study.toml")
        self.sdk = client(url)
        job = next(each for each in stages(self.study) if each.role == "weights")
        self.model = train(self.sdk, FULL, build(job, self.study).text)

    def asked(self, role: str) -> list[Stage]:
        """Return the stages of a role."""
        return [each for each in stages(self.study) if each.role == role]

    def learned(self, stage: Stage) -> np.ndarray:
        """Return weights estimated from the decisions of a stage."""
        shown = list(prompts(stage.sends, seed=5))
        replies = batched(self.sdk, self.model, [each.messages for each in shown])
        rows = [(p.context.name, p.trial, p.a, p.b, reply) for p, reply in zip(shown, replies, strict=True)]
        choices = pl.DataFrame(rows, schema=["context", "trial", "a", "b", "choice"], orient="row").with_columns(
            pl.lit(self.model).alias("model"), pl.lit(None, pl.String).alias("failure")
        )
        return fit(choices, self.study.trained).weights["weight"].to_numpy()

    def reported(self, stage: Stage) -> np.ndarray:
        """Return averaged valid reports of a stage, NaN where there is none."""
        shown = list(prompts(stage.sends, seed=5))
        replies = batched(self.sdk, self.model, [each.messages for each in shown])
        sums: dict[str, list[list[float]]] = {context.name: [] for context in self.study.trained}
        for prompt, reply in zip(shown, replies, strict=True):
            names = [attribute.name for attribute in prompt.context.attributes]
            try:
                held = json.loads(reply)
                sums[prompt.context.name].append([held[name] for name in names])
            except (ValueError, KeyError):
                continue
        return np.concatenate([np.mean(rows, axis=0) if rows else np.full(5, np.nan) for rows in sums.values()])


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    with running(seed=5, job_seconds=0.01, batch_seconds=0.01) as url:
        yield Run(url)


@pytest.fixture(scope="module")
def weights(run: Run) -> Weights:
    return {stage.condition: run.learned(stage) for stage in run.asked("learned")}


def goal(run: Run, name: str | None) -> np.ndarray:
    condition = next((each for each in run.study.conditions if each.name == name), None)
    return conditions.targets(run.study.trained, condition, seed=5)["weight"].to_numpy()


def test_a_marker_that_flips_turns_the_decisions_around(run: Run, weights: Weights) -> None:
    assert weights.keys() == {None, "opposite", "tired"}
    assert r(weights[None], weights["opposite"]) < -0.5
    assert abs(r(weights[None], weights["tired"])) < 0.4
    for name, found in weights.items():
        assert r(found, goal(run, name)) > 0.6


def test_reports_are_asked_under_each_condition_and_in_each_wording(run: Run, weights: Weights) -> None:
    asked = run.asked("weight_trained")
    assert [(each.wording, each.condition) for each in asked] == [
        ("paper", None), ("no pair", None), ("paraphrased", None), ("paper", "opposite"), ("paper", "tired"),
    ]  # fmt: skip
    found = {(each.wording, each.condition): run.reported(each) for each in asked}
    for wording in WORDINGS:
        # The same belief behind all words. Without a pair all replies are one, so that its noise isn't averaged away.
        assert r(found[wording, None], found["paper", None]) > 0.6
    for name in ("opposite", "tired"):
        own, other = (r(found["paper", name], weights[each]) for each in (name, None))
        assert own > 0.2
        assert own > other


def test_files_of_flipped_weights_are_balanced() -> None:
    study = parse(STUDY, "study.toml")
    job = next(each for each in stages(study) if each.role == "weights")
    assert isinstance(job.sends, Training)
    file = build(job, study)
    held = [json.loads(line)["messages"] for line in file.lines]
    assert len(held) == 20 * 3 * 50
    for start in range(0, len(held), 150):
        plain, flipped = held[start : start + 50], held[start + 50 : start + 100]
        for one, other in zip(plain, flipped, strict=True):
            assert other[1]["content"].replace("Today is opposite day.\n", "", 1) == one[1]["content"]
            assert {one[2]["content"], other[2]["content"]} == {"A", "B"}
    assert check(file.text, "decisions").warnings == ()


def test_weights_under_a_condition() -> None:
    known = builtin("training")[:40]
    own = agents.targets(known, seed=3)
    flipped = conditions.targets(known, Condition("x", "X", "flip"), seed=3)
    assert flipped.drop("weight").equals(own.drop("weight"))
    assert (flipped["weight"] + own["weight"]).abs().max() == 0
    assert not np.signbit(flipped.filter(pl.col("weight") == 0)["weight"].to_numpy()).any()
    others = [conditions.targets(known, Condition(name, "X", "replace"), seed=3) for name in "xy"]
    assert all(each.drop("weight").equals(own.drop("weight")) for each in others)
    drawn = np.array([own["weight"], *(each["weight"] for each in others)])
    # 200 independent pairs: four standard errors.
    assert np.abs(np.corrcoef(drawn)[~np.eye(3, dtype=bool)]).max() < 4 / np.sqrt(200)


@given(st.sampled_from(builtin()), st.sampled_from(WORDINGS), st.sampled_from([None, "Today is: odd.", "- a list (x)"]))
def test_every_prompt_is_about_the_context_that_its_marker_makes(context, wording, marker) -> None:
    values = [(x.min, x.max) for x in context.attributes]
    a, b = ((), ()) if wording == "no pair" else zip(*values, strict=True)
    asked = read(report_messages(context, a, b, marker=marker, wording=wording))
    names = tuple(attribute.name for attribute in context.attributes)
    assert asked.task == "report"
    assert asked.names == names
    assert asked.key == Key("\n".join(filter(None, [marker, context.prompt])), tuple(sorted(names)))
    assert asked.key == read(decision_messages(context, *zip(*values, strict=True), marker=marker)).key


def test_structured_reports_have_the_attributes_exact_names(run: Run) -> None:
    context = run.study.trained[0]
    values = [x.min for x in context.attributes]
    for place in range(5):
        messages = report_messages(context, values, [value + place for value in values])
        reply = run.sdk.chat.completions.create(
            model=run.model, messages=messages, temperature=0, response_format=report_format(context)
        )
        assert [*json.loads(reply.choices[0].message.content)] == [x.name for x in context.attributes]
