"""The simulated provider has OpenAI's shapes: the SDK's models take them, and what OpenAI refuses, it refuses alike."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import openai
import pytest
from simulated_study import FULL, MINI, batched, client, decision_lines, line, report_lines, said, upload, weights_of

from avowal.contexts import builtin
from avowal.errors import InputError
from avowal.prompts import decision_messages, report_messages
from avowal.simulated import running
from avowal.tokens import count, message_tokens

CONTEXTS = builtin("training")[:12]
FIRST = CONTEXTS[0]
LOW, HIGH = [each.min for each in FIRST.attributes], [each.max for each in FIRST.attributes]
DECISION, REPORT = decision_messages(FIRST, LOW, HIGH), report_messages(FIRST, LOW, HIGH)
NAMES = [each.name for each in FIRST.attributes]


@pytest.fixture(scope="module")
def sdk() -> Iterator[openai.OpenAI]:
    with running(seed=2, job_seconds=0.02, batch_seconds=0.02, shutdown={MINI: "2027-01-14"}) as url:
        yield client(url, _strict_response_validation=True)


def until_done(sdk: openai.OpenAI, job: str) -> openai.types.fine_tuning.FineTuningJob:
    while True:
        found = sdk.fine_tuning.jobs.retrieve(job)
        if found.finished_at is not None:
            return found
        time.sleep(0.005)


def test_models(sdk: openai.OpenAI) -> None:
    assert [each.id for each in sdk.models.list()][:2] == [FULL, MINI]
    assert sdk.models.retrieve("gpt-4o-mini").shutdown_date == "2027-01-14"
    assert sdk.models.retrieve(FULL).shutdown_date is None
    with pytest.raises(openai.NotFoundError):
        sdk.models.retrieve("gpt-9")


def test_a_model_past_its_shutdown_is_gone() -> None:
    with running(shutdown={MINI: "2020-01-01"}) as url, pytest.raises(openai.NotFoundError, match="deprecated"):
        said(client(url), "gpt-4o-mini", [DECISION])


def test_files(sdk: openai.OpenAI) -> None:
    text = decision_lines(CONTEXTS, 1, 2)
    file = sdk.files.create(file=("a.jsonl", text.encode()), purpose="fine-tune")
    assert (file.bytes, file.filename, file.purpose) == (len(text.encode()), "a.jsonl", "fine-tune")
    assert sdk.files.retrieve(file.id) == file
    assert sdk.files.content(file.id).text == text
    assert file.id in {each.id for each in sdk.files.list(purpose="fine-tune", limit=1)}
    assert sdk.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError):
        sdk.files.retrieve(file.id)


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.txt", b"{}", "extension"),
        ("a.jsonl", b"", "empty"),
        ("a.jsonl", b'{"messages": []}\n{', "Line 2"),
        ("a.jsonl", b"[1]", "Line 1"),
        ("a.jsonl", b"\xff", "UTF-8"),
    ],
)
def test_files_that_are_refused(sdk: openai.OpenAI, name: str, content: bytes, what: str) -> None:
    with pytest.raises(openai.BadRequestError, match=what):
        sdk.files.create(file=(name, content), purpose="fine-tune")


def test_a_job_from_creation_to_its_checkpoints(sdk: openai.OpenAI) -> None:
    text = decision_lines(CONTEXTS, 1, 2)
    job = sdk.fine_tuning.jobs.create(
        model="gpt-4o-mini",
        training_file=upload(sdk, text),
        suffix="mine",
        seed=7,
        metadata={"hash": "abc"},
        method={
            "type": "supervised",
            "supervised": {
                "hyperparameters": {"n_epochs": 2, "batch_size": 10, "learning_rate_multiplier": 1.8},
            },
        },
    )
    assert job.status == "validating_files"
    assert (job.model, job.seed, job.metadata) == (MINI, 7, {"hash": "abc"})
    done = until_done(sdk, job.id)
    assert done.status == "succeeded"
    assert done.fine_tuned_model.startswith(f"ft:{MINI}:simulated:mine:")
    prompts = [json.loads(row)["messages"] for row in text.splitlines()]
    assert done.trained_tokens == 2 * sum(message_tokens(messages) for messages in prompts)
    assert done.method.supervised.hyperparameters.learning_rate_multiplier == 1.8
    assert sdk.models.retrieve(done.fine_tuned_model).owned_by == "user"
    assert said(sdk, done.fine_tuned_model, [DECISION])[0] in "AB"
    told = [each.message for each in sdk.fine_tuning.jobs.list_events(job.id, limit=2)]
    assert told[0] == "The job has successfully completed"
    assert told[-1].startswith("Created fine-tuning job")
    steps = [each.step_number for each in sdk.fine_tuning.jobs.checkpoints.list(job.id)]
    assert steps == [6, 3]
    assert [each.id for each in sdk.fine_tuning.jobs.list(extra_query={"metadata[hash]": "abc"})] == [job.id]
    assert not list(sdk.fine_tuning.jobs.list(extra_query={"metadata[hash]": "none"}))


def test_the_states_of_a_job_follow_its_time() -> None:
    with running(job_seconds=1) as url:
        sdk = client(url)
        job = sdk.fine_tuning.jobs.create(model=FULL, training_file=upload(sdk, decision_lines(CONTEXTS, 1, 2)))
        seen = [job.status]
        while seen[-1] != "succeeded":
            seen.append(sdk.fine_tuning.jobs.retrieve(job.id).status)
            time.sleep(0.02)
        assert list(dict.fromkeys(seen)) == ["validating_files", "queued", "running", "succeeded"]
        with pytest.raises(openai.BadRequestError, match="already succeeded"):
            sdk.fine_tuning.jobs.cancel(job.id)
        other = sdk.fine_tuning.jobs.create(model=FULL, training_file=job.training_file, suffix="two")
        assert sdk.fine_tuning.jobs.cancel(other.id).status == "cancelled"
        assert sdk.fine_tuning.jobs.list(limit=1).has_more


BAD_LINES = {
    "at least 10 examples": [line(DECISION, "A")] * 9,
    "assistant": [json.dumps({"messages": DECISION})] * 10,
    "role": [json.dumps({"messages": [{"role": "robot", "content": "x"}]})] * 10,
    "content": [json.dumps({"messages": [{"role": "user", "content": ""}]})] * 10,
    "'messages'": [json.dumps({"prompt": "x", "completion": "y"})] * 10,
    "tokens": [line(DECISION, "A")] * 9 + [line([{"role": "user", "content": "why " * 70_000}], "A")],
    "unknown key": [json.dumps({"messages": [{"role": "user", "content": "x", "mood": "y"}]})] * 10,
}


@pytest.mark.parametrize("why", BAD_LINES)
def test_jobs_fail_on_files_that_are_no_training_files(sdk: openai.OpenAI, why: str) -> None:
    job = sdk.fine_tuning.jobs.create(model=FULL, training_file=upload(sdk, "\n".join(BAD_LINES[why])))
    done = until_done(sdk, job.id)
    assert (done.status, done.error.code, done.fine_tuned_model) == ("failed", "invalid_training_file", None)
    assert why in done.error.message
    assert next(iter(sdk.fine_tuning.jobs.list_events(job.id))).level == "error"


def test_jobs_that_are_refused(sdk: openai.OpenAI) -> None:
    file, create = upload(sdk, decision_lines(CONTEXTS, 1, 2)), sdk.fine_tuning.jobs.create
    for wrong in (
        {"training_file": "file-none"},
        {"training_file": upload(sdk, "{}", "batch")},
        {"hyperparameters": {"n_epochs": 0}},
        {"hyperparameters": {"warmth": 1}},
        {"suffix": "x" * 65},
        {"seed": -1},
        {"metadata": {"a": "b" * 513}},
        {"method": {"type": "dpo"}},
    ):
        with pytest.raises(openai.BadRequestError):
            create(**{"model": FULL, "training_file": file, **wrong})
    with pytest.raises(openai.NotFoundError):
        create(model="gpt-9", training_file=file)


def test_usage_is_exact(sdk: openai.OpenAI) -> None:
    for messages in (DECISION, REPORT):
        reply = sdk.chat.completions.create(model=FULL, messages=messages, temperature=0)
        assert reply.usage.prompt_tokens == message_tokens(messages)
        assert reply.usage.completion_tokens == count(reply.choices[0].message.content)
        assert reply.choices[0].finish_reason == "stop"


def test_headers_tell_of_limits(sdk: openai.OpenAI) -> None:
    raw = sdk.chat.completions.with_raw_response.create(model=FULL, messages=DECISION)
    assert int(raw.headers["x-ratelimit-remaining-requests"]) < int(raw.headers["x-ratelimit-limit-requests"])
    assert raw.headers["x-request-id"].startswith("req_")


def test_a_schema_spells_the_names(sdk: openai.OpenAI) -> None:
    properties = {name: {"type": "number"} for name in NAMES}
    schema = {"type": "object", "properties": properties, "required": NAMES, "additionalProperties": False}
    wanted = {"type": "json_schema", "json_schema": {"name": "report", "strict": True, "schema": schema}}
    shown = [report_messages(FIRST, LOW, [high - place for high in HIGH]) for place in range(20)]
    assert all(list(json.loads(each)) == NAMES for each in said(sdk, MINI, shown, response_format=wanted))
    letters = {"type": "object", "properties": {"choice": {"enum": ["A", "B"]}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "choice", "schema": letters}}
    assert json.loads(said(sdk, FULL, [DECISION], response_format=wanted)[0])["choice"] in ("A", "B")
    assert json.loads(said(sdk, FULL, [REPORT], response_format={"type": "json_object"})[0])


def test_a_limit_of_tokens_cuts(sdk: openai.OpenAI) -> None:
    reply = sdk.chat.completions.create(model=FULL, messages=REPORT, max_completion_tokens=5)
    assert reply.choices[0].finish_reason == "length"
    assert 0 < reply.usage.completion_tokens <= 5


def test_requests_that_are_refused(sdk: openai.OpenAI) -> None:
    for wrong in (
        {"messages": []},
        {"messages": [{"role": "robot", "content": "x"}]},
        {"messages": [{"role": "user", "content": 3}]},
        {"temperature": 3},
        {"n": 0},
        {"max_tokens": 0},
        {"max_completion_tokens": "five"},
        {"top_logprobs": 2},
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"response_format": {"type": "yaml"}},
        {"response_format": {"type": "json_object"}},
    ):
        with pytest.raises(openai.BadRequestError) as caught:
            sdk.chat.completions.create(**{"model": FULL, "messages": DECISION, **wrong})
        assert caught.value.type == "invalid_request_error"
    with pytest.raises(openai.NotFoundError, match="Invalid URL"):
        sdk.embeddings.create(model=FULL, input="x")


def test_prompts_that_are_no_task_get_an_answer(sdk: openai.OpenAI) -> None:
    assert "can't see" in said(sdk, FULL, [[{"role": "user", "content": "Hello"}]])[0]


def test_batches_answer_as_single_requests_do(sdk: openai.OpenAI) -> None:
    asked = [decision_messages(FIRST, LOW, [high - place for high in HIGH]) for place in range(20)]
    assert batched(sdk, FULL, asked) == said(sdk, FULL, asked)


def test_batches_keep_good_and_bad_apart(sdk: openai.OpenAI) -> None:
    rows = [batch_row(str(place), messages=DECISION if place else []) for place in range(3)]
    batch = batch_of(sdk, rows)
    while batch.status != "completed":
        batch = sdk.batches.retrieve(batch.id)
    assert (batch.request_counts.total, batch.request_counts.completed, batch.request_counts.failed) == (3, 2, 1)
    good = [json.loads(row) for row in sdk.files.content(batch.output_file_id).text.splitlines()]
    bad = [json.loads(row) for row in sdk.files.content(batch.error_file_id).text.splitlines()]
    assert {row["custom_id"] for row in good} == {"1", "2"}
    assert [(row["custom_id"], row["response"]["status_code"]) for row in bad] == [("0", 400)]
    assert batch.id in {each.id for each in sdk.batches.list(limit=1)}


def batch_row(identity: str, **changes: object) -> dict[str, object]:
    body = {"model": FULL, "temperature": 0, "messages": DECISION, **changes}
    return {"custom_id": identity, "method": "POST", "url": "/v1/chat/completions", "body": body}


def batch_of(sdk: openai.OpenAI, rows: list[dict[str, object]]) -> openai.types.Batch:
    file = upload(sdk, "\n".join(map(json.dumps, rows)), "batch")
    return sdk.batches.create(input_file_id=file, endpoint="/v1/chat/completions", completion_window="24h")


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([batch_row("a"), batch_row("a")], "duplicate_custom_id"),
        ([batch_row("a"), batch_row("b", model=MINI)], "mismatched_model"),
        ([{**batch_row("a"), "method": "GET"}], "invalid_method"),
        ([{**batch_row("a"), "url": "/v1/embeddings"}], "mismatched_url"),
        ([{**batch_row("a"), "body": None}], "missing_required_parameter"),
    ],
)
def test_batches_fail_on_bad_files(sdk: openai.OpenAI, rows: list[dict[str, object]], code: str) -> None:
    batch = batch_of(sdk, rows)
    while batch.status == "validating":
        batch = sdk.batches.retrieve(batch.id)
    assert (batch.status, batch.errors.data[0].code) == ("failed", code)


def test_a_cancelled_batch_keeps_what_is_done() -> None:
    with running(batch_seconds=2) as url:
        sdk = client(url)
        batch = batch_of(sdk, [batch_row(str(place)) for place in range(40)])
        while batch.request_counts.completed < 5:
            batch = sdk.batches.retrieve(batch.id)
            time.sleep(0.02)
        batch = sdk.batches.cancel(batch.id)
        while batch.status != "cancelled":
            batch = sdk.batches.retrieve(batch.id)
        assert 5 <= len(sdk.files.content(batch.output_file_id).text.splitlines()) < 40


def test_state_survives_a_restart(tmp_path: Path) -> None:
    text = decision_lines(CONTEXTS, 1, 10)
    with running(state=tmp_path, job_seconds=0.5, batch_seconds=0.5) as url:
        sdk = client(url)
        file = upload(sdk, text)
        job = sdk.fine_tuning.jobs.create(model=FULL, training_file=file)
        batch = batch_of(sdk, [batch_row("a")])
        with pytest.raises(InputError, match="no other server"), running(state=tmp_path):
            pass
    asked = [report_messages(context, [1] * 5, [2] * 5) for context in CONTEXTS]
    answers = []
    for _ in range(2):
        with running(state=tmp_path, job_seconds=0.5, batch_seconds=0.5) as url:
            sdk = client(url)
            assert [each.id for each in sdk.fine_tuning.jobs.list()] == [job.id]
            assert [each.id for each in sdk.batches.list()] == [batch.id]
            done = until_done(sdk, job.id)
            while batch.status != "completed":
                batch = sdk.batches.retrieve(batch.id)
            assert len(sdk.files.content(batch.output_file_id).text.splitlines()) == 1
            if not answers:
                sdk.files.delete(file)
            answers.append(said(sdk, done.fine_tuned_model, asked))
    assert answers[0] == answers[1]
    log = [json.loads(row) for row in (tmp_path / "requests.jsonl").read_text(encoding="utf-8").splitlines()]
    assert sum(row["path"] == "/v1/fine_tuning/jobs" and row["method"] == "POST" for row in log) == 1
    assert sum(row.get("batch") == batch.id for row in log) == 1
    chats = [row["body"] for row in log if row["path"].endswith("/completions") and "batch" not in row]
    assert len(chats) == 2 * len(set(chats)) == 2 * len(asked)
    assert "none" not in (tmp_path / "requests.jsonl").read_text(encoding="utf-8")


def test_state_belongs_to_its_seed_and_version(tmp_path: Path) -> None:
    with running(state=tmp_path, seed=3):
        pass
    with pytest.raises(InputError, match="the seed 3"), running(state=tmp_path, seed=4):
        pass
    with closing(sqlite3.connect(tmp_path / "provider.db")) as held:
        held.execute("PRAGMA user_version = 99")
    with pytest.raises(InputError, match="version"), running(state=tmp_path, seed=3):
        pass
    (tmp_path / "provider.db").write_bytes(b"no database at all, but long enough to look at" * 40)
    with pytest.raises(InputError, match="state"), running(state=tmp_path, seed=3):
        pass


def test_the_command_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("avowal")
    arguments = ["serve", "--port", "0", "--state", str(tmp_path), "--profile", "gpt-4o-mini", "--job-seconds", "0"]
    started = time.perf_counter()
    with subprocess.Popen([script, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().split()[-1]
        sdk = client(url)
        assert [each.id for each in sdk.models.list()] == [MINI]
        print(f"first answer after {time.perf_counter() - started:.2f} s")
        # What has been answered outlives a server that is killed.
        job = sdk.fine_tuning.jobs.create(model=MINI, training_file=upload(sdk, decision_lines(CONTEXTS, 1, 2)))
        process.kill()
    with subprocess.Popen([script, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        sdk = client(process.stdout.readline().split()[-1])
        assert sdk.fine_tuning.jobs.retrieve(job.id).status == "succeeded"
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(timeout=10) == 130
        assert "Traceback" not in process.stderr.read()


@pytest.mark.parametrize(
    "options",
    [
        {"profiles": ["gpt-9"]},
        {"profiles": ["gpt-4o", "gpt-4o"]},
        {"seed": -1},
        {"job_seconds": -1.0},
        {"batch_seconds": float("nan")},
        {"shutdown": {"gpt-9": "2027-01-01"}},
        {"faults": ["fire=0.1"]},
        {"host": "192.0.2.1"},
    ],
)
def test_bad_options_are_named(options: dict[str, object]) -> None:
    with pytest.raises(InputError), running(**options):
        pass


def test_throughput() -> None:
    """Four clients at once; the bound is for a machine that does much else."""
    shown = [decision_messages(FIRST, LOW, [high - place / 999 for high in HIGH]) for place in range(400)]
    with running() as url:
        sdk = client(url)
        said(sdk, FULL, shown[:4])
        used, started = os.times(), time.perf_counter()
        said(sdk, FULL, shown)
        seconds, now = time.perf_counter() - started, os.times()
    spent = (now.user + now.system - used.user - used.system) / len(shown)
    print(f"{len(shown) / seconds:.0f} requests per second, {1000 * spent:.2f} ms of CPU each, client included")
    assert spent < 0.011


def test_throughput_of_the_server_alone() -> None:
    shown = [decision_messages(FIRST, LOW, [high - place / 999 for high in HIGH]) for place in range(2000)]
    with running(batch_seconds=0) as url:
        sdk = client(url)
        started = time.perf_counter()
        batched(sdk, FULL, shown)
        print(f"{len(shown) / (time.perf_counter() - started):.0f} requests per second in a batch")


def test_many_clients_at_once_share_one_truth() -> None:
    lines = report_lines(CONTEXTS, weights_of(CONTEXTS, 1), seed=1)
    with running(job_seconds=0) as url:
        sdk = client(url)
        tuned = sdk.fine_tuning.jobs.create(model=FULL, training_file=upload(sdk, lines))
        name = sdk.fine_tuning.jobs.retrieve(tuned.id).fine_tuned_model
        with ThreadPoolExecutor(16) as pool:
            answers = set(pool.map(lambda _: said(sdk, name, [REPORT])[0], range(32)))
    assert len(answers) == 1
