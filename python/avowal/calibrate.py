"""Calibrate: settings under which simulated studies look like a real one, by the simulated method of moments.

What can be counted in the replies (rounding, habit, invalid replies and their concentration) is counted. Every other
parameter is paired with one figure that it moves, and all of them are moved by damped Newton steps, with derivatives by
common random numbers, until the simulated means of those figures are the observed ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from avowal.errors import AvowalError, InputError
from avowal.likeness import short
from avowal.observed import Observed, observe
from avowal.published import Published, read
from avowal.simulate import FIGURES, SETS, Settings, simulate

Floats = NDArray[np.float64]
State = tuple[Settings, ...]

OWN, SHARED = "own", "shared"

CHOICES = {
    "instilling": ("learned_target.r", OWN),
    "trained.inverse_temperature": ("learned.fit_accuracy", OWN),
    "trained.lapse": ("learned.agreement", OWN),
    "trained.inverse_temperature_sd": ("learned.log_length_sd", OWN),
    "trained.position_bias": ("learned.intercept", OWN),
    "trained.position_bias_sd": ("learned.intercept_sd", OWN),
    "native.inverse_temperature": ("native.fit_accuracy", OWN),
    "native.inverse_temperature_sd": ("native.log_length_sd", OWN),
    "native.position_bias": ("native.intercept", OWN),
    "native.position_bias_sd": ("native.intercept_sd", OWN),
    "shared_residual": ("learned.between_models", SHARED),
    "native_common_sense": ("native.between_models", SHARED),
}
"""Parameters of choices, each with the figure that it is to meet, and whether two models have it in common."""

REPORTS = {
    "fidelity": ("r", OWN),
    "common_sense": ("baseline_r", OWN),
    "shared_error": ("between_models", SHARED),
    "noise": ("reliability", OWN),
    "shift": ("report_mean", OWN),
    "scale": ("report_spread", OWN),
    "scale_sd": ("report_spread_log_sd", OWN),
    "stretch": ("extremes", OWN),
}
"""The same for one set of reports, behind the set's name."""

STEPS = (100.0, 50.0, 10.0, 5.0, 1.0)
"""Roundings that replies are searched for."""

MOSTLY, OFTEN = 0.97, 0.2
"""Share of numbers that must be multiples of a step, and share of replies that must be of a coarser one."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard the calibration tries.

    Attributes
    ----------
    replicates
        Simulated for each derivative.
    rounds
        Newton steps for the choices, then for the reports, and so again.
    seed
        Of all simulations.
    """

    replicates: int = 100
    rounds: int = 6
    seed: int = 1


def calibrate(
    source: Published | Sequence[Observed],
    *,
    effort: Effort | None = None,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Settings]:
    """Estimate the settings of one base model, or of two that shared targets and contexts.

    Parameters
    ----------
    source
        Real choices and reports, from :func:`avowal.published.read` or put together from tables of one's own; or
        figures from :func:`avowal.observed.observe`.
    effort
        Simulations; by default about five minutes on two cores.
    progress
        Called with a line after every round.

    Returns
    -------
    dict of str to Settings
        By the models' names. With one model, what stands between models keeps its default.

    Raises
    ------
    InputError
        For other than one or two models.
    """
    observed = observe(source) if isinstance(source, Published) else tuple(source)
    if not 1 <= len(observed) <= 2:
        raise InputError.at("one or two models", len(observed), field="models")
    effort = effort or Effort()
    state = tuple(counted(each) for each in observed)
    for turn in range(effort.rounds):
        for blocks in (_choice_blocks(len(state)), _report_blocks(state)):
            state, distance = _newton(_natives_follow(state), blocks, observed, effort)
            if progress is not None:
                progress(f"round {turn + 1}: largest distance {distance:.2f} standard deviations of a replicate")
    return {each.model: settings for each, settings in zip(observed, _natives_follow(state), strict=True)}


def counted(observed: Observed) -> Settings:
    """Return settings with everything that can be counted without a simulation, and starting values for the rest.

    Parameters
    ----------
    observed
        Of one model.

    Returns
    -------
    Settings
        Of the observed size, rounding, habit and invalid replies.
    """
    # Starting values that lie near what any model gives.
    changes: dict[str, float] = {
        "trained_agents": len(observed.replies["weight_trained"]),
        "native_agents": len(observed.replies["native_before"]),
        "attributes": max(each.shape[1] for each in observed.replies["weight_trained"]),
        "trained_decisions": observed.decisions["trained"],
        "native_decisions": observed.decisions["native"],
        "replies": observed.planned,
        "shared_residual": 0.3,
        "native_common_sense": 0.75,
    }
    for name in SETS:
        replies = observed.replies[name]
        numbers = np.concatenate([each for each in replies if len(each)])
        step, coarse, coarse_step = _rounding(numbers)
        lost = observed.planned - np.array([len(each) for each in replies])
        invalid, clustering = _invalid(lost, observed.planned)
        habit = observed.figures[f"{name}.full_replies"]
        ours = {
            "fidelity": 0.5 if habit < _SCALED else 0.7,
            "common_sense": 0.2,
            "shared_error": 0.2,
            "noise": 30.0,
            "scale": _scale(habit, observed.figures[f"{name}.report_spread"]),
            "scale_sd": 0.2 if habit < _SCALED else 0.0,
            "shift": observed.figures[f"{name}.report_mean"],
            "shift_sd": 0.0,
            "habit": habit,
            "step": step,
            "coarse": coarse,
            "coarse_step": coarse_step,
            "invalid": invalid,
            "invalid_clustering": clustering,
        }
        changes |= {f"{name}.{key}": value for key, value in ours.items()}
    changes |= {"off_the_shelf.fidelity": 0.75, "off_the_shelf.common_sense": 0.0, "off_the_shelf.shared_error": 0.0}
    return Settings().but(changes)


