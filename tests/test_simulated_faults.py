"""What goes wrong on purpose does so over real HTTP, as often as asked for, and is told in the log."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import openai
import pytest
from simulated_study import FULL, client, decision_lines, upload

from avowal.contexts import builtin
from avowal.errors import InputError
from avowal.prompts import decision_messages
from avowal.provider import Client, Endpoint, Policy, completion
from avowal.simulated import running
from avowal.simulated.faults import KINDS, Fate, parse

CONTEXT = builtin()[0]
LOW, HIGH = [each.min for each in CONTEXT.attributes], [each.max for each in CONTEXT.attributes]


def messages(place: int = 0) -> list[dict[str, str]]:
    return decision_messages(CONTEXT, LOW, [high - place for high in HIGH])


def ask(sdk: openai.OpenAI, place: int = 0) -> openai.types.chat.ChatCompletion:
    return sdk.chat.completions.create(model=FULL, messages=messages(place), temperature=0)


def log(folder: Path) -> list[dict[str, object]]:
    return [json.loads(row) for row in (folder / "requests.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ("429=#1", openai.RateLimitError),
        ("quota=#1", openai.RateLimitError),
        ("500=#1", openai.InternalServerError),
        ("503=#1", openai.InternalServerError),
        ("401=#1", openai.AuthenticationError),
        ("reset=#1", openai.APIConnectionError),
        ("truncate=#1", (openai.APIError, json.JSONDecodeError)),
    ],
)
def test_a_fault_by_script_befalls_that_request_alone(tmp_path: Path, spec: str, error: type[Exception]) -> None:
    with running(faults=[spec], state=tmp_path) as url:
        sdk = client(url)
        with pytest.raises(error) as caught:
            ask(sdk)
        if spec.startswith("quota"):
            assert caught.value.code == "insufficient_quota"
        assert ask(sdk).choices[0].message.content in "AB"
    kind = spec.split("=")[0]
    assert [row["fault"] for row in log(tmp_path)] == [kind, None]
    assert len({row["body"] for row in log(tmp_path)}) == 1


def test_a_page_in_place_of_an_answer() -> None:
    with running(faults=["wrong-type=#1"]) as url:
        raw = client(url).chat.completions.with_raw_response.create(model=FULL, messages=messages())
        assert raw.headers["content-type"].startswith("text/html")


def test_a_truncated_body_is_whole_as_http() -> None:
    with running(faults=["truncate=#1"]) as url:
        raw = client(url).chat.completions.with_raw_response.create(model=FULL, messages=messages())
        assert raw.text.startswith('{"id"')
        with pytest.raises(json.JSONDecodeError):
            json.loads(raw.text)


def test_retry_after() -> None:
    for faults in (["429=#1:300"], ["429=#1", "retry-after=300"], ["429=#1,retry-after=300"]):
        with running(faults=faults) as url, pytest.raises(openai.RateLimitError) as caught:
            ask(client(url))
        assert caught.value.response.headers["retry-after"] == "300"


def test_slow_answers_come_late_and_hold_nobody_else_up() -> None:
    with running(faults=["slow=#1:0.4"]) as url:
        sdk = client(url)
        started = time.perf_counter()
        ask(sdk)
        first = time.perf_counter() - started
        ask(sdk)
        assert first >= 0.4 > time.perf_counter() - started - first


@pytest.mark.parametrize(
    ("kind", "finish", "content"),
    [
        ("refuse", "stop", None),
        ("malformed", "stop", "Both"),
        ("empty", "stop", ""),
        ("filtered", "content_filter", ""),
        ("cut", "length", ""),
    ],
)
def test_spoilt_replies(kind: str, finish: str, content: str | None) -> None:
    with running(faults=[f"{kind}=#1"]) as url:
        sdk = client(url)
        choice, after = ask(sdk).choices[0], ask(sdk).choices[0]
    assert choice.finish_reason == finish
    assert (choice.message.content or "").startswith(content or "")
    assert (choice.message.refusal is not None) == (kind == "refuse")
    assert after.message.content in ("A", "B")


def test_a_path_limits_a_fault() -> None:
    with running(faults=["500@/files=1"]) as url:
        sdk = client(url)
        ask(sdk)
        with pytest.raises(openai.InternalServerError):
            sdk.files.list()


def test_a_job_that_fails() -> None:
    with running(faults=["job-fails=#1"], job_seconds=0.1) as url:
        sdk = client(url)
        file = upload(sdk, decision_lines(builtin()[:5], 1, 3))
        statuses = []
        for _ in range(2):
            job = sdk.fine_tuning.jobs.create(model=FULL, training_file=file)
            while job.finished_at is None:
                job = sdk.fine_tuning.jobs.retrieve(job.id)
            statuses.append(job.status)
            assert (job.error is None) == (job.fine_tuned_model is not None)
        assert statuses == ["failed", "succeeded"]


def test_a_created_job_whose_answer_never_comes(tmp_path: Path) -> None:
    with running(faults=["create-timeout=#1"], state=tmp_path) as url:
        sdk = client(url)
        file = upload(sdk, decision_lines(builtin()[:5], 1, 3))
        with pytest.raises(openai.APITimeoutError):
            sdk.fine_tuning.jobs.create(model=FULL, training_file=file, metadata={"hash": "x"}, timeout=0.5)
        assert [each.metadata for each in sdk.fine_tuning.jobs.list()] == [{"hash": "x"}]
    assert [row["fault"] for row in log(tmp_path) if row["method"] == "POST"] == [None, "create-timeout"]


def batch(sdk: openai.OpenAI, requests: int) -> openai.types.Batch:
    rows = [
        {
            "custom_id": str(place),
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": FULL, "messages": messages(place), "temperature": 0},
        }
        for place in range(requests)
    ]
    file = upload(sdk, "\n".join(map(json.dumps, rows)), "batch")
    made = sdk.batches.create(input_file_id=file, endpoint="/v1/chat/completions", completion_window="24h")
    while made.status in ("validating", "in_progress", "finalizing"):
        made = sdk.batches.retrieve(made.id)
    return made


def rows_of(sdk: openai.OpenAI, file: str) -> list[dict[str, object]]:
    return [json.loads(row) for row in sdk.files.content(file).text.splitlines()]


def test_batches_that_fail_expire_or_answer_in_part() -> None:
    with running(faults=["batch-fails=#1", "batch-expires=#2", "batch-partial=0.3"], batch_seconds=0.02) as url:
        sdk = client(url)
        failed, expired, partial = batch(sdk, 20), batch(sdk, 20), batch(sdk, 40)
        assert (failed.status, expired.status, partial.status) == ("failed", "expired", "completed")
        done = {row["custom_id"] for row in rows_of(sdk, expired.output_file_id)}
        rest = rows_of(sdk, expired.error_file_id)
        assert {row["error"]["code"] for row in rest if row["error"]} == {"batch_expired"}
        assert done | {row["custom_id"] for row in rest} == set(map(str, range(20)))
        wrong = rows_of(sdk, partial.error_file_id)
        assert {row["response"]["status_code"] for row in wrong} == {500}
        assert 2 < len(wrong) < 25
        assert len(rows_of(sdk, partial.output_file_id)) + len(wrong) == 40


def outcomes(url: str, places: Sequence[int]) -> dict[int, str]:
    found, sdk = {}, client(url)
    for place in places:
        try:
            ask(sdk, place)
            found[place] = "fine"
        except openai.APIConnectionError:
            found[place] = "reset"
        except openai.APIStatusError as error:
            found[place] = str(error.status_code)
    return found


def test_faults_at_random_come_as_often_as_said_and_in_any_order() -> None:
    faults = ["429=0.2", "500=0.05", "reset=0.05"]
    with running(seed=3, faults=faults) as url:
        first = outcomes(url, range(300))
    with running(seed=3, faults=faults) as url:
        again = outcomes(url, range(299, -1, -1))
    with running(seed=4, faults=faults) as url:
        other = outcomes(url, range(300))
    assert first == again != other
    found = Counter(first.values())
    # Four standard deviations of a binomial of 300.
    assert 32 < found["429"] < 88
    assert 1 <= found["500"] < 30
    assert 1 <= found["reset"] < 30


def test_a_repeated_request_is_another_occasion() -> None:
    fate = Fate(parse(["429=0.5"]), seed=1)
    found = [fate.befalls(None, "/v1/x", "same") is not None for _ in range(100)]
    assert 20 < sum(found) < 80
    # What happens beside it moves nothing.
    other = Fate(parse(["429=0.5"]), seed=1)
    mixed = []
    for place in range(100):
        other.befalls(None, "/v1/x", f"another {place}")
        mixed.append(other.befalls(None, "/v1/x", "same") is not None)
    assert mixed == found


@pytest.mark.parametrize(
    "spec",
    ["429", "fire=0.1", "399=0.1", "600=0.1", "429=2", "429=x", "429=#", "429=#a", "slow=0.1:x", "slow=1:-1", ""],
)
def test_specs_that_are_none(spec: str) -> None:
    with pytest.raises(InputError, match="fault"):
        parse([spec])


def test_every_kind_is_in_the_help_and_the_page(root: Path) -> None:
    from avowal.commands_serve import serve

    page = (root / "docs" / "serve.md").read_text(encoding="utf-8")
    for kind in KINDS:
        assert kind in (serve.epilog or "")
        assert f"`{kind}`" in page


def test_our_own_client_gets_through() -> None:
    faults = ["429=0.2:0.01", "500=0.05", "reset=0.02"]
    policy = Policy(attempts=20, first=0.001, longest=0.01)
    with (
        running(seed=5, faults=faults) as url,
        running(seed=5) as calm,
        closing(Client(Endpoint(url), policy=policy)) as persistent,
        closing(Client(Endpoint(calm))) as plain,
    ):
        replies = [persistent.chat(FULL, messages(place)) for place in range(150)]
        undisturbed = [plain.chat(FULL, messages(place)) for place in range(150)]
    assert [completion(each.body) for each in replies] == [completion(each.body) for each in undisturbed]
    assert 20 < sum(len(each.retries) for each in replies) < 100
