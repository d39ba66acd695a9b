"""Drafts over real HTTP: replies are on disk before they are read, all is counted, a rerun asks for what is missing."""

from __future__ import annotations

import json
import os
import sys
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
from endpoint import Endpoint as Server
from endpoint import Handler, Step, asked, context, contexts, drop, error, raw, says, serve
from hypothesis import given
from hypothesis import strategies as st

from avowal import AvowalError, InputError
from avowal.contexts import builtin, load
from avowal.draft import Draft, Task, draft, plan
from avowal.draft.log import UNANSWERED, Asked, read
from avowal.draft.prompts import messages, response_format
from avowal.draft.sift import Sieve
from avowal.provider import Client, Endpoint, Policy, ProviderError

AVOWAL = [sys.executable, "-c", "from avowal.cli import main; main()"]
KEY = "sk-a-key-that-must-not-be-seen-anywhere"
SPACE = Task("space travel")


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", KEY)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "drafts.json"


def run(server: Server, wanted: int, file: Path, task: Task = SPACE, **options: Any) -> Draft:
    policy = Policy(attempts=3)
    client = Client(Endpoint(server.url, "A_KEY"), policy=policy, sleep=lambda _: None)
    return draft(wanted, task, "m", file, client=client, **options)


def listed(*entries: object) -> str:
    return json.dumps({"contexts": entries})


