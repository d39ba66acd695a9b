"""Agents: target weights, the utilities they give to options, and simulated choices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from avowal import _core
from avowal.checks import as_floats, as_u64, as_u64s, as_units, check_columns, room
from avowal.contexts import Context, arrays
from avowal.design import blocks, by_attributes, differences, ranges
from avowal.errors import InputError
from avowal.rng import unit_id

__all__ = [
    "Decisions",
    "Deterministic",
    "Logistic",
    "Rule",
    "choices_arrays",
    "choose",
    "decisions_arrays",
    "rule_parameters",
    "targets",
    "targets_arrays",
    "utilities",
]


@dataclass(frozen=True, slots=True)
class Deterministic:
    """The option of higher utility, and B where they tie: the rule of the paper's training data."""


@dataclass(frozen=True, slots=True, eq=False)
class Logistic:
    """Choices at random, the better option more often.

    P(A) = lapse / 2 + (1 - lapse) logistic(inverse_temperature sum_i (w_i / 100) d_i + position_bias), with w the
    weights and d the normalised differences. Each number is one for all contexts, or an array of shape (contexts,).

    Attributes
    ----------
    inverse_temperature
        How much a full range of an attribute of weight 100 moves the log odds; 0 or more.
    position_bias
        The log odds of A between equal options.
    lapse
        The share of trials answered at random; from 0 to 1.
    """

    inverse_temperature: float | NDArray[np.float64]
    position_bias: float | NDArray[np.float64] = 0.0
    lapse: float | NDArray[np.float64] = 0.0


Rule = Deterministic | Logistic


class Decisions(NamedTuple):
    """Pairs of options and the choices between them."""

    pairs: NDArray[np.float64]
    """Shape (contexts, trials, 2, attributes): values in the attributes' own units, option A before option B."""
    choices: NDArray[np.uint8]
    """Shape (contexts, trials): 1 for A, 0 for B."""


def targets_arrays(attributes: int, *, seed: int, units: ArrayLike) -> NDArray[np.float64]:
    """Draw target weights: uniform from -100 to 100, scaled so that the largest absolute one is 100, then rounded.

    Parameters
    ----------
    attributes
        How many, 1 or more.
    seed
        From 0 to 2**64 - 1.
    units
        One id per context, shape (contexts,), which alone decides its weights under a seed.

    Returns
    -------
    ndarray, shape (contexts, attributes)
        Whole numbers from -100 to 100.

    Raises
    ------
    InputError
        For a number out of range.
    """
    ids = as_units(units, np.size(units))
    k = as_u64("attributes", attributes)
    return _core.draw_targets(ids, k, as_u64("seed", seed)).reshape(ids.size, k)


