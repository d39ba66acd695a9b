"""Other ways to draw option pairs and the choices between them: each takes no arguments and returns both.

All but the plain one write into the same arrays at every call. The bounds are the same for all agents, which the fast
ones make use of.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from peers import Floats, installed

Drawn = tuple[Floats, NDArray[np.uint8]]
Draw = Callable[[], Drawn]


class Scene(NamedTuple):
    """What is drawn: values from low to high, rounded to as many decimals as their power of ten has zeros."""

    low: Floats
    high: Floats
    power: Floats
    weights: Floats
    """Of differences in shares of the range in the log odds, (agents, attributes)."""
    trials: int

    def room(self) -> Drawn:
        """Return arrays for pairs (agents, trials, 2, attributes) and choices (agents, trials)."""
        agents, attributes = self.weights.shape
        shape = (agents, self.trials, 2, attributes)
        return np.zeros(shape), np.zeros(shape[:2], dtype=np.uint8)


def numpy_plain(scene: Scene) -> Draw:
    """Draw as most would write it: NumPy's usual generator, a new array for every step."""
    rng = np.random.default_rng(1)

    def draw() -> Drawn:
        shape = (len(scene.weights), scene.trials, 2, len(scene.low))
        pairs = np.round(rng.uniform(scene.low, scene.high, shape) * scene.power) / scene.power
        differences = (pairs[:, :, 0] - pairs[:, :, 1]) / (scene.high - scene.low)
        p = 1 / (1 + np.exp(-np.einsum("atk,ak->at", differences, scene.weights)))
        return pairs, (rng.uniform(size=p.shape) < p).astype(np.uint8)

    return draw


class InPlace:
    """Agents drawn together by NumPy's fastest generator, every step in place.

    All values of an agent are one row: NumPy's inner loops, along the last axis, are as long as can be.
    """

    def __init__(self, scene: Scene, agents: int, seed: int) -> None:
        k, trials = len(scene.low), scene.trials
        self.rng = np.random.Generator(np.random.SFC64(seed))
        self.low, self.range, self.power = (
            np.tile(row, 2 * trials) for row in (scene.low, scene.high - scene.low, scene.power)
        )
        self.share = np.tile(1 / (scene.high - scene.low), trials)
        self.differences = np.empty((agents, trials, k))
        self.odds, self.draws = np.empty((2, agents, trials))

    def draw(self, weights: Floats, pairs: Floats, choices: NDArray[np.uint8]) -> None:
        """Draw for as many agents; their differences stay in this object until the next call."""
        values = pairs.reshape(len(pairs), -1)
        self.rng.random(out=values)
        np.multiply(values, self.range, out=values)
        np.add(values, self.low, out=values)
        np.multiply(values, self.power, out=values)
        np.rint(values, out=values)
        np.divide(values, self.power, out=values)
        np.subtract(pairs[:, :, 0], pairs[:, :, 1], out=self.differences)
        rows = self.differences.reshape(len(pairs), -1)
        np.multiply(rows, self.share, out=rows)
        odds = self.odds
        np.matmul(self.differences, weights[:, :, None], out=odds[:, :, None])
        np.negative(odds, out=odds)
        np.exp(odds, out=odds)
        np.add(odds, 1, out=odds)
        np.reciprocal(odds, out=odds)
        self.rng.random(out=self.draws)
        np.less(self.draws, odds, out=choices.view(bool))


def numpy_in_place(scene: Scene) -> Draw:
    """Draw in blocks of agents that fit the cache; their number divides that of all."""
    together = 20
    block = InPlace(scene, together, seed=1)
    pairs, choices = scene.room()

    def draw() -> Drawn:
        for start in range(0, len(pairs), together):
            here = slice(start, start + together)
            block.draw(scene.weights[here], pairs[here], choices[here])
        return pairs, choices

    return draw


