"""The optimum of an agent's regression in long arithmetic, worked out from the mathematics alone.

The same few lines run on NumPy object arrays of mpmath numbers (50 digits) and on long doubles (for many trials):
damped Newton from many starts, with the highest optimum kept. Nothing is shared with the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import mpmath as mp
import numpy as np

from avowal.estimators import Estimator, Firth, Map, MaximumLikelihood, Ridge

mp.mp.dps = 50

Array = Any
"""A NumPy array of mpmath numbers or of long doubles."""


@dataclass(frozen=True)
class Arithmetic:
    """A kind of number: how to make arrays of it, its functions, and how small a relative step ends a search."""

    array: Callable[[Any], Array]
    exp: Callable[[Array], Array]
    log1p: Callable[[Array], Array]
    log: Callable[[Any], Any]
    tolerance: float


_mpf = np.frompyfunc(mp.mpf, 1, 1)
DIGITS_50 = Arithmetic(
    lambda values: _mpf(np.asarray(values, dtype=object)),
    np.frompyfunc(mp.exp, 1, 1),
    np.frompyfunc(mp.log1p, 1, 1),
    mp.log,
    1e-30,
)
LONG_DOUBLE = Arithmetic(lambda values: np.asarray(values, dtype=np.longdouble), np.exp, np.log1p, np.log, 1e-15)


@dataclass(frozen=True)
class Objective:
    """Log likelihood of centred trials plus what the estimator adds, over slopes and (last) the centred intercept."""

    x: Any
    y: Any
    estimator: Estimator
    intercept: bool = True
    numbers: Arithmetic = DIGITS_50

    @cached_property
    def centre(self) -> Array:
        """Average the differences; zeros in a model without intercept."""
        x = self.numbers.array(np.asarray(self.x, dtype=float))
        return x.sum(axis=0) / len(x) if self.intercept and len(x) else x[:0].sum(axis=0)

    @cached_property
    def design(self) -> Array:
        """Centre the differences and append ones for the intercept."""
        z = self.numbers.array(np.asarray(self.x, dtype=float)) - self.centre
        return np.column_stack([z, self.numbers.array(np.ones(len(z)))]) if self.intercept else z

    @cached_property
    def signs(self) -> Array:
        """Turn choices into +1 for A and -1 for B."""
        return self.numbers.array(np.where(np.asarray(self.y) == 1, 1.0, -1.0))

    @property
    def attributes(self) -> int:
        """Count the attributes."""
        return int(np.asarray(self.x).shape[1])

    def _odds(self, theta: Array) -> tuple[Array, Array]:
        """Log odds of the choice made, and the chance of the other one, with no digit lost on either side."""
        toward = self.signs * (self.design @ theta)
        small = self.numbers.exp(-abs(toward))
        return toward, np.where(toward >= 0, small, 1 + 0 * small) / (1 + small)

    def log_likelihood(self, theta: Array) -> Any:
        """Sum the log chances of the choices made."""
        toward, _ = self._odds(theta)
        return (np.where(toward < 0, toward, 0 * toward) - self.numbers.log1p(self.numbers.exp(-abs(toward)))).sum()

    def information(self, theta: Array) -> Array:
        """Compute Fisher's information."""
        _, missed = self._odds(theta)
        return self.design.T @ ((missed * (1 - missed))[:, None] * self.design)

    def value(self, theta: Array) -> Any:
        """Compute what is maximised, without constants; None where Firth's penalty is all but minus infinity."""
        base = self.log_likelihood(theta)
        slopes = theta[: self.attributes]
        match self.estimator:
            case Ridge(penalty):
                return base - penalty * (slopes @ slopes) / 2
            case Map(sd, df, location, scale):
                base = base - (slopes @ slopes) / (2 * self._exact(sd) ** 2)
                if not self.intercept or np.isinf(scale):
                    return base
                u = (theta[-1] - location) / self._exact(scale)
                if np.isinf(df):
                    return base - u * u / 2
                return base - (df + 1) * self.numbers.log(1 + u * u / df) / 2
            case Firth():
                determinant = _determinant(self.information(theta))
                return base + self.numbers.log(determinant) / 2 if determinant > 1e-250 else None
            case _:
                return base

    def gradient(self, theta: Array) -> Array:
        """Differentiate the value."""
        _, missed = self._odds(theta)
        out = self.design.T @ (self.signs * missed)
        k = self.attributes
        match self.estimator:
            case Ridge(penalty):
                out[:k] -= penalty * theta[:k]
            case Map(sd, df, location, scale):
                out[:k] -= theta[:k] / self._exact(sd) ** 2
                if self.intercept and not np.isinf(scale):
                    u, s2 = theta[-1] - location, self._exact(scale) ** 2
                    out[-1] -= u / s2 if np.isinf(df) else (df + 1) * u / (df * s2 + u * u)
            case Firth():
                solved = _solve(self.information(theta), self.design.T)
                leverage = missed * (1 - missed) * (self.design.T * solved).sum(axis=0)
                out += self.design.T @ (self.signs * leverage * (missed - (1 - missed)) / 2)
            case _:
                pass
        return out

    def curvature(self, theta: Array) -> Array:
        """Compute minus the Hessian; for Firth with many trials Fisher's information, which is near it."""
        small_firth = isinstance(self.estimator, Firth) and len(self.signs) <= 1000
        if self.numbers is LONG_DOUBLE and not small_firth:
            out = self.information(theta)
            k = self.attributes
            match self.estimator:
                case Ridge(penalty):
                    out[range(k), range(k)] += penalty
                case Map(sd, df, location, scale):
                    out[range(k), range(k)] += 1 / self._exact(sd) ** 2
                    if self.intercept:
                        u, spread = theta[-1] - location, df * self._exact(scale) ** 2
                        out[-1, -1] += (df + 1) * (spread - u * u) / (spread + u * u) ** 2
            return out
        return self.numeric_curvature(theta)

    def numeric_curvature(self, theta: Array) -> Array:
        """Difference the gradient."""
        columns = []
        for i in range(len(theta)):
            # A share of the change that moves the log odds by about one.
            share = self._exact(1e-6) if self.numbers is LONG_DOUBLE else mp.mpf(10) ** -22
            size = self.design[:, i] @ self.design[:, i]
            step = share * (size**-0.5 if size else 1)
            ahead, behind = theta.copy(), theta.copy()
            ahead[i] += step
            behind[i] -= step
            columns.append((self.gradient(behind) - self.gradient(ahead)) / (2 * step))
        out = np.column_stack(columns)
        return (out + out.T) / 2

    def _exact(self, value: float) -> Any:
        return self.numbers.array([value])[0]

    def climb(self, start: Array, steps: int = 300) -> Array | None:
        """Find the optimum uphill from `start`; None where the search runs away."""
        theta, value = start, self.value(start)
        if value is None:
            return None
        damping = 0.0
        for _ in range(steps):
            try:
                gradient, curvature = self.gradient(theta), self.curvature(theta)
            except SingularError:
                # So far out that no information is left: this climb leads to no optimum.
                return None
            scale = [abs(curvature[i, i]) or 1 for i in range(len(theta))]
            for _ in range(80):
                damped = curvature.copy()
                for i in range(len(theta)):
                    damped[i, i] += damping * scale[i]
                step = _solve(damped, gradient[:, None])[:, 0] if _determinant(damped) > 0 else None
                if step is not None and step @ gradient > 0:
                    # Small against the value, or against the parameter's own uncertainty where the value is nothing.
                    if all(
                        abs(s) <= self.numbers.tolerance * (abs(t) + c**-0.5)
                        for s, t, c in zip(step, theta, scale, strict=True)
                    ):
                        return theta + step
                    reached = self.value(theta + step)
                    if reached is not None and reached >= value:
                        break
                elif step is not None and not (step @ gradient):
                    return theta
                damping = max(10 * damping, 1e-6)
            else:
                return theta
            theta, value = theta + step, reached
            damping = damping / 10 if damping > 1e-9 else 0.0
            if max(abs(theta)) > 1e15:
                return None
        return theta

    def starts(self) -> Iterator[Array]:
        """Zero, and where the objective can have several tops, a scan of the centred intercept and of the scale."""
        size = self.design.shape[1]
        zero = self.numbers.array(np.zeros(size))
        yield zero
        if isinstance(self.estimator, Map) and self.intercept:
            yield from self._tops_along_the_intercept()
        if isinstance(self.estimator, Firth):
            # As many trials as that leave one top, near zero's.
            for penalty in (1e-12, 1e-8, 1e-4, 1e-2, 1.0, 1e2) if len(self.signs) <= 1000 else ():
                near = Objective(self.x, self.y, Map(penalty**-0.5), self.intercept, self.numbers).climb(zero)
                if near is not None:
                    yield near

    def _tops_along_the_intercept(self) -> Iterator[Array]:
        """Find tops over a grid of centred intercepts, the slopes profiled out in doubles, each warm from the last."""
        assert isinstance(self.estimator, Map)
        location, scale = self.estimator.intercept_location, min(self.estimator.intercept_scale, 1e3)
        count = 120 if len(self.signs) <= 1000 else 10
        reach = np.concatenate([np.geomspace(1e-3, 1e3, count) * scale, np.geomspace(0.05, 60, count)])
        grid = np.unique(np.concatenate([location - reach, [location], location + reach]))
        z, sign = self.design[:, :-1].astype(float), self.signs.astype(float)
        precision, slopes = self.estimator.slope_sd**-2, np.zeros(self.attributes)
        heights, profiles = [], []
        for a in grid:
            for _ in range(40):
                p = 0.5 * (1 - np.tanh(sign * (a + z @ slopes) / 2))
                gradient = z.T @ (sign * p) - precision * slopes
                hessian = z.T @ ((p * (1 - p))[:, None] * z) + precision * np.eye(self.attributes)
                step = np.linalg.solve(hessian, gradient)
                # No log odds may move by more than 2 at once: the steps that overshoot are those that do.
                slopes = slopes + step * min(1.0, 2.0 / (abs(z @ step).max() + 1e-300))
                if gradient @ step < 1e-14:
                    break
            theta = np.append(slopes, a)
            profiles.append(theta)
            heights.append(float(self.value(self.numbers.array(theta))))
        height = np.array(heights)
        inner = (height[1:-1] >= height[:-2]) & (height[1:-1] >= height[2:])
        for i in np.flatnonzero(inner) + 1:
            yield self.numbers.array(profiles[i])

    def optimum(self) -> Optimum:
        """Find the highest optimum from any start in long doubles, then follow it to the last digit."""
        rough = Objective(self.x, self.y, self.estimator, self.intercept, LONG_DOUBLE)
        reached = [theta for start in rough.starts() if (theta := rough.climb(start)) is not None]
        reached = [theta for theta in reached if rough.value(theta) is not None]
        if not reached:
            raise ArithmeticError("no start led to an optimum")
        best = max(reached, key=rough.value)
        if self.numbers is not LONG_DOUBLE:
            best = self.climb(_mpf([mp.mpf(float(v)) + mp.mpf(float(v - np.longdouble(float(v)))) for v in best]))
        if best is None:
            raise ArithmeticError("the optimum was lost on the way to more digits")
        return Optimum(self, best)


