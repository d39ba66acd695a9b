"""What an endpoint keeps is found by its digest or its name, on any page, and whether or not it heeds filters."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from endpoint import Handler, raw, serve, status

from avowal.provider import Client, Endpoint, ProviderError, batches, files, jobs


def listed(rows: list[dict[str, object]], *, pages: bool = True) -> object:
    """Answer with pages of two, or with all of it again and again."""

    def step(handler: Handler) -> None:
        asked = parse_qs(urlsplit(handler.path).query)
        after = asked.get("after", [None])[0]
        start = next((place + 1 for place, row in enumerate(rows) if row["id"] == after), 0) if pages else 0
        part = rows[start : start + 2] if pages else rows
        more = True if not pages else start + 2 < len(rows)
        status(200, {"object": "list", "data": part, "has_more": more})(handler)

    return step


@pytest.fixture
def client() -> Iterator[Client]:
    with serve(status(200, {"id": "made", "status": "queued"})) as server:
        found = Client(Endpoint(server.url), sleep=lambda _: None)
        found.server = server
        yield found
        found.close()


def tagged(identity: str, digest: object, state: str) -> dict[str, object]:
    return {"id": identity, "status": state, "metadata": digest if digest is None else {"avowal": digest}}


JOBS = [
    tagged("1", "other", "running"),
    tagged("2", None, "running"),
    tagged("3", "d", "failed"),
    tagged("4", "d", "cancelled"),
    tagged("5", "d", "succeeded"),
]


@pytest.mark.parametrize("pages", [True, False])
def test_jobs_are_found_by_digest_unless_they_came_to_nothing(client: Client, pages: bool) -> None:
    client.server.listing = listed(JOBS, pages=pages)
    assert jobs.find(client, "d")["id"] == "5"
    assert jobs.find(client, "e") is None
    assert jobs.find(client, "other")["id"] == "1"


def test_batches_count_in_every_state_unless_told(client: Client) -> None:
    client.server.listing = listed(JOBS)
    assert batches.find(client, "d")["id"] == "3"
    assert batches.find(client, "d", ignoring=("failed", "cancelled"))["id"] == "5"


def test_files_are_found_by_name_and_size(client: Client) -> None:
    rows = [
        {"id": "1", "filename": "a.jsonl", "purpose": "batch", "bytes": 2, "status": "processed"},
        {"id": "2", "filename": "a.jsonl", "purpose": "batch", "bytes": 3, "status": "error"},
        {"id": "3", "filename": "a.jsonl", "purpose": "fine-tune", "bytes": 3, "status": "processed"},
        {"id": "4", "filename": "a.jsonl", "purpose": "batch", "bytes": 3, "status": "processed"},
    ]
    client.server.listing = listed(rows)
    assert files.find(client, "batch", "a.jsonl", 3)["id"] == "4"
    assert files.find(client, "batch", "b.jsonl", 3) is None
    assert files.upload(client, "batch", "a.jsonl", b"{}\n") == "4"
    assert client.server.bodies == []


def test_a_list_that_is_none_is_empty(client: Client) -> None:
    for odd in ({"data": None}, {"data": [1, {}]}, {"object": "list"}):
        client.server.listing = status(200, odd)
        assert jobs.find(client, "d") is None


def test_an_order_says_no_more_than_it_knows(client: Client) -> None:
    order = jobs.Order("m", "file-1", None, {"n_epochs": "auto"}, None, "", "d")
    client.server.listing = listed([])
    assert jobs.create(client, order)["id"] == "made"
    assert client.server.bodies == [
        {
            "model": "m",
            "training_file": "file-1",
            "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": "auto"}}},
            "metadata": {"avowal": "d"},
        }
    ]


def test_names_of_the_provider_stay_in_their_place(client: Client) -> None:
    paths: list[str] = []

    def step(handler: Handler) -> None:
        paths.append(handler.path)
        status(200, {"id": "x"})(handler)

    client.server.listing = step
    jobs.job(client, "../../files?a=b")
    assert paths == ["/v1/fine_tuning/jobs/..%2F..%2Ffiles%3Fa%3Db"]


def test_a_file_that_breaks_off_is_read_again(client: Client) -> None:
    parts = iter([raw(b'{"a": 1}\n{"b'), raw(b'{"a": 1}\n{"b": 2}\n')])
    client.server.listing = lambda handler: next(parts)(handler)
    assert files.content(client, "f", lambda text: text.endswith("}\n")) == '{"a": 1}\n{"b": 2}\n'
    client.server.listing = raw(b"{")
    with pytest.raises(ProviderError, match="the file f breaks off") as caught:
        files.content(client, "f", lambda _: False)
    assert (caught.value.kind, caught.value.body) == ("unreadable", "{")


def test_models_tell_when_they_shut_down(client: Client) -> None:
    told = ["2027-01-14", "2027-01-14T08:00:00Z", 1799884800, None, "soon", {}]
    client.server.listing = raw(json.dumps({"data": [{"id": "m", "shutdown_date": each} for each in told]}).encode())
    day = datetime.date(2027, 1, 14)
    assert [each.shutdown for each in client.offers()] == [day, day, day, None, None, None]
