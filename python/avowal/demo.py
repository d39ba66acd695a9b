"""Demo: a simulated study from contexts to accuracy, with nothing but what the package carries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from avowal import agents, contexts, design
from avowal.accuracy import Accuracy, Gain, accuracy, ends, gain
from avowal.fit import Fit, fit
from avowal.reports import Reporting, report
from avowal.text import estimate, percent, table

if TYPE_CHECKING:
    from rich.table import Table

SETS = {
    "before introspection training": Reporting(fidelity=0.6, noise=30.0, invalid=0.07),
    "after introspection training": Reporting(fidelity=0.85, noise=12.0),
}
"""How the simulated model reports: accuracies near the paper's, with some replies that can't be read at first."""

INVERSE_TEMPERATURE = 6.0
"""Log odds per full range of an attribute of weight 100; gives about the paper's agreement of choices with targets."""

POSITION_BIAS = 0.1
"""Log odds of A between equal options; GPT-4o's mean in native contexts (.08) and a little more."""


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demo computed.

    Attributes
    ----------
    fit
        Weights estimated from the simulated choices.
    agreement
        Share of choices that the target weights prescribe.
    accuracies
        By set of reports.
    gain
        What training does to the accuracy.
    """

    fit: Fit
    agreement: float
    accuracies: dict[str, Accuracy]
    gain: Gain


def sample() -> tuple[contexts.Context, ...]:
    """Return the first training context of every field of life: few enough for a demo to be quick.

    Returns
    -------
    tuple of Context
        24 of the built-in ones.
    """
    first: dict[str | None, contexts.Context] = {}
    for context in contexts.builtin("training"):
        first.setdefault(context.field, context)
    return tuple(first.values())


def demo(*, seed: int = 1, trials: int = 50, replies: int = 10) -> Demo:
    """Simulate a small study: draw targets and pairs, choose, report, fit and compare.

    Parameters
    ----------
    seed
        From 0 to 2**64 - 1; everything follows from it.
    trials
        Pairs for each context.
    replies
        Reports for each context and set.

    Returns
    -------
    Demo
        On the contexts of :func:`sample`.
    """
    known = sample()
    targets = agents.targets(known, seed=seed)
    pairs = design.pairs(known, trials, seed=seed)
    rule = agents.Logistic(INVERSE_TEMPERATURE, POSITION_BIAS)
    choices = agents.choose(pairs, known, targets, rule=rule, seed=seed)
    prescribed = agents.choose(pairs, known, targets, rule=agents.Deterministic(), seed=seed)
    fitted = fit(choices, known)
    found = {
        name: accuracy(fitted.weights, report(targets, known, replies, how=how, seed=seed, name=name), replies=replies)
        for name, how in SETS.items()
    }
    before, after = found.values()
    return Demo(
        fit=fitted,
        agreement=int((choices["choice"] == prescribed["choice"]).sum()) / len(choices),
        accuracies=found,
        gain=gain([before], [after], ["simulated"]),
    )


def printed(result: Demo) -> Iterator[Table | str]:
    """Lay the demo out as one table with a line before and after it.

    Parameters
    ----------
    result
        The demo.

    Yields
    ------
    rich.table.Table or str
        In reading order.
    """
    agents_fitted, account = len(result.fit.agents), result.fit.account
    yield (
        f"A simulated model decided for {agents_fitted} agents, {account.valid} choices in all, and agreed with their "
        f"target weights in {percent(result.agreement)} of them."
    )
    rows = [
        [
            name,
            estimate(found.slope.estimate, found.interval),
            estimate(found.r, found.cluster_interval),
            f"{found.contexts} of {found.context_account.planned}",
            f"{found.replies.valid} of {found.replies.planned}",
        ]
        for name, found in result.accuracies.items()
    ]
    columns = ["reports", "slope (the paper's)", "r [by context]", "contexts", "replies"]
    yield table("Accuracy: reported against learned weights", columns, rows)
    by_context = estimate(result.gain.cluster.estimate, ends(result.gain.cluster))
    yield (
        f"Training raised the accuracy by {estimate(result.gain.contrast.estimate, ends(result.gain.contrast))}; "
        f"in r, by context, {by_context}."
    )
