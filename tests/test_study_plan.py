"""The plan of a study: stages in an order that can be carried out, prices that are those of what is sent."""

import datetime
import json
import subprocess
import sys
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avowal import contexts, cost
from avowal.errors import InputError
from avowal.lines import line_tokens
from avowal.prompts import decision_messages
from avowal.sends import ORDERS, Queries, Training, prompts
from avowal.study import init, plan, read, stages
from avowal.study.config import parse
from avowal.study.shutdowns import refuse_closed, shutdown
from avowal.study.stages import ROLES
from avowal.study.training_files import build
from avowal.tokens import message_tokens_many

AVOWAL = [sys.executable, "-c", "from avowal.cli import main; main()"]
PAID = '[provider]\nbase_url = "https://api.openai.com/v1"\n'


def study(more="", base='["gpt-4o-2024-08-06"]'):
    return parse(f'name = "s"\nseed = 5\n[models]\nbase = {base}\n{more}', "study.toml")


SMALL = (
    "[contexts]\ntrained = 7\nnative = 4\n[design]\ntraining = 12\ndecisions = 6\nnative_decisions = 5\nreports = 3\n"
)


@pytest.mark.parametrize(
    ("more", "count"),
    [
        (SMALL, 12),
        (SMALL + "decide_again = true\n", 15),
        (SMALL + '[training]\nintrospection = ["targets", "learned", "shuffled"]\n', 24),
        (SMALL + "[training]\nintrospection = []\n", 6),
        (SMALL + "decide_again = true\n[training]\nseeds = [0, 1]\n", 29),
    ],
)
def test_every_stage_comes_behind_those_that_it_needs(more, count):
    asked = study(more, '["gpt-4o-2024-08-06", "other"]')
    listed = stages(asked)
    assert len(listed) == 2 * count
    assert len({each.name for each in listed}) == len(listed)
    seen = set()
    for each in listed:
        assert set(each.needs) <= seen
        assert each.model is None or each.model in each.needs
        trains = {name for name in each.needs if "train" in name.split(": ")[1].split()[0]}
        assert trains == ({each.model} if each.model else set())
        seen.add(each.name)


ALL = """
[contexts]
trained = 8
native = 4
shared = false
[design]
training = 12
decisions = 5
native_decisions = 5
reports = 3
decide_again = true
order = "ORDER"
report_prompts = ["paper", "no pair", "paraphrased"]
cross_reports = true
[doses]
contexts = [3, 2]
training = [6, 3]
[training]
introspection = ["targets", "learned", "shuffled"]
seeds = [0, 1]
[[condition]]
name = "opposite"
marker = "Today is opposite day: 3.5 km."
effect = "flip"
[[condition]]
name = "tired"
marker = "You are tired."
effect = "replace"
"""
BOTH = '["gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18"]'


def test_everything_at_once_is_a_graph_in_order_and_all_its_stages_differ():
    asked = study(ALL.replace("ORDER", "shuffled"), BOTH)
    listed = stages(asked)
    assert len({each.name for each in listed}) == len(listed)
    seen = {}
    for each in listed:
        assert set(each.needs) <= seen.keys()
        assert each.model is None or each.model in each.needs
        assert each.role in ROLES["train" if isinstance(each.sends, Training) else each.sends.kind]
        if each.model is not None:
            parent = seen[each.model]
            assert isinstance(parent.sends, Training)
            assert (parent.base, parent.seed, parent.dose) == (each.base, each.seed, each.dose)
            assert parent.label in (None, each.label)
        seen[each.name] = each
    # The fields alone tell stages apart, so that nothing has to read names.
    told = [
        (type(x.sends), x.sends.kind, x.base, x.seed, x.role, x.label, x.dose, x.condition, x.wording, x.about)
        for x in listed
    ]
    assert len(set(told)) == len(told)


def test_doses_are_nested_chains_up_to_their_reports():
    asked = study(SMALL + "[doses]\ncontexts = [4, 2]\ntraining = [6, 3]\n")
    found = [each for each in stages(asked) if each.dose]
    assert [(each.dose, each.role) for each in found] == [
        (dose, role)
        for dose in ("2 contexts", "4 contexts", "3 pairs", "6 pairs")
        for role in ("weights", "learned", "weight_trained")
    ]
    whole = next(each for each in stages(asked) if each.role == "weights" and each.dose is None)
    for job in found[::3]:
        assert job.sends.first == whole.sends.first == 0
        assert set(build(job, asked).lines) < set(build(whole, asked).lines)
    for job, decided, reported in zip(found[::3], found[1::3], found[2::3], strict=True):
        assert job.sends.contexts == decided.sends.contexts == reported.sends.contexts
        # The pairs of the whole study's requests, so that doses differ in their training alone.
        assert (decided.sends.first, reported.sends.first) == (12, 12)
        assert decided.model == reported.model == job.name


