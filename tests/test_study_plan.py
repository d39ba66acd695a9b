"""The plan of a study: stages in an order that can be carried out, prices that are those of what is sent."""

import datetime
import json
import subprocess
import sys
from decimal import Decimal

import pytest

from avowal import contexts, cost
from avowal.errors import InputError
from avowal.lines import Training
from avowal.study import init, plan, read, stages
from avowal.study.config import parse
from avowal.study.shutdowns import shutdown

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
