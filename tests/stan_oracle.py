"""The oracle for Stan: what brms gave on the authors' published data, and how near a run of ours must come.

Means of the choice model lie within 4 Monte-Carlo standard errors of the difference (brms drew 4 x 3,000), standard
deviations within 8%. Accuracies lie within .005 and ends of intervals within .015, which is what intervals of 4,000
draws vary by.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from avowal.analysis.material import GAINS, SETS
from avowal.entries import Entries, entries
from avowal.published import Published
from avowal.stan import Sampling, accuracy_posterior, choice_posterior

BRMS_DRAWS = 12_000


def oracle(published: Path, name: str) -> dict[str, Any]:
    file = published.parent / "oracle" / f"brms_{name}.json"
    if not file.exists():
        pytest.skip(f"no {file.name} beside the published data")
    return json.loads(file.read_text(encoding="utf-8"))


def pooled(data: Published) -> dict[tuple[str, str], Entries]:
    """Entries by set and model, with the authors' weights, as brms was given them."""
    return {
        (name, model.name): entries(model.weights[group], pl.concat([model.reports[file] for file in files]))
        for name, (group, files) in SETS.items()
        for model in data.models
        # The authors weighed each model's reports with its predecessor's weights alone.
        if group in model.weights and all(file in model.reports for file in files)
    }


def check_choices(data: Published, expected: Mapping[str, Any], how: Sampling, spread: float) -> str:
    model = next(model for model in data.models if model.name == "gpt-4o-2024-08-06")
    names = list(expected["contexts"])
    posterior = choice_posterior(
        model.choices["learned"].filter(pl.col("context").is_in(names)), data.contexts, how=how
    )
    assert posterior.problems == ()
    for name in names:
        rows, truth = posterior.weights.filter(context=name), expected["contexts"][name]
        for i in range(5):
            mean, sd = truth["mean"][f"b_d{i + 1}"], truth["sd"][f"b_d{i + 1}"]
            error = np.hypot(rows["mcse"][i], sd / np.sqrt(BRMS_DRAWS))
            assert abs(rows["slope"][i] - mean) < 4 * error, (name, i)
            assert rows["sd"][i] == pytest.approx(sd, rel=spread), (name, i)
        agent = posterior.agents.filter(context=name)
        sd = truth["sd"]["b_Intercept"]
        assert agent["intercept"].item() == pytest.approx(truth["mean"]["b_Intercept"], abs=6 * sd / np.sqrt(3000))
        assert agent["intercept_sd"].item() == pytest.approx(sd, rel=spread)
    return posterior.engine


def check_accuracies(data: Published, expected: Mapping[str, Any], how: Sampling) -> None:
    cells = pooled(data)
    for (name, model), each in cells.items():
        posterior = accuracy_posterior({model: each}, how=how)
        truth, row = expected["accuracy"][name][model], posterior.estimates.row(0, named=True)
        assert len(each) == truth["n"]
        assert posterior.status == "ok"
        assert row["mean"] == pytest.approx(truth["mean"], abs=0.005)
        for end in ("hdi_low", "hdi_high"):
            assert row[end] == pytest.approx(truth[end], abs=0.015), (name, model, end)
    for name in expected["gain"]:
        sides = GAINS[name]
        before, after = ({model.name: cells[side, model.name] for model in data.models} for side in sides)
        posterior = accuracy_posterior(before, after, how=how)
        truth, row = expected["gain"][name], posterior.estimates.filter(quantity="mean gain").row(0, named=True)
        # emmeans gives the median.
        assert row["median"] == pytest.approx(truth["estimate"], abs=0.005)
        for end in ("hdi_low", "hdi_high"):
            assert row[end] == pytest.approx(truth[end], abs=0.015), (name, end)