def log_of(file: Path) -> list[dict[str, Any]]:
    lines = file.with_name(f"{file.name}.replies.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def sums(found: Draft) -> tuple[int, int, dict[str, int], dict[str, int]]:
    account = found.account
    assert account.planned == account.valid + account.lost
    assert account.valid == len(found.contexts) + len(found.spare)
    assert sum(account.invalid.values()) == sum(each.count for each in found.rejected)
    return account.planned, account.valid, dict(account.invalid), dict(account.failed)


def test_the_reply_is_on_disk_before_it_is_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = b'{"choices": [{"message": {"content": ["caf\xc3\xa9"]}}]}'

    def crash(self: Sieve, asked: Asked) -> None:
        raise RuntimeError("out of memory")

    with serve(raw(body)) as server, monkeypatch.context() as patch:
        patch.setattr(Sieve, "take", crash)
        with pytest.raises(RuntimeError):
            run(server, 2, file)
    request, reply = log_of(file)
    assert (request["type"], request["asked"], request["model"]) == ("request", 2, "m")
    assert request["messages"] == server.bodies[0]["messages"]
    assert (reply["type"], reply["body"]) == ("reply", body.decode())
    assert sums(plan(2, SPACE, "m", file).draft) == (2, 0, {"unreadable": 2}, {})


GOOD = context(1)
TWIN = {**context(2), "question": GOOD["question"], "name": GOOD["name"] + "s"}
CASES: dict[str, tuple[Step, int, dict[str, int]]] = {
    "prose around": (says(f"Sure! Here {{you}} are:\n```json\n{listed(GOOD, context(2))}\n```\nEnjoy."), 2, {}),
    "a list in a fence": (says(f"[1] Here:\n```json\n{json.dumps([GOOD, context(2)])}\n```"), 2, {}),
    "a cut list in a fence": (says(f"```json\n{json.dumps([GOOD, context(2)])[:-30]}\n```"), 0, {"invalid JSON": 2}),
    "braces without end": (says('{"' * 300_000), 0, {"invalid JSON": 2}),
    "what steers a terminal": (says(listed(GOOD, {**context(2), "question": "Which \x1b[2J?"})), 1, {"format": 1}),
    "an agent in disguise": (says(listed(GOOD, {**context(2), "agent": "Agent\u200b 1"})), 1, {"format": 1}),
    "a bare list": (says(json.dumps([GOOD, context(2)])), 2, {}),
    "prose alone": (says("I would rather talk about {this}."), 0, {"invalid JSON": 2}),
    "other JSON": (says('{"answer": 42}'), 0, {"no contexts": 2}),
    "a key twice": (says('{"contexts": [], "contexts": []}'), 0, {"invalid JSON": 2}),
    "cut text": (says(listed(GOOD, context(2))[:-30]), 0, {"invalid JSON": 2}),
    "cut at the limit": (says(listed(GOOD)[:-30], "length"), 0, {"truncated": 2}),
    "no message": (raw(b'{"choices": [{"mess": 1}]}'), 0, {"unreadable": 2}),
    "refusal": (says(None, refusal="I can't help with that."), 0, {"refused": 2}),
    "no choices": (raw(b'{"choices": []}'), 0, {"empty": 2}),
    "nothing": (says(""), 0, {"empty": 2}),
    "too few": (says(listed(GOOD)), 1, {"missing": 1}),
    "none": (says(listed()), 0, {"missing": 2}),
    "the same twice": (says(listed(GOOD, GOOD)), 1, {"name": 1}),
    "near-duplicate": (says(listed(GOOD, TWIN)), 1, {"near-duplicate": 1}),
    "an agent twice": (says(listed(GOOD, {**context(2), "agent": "AGENT  1"})), 1, {"agent": 1}),
    "an agent of a built-in": (says(listed(GOOD, {**context(2), "agent": "Sherlock Holmes"})), 1, {"agent": 1}),
    "a built-in name": (says(listed(GOOD, {**context(2), "name": "honey_jar"})), 1, {"name": 1}),
    "no agent": (says(listed(GOOD, {**context(2), "agent": None})), 1, {"format": 1}),
    "wrong count": (says(listed(GOOD, context(2, attributes=4))), 1, {"format": 1}),
    "other keys": (says(listed(GOOD, {**context(2), "mood": "blue"})), 1, {"format": 1}),
    "no object": (says(listed(GOOD, "tea")), 1, {"format": 1}),
    "half a character": (says(listed(GOOD, {**context(2), "question": "Which \ud800?"})), 1, {"format": 1}),
    "its own marks": (says(listed(GOOD, {**context(2), "field": "food", "use": "none"})), 2, {}),
}


@pytest.mark.parametrize("case", CASES)
def test_every_reply_is_counted(case: str, file: Path) -> None:
    step, valid, invalid = CASES[case]
    with serve(step) as server:
        found = run(server, 2, file)
    assert sums(found) == (2, valid, invalid, {})
    assert found.missing == 2 - valid
    assert all(each.problems and each.place.startswith("request 1") for each in found.rejected)
    assert found.extracted == (case in {"prose around", "a list in a fence"})
    assert file.exists() == (valid > 0)
    if valid:
        assert [each.field for each in load(file)] == ["space travel"] * valid


@pytest.mark.parametrize("depth", [20, *range(900, 1000)])
def test_no_depth_breaks_the_sieve(depth: int) -> None:
    deep = json.dumps({**context(1), "question": "deep"}).replace('"deep"', "[" * depth + "]" * depth)
    sieve = Sieve(SPACE, {})
    sieve.take(Asked(1, 1, json.dumps({"choices": [{"message": {"content": f'{{"contexts": [{deep}]}}'}}]})))
    assert (sieve.account.planned, sieve.account.lost) == (1, 1)


def test_a_full_disk_loses_no_reply(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(contexts(0), contexts(9)) as server:
        with monkeypatch.context() as patch:
            patch.setattr("avowal.draft.log.disk_usage", lambda _: SimpleNamespace(free=100))
            with pytest.raises(InputError, match="MB free on the disk, so that no reply is lost, found less"):
                run(server, 2, file)
        assert (server.bodies, log_of(file)) == ([], [])
        # Where no file of that name can be written, the replies are still in the log.
        beside = file.with_name(f"{file.name}.part")
        beside.mkdir()
        with pytest.raises(AvowalError, match=r"could not be written .* all replies are in .*replies\.jsonl"):
            run(server, 2, file)
        beside.rmdir()
        assert run(server, 2, file).missing == 0
    assert len(server.bodies) == 1


def test_only_the_first_of_two_that_clash_with_it_goes(file: Path) -> None:
    """The second has the first one's name; the third clashes with the second alone, and is good once that is gone."""
    second, third = {**context(2), "name": GOOD["name"]}, {**context(3), "agent": "Agent 2"}
    with serve(says(listed(GOOD, second, third))) as server:
        found = run(server, 3, file)
    assert sums(found) == (3, 2, {"name": 1}, {})
    assert [each.name for each in found.contexts] == ["thing1", "thing3"]


def test_every_record_is_written_whole_and_flushed(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, flushed = os.write, []
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:100]))
    monkeypatch.setattr(os, "fsync", flushed.append)
    with serve(contexts(0)) as server:
        run(server, 2, file)
    assert [each["type"] for each in log_of(file)] == ["request", "reply"]
    # The request, the reply and the contexts.
    assert len(flushed) == 3