@dataclass(frozen=True)
class Optimum:
    """Where an objective is highest."""

    objective: Objective
    theta: Array

    @property
    def slopes(self) -> np.ndarray:
        """Round the slopes to doubles."""
        return self.theta[: self.objective.attributes].astype(float)

    @property
    def centred_intercept(self) -> float:
        """Round the centred intercept to a double."""
        return float(self.theta[-1])

    @property
    def intercept(self) -> float:
        """Undo the centring."""
        k = self.objective.attributes
        return float(self.theta[-1] - self.theta[:k] @ self.objective.centre) if self.objective.intercept else 0.0

    def covariance(self) -> np.ndarray:
        """Inverse curvature (Firth: inverse information) over slopes and the intercept of the design as given."""
        o = self.objective
        matrix = o.information(self.theta) if isinstance(o.estimator, Firth) else o.numeric_curvature(self.theta)
        size = len(matrix)
        inverse = _solve(matrix, o.numbers.array(np.eye(size)))
        if o.intercept:
            turn = o.numbers.array(np.eye(size))
            turn[-1, :-1] = -o.centre
            inverse = turn @ inverse @ turn.T
        return inverse.astype(float)


def gradient_norm(objective: Objective, slopes: Array, centred_intercept: float) -> float:
    """Compute the length of the gradient at estimates in doubles."""
    theta = np.append(slopes, centred_intercept) if objective.intercept else np.asarray(slopes)
    return float(sum(g * g for g in objective.gradient(objective.numbers.array(theta))) ** 0.5)


