"""Sections: what each part of a study's file may say, with its defaults."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field
from typing import Any

from avowal.prompts import WORDINGS, Wording
from avowal.sends import ORDERS, Order
from avowal.study import rules
from avowal.study.rules import Rule

__all__ = ["LABELS", "Contexts", "Design", "Doses", "Limits", "Models", "Provider", "Sampling", "Training"]

LABELS = ("targets", "learned", "shuffled")
"""What introspection training may teach as true reports: the target weights, the weights estimated from the choices, or
target weights of other contexts, which teach the format and nothing true."""


def _rule(rule: Rule, default: Any = MISSING) -> Any:
    return field(metadata={"rule": rule}, **({} if default is MISSING else {"default": default}))


@dataclass(frozen=True, slots=True)
class Contexts:
    """Which contexts are used.

    Attributes
    ----------
    files
        Files of contexts, beside the study's; the built-in ones if empty.
    trained, native
        Which are trained, and which only measured: how many of each use, the first ones in the files' order, or their
        names. With no trained ones the base models are measured as they are.
    first_fold, second_fold
        Names of the trained contexts that each half of the introspection training takes; one list is enough. The first
        half of the trained contexts and the others if both are empty.
    shared
        Whether all base models are trained in the same contexts; else these are dealt out in equal blocks.
    """

    files: tuple[str, ...] = _rule(rules.each(rules.text(), least=0), ())
    trained: int | tuple[str, ...] = _rule(rules.either(rules.count(0), rules.each(rules.text(), least=0)), 100)
    native: int | tuple[str, ...] = _rule(rules.either(rules.count(1), rules.each(rules.text())), 100)
    first_fold: tuple[str, ...] = _rule(rules.each(rules.text(), least=0), ())
    second_fold: tuple[str, ...] = _rule(rules.each(rules.text(), least=0), ())
    shared: bool = _rule(rules.truth(), True)


@dataclass(frozen=True, slots=True)
class Design:
    """How much is asked.

    Attributes
    ----------
    training, validation
        Pairs of weight training for each trained context, and pairs held out for the provider's validation loss.
    decisions, native_decisions
        Pairs to decide in each trained and in each native context, after those of the training.
    reports
        Reports for each context in each set.
    decide_again
        Whether the introspection-trained models decide all pairs again, so that their reports can be compared with
        their own weights too.
    order
        Which option of a pair is shown first in requests; of :data:`avowal.sends.ORDERS`.
    report_prompts
        In which words reports are asked for, one set of reports for each; of :data:`avowal.prompts.WORDINGS`, the
        paper's among them.
    cross_reports
        Whether each model is asked about the contexts that other models were trained in.
    """

    training: int = _rule(rules.count(10, 10_000), 50)
    validation: int = _rule(rules.count(0, 10_000), 10)
    decisions: int = _rule(rules.count(1, 10_000), 50)
    native_decisions: int = _rule(rules.count(1, 10_000), 100)
    reports: int = _rule(rules.count(1, 10_000), 10)
    decide_again: bool = _rule(rules.truth(), False)
    order: Order = _rule(rules.any_of(*ORDERS), "drawn")  # noqa: RUF009 (a field, not its value)
    report_prompts: tuple[Wording, ...] = _rule(rules.several_of(*WORDINGS), ("paper",))
    cross_reports: bool = _rule(rules.truth(), False)


@dataclass(frozen=True, slots=True)
class Doses:
    """Shorter weight trainings beside the whole one: a chain of their own each, up to the reports.

    Attributes
    ----------
    contexts
        How many contexts are trained, the first ones, with all of their pairs.
    training
        How many pairs are shown for each of all contexts, the first ones.
    """

    contexts: tuple[int, ...] = _rule(rules.each(rules.count(2), least=0), ())
    training: tuple[int, ...] = _rule(rules.each(rules.count(1, 10_000), least=0), ())


@dataclass(frozen=True, slots=True)
class Models:
    """What is studied.

    Attributes
    ----------
    base
        Base models, by the provider's names; each goes through the whole study.
    """

    base: tuple[str, ...] = _rule(rules.each(rules.text()))


@dataclass(frozen=True, slots=True)
class Training:
    """How models are trained.

    Attributes
    ----------
    epochs
        Of every job.
    learning_rate_multiplier
        Of every job; None leaves it to the provider.
    batch_size, introspection_batch_size
        Of weight and of introspection training; None leaves them to the provider.
    seeds
        One whole chain of trained models for each.
    introspection
        What introspection training teaches, one set of jobs for each; of :data:`LABELS`.
    """

    epochs: int = _rule(rules.count(1, 50), 3)
    learning_rate_multiplier: float | None = _rule(rules.optional(rules.number(0, above=True), "auto"), None)
    batch_size: int | None = _rule(rules.optional(rules.count(1, 1024), "auto"), None)
    introspection_batch_size: int | None = _rule(rules.optional(rules.count(1, 1024), "auto"), None)
    seeds: tuple[int, ...] = _rule(rules.each(rules.count(0, 2**31 - 1)), (0,))
    introspection: tuple[str, ...] = _rule(rules.several_of(*LABELS), ("targets",))


@dataclass(frozen=True, slots=True)
class Provider:
    """Where requests go.

    Attributes
    ----------
    base_url
        The address up to ``/v1``; ``simulated`` for the provider that comes with the package.
    key_env
        The name of the environment variable that holds the key.
    mode
        ``sync`` for one request at a time and reply, ``batch`` for OpenAI's batches.
    """

    base_url: str = _rule(rules.text(), "simulated")
    key_env: str = _rule(rules.text(), "OPENAI_API_KEY")
    mode: str = _rule(rules.any_of("sync", "batch"), "sync")


@dataclass(frozen=True, slots=True)
class Limits:
    """What is not to be exceeded.

    Attributes
    ----------
    concurrency
        Requests under way at once.
    requests_per_minute, tokens_per_minute
        Sent; None for no limit of ours.
    batch_tokens
        Expected in all batches that wait at the provider; None for no limit of ours.
    spend
        US dollars; None for no limit.
    """

    concurrency: int = _rule(rules.count(1, 1000), 8)
    requests_per_minute: int | None = _rule(rules.optional(rules.count(1, 10_000_000), "none"), None)
    tokens_per_minute: int | None = _rule(rules.optional(rules.count(1, 10**10), "none"), None)
    batch_tokens: int | None = _rule(rules.optional(rules.count(1, 10**12), "none"), None)
    spend: float | None = _rule(rules.optional(rules.number(0), "none"), None)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How replies are drawn.

    Attributes
    ----------
    temperature
        Of every request.
    logprobs
        Whether the probabilities of A and B are asked for beside each choice.
    structured
        Whether reports are asked for as structured output.
    lenient
        Whether reports that break the format are repaired where that is unambiguous.
    max_tokens
        Of every reply, sent as ``max_completion_tokens``; None for no limit of ours. A longer reply is ``truncated``.
    """

    temperature: float = _rule(rules.number(0, 2), 0.0)
    logprobs: bool = _rule(rules.truth(), False)
    structured: bool = _rule(rules.truth(), False)
    lenient: bool = _rule(rules.truth(), False)
    max_tokens: int | None = _rule(rules.optional(rules.count(1, 1_000_000), "none"), None)