_SCALED = 0.5
"""Past this share of replies scaled to ±100, their scale before that can't be told from the others."""


def _scale(habit: float, spread: float) -> float:
    """Return a scale to start from: weights have a root mean square of about 60; unscaled replies rarely reach 100."""
    if habit == 1.0:
        return 1.0
    return 0.4 if habit >= _SCALED else min(1.0, spread / 60.0)


def _rounding(numbers: Floats) -> tuple[float, float, float]:
    """Return the step of nearly all numbers, and share and step of a coarser rounding of whole replies."""
    multiple = {step: (numbers % step == 0) for step in STEPS}
    step = next((step for step in STEPS if multiple[step].mean() >= MOSTLY), STEPS[-1])
    for coarser in (each for each in STEPS if each > step):
        share = float(multiple[coarser].all(axis=1).mean())
        if share >= OFTEN:
            return step, share, coarser
    return step, 0.0, 10.0


def _invalid(lost: NDArray[np.int64], planned: int) -> tuple[float, float]:
    """Return mean and intraclass correlation of a beta-binomial by moments."""
    mean = float(lost.mean() / planned)
    if not 0 < mean < 1 or planned < 2:
        return mean, 0.0
    ratio = float(lost.var(ddof=1)) / (planned * mean * (1 - mean))
    return mean, float(np.clip((ratio - 1) / (planned - 1), 0.0, 1.0))


@dataclass(frozen=True, slots=True)
class _Block:
    """Parameters and as many figures, each of one model (0 or 1) or, in parameters, of both (None)."""

    parameters: tuple[tuple[str, int | None], ...]
    figures: tuple[tuple[str, int], ...]


def _block(pairs: Mapping[str, tuple[str, str]], models: Sequence[int], both: bool) -> _Block:
    parameters: list[tuple[str, int | None]] = []
    figures: list[tuple[str, int]] = []
    for parameter, (figure, kind) in pairs.items():
        if kind == OWN:
            parameters += [(parameter, model) for model in models]
            figures += [(figure, model) for model in models]
        elif both or not figure.endswith("between_models"):
            parameters.append((parameter, None))
            figures += [(figure, model) for model in models]
    return _Block(tuple(parameters), tuple(figures))


def _choice_blocks(models: int) -> list[_Block]:
    trained = {p: f for p, f in CHOICES.items() if not p.startswith("native")}
    native = {p: f for p, f in CHOICES.items() if p.startswith("native")}
    return [_block(part, range(models), models == 2) for part in (trained, native)]


def _report_blocks(state: State) -> list[_Block]:
    blocks = []
    for name in SETS:
        pairs = {f"{name}.{p}": (f"{name}.{figure}", kind) for p, (figure, kind) in REPORTS.items()}
        if name == "off_the_shelf":
            # They follow common sense, which is what two models' off-the-shelf reports have in common.
            for unused in ("fidelity", "common_sense", "shared_error"):
                pairs.pop(f"{name}.{unused}")
            pairs |= {
                "residual_common_sense": (f"{name}.r", SHARED),
                f"{name}.fidelity": (f"{name}.between_models", SHARED),
            }
        if name.startswith("native"):
            # No off-the-shelf reports there: errors follow common sense as in trained contexts.
            pairs.pop(f"{name}.common_sense")
        habits = [getattr(settings, name).habit for settings in state]
        some = {
            ("scale", "scale_sd"): [m for m, habit in enumerate(habits) if habit < _SCALED],
            ("stretch",): [m for m, habit in enumerate(habits) if habit == 1.0],
        }
        parts = [
            _block({p: pairs.pop(p) for p in (f"{name}.{key}" for key in keys)}, which, False)
            for keys, which in some.items()
        ]
        parts.insert(0, _block(pairs, range(len(state)), len(state) == 2))
        blocks.append(_Block(sum((b.parameters for b in parts), ()), sum((b.figures for b in parts), ())))
    return blocks


def _natives_follow(state: State) -> State:
    """Let errors of native reports follow common sense as those of trained ones do."""
    return tuple(
        settings.but(
            {
                "native_before.common_sense": settings.weight_trained.common_sense,
                "native_after.common_sense": settings.introspection_trained.common_sense,
            }
        )
        for settings in state
    )