def test_a_number_is_given_once_even_after_lines_were_taken_out(file: Path) -> None:
    with serve(says("no"), contexts(0), contexts(9)) as server:
        for _ in range(2):
            run(server, 2, file)
        log = file.with_name(f"{file.name}.replies.jsonl")
        log.write_text("".join(log.read_text().splitlines(keepends=True)[2:]))
        found = run(server, 4, file)
    assert sums(found) == (4, 4, {}, {})
    assert [each["id"] for each in log_of(file) if each["type"] == "request"] == [2, 3]


def test_contexts_beyond_those_asked_for_are_kept_for_later(file: Path) -> None:
    with serve(says(listed(*(context(n) for n in range(5))))) as server:
        found = run(server, 3, file)
        assert sums(found) == (5, 5, {}, {})
        assert (len(load(file)), [each.name for each in found.spare]) == (3, ["thing3", "thing4"])
        more = run(server, 5, file)
    assert (len(server.bodies), more.missing, len(load(file))) == (1, 0, 5)


def test_a_rerun_asks_only_for_what_is_missing(file: Path) -> None:
    with serve(contexts(0), says("no"), contexts(20)) as server:
        first = run(server, 8, file, batch=4)
        assert sums(first) == (8, 4, {"invalid JSON": 4}, {})
        assert first.missing == 4
        second = run(server, 8, file, batch=4)
        assert sums(second) == (12, 8, {"invalid JSON": 4}, {})
        assert second.missing == 0
        assert run(server, 8, file) == second
    assert [asked(body) for body in server.bodies] == [4, 4, 4]


@pytest.mark.parametrize("code", [400, 422])
def test_an_endpoint_without_structured_output_is_asked_plainly(code: int, file: Path) -> None:
    def picky(handler: Handler) -> None:
        if "response_format" in handler.endpoint.bodies[-1]:
            error(code, "response_format is not supported")(handler)
        else:
            contexts(10 * len(handler.endpoint.bodies))(handler)

    with serve(picky) as server:
        found = run(server, 4, file, batch=2)
    assert sums(found) == (4, 4, {}, {})
    assert ["response_format" in body for body in server.bodies] == [True, False, False]
    assert [each["structured"] for each in log_of(file) if each["type"] == "reply"] == [False, False]


def test_a_request_that_is_refused_either_way_is_an_error(file: Path) -> None:
    with (
        serve(error(400, "the prompt is too long")) as server,
        pytest.raises(ProviderError, match="prompt is too long"),
    ):
        run(server, 4, file)
    assert sums(plan(4, SPACE, "m", file).draft) == (4, 0, {}, {"HTTP 400": 4})


@pytest.mark.parametrize(
    ("fault", "kind"), [(drop, "no connection"), (error(503), "HTTP 503"), (error(429), "HTTP 429")]
)
def test_a_draft_goes_on_after_the_client_gave_up(fault: Step, kind: str, file: Path) -> None:
    with serve(contexts(0), fault, fault, fault, contexts(9)) as server:
        with pytest.raises(ProviderError, match="Given up after 3 tries"):
            run(server, 4, file, batch=2)
        assert len(load(file)) == 2
        found = run(server, 4, file, batch=2)
    assert sums(found) == (6, 4, {}, {kind: 2})
    assert found.missing == 0


