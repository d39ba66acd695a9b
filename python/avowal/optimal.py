"""Optimal pairs: designs under which choices tell as much about the weights as a search can make them tell."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from avowal import _core
from avowal.checks import as_floats, as_u64, as_units
from avowal.contexts import Context, arrays
from avowal.design import by_attributes, pairs_frame, ranges
from avowal.errors import InputError
from avowal.rng import unit_id

__all__ = [
    "CAP",
    "DRAWS",
    "MARGIN",
    "PRECISION",
    "STARTS",
    "criterion",
    "optimal_differences",
    "optimal_pairs",
    "optimal_pairs_arrays",
    "prior_slopes",
]

MARGIN = 0.05
"""How far from either end a value counts as extreme, as a share of the span of an attribute's values: from the least to
the largest rounded value inside its range."""

CAP = 0.1
"""The largest share of an attribute's values that may be extreme: as many as uniform pairs have on a fine grid."""

PRECISION = 0.1
"""What is added to the information on each slope and on the intercept."""

DRAWS = 256
"""Slope vectors that the criterion is a mean over: with fewer, designs fit those rather than the prior."""

STARTS = 2
"""Starts of the search; large designs come out alike from all of them, small ones don't."""

_HUNDREDTHS = 100.0
"""Whole numbers from 0 to this have the 101 levels that :func:`optimal_differences` scales to the unit range."""


def optimal_pairs(
    contexts: Iterable[Context],
    trials: int,
    *,
    seed: int,
    inverse_temperature: float = 6.0,
    inverse_temperature_sd: float = 0.2,
    precision: float = PRECISION,
    cap: float = CAP,
    margin: float = MARGIN,
    draws: int = DRAWS,
    starts: int = STARTS,
    threads: int = 0,
) -> pl.DataFrame:
    """Search for the pairs that tell most about the weights, for contexts that may differ in their attributes.

    They maximise :func:`criterion` over slopes as :func:`prior_slopes` draws them, by exchanging one attribute of one
    pair at a time. All values lie within their ranges, at the precision of :func:`avowal.design.pairs`; no pair stands
    twice, in either order, and none offers one option twice. The numbers of a context depend on the arguments and on
    its name and bounds alone: not on its place or on the others.

    Parameters
    ----------
    contexts
        With names that differ.
    trials
        Pairs per context. Another number makes another design: it does not extend this one.
    seed
        From 0 to 2**64 - 1.
    inverse_temperature
        Median of the log odds per full range of an attribute of weight 100 that the design is made for; up to 25.
    inverse_temperature_sd
        Standard deviation of its logarithm, from 0 to 2.
    precision
        Added to the information on each slope and on the intercept, so that it is defined for few trials; from 1e-6 up.
    cap
        The largest share of an attribute's values that may be extreme, from 0 to 1; 1 for any.
    margin
        How far from either end a value counts as extreme, from 0, for the outermost value alone, to under .5: a share
        of the span from the least to the largest rounded value inside the attribute's range.
    draws
        Slope vectors that stand for the prior, 1 to 4096. The time of the search is proportional to it.
    starts
        Starts of the search, of which the best result counts.
    threads
        0 for one per core. The result does not depend on it.

    Returns
    -------
    DataFrame
        As :func:`avowal.design.pairs` gives it: ``context`` (String), ``trial`` (Int64, from 0), ``a`` and ``b``
        (List(Float64), in the order of the context's attributes); contexts in the order given.

    Raises
    ------
    InputError
        For two contexts of one name, more trials than there are different pairs, a cap under which no design is found,
        or a number out of range.
    """
    known = list(contexts)
    count = as_u64("trials", trials)
    frames = [pairs_frame([], [], np.empty((0, 0, 2, 1)))]
    for places in by_attributes(known).values():
        group = [known[place] for place in places]
        low, high = arrays(group)
        values = optimal_pairs_arrays(
            low,
            high,
            count,
            seed=seed,
            inverse_temperature=inverse_temperature,
            inverse_temperature_sd=inverse_temperature_sd,
            precision=precision,
            cap=cap,
            margin=margin,
            draws=draws,
            starts=starts,
            units=np.array([unit_id(context.name) for context in group], dtype=np.uint64),
            threads=threads,
        )
        frames.append(pairs_frame(places, group, values))
    return pl.concat(frames).sort("place", "trial").drop("place")


def optimal_pairs_arrays(
    mins: ArrayLike,
    maxs: ArrayLike,
    trials: int,
    *,
    seed: int,
    inverse_temperature: float = 6.0,
    inverse_temperature_sd: float = 0.2,
    precision: float = PRECISION,
    cap: float = CAP,
    margin: float = MARGIN,
    draws: int = DRAWS,
    starts: int = STARTS,
    units: ArrayLike | None = None,
    threads: int = 0,
) -> NDArray[np.float64]:
    """Search for the pairs that tell most about the weights, option A before option B.

    Parameters
    ----------
    mins, maxs
        Bounds in the attributes' own units, shape (contexts, attributes), 1 to 12 attributes.
    trials, seed, inverse_temperature, inverse_temperature_sd, precision, cap, margin, draws, starts, threads
        As for :func:`optimal_pairs`.
    units
        One id per context, shape (contexts,), which alone decides its numbers under a seed; 0, 1, 2, ... if None.

    Returns
    -------
    ndarray, shape (contexts, trials, 2, attributes)

    Raises
    ------
    InputError
        As for :func:`optimal_pairs`, and for bounds that are not finite, a minimum that is not below its maximum, or
        shapes that do not fit.
    """
    low, high = ranges(mins, maxs)
    contexts, k = low.shape
    count = as_u64("trials", trials)
    flat = _core.optimal_pairs(
        low.ravel(),
        high.ravel(),
        k,
        as_units(units, contexts),
        count,
        _prior(inverse_temperature, inverse_temperature_sd, precision, draws),
        (_real("cap", cap), _real("margin", margin), as_u64("starts", starts)),
        as_u64("seed", seed),
        as_u64("threads", threads),
    )
    return flat.reshape(contexts, count, 2, k)


