"""Diagnostics: whether draws can be trusted, after Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RHAT_LIMIT = 1.01
"""Above it chains disagree (Vehtari et al. 2021)."""

ESS_PER_CHAIN = 100
"""Effective draws that each chain should bring, in the bulk and in the tails (the same)."""

EBFMI_LIMIT = 0.3
"""Below it a chain hardly moves between energies (Betancourt 2016; the limit is Stan's)."""

_BLOCK = 64


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What the sampler and its draws say of themselves.

    Attributes
    ----------
    names
        The quantities that were drawn.
    rhat, ess_bulk, ess_tail
        Shape (quantities,): rank-normalised split R-hat, effective draws in the bulk and in both 5% tails. NaN for a
        quantity whose draws are all equal or not finite.
    divergences
        Transitions that left the path of the posterior.
    depth_hits
        Transitions cut off at the largest tree depth.
    ebfmi
        Shape (chains,): fraction of missing information about the energy.
    draws
        Draws of all chains.
    chains
        Their number.
    """

    names: tuple[str, ...] = field(repr=False)
    rhat: Floats = field(repr=False)
    ess_bulk: Floats = field(repr=False)
    ess_tail: Floats = field(repr=False)
    divergences: int
    depth_hits: int
    ebfmi: Floats
    draws: int
    chains: int

    @property
    def status(self) -> str:
        """The worst of: "not finite", "divergent", "not converged"; or "ok"."""
        if not np.isfinite(self.rhat).all():
            return "not finite"
        if self.divergences:
            return "divergent"
        return "not converged" if self.problems else "ok"

    @property
    def sampler_problems(self) -> tuple[str, ...]:
        """What spoils every number of the run: a text for each of divergences, tree depth and energy."""
        found = []
        if self.divergences:
            found.append(f"divergent: {self.divergences} of {self.draws} transitions")
        if self.depth_hits:
            found.append(f"not converged: {self.depth_hits} of {self.draws} transitions at the largest tree depth")
        if (self.ebfmi < EBFMI_LIMIT).any():
            found.append(f"not converged: E-BFMI {np.nanmin(self.ebfmi):.2f}, below {EBFMI_LIMIT}")
        return tuple(found)

    @property
    def problems(self) -> tuple[str, ...]:
        """Everything that failed, the worst quantity named for each diagnostic; empty where nothing did."""
        found = list(self.sampler_problems)
        for place, text in self._worst():
            found.append(f"{text} ({self.names[place]})")
        return tuple(found)

    def of(self, name: str) -> tuple[str, ...]:
        """Return what spoils one quantity: the sampler's problems, and its own."""
        place = self.names.index(name)
        return (*self.sampler_problems, *(text for _, text in self._failures(place)))

    def _failures(self, place: int) -> list[tuple[int, str]]:
        rhat, enough = self.rhat[place], ESS_PER_CHAIN * self.chains
        if not np.isfinite(rhat):
            return [(0, "not finite: the draws are all equal or not finite")]
        found = []
        if rhat > RHAT_LIMIT:
            found.append((1, f"not converged: R-hat {rhat:.3f}, above {RHAT_LIMIT}"))
        for rank, (kind, ess) in enumerate((("bulk", self.ess_bulk[place]), ("tail", self.ess_tail[place]))):
            if ess < enough:
                found.append((2 + rank, f"not converged: {kind} ESS {ess:.0f}, below {enough}"))
        return found

    def _worst(self) -> list[tuple[int, str]]:
        orders = (~np.isfinite(self.rhat), self.rhat, -self.ess_bulk, -self.ess_tail)
        found = []
        for kind, order in enumerate(orders):
            if len(self.names) and not np.isnan(order.astype(float)).all():
                place = int(np.nanargmax(order))
                found += [(place, text) for rank, text in self._failures(place) if rank == kind]
        return found


def diagnose(
    names: tuple[str, ...],
    values: Floats,
    *,
    divergent: Floats,
    depth: Floats,
    energy: Floats,
    max_depth: int,
) -> Diagnosis:
    """Compute every diagnostic.

    Parameters
    ----------
    names
        The quantities.
    values
        Shape (chains, draws, quantities).
    divergent, depth, energy
        Shape (chains, draws): the sampler's own columns.
    max_depth
        The largest tree depth that was allowed.

    Returns
    -------
    Diagnosis
    """
    rhat, bulk, tail = rank_statistics(values)
    return Diagnosis(
        names=names,
        rhat=rhat,
        ess_bulk=bulk,
        ess_tail=tail,
        divergences=int(divergent.sum()),
        depth_hits=int((depth >= max_depth).sum()),
        ebfmi=ebfmi(energy),
        draws=values.shape[0] * values.shape[1],
        chains=values.shape[0],
    )


def rank_statistics(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Compute R-hat and both effective sample sizes of many quantities.

    Parameters
    ----------
    values
        Shape (chains, draws, quantities); at least 4 draws.

    Returns
    -------
    tuple of ndarray
        Rank-normalised split R-hat (the larger of bulk and folded), bulk ESS, tail ESS; shape (quantities,) each, NaN
        where the draws are not finite or all equal.
    """
    out = np.full((3, values.shape[2]), np.nan)
    flat = values.reshape(-1, values.shape[2])
    usable = np.flatnonzero(np.isfinite(flat).all(axis=0) & (flat != flat[0]).any(axis=0))
    for start in range(0, len(usable), _BLOCK):
        block = usable[start : start + _BLOCK]
        part = values[:, :, block]
        split = _split(part)
        normal = _normal_scores(split)
        folded = _normal_scores(np.abs(split - np.median(split, axis=(0, 1))))
        out[0, block] = np.maximum(_rhat(normal), _rhat(folded))
        out[1, block] = _ess(normal)
        low, high = (_ess(_split((part <= np.quantile(part, q, axis=(0, 1))).astype(float))) for q in (0.05, 0.95))
        out[2, block] = np.minimum(low, high)
    return out[0], out[1], out[2]


def ebfmi(energy: Floats) -> Floats:
    """Compute the energy's fraction of missing information.

    Parameters
    ----------
    energy
        Shape (chains, draws): the sampler's energy.

    Returns
    -------
    ndarray of float
        Shape (chains,): mean square of successive differences over the variance; NaN for a constant energy.
    """
    spread = ((energy - energy.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    moved = (np.diff(energy, axis=1) ** 2).sum(axis=1)
    found: Floats = np.divide(moved, spread, out=np.full(len(energy), np.nan), where=spread > 0)
    return found


def mcse_mean(values: Floats) -> Floats:
    """Compute the Monte-Carlo standard errors of means.

    Parameters
    ----------
    values
        Shape (chains, draws, quantities).

    Returns
    -------
    ndarray of float
        Shape (quantities,): standard deviation over the root of the effective draws, without rank normalisation.
    """
    flat = values.reshape(-1, values.shape[2])
    varied = np.isfinite(flat).all(axis=0) & (flat != flat[0]).any(axis=0)
    out = np.full(values.shape[2], np.nan)
    out[varied] = flat[:, varied].std(axis=0, ddof=1) / np.sqrt(_ess(_split(values[:, :, varied])))
    return out


def _split(values: Floats) -> Floats:
    """Halve each chain, so that a drift within a chain shows as a difference between two."""
    half = values.shape[1] // 2
    return np.concatenate([values[:, :half], values[:, -half:]])


@cache
def _scores(count: int) -> Floats:
    """Return the normal quantiles of the ranks 1, 1.5, 2, ..., count (Blom's formula); ties take ranks between."""
    quantile = NormalDist().inv_cdf
    return np.array([quantile((rank / 2 - 0.375) / (count + 0.25)) for rank in range(2, 2 * count + 1)])


def _normal_scores(values: Floats) -> Floats:
    flat = values.reshape(-1, values.shape[2])
    count = len(flat)
    order = np.argsort(flat, axis=0, kind="stable")
    ordered = np.take_along_axis(flat, order, axis=0)
    # Equal values share the mean of their ranks: (first + last) / 2, which is a place in the table of half ranks.
    new = np.ones(ordered.shape, dtype=bool)
    new[1:] = ordered[1:] != ordered[:-1]
    index = np.arange(count)[:, None]
    first = np.maximum.accumulate(np.where(new, index, 0), axis=0)
    ends = np.concatenate([new[1:], np.ones((1, flat.shape[1]), dtype=bool)])
    last = np.minimum.accumulate(np.where(ends, index, count)[::-1], axis=0)[::-1]
    out = np.empty(flat.shape)
    np.put_along_axis(out, order, _scores(count)[first + last], axis=0)
    return out.reshape(values.shape)


def _rhat(values: Floats) -> Floats:
    draws = values.shape[1]
    within = values.var(axis=1, ddof=1).mean(axis=0)
    between = draws * values.mean(axis=1).var(axis=0, ddof=1)
    ratio = np.divide(between, within, out=np.full(within.shape, np.inf), where=within > 0)
    found: Floats = np.sqrt((ratio + draws - 1) / draws)
    return found


def _ess(values: Floats) -> Floats:
    """Effective draws by Geyer's initial monotone sequence over all chains; shape (quantities,)."""
    chains, draws, _ = values.shape
    covariance = _autocovariance(values).mean(axis=0)
    mean_variance = covariance[0] * draws / (draws - 1)
    total = mean_variance * (draws - 1) / draws
    if chains > 1:
        total = total + values.mean(axis=1).var(axis=0, ddof=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        rho = 1 - (mean_variance - covariance) / total
    rho[0] = 1.0
    # Pairs of lags (0, 1), (2, 3), ...; the last pair ends the sequence, as in Stan.
    count = max(1, (draws - 1) // 2)
    even, odd = rho[0 : 2 * count : 2], rho[1 : 2 * count : 2]
    pairs = even + odd
    stop = np.where((pairs <= 0).any(axis=0), (pairs <= 0).argmax(axis=0), count - 1)
    kept = np.arange(count)[:, None] < stop
    monotone = np.minimum.accumulate(np.where(kept, pairs, np.inf), axis=0)
    tail = np.maximum(np.take_along_axis(even, stop[None], axis=0)[0], 0)
    tau = -1 + 2 * np.where(kept, monotone, 0).sum(axis=0) + tail
    size = chains * draws
    found = size / np.maximum(tau, 1 / np.log10(size))
    # Halving an odd chain drops a draw, and an indicator may have varied in that one alone: then nothing is correlated.
    kept_ess: Floats = np.where(np.ptp(values, axis=(0, 1)) > 0, found, size)
    return kept_ess


def _autocovariance(values: Floats) -> Floats:
    draws = values.shape[1]
    centred = values - values.mean(axis=1, keepdims=True)
    length = 1 << (2 * draws - 1).bit_length()
    spectrum = np.fft.rfft(centred, n=length, axis=1)
    found: Floats = np.fft.irfft(np.abs(spectrum) ** 2, n=length, axis=1)[:, :draws] / draws
    return found