def _eliminate(matrix: Array, right: Array) -> tuple[Array, Array, Any]:
    """Gaussian elimination with pivoting: upper triangle, transformed right-hand sides, determinant."""
    a, b, determinant = matrix.copy(), right.copy(), 1
    for i in range(len(a)):
        pivot = i + int(np.argmax(abs(a[i:, i])))
        if pivot != i:
            a[[i, pivot]], b[[i, pivot]], determinant = a[[pivot, i]], b[[pivot, i]], -determinant
        determinant = determinant * a[i, i]
        if not a[i, i]:
            return a, b, determinant
        factor = a[i + 1 :, i] / a[i, i]
        a[i + 1 :] -= factor[:, None] * a[i]
        b[i + 1 :] -= factor[:, None] * b[i]
    return a, b, determinant


def _determinant(matrix: Array) -> Any:
    return _eliminate(matrix, matrix[:, :0])[2]


class SingularError(ArithmeticError):
    """A matrix that rounding has left without an inverse."""


def _solve(matrix: Array, right: Array) -> Array:
    a, b, _ = _eliminate(matrix, right)
    if not all(a[i, i] for i in range(len(a))):
        raise SingularError
    for i in reversed(range(len(a))):
        b[i] = (b[i] - (a[i, i + 1 :] @ b[i + 1 :] if i + 1 < len(a) else 0)) / a[i, i]
    return b


ESTIMATORS: dict[str, Estimator] = {"map": Map(), "ml": MaximumLikelihood(), "firth": Firth(), "ridge": Ridge(0.5)}
"""One of each kind; ridge with a penalty that no other estimator has."""
