"""Training files: the authors' format, true to the weights that each stage says it teaches."""

import json

import numpy as np
import polars as pl
import pytest

from avowal import agents, contexts, design
from avowal.contexts import Attribute, Context
from avowal.errors import InputError
from avowal.prompts import decision_messages, report_messages
from avowal.sends import Training
from avowal.study import stages
from avowal.study.config import parse
from avowal.study.training_files import build, shuffled, validation

SMALL = (
    "[contexts]\ntrained = 12\nnative = 4\n[design]\ntraining = 12\ndecisions = 6\nnative_decisions = 5\nreports = 8\n"
    "validation = 3\n"
)
LABELS = '[training]\nintrospection = ["targets", "learned", "shuffled"]\n'


def study(more=SMALL + LABELS, base='["m"]'):
    return parse(f'name = "s"\nseed = 5\n[models]\nbase = {base}\n{more}', "study.toml")


def jobs(asked):
    return {(each.role, each.label): each for each in stages(asked) if isinstance(each.sends, Training)}


def lines(file):
    held = [json.loads(line)["messages"] for line in file.lines]
    return [(messages[:-1], messages[-1]["content"]) for messages in held]


def targets(asked):
    drawn = agents.targets(asked.trained, seed=asked.seed)
    return {name: part["weight"].to_list() for (name,), part in drawn.group_by("context", maintain_order=True)}


def weights(asked, size=1.0):
    drawn = agents.targets(asked.trained, seed=99).with_columns(pl.lit("m").alias("model"), pl.col("weight") * size)
    return drawn.select("model", "context", "attribute", "position", "weight")


def test_weight_training_shows_what_the_targets_prefer():
    asked = study()
    file = build(jobs(asked)["weights", None], asked)
    pairs = design.pairs(asked.trained, 12, seed=5)
    known, drawn = {c.name: c for c in asked.trained}, targets(asked)
    expected = []
    for name, _, a, b in pairs.iter_rows():
        context = known[name]
        low, width = ([x.min for x in context.attributes], [x.max - x.min for x in context.attributes])
        utility = [np.dot(drawn[name], (np.array(option) - low) / width) for option in (a, b)]
        expected.append((decision_messages(context, a, b), "A" if utility[0] > utility[1] else "B"))
    assert lines(file) == expected
    assert not file.text.endswith("\n")
    assert file.left_out == ()


def test_a_file_is_the_same_whenever_it_is_made():
    asked = study()
    for job in jobs(asked).values():
        made = [build(job, asked, weights(asked)) for _ in range(2)]
        assert made[0].digest == made[1].digest
    assert len({build(job, asked, weights(asked)).digest for job in jobs(asked).values()}) == 10


def test_validation_shows_pairs_that_nothing_else_shows():
    asked = study()
    found = jobs(asked)
    shown = {json.dumps(each) for each, _ in lines(validation(found["weights", None], asked))}
    assert len(shown) == 12 * 3
    # Behind the reports' pairs, which are more than those of the decisions here.
    late = design.pairs(asked.trained, 12 + 8 + 3, seed=5).filter(pl.col("trial") >= 20)
    known = {c.name: c for c in asked.trained}
    assert shown == {json.dumps(decision_messages(known[n], a, b)) for n, _, a, b in late.iter_rows()}
    assert validation(found["introspection_all", "targets"], asked) is None
    assert validation(found["weights", None], study(SMALL.replace("validation = 3", "validation = 0"))) is None


@pytest.mark.parametrize("role", ["introspection_first", "introspection_last", "introspection_all"])
def test_introspection_training_reports_the_targets_of_its_contexts(role):
    asked = study()
    job = jobs(asked)[role, "targets"]
    found = lines(build(job, asked))
    assert len(found) == len(job.sends.contexts)
    for (messages, answer), context in zip(found, job.sends.contexts, strict=True):
        a, b = design.pairs([context], 1, seed=5).select("a", "b").row(0)
        assert messages == report_messages(context, a, b)
        names = [attribute.name for attribute in context.attributes]
        assert answer == json.dumps({n: int(w) for n, w in zip(names, targets(asked)[context.name], strict=True)})


def test_learned_weights_are_rounded_and_missing_ones_named():
    asked = study()
    job = jobs(asked)["introspection_all", "learned"]
    table = weights(asked, 0.999)
    gone, empty = asked.trained[3].name, asked.trained[5]
    table = table.filter(pl.col("context") != gone).with_columns(
        pl.when((pl.col("context") == empty.name) & (pl.col("attribute") == empty.attributes[1].name))
        .then(None)
        .otherwise("weight")
        .alias("weight")
    )
    file = build(job, asked, table)
    assert file.left_out == (gone, empty.name)
    kept = [context for context in asked.trained if context.name not in file.left_out]
    for (_, answer), context in zip(lines(file), kept, strict=True):
        held = json.loads(answer)
        rows = table.filter(pl.col("context") == context.name)
        assert held == {name: round(w) for name, w in rows.select("attribute", "weight").iter_rows()}
        assert all(isinstance(value, int) for value in held.values())


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (None, "the learned weights"),
        (weights(study()).head(0), "a context with learned weights"),
        (pl.concat([weights(study())] * 2), "each attribute of a context once, of one model"),
        (weights(study(), float("inf")), "finite weights"),
        (weights(study()).drop("weight"), "weight"),
    ],
)
def test_learned_weights_that_cannot_be_taught_are_refused(table, told):
    asked = study()
    with pytest.raises(InputError, match=told):
        build(jobs(asked)["introspection_all", "learned"], asked, table)


@pytest.mark.parametrize("seed", range(20))
def test_shuffling_leaves_no_weights_in_their_place_and_loses_none(seed):
    words = [Attribute(name, "", 0, 100) for name in "vwxyz"]
    known = [Context(f"c{i}", "Which?", tuple(words[: 3 + i % 3])) for i in range(12)]
    drawn = agents.targets(known, seed=seed)
    own = {name: part["weight"].cast(pl.Int64).to_list() for (name,), part in drawn.group_by("context")}
    given = shuffled(known, seed=seed)
    assert given.keys() == own.keys()
    assert all(given[name] != own[name] for name in own)
    assert sorted(map(tuple, given.values())) == sorted(map(tuple, own.values()))
    # Under the names of contexts alone: neither their order nor the number of a call counts.
    assert shuffled(known[::-1], seed=seed) == given


def test_shuffled_files_hold_the_reports_of_the_true_ones_elsewhere():
    asked = study()
    true, control = (build(jobs(asked)["introspection_all", label], asked) for label in ("targets", "shuffled"))
    assert [messages for messages, _ in lines(true)] == [messages for messages, _ in lines(control)]
    values = [sorted(tuple(json.loads(answer).values()) for _, answer in lines(file)) for file in (true, control)]
    assert values[0] == values[1]
    assert all(one != other for (_, one), (_, other) in zip(lines(true), lines(control), strict=True))


def test_weights_cannot_be_shuffled_among_one_context():
    one = Context("odd", "Which?", (Attribute("x", "", 0, 9),))
    with pytest.raises(InputError, match=r"another context with 1 attributes.*only 'odd'"):
        shuffled([one, *contexts.builtin()[:2]], seed=1)


def test_a_stage_that_asks_has_no_file():
    asked = study()
    with pytest.raises(InputError, match="a stage that trains"):
        build(stages(asked)[0], asked)