def test_models_are_asked_about_each_others_contexts():
    asked = study(ALL.replace("ORDER", "drawn"), BOTH)
    listed = stages(asked)
    crossed = [each for each in listed if each.about]
    assert {each.role for each in crossed} == {"cross_before", "cross_after"}
    for each in crossed:
        assert each.about != each.base
        assert each.sends.contexts == asked.trained_by(each.about)
        assert not set(each.sends.contexts) & set(asked.trained_by(each.base))
        # What the other model itself is asked, word for word.
        own = next(x for x in listed if (x.base, x.role, x.wording) == (each.about, "weight_trained", each.wording))
        shown, others = ([p.messages for p in prompts(x.sends, seed=5)] for x in (each, own))
        assert shown == others


@pytest.mark.parametrize("encoding", ["o200k_base", "cl100k_base"])
@pytest.mark.parametrize("order", ["drawn", "counterbalanced", "shuffled"])
def test_every_prompt_has_the_tokens_that_are_priced(order, encoding):
    for each in stages(study(ALL.replace("ORDER", order), '["x", "y"]'))[:60]:
        table = line_tokens(each.sends, seed=5, encoding=encoding)
        shown = list(prompts(each.sends, seed=5))
        assert table["prompt"].to_list() == message_tokens_many([x.messages for x in shown], encoding).tolist()
        assert table.select("context", "marker", "trial").rows() == [(x.context.name, x.marker, x.trial) for x in shown]
        told = conditions_of(each)
        assert {x.marker for x in shown} == told


def conditions_of(stage):
    markers = {"opposite": "Today is opposite day: 3.5 km.", "tired": "You are tired."}
    if isinstance(stage.sends, Training) and stage.sends.kind == "decisions":
        return {None, *markers.values()}
    return {markers.get(stage.condition)}


def test_a_plan_of_everything_adds_up():
    found = plan(study(ALL.replace("ORDER", "drawn") + PAID, BOTH), replicates=0)
    assert len(found.stages) == len(stages(found.study))
    for each in found.stages:
        shown = list(prompts(each.stage.sends, seed=5))
        tokens = int(message_tokens_many([x.messages for x in shown]).sum())
        assert each.item.requests == len(shown)
        if each.item.billing != "training":
            assert each.item.input_tokens == tokens
    assert found.price == sum(each.item.price for each in found.stages)
    held = found.to_dict()["stages"]
    fields = ("role", "label", "dose", "condition", "wording", "about")
    for row, each in zip(held, found.stages, strict=True):
        assert {name: row[name] for name in fields} == {name: getattr(each.stage, name) for name in fields}


