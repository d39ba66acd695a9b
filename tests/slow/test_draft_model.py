"""A real model of 135 million parameters drafts contexts: most are bad, and every one of them is accounted for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from avowal.contexts import load
from avowal.draft import Task, draft
from avowal.draft.log import Asked
from avowal.draft.prompts import messages
from avowal.draft.sift import Sieve
from avowal.provider import Client, Endpoint

pytestmark = pytest.mark.slow


@pytest.fixture
def client(url: str, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    return Client(Endpoint(url))


def test_the_account_holds_with_a_real_model(client: Client, tmp_path: Path) -> None:
    file, task = tmp_path / "drafts.json", Task("space travel", 2)
    (name,) = client.models()
    first = draft(2, task, name, file, client=client)
    second = draft(2, task, name, file, client=client)
    for found in (first, second):
        account = found.account
        assert account.planned == account.valid + account.lost
        assert account.failed == {}
        assert account.lost == sum(each.count for each in found.rejected)
        assert all(each.problems for each in found.rejected)
    assert first.account.planned >= 2
    assert second.account.planned - first.account.planned >= first.missing
    assert second.rejected[: len(first.rejected)] == first.rejected
    assert not second.contexts or load(file) == second.contexts
    records = [json.loads(line) for line in second.replies.read_text(encoding="utf-8").splitlines()]
    replies = [each for each in records if each["type"] == "reply"]
    # The server turns the schema into a grammar, so that what is bad here is bad by its content.
    assert all(each["structured"] for each in replies)
    assert not {"invalid JSON", "no contexts"} & {each.kind for each in second.rejected}


def test_without_a_schema_its_talk_is_typed(client: Client) -> None:
    (name,) = client.models()
    task = Task("food", 2)
    reply = client.chat(name, messages(task, 2, ()))
    sieve = Sieve(task, {})
    sieve.take(Asked(1, 2, reply.body))
    account = sieve.account
    assert account.planned == account.valid + account.lost >= 2