def test_passing_faults_are_only_noted(file: Path) -> None:
    with serve(error(429, headers={"Retry-After": "500"}), drop, contexts(0)) as server:
        assert sums(run(server, 3, file)) == (3, 3, {}, {})
    assert log_of(file)[-1]["retries"] == ["HTTP 429", "no connection"]


def test_a_torn_record_is_kept_aside(file: Path) -> None:
    with serve(contexts(0), contexts(9)) as server:
        run(server, 2, file)
        log = file.with_name(f"{file.name}.replies.jsonl")
        whole = log.read_bytes()
        log.write_bytes(whole[:-20])
        file.unlink()
        assert sums(plan(2, SPACE, "m", file).draft) == (2, 0, {}, {UNANSWERED: 2})
        found = run(server, 2, file)
    assert sums(found) == (4, 2, {}, {UNANSWERED: 2})
    torn = [each["text"] for each in log_of(file) if each["type"] == "torn"]
    assert [text.encode() for text in torn] == [whole[:-20].splitlines()[-1]]


def test_a_log_that_someone_broke_is_refused(file: Path) -> None:
    log = file.with_name(f"{file.name}.replies.jsonl")
    for text in ("not json", "[]", '{"type": "reply", "id": 1, "body": 3}', '{"type": "reply", "id": 1, "body": ""}'):
        log.write_text(text + "\n")
        with pytest.raises(InputError, match=rf"{log.name}, line 1: expected"):
            plan(2, SPACE, "m", file)


def test_one_file_holds_one_draft(file: Path) -> None:
    with serve(contexts(0)) as server:
        run(server, 2, file)
        for task in (Task("food"), Task("space travel", 4), Task("space travel", 5, "native")):
            with pytest.raises(InputError, match="choose another file for another draft"):
                plan(2, task, "m", file)
        entries = json.loads(file.read_text())
        entries["contexts"][0]["question"] = "Which one?"
        file.write_text(json.dumps(entries))
        with pytest.raises(InputError, match=r"expected no file yet, or only .* another context, 'thing0'"):
            run(server, 4, file)
    assert len(server.bodies) == 1