def optimal_differences(
    attributes: int,
    trials: int,
    designs: int,
    *,
    seed: int,
    inverse_temperature: float = 6.0,
    inverse_temperature_sd: float = 0.2,
    precision: float = PRECISION,
    cap: float = CAP,
    margin: float = MARGIN,
    draws: int = DRAWS,
    starts: int = STARTS,
    threads: int = 0,
) -> NDArray[np.float64]:
    """Search for designs on attributes from 0 to 1 with 101 levels each, for use in simulation.

    Parameters
    ----------
    attributes
        1 to 12.
    trials, seed, inverse_temperature, inverse_temperature_sd, precision, cap, margin, draws, starts, threads
        As for :func:`optimal_pairs`.
    designs
        How many; design i is that of unit i, whatever their number.

    Returns
    -------
    ndarray, shape (designs, trials, attributes)
        Differences a - b, multiples of .01 from -1 to 1: what ``designs`` of :func:`avowal.simulate.simulate` takes.

    Raises
    ------
    InputError
        As for :func:`optimal_pairs`.

    Examples
    --------
    >>> optimal_differences(5, 20, 3, seed=1).shape
    (3, 20, 5)
    """
    shape = as_u64("designs", designs), as_u64("attributes", attributes)
    values = optimal_pairs_arrays(
        np.zeros(shape),
        np.full(shape, _HUNDREDTHS),
        trials,
        seed=seed,
        inverse_temperature=inverse_temperature,
        inverse_temperature_sd=inverse_temperature_sd,
        precision=precision,
        cap=cap,
        margin=margin,
        draws=draws,
        starts=starts,
        threads=threads,
    )
    return (values[:, :, 0] - values[:, :, 1]) / _HUNDREDTHS


def criterion(differences: ArrayLike, slopes: ArrayLike, *, precision: float = PRECISION) -> NDArray[np.float64]:
    """Compute the Bayesian D-criterion of designs for the slopes, the intercept being estimated beside them.

    With ``x = (d, 1)``, ``p`` the probability of A at a vector of slopes (and no intercept) and
    ``M = precision I + sum_t p_t (1 - p_t) x_t x_t'``, it is the mean over the vectors of ``ln det M - ln M[-1, -1]``:
    the log determinant of the information on the slopes once the intercept has taken its part.

    Parameters
    ----------
    differences
        Shape (designs, trials, attributes), in shares of the attributes' ranges.
    slopes
        Log odds per full range, shape (draws, attributes).
    precision
        From 1e-6 up.

    Returns
    -------
    ndarray, shape (designs,)
        Where one design lies above another by ``x``, the other needs about ``exp(x / attributes)`` times the trials to
        tell as much about known slopes.

    Raises
    ------
    InputError
        For numbers that are not finite, log odds that could lie beyond 300, or shapes that do not fit.
    """
    values, drawn = as_floats("differences", differences, 3), as_floats("slopes", slopes, 2)
    _, trials, k = values.shape
    if drawn.shape[1] != k or not len(drawn):
        raise InputError.at(f"shape (draws, {k})", f"shape {drawn.shape}", field="slopes")
    return _core.criterion(values.ravel(), trials, k, drawn.ravel(), _real("precision", precision))


def prior_slopes(
    attributes: int,
    *,
    seed: int,
    inverse_temperature: float = 6.0,
    inverse_temperature_sd: float = 0.2,
    draws: int = DRAWS,
    units: ArrayLike = (0,),
) -> NDArray[np.float64]:
    """Return the slopes that the searches of :func:`optimal_pairs` take for the prior.

    Weights are uniform from -1 to 1, then scaled so that the largest absolute one is 1, and multiplied by a log-normal
    inverse temperature. They are the points of a randomly shifted lattice, which fill the prior evenly; since a vector
    and its negative give the same information, the first weight is never negative.

    Parameters
    ----------
    attributes
        1 to 12.
    seed, inverse_temperature, inverse_temperature_sd, draws
        As for :func:`optimal_pairs`.
    units
        As for :func:`optimal_pairs_arrays`; ``unit_id`` of a context's name.

    Returns
    -------
    ndarray, shape (units, draws, attributes)
        Log odds per full range.

    Raises
    ------
    InputError
        For a number out of range.
    """
    known = as_units(units, int(np.size(np.asarray(units, dtype=object))))
    prior = _prior(inverse_temperature, inverse_temperature_sd, PRECISION, draws)
    flat = _core.prior_slopes(known, as_u64("attributes", attributes), prior, as_u64("seed", seed))
    return flat.reshape(len(known), prior[3], -1)


def _prior(
    inverse_temperature: float, inverse_temperature_sd: float, precision: float, draws: int
) -> tuple[float, float, float, int]:
    return (
        _real("inverse_temperature", inverse_temperature),
        _real("inverse_temperature_sd", inverse_temperature_sd),
        _real("precision", precision),
        as_u64("draws", draws),
    )


def _real(field: str, value: float) -> float:
    """Take a number; strings, bools and anything else aren't one."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.floating | np.integer):
        raise InputError.at("a number", repr(value), field=field)
    return float(value)