def targets(contexts: Iterable[Context], *, seed: int) -> pl.DataFrame:
    """Draw target weights for contexts.

    They depend on the seed and on the context's name and number of attributes alone.

    Parameters
    ----------
    contexts
        With names that differ.
    seed
        From 0 to 2**64 - 1.

    Returns
    -------
    DataFrame
        ``context`` and ``attribute`` (String), ``position`` of the attribute (Int64, from 0), ``weight`` (Float64,
        whole numbers from -100 to 100); contexts and attributes in the order given.

    Raises
    ------
    InputError
        For two contexts of one name, or a seed out of range.
    """
    known = list(contexts)
    weights: dict[int, NDArray[np.float64]] = {}
    for k, places in by_attributes(known).items():
        units = np.array([unit_id(known[place].name) for place in places], dtype=np.uint64)
        weights.update(zip(places, targets_arrays(k, seed=seed, units=units), strict=True))
    rows = [
        (context.name, attribute.name, position, float(weights[place][position]))
        for place, context in enumerate(known)
        for position, attribute in enumerate(context.attributes)
    ]
    schema = {"context": pl.String, "attribute": pl.String, "position": pl.Int64, "weight": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def utilities(values: ArrayLike, mins: ArrayLike, maxs: ArrayLike, weights: ArrayLike) -> NDArray[np.float64]:
    """Compute the utilities sum_i w_i (v_i - min_i) / (max_i - min_i) of options.

    Parameters
    ----------
    values
        Options in the attributes' own units, shape (contexts, ..., attributes).
    mins, maxs
        Bounds in the same units, shape (contexts, attributes).
    weights
        On the scale of ±100, shape (contexts, attributes).

    Returns
    -------
    ndarray, shape (contexts, ...)

    Raises
    ------
    InputError
        For numbers that are not finite, a minimum that is not below its maximum, or shapes that do not fit.
    """
    low, high = ranges(mins, maxs)
    options = as_floats("values", values, np.ndim(values))
    if options.ndim < 2 or (options.shape[0], options.shape[-1]) != low.shape:
        raise InputError.at(f"shape ({low.shape[0]}, ..., {low.shape[1]})", f"shape {options.shape}", field="values")
    by_context = _weights(weights, low.shape)
    flat = _core.utilities(low.ravel(), high.ravel(), low.shape[1], options.ravel(), by_context.ravel())
    return flat.reshape(options.shape[:-1])


def choices_arrays(
    differences: ArrayLike,
    weights: ArrayLike,
    *,
    rule: Rule,
    seed: int,
    units: ArrayLike | None = None,
    replicate: int = 0,
    trials: ArrayLike | None = None,
    threads: int = 0,
) -> NDArray[np.uint8]:
    """Simulate the choices of agents.

    Parameters
    ----------
    differences
        Normalised differences of pairs, shape (contexts, trials, attributes).
    weights
        On the scale of ±100, shape (contexts, attributes).
    rule
        How differences become choices.
    seed
        From 0 to 2**64 - 1; the deterministic rule does not look at it.
    units
        One id per context, shape (contexts,), which alone decides its random numbers under a seed; 0, 1, 2, ... if
        None.
    replicate
        Another number gives the same agents other random numbers.
    trials
        The index of each trial within its context, shape (contexts, trials), which picks its random number; 0, 1, 2,
        ... if None.
    threads
        0 for one per core. The result does not depend on it.

    Returns
    -------
    ndarray of uint8, shape (contexts, trials)
        1 for A, 0 for B.

    Raises
    ------
    InputError
        For numbers that are not finite or out of range, or shapes that do not fit.
    """
    d = as_floats("differences", differences, 3)
    contexts, count, k = d.shape
    if k == 0:
        raise InputError.at("at least one attribute", f"shape {d.shape}", field="differences")
    indices = None if trials is None else as_u64s("trials", trials, (contexts, count)).ravel()
    flat = _core.choices(
        d.ravel(),
        _weights(weights, (contexts, k)).ravel(),
        k,
        rule_parameters(rule, contexts).ravel(),
        as_units(units, contexts),
        as_u64("seed", seed),
        as_u64("replicate", replicate),
        indices,
        as_u64("threads", threads),
    )
    return flat.reshape(contexts, count)


def decisions_arrays(
    mins: ArrayLike,
    maxs: ArrayLike,
    weights: ArrayLike,
    trials: int,
    *,
    rule: Rule,
    seed: int,
    units: ArrayLike | None = None,
    replicate: int = 0,
    out: Decisions | None = None,
    threads: int = 0,
) -> Decisions:
    """Draw pairs of options and simulate the choices between them, in one go.

    The pairs are those of :func:`avowal.design.pairs_arrays` and the choices those that :func:`choices_arrays` makes
    of their differences, to the bit, in less time.

    Parameters
    ----------
    mins, maxs
        Bounds in the attributes' own units, shape (contexts, attributes); at most 12 attributes.
    weights
        On the scale of ±100, shape (contexts, attributes).
    trials
        Pairs per context. More trials under the same seed extend the same sequence.
    rule
        How differences become choices.
    seed
        From 0 to 2**64 - 1.
    units
        One id per context, shape (contexts,), which alone decides its random numbers under a seed; 0, 1, 2, ... if
        None.
    replicate
        Another number gives the same agents other choices between the same pairs.
    out
        What an earlier call of the same shape returned, to be written over: fresh arrays cost as much as drawing.
    threads
        0 for one per core. The result does not depend on it.

    Returns
    -------
    Decisions

    Raises
    ------
    InputError
        For numbers that are not finite or out of range, a minimum that is not below its maximum, or shapes that do not
        fit.
    """
    low, high = ranges(mins, maxs)
    contexts, k = low.shape
    count = as_u64("trials", trials)
    shape = (contexts, count, 2, k)
    if out is None:
        pairs = room("trials", shape).reshape(shape)
        out = Decisions(pairs, np.empty(shape[:2], dtype=np.uint8))
    elif not isinstance(out, Decisions):
        raise InputError.at("Decisions(pairs, choices)", f"a {type(out).__name__}", field="out")
    elif not (_is(out.pairs, np.float64, shape) and _is(out.choices, np.uint8, shape[:2])):
        expected = f"contiguous, writable pairs {shape} of float64 and choices {shape[:2]} of uint8"
        found = " and ".join(f"{np.shape(array)} of {np.asarray(array).dtype}" for array in out)
        raise InputError.at(expected, found, field="out")
    _core.decisions(
        low.ravel(),
        high.ravel(),
        k,
        _weights(weights, low.shape).ravel(),
        rule_parameters(rule, contexts).ravel(),
        as_units(units, contexts),
        as_u64("seed", seed),
        as_u64("replicate", replicate),
        as_u64("threads", threads),
        out.pairs.reshape(-1),
        out.choices.reshape(-1),
    )
    return out


def _is(array: NDArray[Any], dtype: type[np.generic], shape: tuple[int, ...]) -> bool:
    whole = isinstance(array, np.ndarray) and array.dtype == dtype and array.shape == shape
    return whole and array.flags.c_contiguous and array.flags.writeable and array.flags.aligned


def choose(
    pairs: pl.DataFrame,
    contexts: Iterable[Context],
    targets: pl.DataFrame,
    *,
    rule: Rule,
    seed: int,
    model: str = "simulated",
    replicate: int = 0,
    threads: int = 0,
) -> pl.DataFrame:
    """Simulate the choices of agents between pairs.

    A choice depends on the seed, on the context's name, on the trial's number and on its pair alone: not on other rows.

    Parameters
    ----------
    pairs
        ``context``, ``trial``, ``a``, ``b``, as :func:`avowal.design.pairs` gives them; contexts may have any numbers
        of trials.
    contexts
        Those of the pairs at least, with names that differ.
    targets
        ``context``, ``attribute``, ``weight``: a weight for each attribute of each context of the pairs.
    rule
        How utilities become choices; arrays in it have one entry per context of `contexts`.
    seed
        From 0 to 2**64 - 1; the deterministic rule does not look at it.
    model
        The name that the choices carry.
    replicate
        Another number gives the same agents other random numbers.
    threads
        0 for one per core. The result does not depend on it.

    Returns
    -------
    DataFrame
        ``model``, ``context``, ``trial``, ``a``, ``b``, ``choice`` ("A" or "B"), ``failure`` (String, null: simulated
        agents never fail), in the order of `pairs`.

    Raises
    ------
    InputError
        For a missing column, an unknown context, a missing or doubled weight or trial, an option of the wrong length,
        or numbers that are not finite or out of range.
    """
    known = list(contexts)
    weights = _weights_by_name(targets)
    parameters = rule_parameters(rule, len(known))
    chosen = np.zeros(pairs.height, dtype=np.uint8)
    for block in blocks(pairs, known):
        group = [known[place] for place in block.places]
        chosen[block.rows] = choices_arrays(
            differences(block.pairs, *arrays(group)),
            [_weights_of(context, weights) for context in group],
            rule=_rule_at(parameters, block.places),
            seed=seed,
            units=np.array([unit_id(context.name) for context in group], dtype=np.uint64),
            replicate=replicate,
            trials=block.trials,
            threads=threads,
        )
    return pairs.select(
        pl.lit(model).alias("model"),
        "context",
        "trial",
        "a",
        "b",
        pl.Series("choice", np.array(["B", "A"])[chosen].tolist(), dtype=pl.String),
        pl.lit(None, dtype=pl.String).alias("failure"),
    )


def _weights_by_name(targets: pl.DataFrame) -> dict[tuple[str, str], float]:
    check_columns("targets", targets, ("context", "attribute", "weight"))
    weights: dict[tuple[str, str], float] = {}
    for context, attribute, weight in targets.select("context", "attribute", "weight").iter_rows():
        if (context, attribute) in weights:
            found = f"{attribute!r} of {context!r} twice"
            raise InputError.at("each attribute of a context once", found, field="targets")
        weights[context, attribute] = weight
    return weights


def _weights_of(context: Context, weights: dict[tuple[str, str], float]) -> list[float]:
    names = [attribute.name for attribute in context.attributes]
    for name in names:
        if weights.get((context.name, name)) is None:
            raise InputError.at(f"a weight for attribute {name!r} of {context.name!r}", "none", field="targets")
    return [weights[context.name, name] for name in names]


def rule_parameters(rule: Rule, contexts: int) -> NDArray[np.float64]:
    """Return the parameters of a rule as the engine takes them.

    Parameters
    ----------
    rule
        How differences become choices.
    contexts
        How many contexts it is for.

    Returns
    -------
    ndarray
        Shape (3, contexts), or (0, contexts) where it has none.

    Raises
    ------
    InputError
        For anything that is no rule, or parameters of another shape.
    """
    if isinstance(rule, Deterministic):
        return np.empty((0, contexts))
    if not isinstance(rule, Logistic):
        raise InputError.at("Deterministic() or Logistic(...)", repr(rule), field="rule")
    rows = []
    for field in ("inverse_temperature", "position_bias", "lapse"):
        value = getattr(rule, field)
        array = as_floats(field, value, np.ndim(value))
        if array.shape not in {(), (contexts,)}:
            raise InputError.at(f"a number, or shape ({contexts},)", f"shape {array.shape}", field=field)
        rows.append(np.broadcast_to(array, (contexts,)))
    return np.array(rows)


def _rule_at(parameters: NDArray[np.float64], places: list[int]) -> Rule:
    """Return the rule of some contexts out of the parameters of all."""
    if len(parameters) == 0:
        return Deterministic()
    return Logistic(*parameters[:, places])


def _weights(weights: ArrayLike, shape: tuple[int, int]) -> NDArray[np.float64]:
    array = as_floats("weights", weights, 2)
    if array.shape != shape:
        raise InputError.at(f"shape {shape}", f"shape {array.shape}", field="weights")
    return array