def numba_natural(scene: Scene) -> Draw:
    """Draw value by value with NumPy's functions, as Numba's pages show it."""
    import numba

    low, width, power = scene.low, scene.high - scene.low, scene.power
    pairs, choices = scene.room()

    @numba.njit(fastmath=True, error_model="numpy")
    def fill(pairs: Floats, choices: NDArray[np.uint8], weights: Floats) -> None:
        agents, trials, _, attributes = pairs.shape
        for agent in range(agents):
            for t in range(trials):
                odds = 0.0
                for k in range(attributes):
                    for option in range(2):
                        x = low[k] + width[k] * np.random.random()  # noqa: NPY002
                        pairs[agent, t, option, k] = np.rint(x * power[k]) / power[k]
                    odds += weights[agent, k] * (pairs[agent, t, 0, k] - pairs[agent, t, 1, k]) / width[k]
                choices[agent, t] = np.random.random() < 1 / (1 + np.exp(-odds))  # noqa: NPY002

    @numba.njit
    def seed() -> None:
        np.random.seed(1)  # noqa: NPY002

    seed()

    def draw() -> Drawn:
        fill(pairs, choices, scene.weights)
        return pairs, choices

    return draw


def numba_lanes(scene: Scene) -> Draw:
    """Draw values side by side in the order in which they are stored, for agents whose values fit the cache."""
    from lanes import States, exp, fast, states, uniform

    together, pairs_at_once, choices_at_once = 8, 8, 40
    width = scene.high - scene.low
    # Values come out times their power of ten, so that only rounding and one division are left.
    scaled = (scene.low * scene.power, width * scene.power, scene.power)
    low, step, power = (np.tile(row, 2 * pairs_at_once) for row in scaled)
    weights = scene.weights / width
    values_states, choices_states = states(1, len(low)), states(2, choices_at_once)
    pairs, choices = scene.room()

    @fast
    def fill(values: Floats, s: States) -> None:
        a, b, c, d = s[0], s[1], s[2], s[3]
        for start in range(0, len(values), len(a)):
            for i in range(len(a)):
                values[start + i] = np.rint(low[i] + step[i] * uniform(a, b, c, d, i)) / power[i]

    @fast
    def weigh(pairs: Floats, weights: Floats, odds: Floats) -> None:
        agents, trials, _, attributes = pairs.shape
        for agent in range(agents):
            for t in range(trials):
                sum_ = 0.0
                for k in range(attributes):
                    sum_ += weights[agent, k] * (pairs[agent, t, 0, k] - pairs[agent, t, 1, k])
                odds[agent * trials + t] = sum_

    @fast
    def choose(odds: Floats, s: States, choices: NDArray[np.uint8]) -> None:
        a, b, c, d = s[0], s[1], s[2], s[3]
        for start in range(0, len(odds), len(a)):
            for i in range(len(a)):
                choices[start + i] = uniform(a, b, c, d, i) * (1 + exp(-odds[start + i])) < 1

    @fast
    def all_of_them(pairs: Floats, choices: NDArray[np.uint8], weights: Floats, s: States, s_: States) -> None:
        odds = np.empty(together * choices.shape[1])
        for start in range(0, len(pairs), together):
            here = slice(start, start + together)
            fill(pairs[here].reshape(-1), s)
            weigh(pairs[here], weights[here], odds)
            choose(odds, s_, choices[here].reshape(-1))

    def draw() -> Drawn:
        all_of_them(pairs, choices, weights, values_states, choices_states)
        return pairs, choices

    return draw


def drawers(scene: Scene) -> dict[str, Draw]:
    """Return those that are here."""
    found: dict[str, Draw] = {}
    if installed("numba"):
        found["Numba, xoshiro256+ in lanes"] = numba_lanes(scene)
        found["Numba, np.random"] = numba_natural(scene)
    found["NumPy, in place, SFC64"] = numpy_in_place(scene)
    found["NumPy, plain"] = numpy_plain(scene)
    return found
