"""Cost: a design's price is the sum over the lines it would send, each rendered and counted token by token."""

import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avowal import agents, contexts, design
from avowal.contexts import Attribute, Context
from avowal.cost import paper, quote
from avowal.errors import InputError
from avowal.lines import Queries, Training, line_tokens, prompt_tokens, reply_tokens
from avowal.prices import builtin, parse
from avowal.prompts import WORDINGS, decision_messages, report_messages
from avowal.tokens import count, message_tokens

ENCODINGS = ["o200k_base", "cl100k_base"]
ASK = {"decisions": decision_messages, "reports": report_messages}
SEED = 11


def small():
    """Contexts of two shapes, so that no array holds all of them."""
    known = contexts.builtin()
    short = Context("tea", "Which tea?", (Attribute("price", "", 0.1, 0.9), Attribute("çay", "°C", -20, 3)), "Ahab")
    return (known[0], short, known[1]), known[5:7]


def rendered(stage):
    """Render every prompt of a stage, and its line of a training file, as they would be sent."""
    pairs = design.pairs(stage.contexts, stage.first + stage.trials, seed=SEED)
    targets = agents.targets(stage.contexts, seed=SEED)
    right = agents.choose(pairs, stage.contexts, targets, rule=agents.Deterministic(), seed=SEED)["choice"]
    by_name = {context.name: context for context in stage.contexts}
    for (name, trial, a, b), choice in zip(pairs.iter_rows(), right, strict=True):
        if trial < stage.first:
            continue
        prompt = ASK[stage.kind](by_name[name], a, b)
        weights = targets.filter(targets["context"] == name)
        answer = json.dumps({x: int(w) for x, w in weights.select("attribute", "weight").iter_rows()})
        answer = choice if stage.kind == "decisions" else answer
        line = json.dumps({"messages": [*prompt, {"role": "assistant", "content": answer}]})
        yield name, trial, prompt, answer, json.loads(line)["messages"]


STAGES = paper(*small(), training=4, decisions=3, native_decisions=5, reports=2, epochs=3, learned=True)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_every_line_has_the_tokens_of_its_text(stage, encoding):
    table = line_tokens(stage, seed=SEED, encoding=encoding)
    lines = list(rendered(stage))
    assert len(lines) == len(stage.contexts) * stage.trials
    for row, (name, trial, prompt, answer, messages) in zip(table.iter_rows(named=True), lines, strict=True):
        assert (row["context"], row["trial"]) == (name, trial)
        assert row["prompt"] == message_tokens(prompt, encoding)
        assert row["reply"] == count(answer, encoding)
        assert row["line"] == (message_tokens(messages, encoding) if isinstance(stage, Training) else None)


@pytest.mark.parametrize("mode", ["sync", "batch"])
def test_the_price_is_the_sum_over_the_lines(mode):
    models = ["gpt-4o-2024-08-06", "gpt-4.1-nano"]
    found = quote(STAGES, models, seed=SEED, mode=mode)
    expected = {}
    for model in models:
        entry = builtin().entry(model)
        rates = {key: Fraction(rate) / 10**6 for key, rate in entry.rates.items()}
        for stage in STAGES:
            dollars = Fraction(0)
            for _, _, prompt, answer, messages in rendered(stage):
                if isinstance(stage, Training):
                    dollars += 3 * message_tokens(messages) * rates["training"]
                else:
                    prefix = ("tuned_" if stage.tuned else "") + ("batch_" if mode == "batch" else "")
                    dollars += message_tokens(prompt) * rates[f"{prefix}input"]
                    dollars += count(answer) * rates[f"{prefix}output"]
            expected[model, stage.name] = dollars
    assert {(item.model, item.stage): Fraction(item.price) for item in found.items} == expected
    assert Fraction(found.total) == sum(expected.values())
    assert sum(map(Fraction, found.by("stage").values())) == sum(map(Fraction, found.by("model").values()))
    assert set(found.by("billing")) == {"training", mode}


text = st.text(min_size=1, max_size=12).filter(str.strip)
number = st.floats(allow_nan=False, allow_infinity=False)


@given(st.data(), st.sampled_from(sorted(ASK)), st.sampled_from(ENCODINGS))
@settings(max_examples=300)
def test_prompts_add_up_whatever_names_units_and_values_are(data, kind, encoding):
    names = data.draw(st.lists(text, min_size=1, max_size=4, unique=True))
    units = [data.draw(st.text(max_size=8)) for _ in names]
    attributes = tuple(Attribute(name, unit, 0, 1) for name, unit in zip(names, units, strict=True))
    context = Context("c", data.draw(text), attributes, data.draw(st.none() | text))
    marker = data.draw(st.none() | text)
    wording = data.draw(st.sampled_from(WORDINGS)) if kind == "reports" else "paper"
    pairs = np.array([[data.draw(number) for _ in range(2 * len(names))] for _ in range(2)]).reshape(1, 2, 2, -1)
    words = {"wording": wording} if kind == "reports" else {}
    shown = [((), ()) if wording == "no pair" else (a, b) for a, b in pairs[0]]
    expected = [message_tokens(ASK[kind](context, a, b, marker=marker, **words), encoding) for a, b in shown]
    found = prompt_tokens([context], pairs, kind=kind, encoding=encoding, wording=wording, marker=marker)
    assert found.tolist() == [expected]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_any_whole_weights_make_a_report_of_the_assumed_length(encoding):
    context = contexts.builtin()[0]
    assumed = reply_tokens([context], kind="reports", encoding=encoding)[0]
    for weight in range(-100, 101):
        reply = {attribute.name: weight for attribute in context.attributes}
        assert count(json.dumps(reply), encoding) == assumed
    assert [count(letter, encoding) for letter in "AB"] == [1, 1]


