"""What a plan says is left: nothing before the first run, and then what the next one will send and pay."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from click.testing import CliRunner
from filled_study import BASE, fill, folder

from avowal.cli import app
from avowal.prices import builtin
from avowal.study import plan
from avowal.study.store import Store


def planned(path):
    return plan(path, replicates=0)


def test_before_the_first_run_nothing_is_said_of_what_is_left(tmp_path):
    found = planned(folder(tmp_path))
    assert found.left is None
    assert found.price_left == found.price > 0
    document = found.to_dict()
    assert document["left"] is None
    assert {each["left"] for each in document["stages"]} == {each["state"] for each in document["stages"]} == {None}


def test_a_finished_study_has_nothing_left(tmp_path):
    fill(folder(tmp_path))
    found = planned(tmp_path)
    assert {(each.state, each.requests, each.price) for each in found.left.values()} == {("finished", 0, Decimal(0))}
    assert found.requests_left == found.price_left == 0


@pytest.mark.parametrize("mode", ["sync", "batch"])
def test_what_was_begun_and_what_was_not_add_up(tmp_path, mode):
    folder(tmp_path)
    file = tmp_path / "study.toml"
    file.write_text(file.read_text().replace("[provider]", f'[provider]\nmode = "{mode}"'))
    lost = []

    def spoil(stage, place, answer):
        if stage.role != "native" or place % 3:
            return answer
        lost.append(place)
        return replace(answer, body="gone", failure="HTTP 500", prompt_tokens=None, completion_tokens=None)

    fill(tmp_path, until=lambda stage: stage.role == "native_before", spoil=spoil)
    found = planned(tmp_path)
    items = {each.stage.name: each for each in found.stages}
    for name, left in found.left.items():
        item, role = items[name].item, items[name].stage.role
        if items[name].stage.role == "native":
            # Failed requests are asked again.
            assert left.requests == len(lost) > 0
            assert 0 < left.input_tokens < item.input_tokens
            asked = (f"ft:{BASE}:", left.input_tokens, left.output_tokens)
            assert left.price == builtin().price(*asked, mode=mode) > 0
        elif left.state == "not begun":
            assert (left.requests, left.price) == (item.requests, item.price)
        else:
            assert (left.requests, left.price) == (0, Decimal(0)), role
    document = found.to_dict()
    assert sum(Decimal(each["left"]["price"]) for each in document["stages"]) == found.price_left
    assert document["left"] == {"requests": found.requests_left, "price": str(found.price_left)}


def test_what_the_file_asks_in_addition_is_left(tmp_path):
    fill(folder(tmp_path))
    file = tmp_path / "study.toml"
    file.write_text(file.read_text().replace("reports = 3", "reports = 5"))
    found = planned(tmp_path)
    for each in found.stages:
        more = 2 * len(each.stage.sends.contexts) if each.stage.sends.kind == "reports" else 0
        more = 0 if each.item.billing == "training" else more
        assert found.left[each.stage.name].requests == more


def test_a_plan_reads_while_a_run_writes_and_changes_nothing(tmp_path):
    fill(folder(tmp_path, url="simulated"), until=lambda stage: stage.role == "native", endpoint="simulated")
    with Store.writing(tmp_path) as store, store.transaction() as db:
        db.execute("update stages set state = 'running'")
        result = CliRunner().invoke(app, ["plan", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "Left after the runs so far: " in result.output
    before = (tmp_path / "study.db").read_bytes()
    told = json.loads(CliRunner().invoke(app, ["plan", str(tmp_path), "--json"]).stdout)
    assert told["left"]["requests"] > 0
    assert (tmp_path / "study.db").read_bytes() == before


def test_an_endpoint_on_this_machine_costs_nothing_as_it_is_billed(tmp_path):
    found = planned(folder(tmp_path, base=["smollm"], url="http://127.0.0.1:1/v1"))
    assert found.price == 0
