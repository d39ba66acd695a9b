"""Worlds: parameters and data drawn from each program's priors, and studies whose latent correlation is known."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avowal.stan.accuracy import AccuracyPriors, prior_data
from avowal.stan.choices import ChoicePriors
from avowal.stan.joint import JointPriors

Floats = NDArray[np.float64]
World = tuple[dict[str, Any], dict[str, float]]


def choice_world(rng: np.random.Generator) -> World:
    """Draw three contexts with two attributes and 0, 6 and 12 choices from the program's priors.

    Parameters
    ----------
    rng
        Where randomness comes from.

    Returns
    -------
    tuple of dict
        The program's data, and the true values of its quantities.
    """
    priors, trials, width = ChoicePriors(), np.array([0, 6, 12]), 2
    contexts = len(trials)
    x = rng.uniform(-1, 1, (trials.sum(), width))
    slope = priors.slope_sd * rng.normal(size=(contexts, width))
    centred = priors.intercept_scale * rng.standard_t(priors.intercept_df, contexts)
    who = np.repeat(np.arange(contexts), trials)
    means = np.array([x[who == c].mean(axis=0) if trials[c] else np.zeros(width) for c in range(contexts)])
    intercept = centred - (means * slope).sum(axis=1)
    y = _decide(rng, intercept[who] + (x * slope[who]).sum(axis=1))
    data = {"C": contexts, "K": width, "trials": trials, "x": x, "y": y, **asdict(priors)}
    return data, {**_named("slope", slope), **_named("intercept", intercept)}


def accuracy_world(rng: np.random.Generator) -> World:
    """Draw two models with eight entries before and after training from proper priors.

    Parameters
    ----------
    rng
        Where randomness comes from.

    Returns
    -------
    tuple of dict
        As for :func:`choice_world`.
    """
    priors = AccuracyPriors(coefficient_sd=1.0, intercept_location=0.0)
    whose, trained = (np.repeat(each, 8) for each in ((1, 2, 1, 2), (1, 1, 2, 2)))
    report = rng.normal(size=len(whose))
    line, after, second = (np.stack([np.ones(len(whose)), c]) for c in (report, trained == 2, whose == 2))
    design = np.stack([p * q * r for p in line for q in after for r in second], axis=1)[:, 1:]
    b = rng.normal(size=(design.shape[1],))
    a = priors.intercept_scale * rng.standard_t(priors.df)
    sigma = abs(priors.sigma_scale * rng.standard_t(priors.df))
    weight = a + (design - design.mean(axis=0)) @ b + sigma * rng.normal(size=len(whose))
    data = {
        "N": len(whose), "M": 2, "T": 2, "weight": weight, "report": report, "whose": whose, "trained": trained,
        **prior_data(priors, weight),
    }  # fmt: skip
    # Columns 4 to 7 of the design are report times (1, model, training, both).
    slopes = np.array([[b[3], b[3] + b[4]], [b[3] + b[5], b[3:7].sum()]])
    gain = float((slopes[1] - slopes[0]).mean())
    return data, {"a": float(a), "sigma": float(sigma), **_named("b", b), **_named("accuracy", slopes), "gain": gain}


def joint_world(rng: np.random.Generator) -> World:
    """Draw ten contexts, some without reports or with one, and two sets of reports from the program's priors.

    Parameters
    ----------
    rng
        Where randomness comes from.

    Returns
    -------
    tuple of dict
        As for :func:`choice_world`.
    """
    p = JointPriors()
    half = abs(rng.normal(size=(2, 3)))
    rho, kappa = rng.uniform(-1, 1, 2), rng.uniform(-1, 1)
    mean = {
        "mu": p.mu_sd * rng.normal(), "tau": float(np.exp(p.log_tau_mean + p.log_tau_sd * rng.normal())),
        "alpha": p.intercept_mean_sd * rng.normal(), "omega": p.intercept_sd_scale * half[1, 0],
        "shift_mean": p.shift_mean_sd * rng.normal(size=2), "shift_sd": p.shift_sd_scale * half[:, 1],
        "log_scale": p.log_scale_mean + p.log_scale_mean_sd * rng.normal(size=2),
        "log_scale_sd": p.log_scale_sd_scale * half[:, 2],
        "noise": np.exp(p.log_noise_mean + p.log_noise_sd * rng.normal(size=2)),
    }  # fmt: skip
    replies = np.array([[3] * 7 + [1, 0, 0], [0, 1] + [3] * 7 + [0]])
    data, latent = study(rng, contexts=10, width=3, trials=12, replies=replies, rho=rho, kappa=kappa, **mean)
    truth = {**_named("rho", rho), "kappa[1]": float(kappa), **latent}
    for name, value in mean.items():
        truth |= _named(name, value) if np.ndim(value) else {name: float(value)}
    return {**data, **asdict(p)}, truth


def study(
    rng: np.random.Generator,
    *,
    contexts: int,
    width: int,
    trials: int,
    replies: NDArray[np.int64],
    rho: Floats,
    kappa: float,
    mu: float,
    tau: float,
    alpha: float,
    omega: float,
    shift_mean: Floats,
    shift_sd: Floats,
    log_scale: Floats,
    log_scale_sd: Floats,
    noise: Floats,
) -> World:
    """Simulate a study as the joint model sees one; parameters as in the program.

    Parameters
    ----------
    rng
        Where randomness comes from.
    contexts, width, trials
        Contexts, attributes of each, choices of each.
    replies
        Shape (2, contexts): replies in both sets.
    rho, kappa, mu, tau, alpha, omega, shift_mean, shift_sd, log_scale, log_scale_sd, noise
        The program's parameters; those of sets have shape (2,).

    Returns
    -------
    tuple of dict
        The program's data without priors, and the true ``w[1,1]``, ``shift[1,1]``, ``scale[1,1]``, ``intercept[1]``,
        ``accuracy[1]`` and ``accuracy[2]``.
    """
    z = rng.normal(size=(contexts, width))
    w = mu + tau * z
    intercept = alpha + omega * rng.normal(size=contexts)
    x = rng.uniform(-1, 1, (contexts, trials, width))
    y = _decide(rng, (intercept[:, None] + np.einsum("ctk,ck->ct", x, w)).ravel())
    own = rng.normal(size=(2, contexts, width))
    own[1] = kappa * own[0] + np.sqrt(1 - kappa**2) * own[1]
    shift = shift_mean[:, None] + shift_sd[:, None] * rng.normal(size=(2, contexts))
    scale = np.exp(log_scale[:, None] + log_scale_sd[:, None] * rng.normal(size=(2, contexts)))
    expected = shift[..., None] + scale[..., None] * (rho[:, None, None] * z + np.sqrt(1 - rho**2)[:, None, None] * own)
    said, ss = np.zeros((2, contexts, width)), np.zeros(2)
    for s in range(2):
        for c in range(contexts):
            raw = expected[s, c] + noise[s] * rng.normal(size=(replies[s, c], width))
            if len(raw):
                said[s, c] = raw.mean(axis=0)
                ss[s] += ((raw - said[s, c]) ** 2).sum()
    data = {
        "C": contexts, "K": width, "S": 2, "trials": np.full(contexts, trials), "x": x.reshape(-1, width), "y": y,
        "E": contexts * width, "context": np.repeat(np.arange(1, contexts + 1), width),
        "attribute": np.tile(np.arange(1, width + 1), contexts), "replies": replies,
        "report": said.reshape(2, -1).T, "within_df": (np.maximum(replies - 1, 0) * width).sum(axis=1),
        "within_ss": ss, "G": 1, "member": np.ones((2, contexts * width, 1)),
    }  # fmt: skip
    scaled = w / np.abs(w).max(axis=1, keepdims=True)
    pairs = [(scaled[n > 0].ravel(), e[n > 0].ravel()) for n, e in zip(replies, expected, strict=True)]
    accuracy = [float(np.corrcoef(*pair)[0, 1]) for pair in pairs]
    return data, {
        "w[1,1]": float(w[0, 0]), "shift[1,1]": float(shift[0, 0]), "scale[1,1]": float(scale[0, 0]),
        "intercept[1]": float(intercept[0]), **_named("accuracy", np.array(accuracy)),
    }  # fmt: skip


def _decide(rng: np.random.Generator, log_odds: Floats) -> NDArray[np.int64]:
    return (rng.uniform(size=len(log_odds)) < 1 / (1 + np.exp(-log_odds))).astype(np.int64)


def _named(variable: str, values: Floats) -> dict[str, float]:
    return {
        f"{variable}[{','.join(str(i + 1) for i in index)}]": float(value) for index, value in np.ndenumerate(values)
    }