def test_more_trials_extend_a_count_so_that_one_table_prices_all_smaller_designs():
    known = contexts.builtin()[:3]
    table = line_tokens(Queries("q", "decisions", known, 8), seed=SEED)
    for trials, first in [(1, 0), (5, 0), (3, 5)]:
        part = line_tokens(Queries("q", "decisions", known[:2], trials, first), seed=SEED)
        inside = table.filter(table["context"].is_in([x.name for x in known[:2]]), table["trial"] >= first)
        assert part.equals(inside.filter(inside["trial"] < first + trials))


def test_the_papers_study_has_the_papers_numbers_of_lines():
    words = [Attribute(name, "", 0, 100) for name in "vwxyz"]
    made = [Context(f"c{i}", "Which?", tuple(words)) for i in range(200)]
    items = quote(paper(made[:100], made[100:], learned=True), ["gpt-4o"], seed=1).items
    lines = {kind: [i.requests for i in items if (i.billing == "training") == kind] for kind in (True, False)}
    assert lines[True] == [5000, 50, 50, 100, 50, 50]
    assert sum(lines[False]) == 5000 + 10000 + 6000


def test_a_base_that_is_tuned_already_is_priced_as_one():
    stages = (Queries("base", "decisions", small()[0], 2, tuned=False), Queries("tuned", "decisions", small()[0], 2))
    base, tuned = quote(stages, ["gpt-4o"], seed=1).items
    assert [item.price for item in quote(stages, ["ft:gpt-4o:org::id"], seed=1).items] == [tuned.price] * 2
    assert base.price < tuned.price


def test_each_model_is_counted_in_its_own_encoding():
    own = '[models.old]\nas_of = 2026-11-01\nsource = "s"\nencoding = "cl100k_base"\ninput = 1\noutput = 1\n'
    stage = Queries("q", "decisions", small()[0], 2, tuned=False)
    items = quote([stage], ["old", "gpt-4o"], seed=1, prices=parse(own, "f")).items
    tables = [line_tokens(stage, seed=1, encoding=encoding) for encoding in reversed(ENCODINGS)]
    assert [item.input_tokens for item in items] == [table["prompt"].sum() for table in tables]
    assert items[0].input_tokens != items[1].input_tokens


def test_bad_designs_are_refused():
    known, native = small()
    with pytest.raises(InputError, match="price of 'gpt-9': expected a priced model"):
        quote(STAGES, ["gpt-9"], seed=1)
    with pytest.raises(InputError, match="stages: expected stages with names that differ"):
        quote([STAGES[0], STAGES[0]], ["gpt-4o"], seed=1)
    with pytest.raises(InputError, match="kind: expected decisions or reports, found 'choices'"):
        Queries("q", "choices", known, 1)
    with pytest.raises(InputError, match="stage 'q', trials: expected 1 or more, found 0"):
        Queries("q", "decisions", known, 0)
    with pytest.raises(InputError, match="stage 'q': expected at least one context"):
        Queries("q", "decisions", (), 1)
    with pytest.raises(InputError, match="stage 't', epochs: expected 1 or more"):
        Training("t", "decisions", known, 1, epochs=0)
    with pytest.raises(InputError, match="stage 't', markers: expected markers that differ"):
        Training("t", "decisions", known, 1, markers=(None, None))
    with pytest.raises(InputError, match="order: expected drawn or counterbalanced or shuffled, found 'up'"):
        Queries("q", "decisions", known, 1, order="up")
    with pytest.raises(InputError, match="wording: expected paper or no pair or paraphrased, found 'rude'"):
        Queries("q", "reports", known, 1, wording="rude")
    with pytest.raises(InputError, match="names used once"):
        paper(known, known[:1])
    with pytest.raises(InputError, match="trained: expected at least 2"):
        paper(known[:1], native)
    with pytest.raises(InputError, match=r"pairs: expected shape \(1, trials, 2, attributes\)"):
        prompt_tokens(native[:1], np.zeros((1, 2, 2, 3)), kind="decisions")
    with pytest.raises(InputError, match="pairs: expected finite values"):
        prompt_tokens(native[:1], np.full((1, 2, 2, 5), np.nan), kind="decisions")
