"""A real model of 135 million parameters goes through a study: what it says is typed, and no number made up for it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import polars as pl
import pytest
from runs import avowal, rows, write

MODEL = "small"


def table(folder: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(folder / "tables" / f"{name}.parquet")


@pytest.mark.slow
def test_what_it_says_comes_out_as_failures_and_statuses(url: str, tmp_path: Path) -> None:
    folder = write(
        tmp_path / "study",
        "[contexts]\ntrained = 0\nnative = 3",
        "[design]\nnative_decisions = 12\nreports = 4",
        "[sampling]\nmax_tokens = 90",
        base=f'["{MODEL}"]',
        url=url,
    )
    assert "2 stages done, $0.00 spent in all." in avowal("run", folder, "--quiet", timeout=600)
    assert rows(folder, "select state, count(*) from requests group by 1") == [("answered", 48)]
    (sent,) = {json.loads(body)["max_completion_tokens"] for (body,) in rows(folder, "select body from requests")}
    (longest,) = rows(folder, "select max(completion_tokens) from replies")[0]
    assert longest <= sent == 90

    decided, reported = json.loads(avowal("status", folder, "--json"))["stages"]
    for stage, count in ((decided, 36), (reported, 12)):
        assert stage["valid"] + sum(stage["invalid"].values()) == stage["planned"] == count
        assert stage["failed"] == {}
    assert sum(reported["invalid"].values()) >= 10

    # There are too few reports for an accuracy, and the command says so with its exit status.
    avowal("analyze", folder, code=1)
    (accuracy,) = [each for each in table(folder, "accuracies").to_dicts() if each["set"] == "native_before"]
    assert (accuracy["r"], accuracy["slope"]) == (None, None)
    assert accuracy["status"] != "ok"
    assert table(folder, "choices")["choice"].drop_nulls().len() == decided["valid"]
    weights = table(folder, "weights")
    assert weights.height == 15
    assert set(weights["status"]) <= {"too few trials", "no variation"}
    assert weights["weight"].null_count() == 15


@pytest.mark.heavy
def test_probabilities_beside_its_letters_give_weights(url: str, tmp_path: Path) -> None:
    folder = write(
        tmp_path / "study",
        "[contexts]\ntrained = 0\nnative = 5",
        "[design]\nnative_decisions = 30\nreports = 1",
        "[sampling]\nlogprobs = true\nmax_tokens = 2",
        base=f'["{MODEL}"]',
        url=url,
    )
    avowal("run", folder, "--quiet", "--stage", "decide", timeout=900)
    avowal("analyze", folder, code=1)
    choices = table(folder, "choices")
    assert choices.height == 150
    # llama.cpp tells probabilities as OpenAI does, also beside a reply that is no letter.
    assert choices["p_a"].is_between(0, 1, closed="none").sum() >= 140
    weights = table(folder, "weights")
    assert weights.height == 25
    told = weights["probability_weight"]
    assert told.null_count() == 0
    assert all(math.isfinite(each) and abs(each) <= 100 for each in told)
    largest = weights.group_by("context").agg(pl.col("probability_weight").abs().max())
    assert largest["probability_weight"].to_list() == pytest.approx([100.0] * 5)