def _newton(state: State, blocks: list[_Block], observed: Sequence[Observed], effort: Effort) -> tuple[State, float]:
    """Take one damped step of every block; since blocks hardly move each other's figures, they share simulations."""
    here, spread = _moments(state, effort)
    # Counts and shares that hardly vary would else outweigh everything.
    spread = np.maximum(spread, 0.02 * np.abs(here))
    moved = []
    for place in range(max(len(block.parameters) for block in blocks)):
        steps = [(*block.parameters[place], _NUDGE) for block in blocks if place < len(block.parameters)]
        moved.append(_moments(_changed(state, steps), effort)[0])
    changes: list[tuple[str, int | None, float]] = []
    distance = 0.0
    for block in blocks:
        size = len(block.parameters)
        rows = tuple(np.array([(m, FIGURES.index(f)) for f, m in block.figures]).T)
        missed = np.array([_aim(observed[m], f) for f, m in block.figures]) - here[rows]
        slopes = np.stack([(each[rows] - here[rows]) / _NUDGE for each in moved[:size]], axis=1)
        # In units of a replicate's standard deviation, with a ridge against directions that the figures hardly see.
        weighted, wanted = slopes / spread[rows][:, None], missed / spread[rows]
        step = np.linalg.solve(weighted.T @ weighted + _RIDGE * np.eye(size), weighted.T @ wanted)
        step *= min(_DAMPING, _LONGEST / np.abs(step).max())
        changes += [(name, model, float(by)) for (name, model), by in zip(block.parameters, step, strict=True)]
        distance = max(distance, float(np.abs(wanted).max()))
    return _changed(state, changes), distance


def _aim(observed: Observed, figure: str) -> float:
    """Return what the simulation is to meet: a figure as observed, correlations with replies cut to the scale."""
    name, _, last = figure.rpartition(".")
    return observed.cut_r[name] if last == "r" and name in SETS else observed.figures[figure]


_NUDGE, _LONGEST, _RIDGE, _DAMPING = 0.1, 0.5, 1.0, 0.9
"""On the scales of `_moved`: the change for derivatives, the longest step, the ridge, and the share of a step taken."""


def _moments(state: State, effort: Effort) -> tuple[Floats, Floats]:
    """Return means and standard deviations over replicates, shape (models, figures) each."""
    figures = simulate(state, effort.replicates, seed=effort.seed).figures
    known = np.isfinite(figures)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, figures, 0.0).sum(axis=0) / count
    spread = np.sqrt(np.where(known, (figures - mean) ** 2, 0.0).sum(axis=0) / count)
    return mean, np.maximum(spread, 1e-6)


def _changed(state: State, changes: Sequence[tuple[str, int | None, float]]) -> State:
    """Move parameters by steps on their open scales."""
    new: list[dict[str, float]] = [{} for _ in state]
    for name, model, by in changes:
        for place in range(len(state)) if model is None else [model]:
            new[place][name] = _moved(name, state[place].to_dict()[name], by)
    return tuple(settings.but(each) for settings, each in zip(state, new, strict=True))


_CORRELATIONS = ("instilling", "fidelity", "common_sense")
_SHARES = ("shared_residual", "shared_error", "lapse")


def _moved(name: str, value: float, by: float) -> float:
    """Add to a parameter on a scale without ends: Fisher's z, log odds, logarithm, or tens of points."""
    if name.endswith(_CORRELATIONS):
        return float(np.tanh(np.arctanh(np.clip(value, -0.99, 0.99)) + by))
    if name.endswith(_SHARES):
        inside = np.clip(value, 1e-3, 1 - 1e-3)
        return float(1 / (1 + np.exp(-(np.log(inside / (1 - inside)) + 2 * by))))
    if name.endswith("position_bias"):
        return value + by
    if name.endswith("stretch"):
        return float(1 + max(value - 1, 1e-2) * np.exp(2 * by))
    if name.endswith("shift"):
        return value + 10 * by
    # Standard deviations, scales and temperatures.
    return float(max(value, 1e-2) * np.exp(2 * by))


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("profiles", type=click.Path(file_okay=False, path_type=Path))
@click.option("--replicates", default=Effort().replicates, show_default=True, help="Replicates behind each derivative.")
@click.option("--rounds", default=Effort().rounds, show_default=True)
@click.option("--seed", default=Effort().seed, show_default=True)
def main(folder: Path, profiles: Path, replicates: int, rounds: int, seed: int) -> None:
    """Calibrate on the authors' files in FOLDER and write one file for each model into PROFILES."""
    effort = Effort(replicates, rounds, seed)
    try:
        found = calibrate(read(folder), effort=effort, progress=click.echo)
    except AvowalError as error:
        raise click.ClickException(str(error)) from None
    profiles.mkdir(parents=True, exist_ok=True)
    for model, settings in found.items():
        # Four decimals are more than the observed figures can tell.
        held = {name: round(value, 4) for name, value in settings.to_dict().items()}
        path = profiles / f"{short(model)}.json"
        text = json.dumps({"model": model, "effort": asdict(effort), "settings": held}, indent=2)
        path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
