"""Money: no run spends past its limit, whatever earlier runs left under way, and nothing that is paid for is lost."""

import sqlite3
from contextlib import closing
from decimal import Decimal

import pytest
from filled_study import URL, fill
from runs import BASE, bodies, provider, rows, write

from avowal.errors import InputError
from avowal.prices import parse
from avowal.study import batching
from avowal.study.run import Options, run

SHELF = "off the shelf"

RATES = {
    "input": 1000, "output": 1000, "batch_input": 1000, "batch_output": 1000, "training": 0, "tuned_input": 1000,
    "tuned_output": 1000, "tuned_batch_input": 1000, "tuned_batch_output": 1000,
}  # fmt: skip


def table(**rates: int | None):
    """Return prices of a thousand dollars for a million tokens."""
    lines = [f"{name} = {rate}" for name, rate in (RATES | rates).items() if rate is not None]
    head = [f'[models."{BASE}"]', "as_of = 2026-01-01", 'source = "a test"', 'encoding = "o200k_base"']
    return parse("\n".join([*head, *lines]), "prices.toml")


def batch(url: str) -> str:
    return f'[provider]\nbase_url = "{url}"\nmode = "batch"'


def test_the_limit_counts_what_earlier_runs_spent_where_a_server_on_this_machine_has_a_price(tmp_path):
    with provider(tmp_path / "server") as served:
        folder = write(tmp_path / "study", url=served.url)
        options = Options(stages=(SHELF,), max_cost=Decimal(5), prices=table())
        first = run(folder, options)
        second = run(folder, options)
    assert Decimal("4.5") < first.spent <= 5
    assert first.spent == second.spent


def test_the_limit_counts_batches_that_an_earlier_run_has_submitted(tmp_path):
    with provider(tmp_path / "server", "--batch-seconds", "3") as served:
        folder = write(tmp_path / "study", batch(served.url))
        found = run(folder, Options(stages=(SHELF,), max_cost=Decimal(20), prices=table(), detach=True))
        assert found.stopped == {}
        # The whole stage costs between 10 and 20: it is under way, and nothing else fits beside it.
        weights = Options(stages=("train weights", "decide, trained"), max_cost=Decimal(20), prices=table())
        found = run(folder, weights)
        assert "the spending limit of $20.00" in next(iter(found.stopped.values()))
        found = run(folder, Options(stages=(SHELF,), max_cost=Decimal(20), prices=table()))
    assert found.stopped == {}
    assert 10 < found.spent <= 20
    assert rows(folder, "select count(*) from requests where state <> 'answered'") == [(160,)]


def test_the_limit_counts_a_job_that_an_earlier_run_has_created(tmp_path):
    with provider(tmp_path / "server", "--job-seconds", "30") as served:
        folder = write(tmp_path / "study", url=served.url)
        prices = table(training=1000)
        found = run(folder, Options(stages=("train weights",), max_cost=Decimal(1000), prices=prices, detach=True))
        assert found.stopped == {}
        job = found.spent
        assert job > 10
        found = run(folder, Options(stages=(SHELF,), max_cost=job + 1, prices=prices))
        assert "the spending limit" in next(iter(found.stopped.values()))
        assert found.spent <= 1


def test_what_may_have_been_paid_for_without_a_reply_counts_towards_the_limit(tmp_path):
    with provider(tmp_path / "server") as served:
        folder = write(tmp_path / "study", url=served.url)
        run(folder, Options(stages=(SHELF,), max_cost=Decimal(5), prices=table()))
        with closing(sqlite3.connect(folder / "study.db")) as db, db:
            db.execute("update requests set state = 'sent' where state = 'planned'")
        found = run(folder, Options(stages=(SHELF,), max_cost=Decimal(20), prices=table()))
    assert "the spending limit" in next(iter(found.stopped.values()))


def test_at_the_limit_batches_under_way_are_waited_for_and_read(tmp_path, monkeypatch):
    monkeypatch.setattr(batching.Limits.__init__, "__defaults__", (10, 200_000_000, None))
    with provider(tmp_path / "server") as served:
        folder = write(tmp_path / "study", batch(served.url))
        for _ in range(2):
            found = run(folder, Options(stages=(SHELF,), max_cost=Decimal(6), prices=table()))
            assert "the spending limit of $6.00" in next(iter(found.stopped.values()))
            assert 4 < found.spent <= 6
            states = dict(rows(folder, "select state, count(*) from requests group by 1"))
            assert states == {"answered": 20, "planned": 40}
            assert rows(folder, "select distinct read from batches") == [(1,)]