def test_orders_show_the_same_pairs():
    def shown(order):
        listed = stages(study(SMALL + f'order = "{order}"\n'))
        own = next(each for each in listed if each.role == "learned")
        return list(prompts(own.sends, seed=5))

    drawn, both, shuffled = (shown(order) for order in ("drawn", "counterbalanced", "shuffled"))
    assert not any(each.swapped for each in drawn)
    for one, other in zip(drawn, shuffled, strict=True):
        assert (one.trial, one.context) == (other.trial, other.context)
        assert (other.b, other.a) == (one.a, one.b) if other.swapped else (other.a, other.b) == (one.a, one.b)
        assert other.messages == decision_messages(other.context, other.a, other.b)
    assert 0.2 < sum(each.swapped for each in shuffled) / len(shuffled) < 0.8
    assert [each.swapped for each in both] == [False, True] * (len(both) // 2)
    assert [each.trial for each in both] == [each.trial for each in drawn]
    for start in range(0, len(both), 6):
        pairs = [(each.a, each.b) for each in drawn[start : start + 3]]
        assert [(each.a, each.b) for each in both[start : start + 6 : 2]] == pairs
        assert [(each.b, each.a) for each in both[start + 1 : start + 6 : 2]] == pairs
    # Training has no order: each pair is shown as it was drawn.
    jobs = [next(each for each in stages(study(SMALL + f'order = "{order}"\n')) if each.role == "weights").sends
            for order in ("drawn", "shuffled")]  # fmt: skip
    assert jobs[0] == jobs[1]


def test_shuffled_orders_do_not_depend_on_the_number_of_trials():
    known = contexts.builtin("training")[:3]
    asked = (Queries("q", "decisions", known[:k], n, f, order="shuffled") for k, n, f in ((3, 9, 0), (2, 4, 3)))
    long, short = ({(x.context, x.trial, x.a, x.swapped) for x in prompts(each, seed=1)} for each in asked)
    assert short < long


def test_folds_split_the_contexts_and_nobody_is_asked_what_it_was_trained_on():
    found = {each.name.split(": ")[1]: each for each in stages(study(SMALL))}
    first, second = (found[f"train introspection, {name} (targets)"] for name in ("first fold", "second fold"))
    assert first.sends.contexts + second.sends.contexts == contexts.builtin("training")[:7]
    assert len(first.sends.contexts) == 3
    for job, told in ((first, "second fold, after first fold"), (second, "first fold, after second fold")):
        asked = found[f"report, {told} (targets)"]
        assert asked.model == job.name
        assert not set(asked.sends.contexts) & set(job.sends.contexts)
    native = found["report, native, after all (targets)"]
    assert native.sends.contexts == contexts.builtin("native")[:4]


def test_requests_show_pairs_that_no_training_showed():
    for each in stages(study(SMALL + "decide_again = true\n")):
        if isinstance(each.sends, Training):
            assert each.sends.first == 0
            assert each.sends.trials == (12 if each.sends.kind == "decisions" else 1)
        else:
            assert each.sends.first == (0 if each.sends.contexts[0].use == "native" else 12)


def test_learned_weights_are_taught_after_they_are_known():
    listed = stages(study(SMALL + '[training]\nintrospection = ["learned"]\n'))
    jobs = [each for each in listed if each.label == "learned" and isinstance(each.sends, Training)]
    assert len(jobs) == 3
    assert all(any("decide, trained contexts" in name for name in job.needs) for job in jobs)


@pytest.mark.parametrize("mode", ["sync", "batch"])
def test_the_price_is_that_of_the_papers_study(mode):
    found = plan(study(SMALL + PAID + f'mode = "{mode}"\n[training]\nepochs = 2\n'), replicates=0)
    expected = cost.paper(
        contexts.builtin("training")[:7],
        contexts.builtin("native")[:4],
        training=12,
        decisions=6,
        native_decisions=5,
        reports=3,
        epochs=2,
    )
    assert found.price == cost.quote(expected, ["gpt-4o-2024-08-06"], seed=5, mode=mode).total
    assert found.price == sum(each.item.price for each in found.stages)
    assert found.power == {}


def test_the_simulated_provider_costs_nothing_whatever_the_model_is_called():
    found = plan(study(SMALL, '["gpt-4o-mini-2024-07-18", "mine"]'), replicates=10)
    assert found.price == 0
    assert found.shutdowns == ()
    assert [profile for profile, _ in found.power.values()] == ["gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06"]
    assert found.power["mine"][1].table["replicates"].to_list() == [10] * 4


def test_a_model_without_a_price_is_an_error():
    with pytest.raises(InputError, match="price of 'mine'"):
        plan(study(SMALL + PAID, '["mine"]'))


def test_warnings_say_what_may_go_wrong():
    asked = study("[limits]\nspend = 0.5\n" + SMALL + PAID)
    found = plan(asked, replicates=100)
    told = found.warnings(datetime.date(2026, 12, 1))
    assert any("shuts down on 2027-01-14, in 44 days" in each for each in told)
    assert any("power" in each and "gain.native > 0" in each for each in told)
    assert any("stop at limits.spend = 0.5" in each for each in told)
    assert "shut down on 2027-01-14 (" in found.warnings(datetime.date(2027, 1, 14))[0]
    large = plan(study(PAID), replicates=100)
    assert [each for each in large.warnings(datetime.date(2026, 12, 1)) if "power" in each] == []


def test_shutdowns_of_models_and_those_tuned_from_them():
    day = datetime.date(2027, 1, 14)
    for name in ("gpt-4o", "gpt-4o-mini-2024-07-18", "ft:gpt-4.1-nano-2025-04-14:lab::x"):
        assert shutdown(name).day == day
    assert shutdown("gpt-4ouch") is None
    assert shutdown("SmolLM2-135M") is None


def test_models_that_no_longer_answer_are_refused():
    day = datetime.date(2027, 1, 14)
    refuse_closed(["gpt-4o", "mine"], day - datetime.timedelta(days=1))
    with pytest.raises(InputError, match=r"models\.base: .* still answers .*'gpt-4o', which shut down on 2027"):
        refuse_closed(["mine", "gpt-4o"], day)
    # What the provider says counts, sooner or later.
    refuse_closed(["gpt-4o"], day, told={"gpt-4o": datetime.date(2028, 1, 1)})
    with pytest.raises(InputError, match="the provider's list of models"):
        refuse_closed(["mine"], day, told={"mine": day})


def test_files_too_short_to_train_on_are_warned_of():
    told = plan(study(SMALL), replicates=0).warnings(datetime.date(2026, 12, 1))
    assert any("first fold (targets)' has 3 lines, and those of 2 further jobs: a training file" in x for x in told)
    assert plan(study("[contexts]\ntrained = 20"), replicates=0).warnings(datetime.date(2026, 12, 1)) == []


def test_what_structured_output_may_add_is_said_where_something_is_paid():
    day, asked = datetime.date(2026, 12, 1), "[contexts]\ntrained = 20\n[sampling]\nstructured = true\n"
    paid, free = (plan(study(asked + more), replicates=0).warnings(day) for more in (PAID, ""))
    assert any("bill its schema" in each for each in paid)
    assert free == []


def test_the_commands(tmp_path):
    def run(*words):
        return subprocess.run([*AVOWAL, *words], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)

    made = run("init", "mine", "--template", "small")
    assert (made.returncode, made.stdout) == (0, "mine/study.toml: look it through, then avowal plan mine\n")
    shown = run("plan", "mine")
    assert shown.returncode == 0
    assert "train introspection, second fold (targets)" in shown.stdout
    held = json.loads(run("plan", "mine", "--json").stdout)
    assert len(held["stages"]) == 12
    assert Decimal(held["price"]) == 0
    assert sum(each["requests"] for each in held["stages"]) == 1600 + 600 + 40
    again = run("init", "mine")
    assert (again.returncode, again.stdout) == (2, "")
    assert run("plan", "nowhere").returncode == 2


def test_reading_a_template_and_planning_it_agree(tmp_path):
    init(tmp_path, "small")
    assert [each.stage for each in plan(tmp_path, replicates=0).stages] == list(stages(read(tmp_path)))


@given(
    st.integers(2, 9),
    st.sampled_from(ORDERS),
    st.sets(st.sampled_from(["no pair", "paraphrased"])),
    st.sets(st.sampled_from(["targets", "learned", "shuffled"])),
    st.lists(st.integers(2, 11), max_size=2, unique=True),
    st.lists(st.integers(1, 11), max_size=2, unique=True),
    st.integers(0, 2),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=40)
def test_any_study_can_be_carried_out_in_the_order_listed(
    reports, order, wordings, labels, few, short, conditions, again, shared, crossed
):
    more = f"""
[contexts]
trained = 24
native = 2
shared = {str(shared).lower()}
[design]
training = 12
decisions = 3
native_decisions = 3
reports = {reports}
decide_again = {str(again).lower()}
order = "{order}"
report_prompts = {["paper", *sorted(wordings)]}
cross_reports = {str(crossed and not shared).lower()}
[doses]
contexts = {few}
training = {short}
[training]
introspection = {sorted(labels)}
"""
    more += "".join(f'[[condition]]\nname = "c{i}"\nmarker = "M{i}"\neffect = "flip"\n' for i in range(conditions))
    listed = stages(study(more, '["x", "y"]'))
    seen = set()
    for each in listed:
        assert set(each.needs) <= seen
        assert each.name not in seen
        seen.add(each.name)
        if not isinstance(each.sends, Training):
            continue
        # No request to a model, nor to one tuned from it, shows a pair of this file.
        shown = {(x.name, t) for x in each.sends.contexts for t in range(each.sends.trials)}
        asked = [x.sends for x in listed if x.model == each.name and not isinstance(x.sends, Training)]
        assert not shown & {(x.name, t) for q in asked for x in q.contexts if x.use == "training"
                            for t in range(q.first, q.first + q.trials)}  # fmt: skip
    chains = 1 + len(few) + len(short)
    assert sum(each.role == "weights" for each in listed) == 2 * chains
    assert sum(isinstance(each.sends, Training) for each in listed) == 2 * (chains + 3 * len(labels))
