"""Time per agent of a fit: avowal against loops over scikit-learn and statsmodels and against a batched NumPy Newton.

All maximise the same: log likelihood less half the squared slopes (N(0, 1) priors), intercept free. Results must agree
before anything is timed. Prints a Markdown section and writes it into results.md beside this file.
"""

import argparse
import gc
import math
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from statsmodels.base._penalized import PenalizedMixin
from statsmodels.base._penalties import L2
from statsmodels.discrete.discrete_model import Logit
from threadpoolctl import threadpool_limits

from avowal.estimators import Map
from avowal.fit import fit_arrays
from results import processor, write

Floats = NDArray[np.float64]

AGENTS, TRIALS, ATTRIBUTES = 1_000, 50, 5
LOOPED = 100
"""Agents in a round of a contender that loops over agents: its time per agent doesn't depend on their number."""
AGREEMENT = 1e-4
PENALTY = np.append(np.ones(ATTRIBUTES), 0.0)
"""On slopes and, last, the intercept."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A way to fit: (agents, trials, attributes) and (agents, trials) in, slopes and intercepts per agent out."""

    name: str
    fit: Callable[[Floats, Floats], Floats]
    agents: int


class PenalizedLogit(PenalizedMixin, Logit):
    """statsmodels's own mixin on its own model; with Newton the fastest of its penalised fits on these data."""


def draw(seed: int) -> tuple[Floats, Floats]:
    """Differences between options and logistic choices, as of agents whose largest weight moves the log odds by 5."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(size=(AGENTS, TRIALS, ATTRIBUTES)) - rng.uniform(size=(AGENTS, TRIALS, ATTRIBUTES))
    weights = rng.uniform(-1, 1, (AGENTS, ATTRIBUTES))
    weights *= 5 / np.abs(weights).max(axis=1, keepdims=True)
    p = 1 / (1 + np.exp(-np.einsum("atk,ak->at", x, weights)))
    return x, (rng.uniform(size=p.shape) < p).astype(float)


def with_avowal(x: Floats, y: Floats) -> Floats:
    result = fit_arrays(x, y, estimator=Map(intercept_scale=math.inf), threads=1)
    return np.column_stack([result.slopes, result.intercepts])


def with_scikit_learn(solver: str) -> Callable[[Floats, Floats], Floats]:
    def fit(x: Floats, y: Floats) -> Floats:
        out = np.empty((len(x), ATTRIBUTES + 1))
        model = LogisticRegression(C=1.0, solver=solver, tol=1e-6, max_iter=1_000)
        with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
            for i in range(len(x)):
                model.fit(x[i], y[i])
                out[i, :-1], out[i, -1] = model.coef_[0], model.intercept_[0]
        return out

    return fit


def with_statsmodels(x: Floats, y: Floats) -> Floats:
    out = np.empty((len(x), ATTRIBUTES + 1))
    ones = np.ones((TRIALS, 1))
    for i in range(len(x)):
        model = PenalizedLogit(y[i], np.hstack([x[i], ones]), penal=L2(weights=PENALTY / 2), pen_weight=1.0)
        out[i] = model.fit(method="newton", tol=1e-8, disp=False).params
    return out


def with_numpy(x: Floats, y: Floats) -> Floats:
    """Newton on blocks of agents that fit into the processor's cache; agents that have arrived leave the block."""
    out = np.zeros((len(x), ATTRIBUTES + 1))
    for start in range(0, len(x), 256):
        block = slice(start, start + 256)
        design = np.concatenate([x[block], np.ones((*x[block].shape[:2], 1))], axis=2)
        transposed, choices = np.ascontiguousarray(design.transpose(0, 2, 1)), y[block]
        live = start + np.arange(len(design))
        while len(live):
            now = out[live]
            p = 1 / (1 + np.exp(-np.matmul(design, now[:, :, None])[:, :, 0]))
            gradient = np.matmul(transposed, (choices - p)[:, :, None])[:, :, 0] - PENALTY * now
            curvature = np.matmul(transposed * (p * (1 - p))[:, None, :], design) + np.diag(PENALTY)
            step = np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0]
            out[live] = now + step
            # Newton's error squares: a last step below 1e-5 leaves a gradient below 1e-9.
            moving = np.abs(step).max(axis=1) > 1e-5
            if not moving.all():
                live, choices = live[moving], choices[moving]
                design, transposed = design[moving], transposed[moving]
    return out