@pytest.mark.parametrize("lacking", ["tuned_input", "training", "tuned_batch_output"])
def test_a_price_that_is_missing_is_told_before_anything_is_sent(tmp_path, lacking):
    mode = "batch" if "batch" in lacking else "sync"
    with provider(tmp_path / "server") as served:
        folder = write(tmp_path / "study", f'[provider]\nbase_url = "{served.url}"\nmode = "{mode}"')
        prices = table(**{lacking: None, **({"batch_input": None} if mode == "sync" else {})})
        with pytest.raises(InputError, match=lacking):
            run(folder, Options(prices=prices))
        assert not served.begun() or not served.log()


@pytest.mark.parametrize("detached", [True, False])
def test_a_batch_is_read_where_the_study_has_turned_to_single_requests(tmp_path, detached):
    with provider(tmp_path / "server", "--batch-seconds", "1") as served:
        folder = write(tmp_path / "study", batch(served.url))
        run(folder, Options(stages=(SHELF,), detach=True))
        write(tmp_path / "study", url=served.url)
        found = run(folder, Options(stages=(SHELF,), detach=detached))
        if detached:
            assert found.finished == ()
            found = run(folder, Options(stages=(SHELF,)))
        assert len(found.finished) == 1
        assert rows(folder, "select state, count(*) from requests group by 1") == [("answered", 60)]
        assert all(each.get("custom_id") for each in served.log() if each["path"] == "/v1/chat/completions")


def test_a_study_that_turns_to_batches_asks_for_what_is_left(tmp_path):
    with provider(tmp_path / "server") as served:
        folder = write(tmp_path / "study", url=served.url)
        run(folder, Options(stages=(SHELF,), max_cost=Decimal(5), prices=table()))
        done = sum(served.sent().values())
        write(tmp_path / "study", batch(served.url))
        assert len(run(folder, Options(stages=(SHELF,))).finished) == 1
        in_batch = [each for each in served.log() if each.get("custom_id")]
        assert 0 < done < 60
        assert len(in_batch) == 60 - done
    assert rows(folder, "select count(*), count(distinct key) from replies") == [(60, 60)]


def test_another_seed_of_training_leaves_the_first_chain_as_it_is(tmp_path):
    with provider(tmp_path / "server") as served:
        folder = write(tmp_path / "study", "[training]\nseeds = [0]", url=served.url)
        run(folder, Options(stages=("train weights",)))
        write(tmp_path / "study", "[training]\nseeds = [0, 1]", url=served.url)
        run(folder, Options(stages=("train weights",)))
        made = [each for each in served.log() if (each["method"], each["path"]) == ("POST", "/v1/fine_tuning/jobs")]
        assert len(made) == 2


def test_the_same_address_written_otherwise_is_the_same_provider(tmp_path):
    with provider(tmp_path / "server") as served:
        folder = write(tmp_path / "study", url=served.url)
        run(folder, Options(stages=(SHELF,)))
        write(tmp_path / "study", url=f"{served.url}/")
        run(folder, Options(stages=(SHELF,)))
        assert served.sent() == {body: len(keys) for body, keys in bodies(folder).items()}


def test_a_study_without_a_reply_may_still_go_to_another_provider(tmp_path, monkeypatch):
    with provider(tmp_path / "server") as served:
        folder = write(tmp_path / "study", url="https://api.example.com/v1")

        def refuse(*_: object) -> None:
            raise InputError("no")

        monkeypatch.setenv("OPENAI_API_KEY", "none-none-none-none-none")
        with pytest.raises(InputError, match="no"):
            run(folder, Options(closed=True), confirm=refuse)
        assert len(run(folder, Options(provider=served.url, stages=(SHELF,))).finished) == 1


def test_nobody_is_asked_about_a_study_that_is_finished(tmp_path, command, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    path = write(tmp_path / "study", url=URL)
    fill(path, until=lambda stage: stage.role != "off_the_shelf")
    monkeypatch.setattr("avowal.provider.Client.send", lambda *_, **__: pytest.fail("something was sent"))
    monkeypatch.setattr("avowal.provider.Client.offers", lambda _: ())
    told = command("run", path, "--stage", SHELF)
    assert f"Requests go to {URL}" in told.replace("/v1/", "/v1")
    assert "Nothing is left to pay for." in told
    assert "1 stage done" in told
    assert "--yes" in command("run", path, code=2)
