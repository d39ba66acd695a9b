"""Other ways to do a study of recovery over and over: each takes a seed and returns each replicate's correlation.

Agents with random target weights decide by the logistic rule between random pairs, their choices are fitted as `peers`
does, and learned weights are correlated with target weights over the attributes of all agents of a replicate. Both are
scaled so that the largest is 100, and target weights then rounded. None looks for agents who always choose the same.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from drawers import InPlace, Scene
from peers import YARDSTICK, Floats, installed, jax_modes, numpy_blocked, yardstick

Recover = Callable[[int], Floats]


class Study(NamedTuple):
    """What is done: `inverse_temperature` is how much a full range of an attribute of weight 100 moves the log odds."""

    low: Floats
    high: Floats
    power: Floats
    agents: int
    trials: int
    replicates: int
    inverse_temperature: float


def numpy_batched(study: Study, *, scaled: bool = True) -> Recover:
    """Draw in place and fit in batches, a replicate at a time; without scaling, weights are as drawn and as fitted."""
    attributes, fit = len(study.low), numpy_blocked()
    scene = Scene(study.low, study.high, study.power, np.empty((study.agents, attributes)), study.trials)
    pairs, choices = scene.room()

    def recover(seed: int) -> Floats:
        out = np.empty(study.replicates)
        agents = InPlace(scene, study.agents, seed)
        for replicate in range(study.replicates):
            targets = agents.rng.uniform(-1, 1, scene.weights.shape)
            if scaled:
                targets = np.rint(100 * targets / np.abs(targets).max(axis=1, keepdims=True)) / 100
            agents.draw(study.inverse_temperature * targets, pairs, choices)
            learned = fit(agents.differences, choices)[:, :-1]
            if scaled:
                learned = learned / np.abs(learned).max(axis=1, keepdims=True)
            x, y = targets - targets.mean(), learned - learned.mean()
            out[replicate] = (x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum())
        return out

    return recover


def numba_fused(study: Study) -> Recover:
    """Let agents in lanes decide and be fitted, on from one replicate to the next; only their weights are stored."""
    from lanes import LANES, States, climb, exp, fast, states, uniform

    attributes, (agents, trials, replicates) = len(study.low), (study.agents, study.trials, study.replicates)
    low, width, power = study.low * study.power, (study.high - study.low) * study.power, study.power
    share, temperature = 1 / (study.high - study.low), study.inverse_temperature

    @fast
    def scale(weights: Floats, rounded: bool) -> None:
        for a in range(LANES):
            largest = 0.0
            for i in range(attributes):
                largest = max(largest, abs(weights[i, a]))
            for i in range(attributes):
                weights[i, a] *= 100 / largest
                if rounded:
                    weights[i, a] = np.rint(weights[i, a])

    @fast
    def decide(s: States, targets: Floats, design: Floats, chosen: Floats, odds: Floats) -> None:
        a, b, c, d = s[0], s[1], s[2], s[3]
        for t in range(trials):
            odds[:] = 0.0
            for i in range(attributes):
                for lane in range(LANES):
                    first = np.rint(low[i] + width[i] * uniform(a, b, c, d, lane)) / power[i]
                    second = np.rint(low[i] + width[i] * uniform(a, b, c, d, lane)) / power[i]
                    difference = (first - second) * share[i]
                    design[t, i, lane] = difference
                    odds[lane] += difference * targets[i, lane]
            for lane in range(LANES):
                p = uniform(a, b, c, d, lane) * (1 + exp(-temperature / 100 * odds[lane]))
                chosen[t, lane] = 1.0 if p < 1 else 0.0

    @fast
    def correlate(x: Floats, y: Floats) -> float:
        mean_x, mean_y, xx, yy, xy = x.mean(), y.mean(), 0.0, 0.0, 0.0
        for agent in range(agents):
            for i in range(attributes):
                u, v = x[agent, i] - mean_x, y[agent, i] - mean_y
                xx, yy, xy = xx + u * u, yy + v * v, xy + u * v
        return xy / np.sqrt(xx * yy)

    @fast
    def all_of_them(s: States) -> Floats:
        count = agents * replicates
        known, learned = np.empty((count, attributes)), np.empty((count, attributes))
        design, chosen = np.ones((trials, attributes + 1, LANES)), np.empty((trials, LANES))
        targets, odds, theta = np.empty((attributes, LANES)), np.empty(LANES), np.empty((attributes + 1, LANES))
        for start in range(0, count, LANES):
            for i in range(attributes):
                for lane in range(LANES):
                    targets[i, lane] = 2 * uniform(s[0], s[1], s[2], s[3], lane) - 1
            scale(targets, True)
            decide(s, targets, design, chosen, odds)
            theta[:] = 0.0
            climb(design, chosen, theta)
            scale(theta, False)
            for lane in range(min(LANES, count - start)):
                for i in range(attributes):
                    known[start + lane, i], learned[start + lane, i] = targets[i, lane], theta[i, lane]
        out = np.empty(replicates)
        for r in range(replicates):
            here = slice(r * agents, (r + 1) * agents)
            out[r] = correlate(known[here], learned[here])
        return out

    return lambda seed: all_of_them(states(seed, LANES))


def jax_fused(study: Study) -> Recover:
    import jax
    from jax import numpy as jnp

    modes, attributes = jax_modes(), len(study.low)
    low, width, power = (row[:, None, None] for row in (study.low, study.high - study.low, study.power))

    def replicate(key: jax.Array) -> jax.Array:
        """Agents along the last axis."""
        keys = jax.random.split(key, 3)
        drawn = jax.random.uniform(keys[0], (attributes, study.agents), float, -1, 1)
        targets = jnp.rint(100 * drawn / jnp.abs(drawn).max(0))
        uniform = jax.random.uniform(keys[1], (2, attributes, study.trials, study.agents), float)
        values = jnp.rint((low + width * uniform) * power) / power
        differences = (values[0] - values[1]) / width
        odds = (differences * targets[:, None]).sum(0) * (study.inverse_temperature / 100)
        choices = jax.random.uniform(keys[2], odds.shape, float) < jax.nn.sigmoid(odds)
        learned = modes(differences.transpose(2, 1, 0), choices.T.astype(float))[:, :-1].T
        x, y = targets - targets.mean(), learned / jnp.abs(learned).max(0)
        y = y - y.mean()
        return (x * y).sum() / jnp.sqrt((x * x).sum() * (y * y).sum())

    @jax.jit
    def recover(seed: int) -> jax.Array:
        # The generator that takes least time; replicates one after another, so that each stays in the cache.
        keys = jax.random.split(jax.random.key(seed, impl="rbg"), study.replicates)
        return jax.lax.map(replicate, keys)

    return lambda seed: np.asarray(recover(seed))


def reference(study: Study) -> Recover:
    """Call the C reference: its own bounds are these, its weights as drawn and as fitted."""
    power = yardstick().power
    return lambda seed: power(study.replicates, study.agents, study.trials, seed, scale=study.inverse_temperature)[:, 0]


def recoverers(study: Study) -> dict[str, tuple[Recover, Recover | None]]:
    """Return those that are here, each with what its correlations are to agree with if not avowal's."""
    found: dict[str, tuple[Recover, Recover | None]] = {}
    if YARDSTICK.exists():
        found["C reference, AVX-512"] = reference(study), numpy_batched(study, scaled=False)
    if installed("jax"):
        found["JAX, fused"] = jax_fused(study), None
    if installed("numba"):
        found["Numba, fused, agents in lanes"] = numba_fused(study), None
    found["NumPy, drawn in place, batched Newton"] = numpy_batched(study), None
    return found