def test_contexts_differ_from_those_beside(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "mine.json"
    other.write_text(listed({**context(1), "field": "Space travel"}))
    with serve(contexts(1)) as server:
        found = run(server, 2, file, beside=[other])
    assert sums(found) == (2, 1, {"name": 1}, {})
    assert "thing1: Which gadget1" in server.bodies[0]["messages"][-1]["content"]
    other.write_text(listed({**context(1), "agent": "Oscar Wilde"}))
    with pytest.raises(InputError, match=r"mine\.json"):
        plan(2, SPACE, "m", file, beside=[other])


def test_the_plan_counts_requests_exactly_and_prices_known_models(file: Path) -> None:
    found = plan(11, SPACE, "gpt-4o-mini", file)
    assert found.requests == (4, 4, 3)
    assert found.price == (Decimal("0.15") * found.input_tokens + Decimal("0.60") * found.output_tokens) / 1_000_000
    assert plan(11, SPACE, "another", file).price is None
    with serve(contexts(0), contexts(10), contexts(20)) as server:
        run(server, 11, file)
    assert [asked(body) for body in server.bodies] == [4, 4, 3]
    assert plan(11, SPACE, "gpt-4o-mini", file).price == 0


@pytest.mark.parametrize("attributes", range(1, 13))
def test_the_number_of_attributes_is_said_in_words(attributes: int) -> None:
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    text = messages(Task("food", attributes), 2, builtin())[1]["content"]
    assert f"exactly {words[attributes - 1]} attribute{'s' if attributes > 1 else ''}, no more" in text
    assert text.count('"units"') == attributes


def test_the_prompt_names_what_there_is() -> None:
    text = messages(Task("food"), 3, builtin())[1]["content"]
    for each in builtin():
        assert (each.agent or "") in text
        assert (f"- {each.name}: {each.question}" in text) == (each.field == "food")


@pytest.mark.parametrize("count", [1, 5])
def test_the_schema_takes_what_the_package_has(count: int) -> None:
    schema = response_format(Task("food", 5), count)["json_schema"]["schema"]
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    entries = [
        {
            "name": each.name, "agent": each.agent, "question": each.question,
            "attributes": [{"name": a.name, "units": a.units, "min": a.min, "max": a.max} for a in each.attributes],
        }
        for each in builtin()
    ]  # fmt: skip
    for start in range(0, len(entries), count):
        assert validator.is_valid({"contexts": entries[start : start + count]})
    assert not validator.is_valid({"contexts": [*entries[: count + 1]]})
    assert not validator.is_valid({"contexts": [{**each, "field": "food"} for each in entries[:count]]})


@pytest.mark.parametrize(
    "arguments",
    [(0, SPACE), (2, SPACE, {"batch": 0}), (2, SPACE, {"batch": 21})],
)
def test_numbers_out_of_range_are_refused(arguments: tuple[Any, ...], file: Path) -> None:
    wanted, task, *more = arguments
    with pytest.raises(InputError):
        plan(wanted, task, "m", file, **(more[0] if more else {}))


@pytest.mark.parametrize("task", [("", 5, None), ("food", 0, None), ("food", 13, None), ("food", 5, "sale")])
def test_a_task_without_sense_is_refused(task: tuple[str, int, Any]) -> None:
    with pytest.raises(InputError):
        Task(*task)


JSONS = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.sampled_from(
        ["contexts", "name", "agent", "question", "attributes", "units", "min", "max"]), x, max_size=6),
    max_leaves=20,
)  # fmt: skip
MIXED = st.lists(st.builds(lambda n, more: {**context(n), **more}, st.integers(0, 5), st.dictionaries(
    st.sampled_from(["name", "agent", "attributes", "field"]), JSONS, max_size=1)), max_size=4)  # fmt: skip


@given(st.lists(st.tuples(st.integers(1, 5), st.none() | MIXED | JSONS), max_size=3))
def test_whatever_comes_back_is_counted(replies: list[tuple[int, Any]]) -> None:
    sieve = Sieve(SPACE, {"existing.json": listed(context(0))})
    for number, (count, reply) in enumerate(replies, start=1):
        text = json.dumps({"contexts": reply} if isinstance(reply, list) else reply)
        body = None if reply is None else json.dumps({"choices": [{"message": {"content": text}}]})
        sieve.take(Asked(number, count, body))
    account = sieve.account
    assert account.planned >= sum(count for count, _ in replies)
    assert account.valid == len(sieve.contexts) == len(sieve.good)
    assert sum(account.failed.values()) == sum(count for count, reply in replies if reply is None)
    assert not [each for each in sieve.contexts if each.agent is None or len(each.attributes) != 5]


def test_the_independent_mock_fills_the_schema_and_is_counted(llmock: Any, file: Path) -> None:
    """LLMock answers by the schema; what it makes up must be sorted, and its 429s and 5xx be ridden out."""
    llmock.rate_limit(times=1, retry_after=0.05).fail(500, times=1)
    client = Client(Endpoint(llmock.base_url("openai"), "OPENAI_API_KEY"), policy=Policy(first=0.02))
    found = draft(6, SPACE, "m", file, client=client, batch=3)
    planned, valid, _, failed = sums(found)
    assert (planned, failed) == (6, {})
    assert valid == len(load(file)) if file.exists() else valid == 0
    assert [len(each["retries"]) for each in log_of(file) if each["type"] == "reply"] == [2, 0]
    llmock.assert_resilient(strict=True)
    assert read(found.replies, SPACE)[-1].body is not None
