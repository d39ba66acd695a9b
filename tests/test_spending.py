"""What a study was billed: the sum over its replies and jobs, whatever came twice, in batches, or without a count."""

import json
from decimal import Decimal

import pytest

from avowal import prices
from avowal.errors import InputError
from avowal.study.spending import bills, spent
from avowal.study.store import Answer, Request, Store

BASE = "gpt-4o-2024-08-06"
TUNED = f"ft:{BASE}:lab::abc"


def request(key, model):
    return Request(key, key, 0, BASE, json.dumps({"model": model}), 0, 130, 30)


@pytest.fixture
def store(tmp_path):
    with Store.writing(tmp_path) as opened:
        opened.note({"endpoint": "https://api.openai.com/v1"})
        opened.plan("off", [request("a", BASE), request("b", BASE)])
        opened.plan("tuned", [request("c", TUNED), request("d", TUNED)])
        yield opened


def job(store, model, tuned, tokens):
    with store.transaction() as db:
        values = (tuned or "job", "train", "digest", 1, "file", "running", json.dumps({"model": model}), tuned, tokens)
        db.execute("insert into jobs values (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)


def test_nothing_costs_nothing(store):
    assert spent(store, prices.builtin()) == 0
    assert bills(store, prices.builtin()) == ()


def test_each_reply_is_priced_by_its_model_and_way(store):
    replies = [
        Answer("a", "{}", prompt_tokens=101, completion_tokens=7),
        Answer("b", "{}", prompt_tokens=99, completion_tokens=3),
        Answer("b", "{}", prompt_tokens=99, completion_tokens=3),
        Answer("c", "{}", prompt_tokens=50, completion_tokens=1, batch="batch_1"),
        Answer("d", "no", failure="HTTP 500", status=500),
        Answer("d", "{}"),
    ]
    store.step(replies, [])
    table = prices.builtin()
    tuned = f"ft:{BASE}:"
    single = [
        table.price(BASE, 101, 7),
        table.price(BASE, 198, 6),
        table.price(tuned, 50, 1, mode="batch"),
        table.price(tuned, 100, 30),
    ]
    assert spent(store, table) == sum(single, Decimal(0))
    found = bills(store, table)
    assert [(each.stage, each.billing, each.replies, each.untold) for each in found] == [
        ("off", "sync", 3, 0),
        ("tuned", "sync", 1, 1),
        ("tuned", "batch", 1, 0),
    ]


def test_jobs_are_priced_by_the_model_they_all_come_from(store):
    job(store, BASE, "mine-1", 1_000)
    job(store, "mine-1", "mine-2", 500)
    job(store, "mine-1", None, None)
    table = prices.builtin()
    assert spent(store, table) == table.training(BASE, 1_500)
    assert [(each.base, each.input_tokens) for each in bills(store, table)] == [(BASE, 1_000), (BASE, 500)]


def test_the_simulated_provider_is_free_and_needs_no_price(store):
    store.step([Answer("a", "{}", prompt_tokens=101, completion_tokens=7)], [])
    job(store, "whatever", "mine-1", 1_000)
    with pytest.raises(InputError, match="whatever"):
        spent(store, prices.builtin())
    store.note({"endpoint": "simulated"})
    assert spent(store, prices.builtin()) == 0
    assert sum(each.input_tokens for each in bills(store, prices.builtin())) == 1_101
