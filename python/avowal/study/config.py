"""The file of a study, `study.toml`: everything that decides what is sent, checked before anything is."""

from __future__ import annotations

import tomllib
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from avowal.contexts import Context, builtin, load
from avowal.errors import InputError
from avowal.json_values import read_text
from avowal.provider import Endpoint
from avowal.study import rules
from avowal.study.conditions import Condition
from avowal.study.rules import Rule

__all__ = [
    "FILE",
    "LABELS",
    "Contexts",
    "Design",
    "Limits",
    "Models",
    "Provider",
    "Sampling",
    "StudyFile",
    "Training",
    "parse",
    "read",
]

FILE = "study.toml"
"""The name of the file in a study's folder."""

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
        How many are trained, and how many only measured: the first ones of each use, in the files' order.
    """

    files: tuple[str, ...] = _rule(rules.each(rules.text(), least=0), ())
    trained: int = _rule(rules.count(2), 100)
    native: int = _rule(rules.count(1), 100)


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
    """

    training: int = _rule(rules.count(10, 10_000), 50)
    validation: int = _rule(rules.count(0, 10_000), 10)
    decisions: int = _rule(rules.count(1, 10_000), 50)
    native_decisions: int = _rule(rules.count(1, 10_000), 100)
    reports: int = _rule(rules.count(1, 10_000), 10)
    decide_again: bool = _rule(rules.truth(), False)


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
    spend
        US dollars; None for no limit.
    """

    concurrency: int = _rule(rules.count(1, 1000), 8)
    requests_per_minute: int | None = _rule(rules.optional(rules.count(1, 10_000_000), "none"), None)
    tokens_per_minute: int | None = _rule(rules.optional(rules.count(1, 10**10), "none"), None)
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
    """

    temperature: float = _rule(rules.number(0, 2), 0.0)
    logprobs: bool = _rule(rules.truth(), False)
    structured: bool = _rule(rules.truth(), False)
    lenient: bool = _rule(rules.truth(), False)


@dataclass(frozen=True, slots=True)
class StudyFile:
    """A study as it is asked for.

    Attributes
    ----------
    name
        Of the study.
    seed
        Of targets, pairs and everything else drawn.
    models, contexts, design, training, provider, limits, sampling
        The sections of the file.
    trained, native
        The contexts themselves, in order.
    conditions
        Under which weight training teaches other weights.
    """

    name: str
    seed: int
    models: Models
    contexts: Contexts
    design: Design
    training: Training
    provider: Provider
    limits: Limits
    sampling: Sampling
    trained: tuple[Context, ...]
    native: tuple[Context, ...]
    conditions: tuple[Condition, ...] = ()


_SECTIONS: dict[str, type] = {
    "models": Models,
    "contexts": Contexts,
    "design": Design,
    "training": Training,
    "provider": Provider,
    "limits": Limits,
    "sampling": Sampling,
}
_TOP = {"name": rules.text(), "seed": rules.count(0, 2**63 - 1)}


def read(study: str | Path) -> StudyFile:
    """Read and check the file of a study.

    Parameters
    ----------
    study
        The study's folder.

    Returns
    -------
    StudyFile

    Raises
    ------
    InputError
        Where the file is missing or breaks a rule; names the field.
    """
    folder = Path(study)
    path = folder / FILE
    if not path.is_file():
        raise InputError.at(f"a study: a folder with {FILE} (avowal init makes one)", "none", file=folder)
    return parse(read_text(path), path)


def parse(source: str, file: str | Path) -> StudyFile:
    """Check the text of a study's file; files of contexts are looked for beside it.

    Parameters
    ----------
    source
        TOML.
    file
        Where it stands.

    Returns
    -------
    StudyFile

    Raises
    ------
    InputError
        Where it breaks a rule; names the field.
    """
    name = str(file)
    try:
        held = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise InputError.at("TOML", error, file=name) from None
    _known(held, [*_TOP, *_SECTIONS], name, "")
    top = {key: _value(held, key, rule, MISSING, name, key) for key, rule in _TOP.items()}
    parts = {key: _section(held.get(key, {}), kind, name, key) for key, kind in _SECTIONS.items()}
    if parts["provider"].base_url != "simulated":
        try:
            Endpoint(parts["provider"].base_url)
        except InputError as error:
            raise InputError(f"{name}, provider.{error}") from None
    trained, native = _contexts(parts["contexts"], Path(file).parent, name)
    return StudyFile(**top, **parts, trained=trained, native=native)


def _section(held: Any, kind: Any, file: str, section: str) -> Any:
    if not isinstance(held, dict):
        raise InputError.at(f"a table, [{section}]", repr(held), file=file, field=section)
    _known(held, [each.name for each in fields(kind)], file, f"{section}.")
    return kind(
        **{
            each.name: _value(held, each.name, each.metadata["rule"], each.default, file, f"{section}.{each.name}")
            for each in fields(kind)
        }
    )


def _value(held: dict[str, Any], key: str, rule: Rule, default: Any, file: str, field: str) -> Any:
    if key in held:
        return rule.check(held[key], file, field)
    if default is MISSING:
        raise InputError.at(rule.expected, "nothing", file=file, field=field)
    return default


def _known(held: dict[str, Any], known: list[str], file: str, prefix: str) -> None:
    for key in held:
        if key not in known:
            close = get_close_matches(key, known, n=1)
            likely = f" (did you mean {prefix}{close[0]}?)" if close else f": {', '.join(known)}"
            raise InputError.at(f"a field that is known{likely}", repr(key), file=file, field=f"{prefix}{key}")


def _contexts(asked: Contexts, folder: Path, file: str) -> tuple[tuple[Context, ...], tuple[Context, ...]]:
    held = load(*(folder / each for each in asked.files)) if asked.files else builtin()
    # A context of no declared use may be trained; it is measured natively only if it says so.
    groups = {
        "trained": (tuple(each for each in held if each.use != "native"), asked.trained),
        "native": (tuple(each for each in held if each.use == "native"), asked.native),
    }
    for name, (there, wanted) in groups.items():
        if len(there) < wanted:
            raise InputError.at(
                f"at most {len(there)}, as many as there are", wanted, file=file, field=f"contexts.{name}"
            )
    (trained, many), (native, others) = groups.values()
    return trained[:many], native[:others]
