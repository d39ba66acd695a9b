"""The paper's study with the authors' own training files, asked in batches, lands where the simulated study says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from simulated_study import FULL, MINI, batched, client, decide, learned, permuted, r, report_lines, reported, train

from avowal.published.read import read
from avowal.simulate import profile, simulate
from avowal.simulated import running

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("model", "name"), [(FULL, "gpt-4o"), (MINI, "gpt-4o-mini")])
def test_the_papers_study(published: Path, model: str, name: str) -> None:
    held = read(published)
    trained, native = held.contexts[:100], held.contexts[100:200]
    weights: dict[str, dict[str, float]] = {context.name: {} for context in held.contexts}
    for context, attribute, weight in held.targets.select("context", "attribute", "weight").iter_rows():
        weights[context][attribute] = weight
    lines = {each: (published / f"{each}.jsonl").read_text(encoding="utf-8") for each in (
        "instill_100_prefs", "instilled_weights_50_training_test_last", "instilled_weights_50_training",
        "instilled_weights_100_training")}  # fmt: skip
    with running(seed=1, contexts=held.contexts, job_seconds=0, batch_seconds=0) as url:
        sdk = client(url)
        first, last_half, first_half, whole = lines.values()
        tuned = train(sdk, model, first)
        estimates = learned(decide(sdk, tuned, trained, 50, seed=1), trained)
        natural = learned(decide(sdk, tuned, native, 100, seed=2), native)

        def reports(of: str, contexts: tuple, seed: int) -> np.ndarray:
            return reported(sdk, of, contexts, 10, seed, ask=batched)[0]

        # The names of the authors' files are those of the contexts left to test.
        halves = (
            reports(train(sdk, tuned, first_half), trained[:50], 5),
            reports(train(sdk, tuned, last_half), trained[50:], 5),
        )
        goal = np.array([list(weights[context.name].values()) for context in trained])
        found = {
            "learned_target.r": r(estimates, goal),
            "off_the_shelf.r": r(reports(model, trained, 3), estimates),
            "weight_trained.r": r(reports(tuned, trained, 3), estimates),
            "introspection_trained.r": r(np.vstack(halves), estimates),
            "native_before.r": r(reports(tuned, native, 4), natural),
            "native_after.r": r(reports(train(sdk, tuned, whole), native, 6), natural),
        }
        wrong = train(sdk, tuned, report_lines(trained, permuted(trained, weights), seed=7))
        control = r(reports(wrong, trained, 5), estimates)
    simulated = simulate(profile(name), 300, seed=1, threads=1)
    for figure, value in found.items():
        mean, spread = float(np.nanmean(simulated[figure])), float(np.nanstd(simulated[figure]))
        assert abs(value - mean) < 4 * spread, f"{figure}: {value:.3f}, simulated {mean:.3f} ± {spread:.3f}"
    assert control < found["weight_trained.r"] + 0.12 < found["introspection_trained.r"]