CONTENDERS = (
    Contender("avowal", with_avowal, AGENTS),
    Contender("NumPy, batched Newton", with_numpy, AGENTS),
    Contender("scikit-learn, lbfgs", with_scikit_learn("lbfgs"), LOOPED),
    Contender("scikit-learn, newton-cholesky", with_scikit_learn("newton-cholesky"), LOOPED),
    Contender("statsmodels, penalised Logit", with_statsmodels, LOOPED),
)


def gradient_norms(coefficients: Floats, x: Floats, y: Floats) -> Floats:
    p = 1 / (1 + np.exp(-np.einsum("atk,ak->at", x, coefficients[:, :-1]) - coefficients[:, -1:]))
    slopes = np.einsum("atk,at->ak", x, y - p) - coefficients[:, :-1]
    return np.hypot(np.linalg.norm(slopes, axis=1), (y - p).sum(axis=1))


def compare(x: Floats, y: Floats) -> list[tuple[float, float]]:
    """Return each contender's largest gradient norm and largest difference from avowal's coefficients."""
    truth = with_avowal(x, y)
    found = []
    for contender in CONTENDERS:
        few = slice(contender.agents)
        coefficients = contender.fit(x[few], y[few])
        difference = np.abs(coefficients - truth[few]).max()
        if not difference <= AGREEMENT:
            sys.exit(f"{contender.name} differs by {difference:.1e} in a coefficient: nothing to time")
        found.append((gradient_norms(coefficients, x[few], y[few]).max(), difference))
    return found


def measure(x: Floats, y: Floats, rounds: int) -> Floats:
    """Return microseconds per agent, (rounds, contenders); the order turns by one from round to round."""
    times = np.empty((rounds, len(CONTENDERS)))
    gc.disable()
    for r in range(rounds):
        for c in np.roll(np.arange(len(CONTENDERS)), r):
            contender = CONTENDERS[c]
            start = time.perf_counter()
            contender.fit(x[: contender.agents], y[: contender.agents])
            times[r, c] = (time.perf_counter() - start) / contender.agents * 1e6
        gc.collect()
    gc.enable()
    return times


def section(times: Floats, checks: list[tuple[float, float]], separated: int) -> str:
    ratios = np.median(times / times[:, :1], axis=0)
    rows = [
        f"| {contender.name} | {median:,.1f} | {ratio:.2f} | {gradient:.0e} | {difference:.0e} |"
        for contender, median, ratio, (gradient, difference) in zip(
            CONTENDERS, np.median(times, axis=0), ratios, checks, strict=True
        )
    ]
    versions = ", ".join(f"{name} {version(name)}" for name in ("avowal", "numpy", "scikit-learn", "statsmodels"))
    return "\n".join(
        [
            "# Time per agent of a fit",
            "",
            f"{AGENTS:,} agents x {TRIALS} trials x {ATTRIBUTES} attributes; N(0, 1) priors on slopes, flat intercept.",
            f"One thread each; {len(times)} rounds in one process, each contender once a round. Made by `make bench`.",
            "",
            "| fitter | microseconds per agent | times avowal's | largest gradient norm | largest difference |",
            "|---|---:|---:|---:|---:|",
            *rows,
            "",
            "Times are medians, ratios medians of the ratios within rounds; differences are between coefficients.",
            "avowal is timed as called, `avowal.fit.fit_arrays(x, y, threads=1)`: its time includes standard errors,",
            f"covariances, accuracies and an exact test of separation ({separated} of the {AGENTS:,} are separated).",
            "statsmodels computes covariances too; the others return coefficients alone.",
            f"scikit-learn and statsmodels fit {LOOPED} agents a round, one after another.",
            "",
            f"{processor()}; Python {platform.python_version()}, {versions}.",
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    x, y = draw(arguments.seed)
    with threadpool_limits(1):
        checks = compare(x, y)
        times = measure(x, y, arguments.rounds)
    write(section(times, checks, fit_arrays(x, y).status.count("separated")))


if __name__ == "__main__":
    main()
