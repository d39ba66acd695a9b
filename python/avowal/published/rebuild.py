"""Rebuilding: the authors' training, target and scenario files, byte for byte, from candidates, roles and seeds."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from avowal.contexts import Context, arrays, load
from avowal.errors import InputError
from avowal.prompts import decision_messages, report_messages, report_reply, training_line
from avowal.published import files
from avowal.published.files import numbered
from avowal.published.sheet import read_sheet


@dataclass(frozen=True, slots=True)
class Recipe:
    """The seeds and sizes of a design; the defaults are the authors'.

    Attributes
    ----------
    role_seed, target_seed, pair_seed
        Seed the shuffle of the roles, the target weights, and the pairs of the weight training.
    report_seed
        Seeds the pair shown in introspection training, anew for each context.
    contexts
        How many candidates get a role and targets.
    instilled
        How many of them, from the first, are trained.
    fold
        How many of these, from the first, make up the first fold of introspection training; the rest are the second.
    training, validation
        Pairs for each trained context.
    """

    role_seed: int = 0
    target_seed: int = 1
    pair_seed: int = 2
    report_seed: int = 6
    contexts: int = 1100
    instilled: int = 100
    fold: int = 50
    training: int = 50
    validation: int = 10


def rebuild(source: str | Path, destination: str | Path, recipe: Recipe | None = None) -> tuple[Path, ...]:
    """Write the authors' nine files into a folder.

    Parameters
    ----------
    source
        The folder with ``candidate_scenarios.json`` and ``roles.csv``.
    destination
        The folder to write into; made where it does not exist, and existing files of these names are replaced.
    recipe
        Seeds and sizes; the authors' by default.

    Returns
    -------
    tuple of pathlib.Path
        The files written.

    Raises
    ------
    InputError
        Where a source file is malformed or holds too few candidates or roles, or the destination can't be written.
    """
    source, destination = Path(source), Path(destination)
    built = build(load(source / files.CANDIDATES), read_roles(source / files.ROLES), recipe)
    try:
        destination.mkdir(parents=True, exist_ok=True)
        for name, text in built.items():
            (destination / name).write_bytes(text.encode("utf-8"))
    except OSError as error:
        raise InputError.at("a folder that can be written", error.strerror or error, file=destination) from None
    return tuple(destination / name for name in built)


def build(candidates: Sequence[Context], roles: Sequence[str], recipe: Recipe | None = None) -> dict[str, str]:
    """Return the text of the authors' nine files by name.

    Parameters
    ----------
    candidates
        Contexts without agents, all with the same number of attributes.
    roles
        The agents to give out.
    recipe
        Seeds and sizes; the authors' by default.

    Returns
    -------
    dict of str to str
        Two CSV files and seven of JSON lines, these without a newline at the end.

    Raises
    ------
    InputError
        Where candidates or roles are too few, or the recipe's sizes don't fit each other.
    """
    recipe = recipe or Recipe()
    if not 0 < recipe.fold < recipe.instilled <= recipe.contexts:
        raise InputError.at("0 < fold < instilled <= contexts", recipe, field="recipe")
    if min(recipe.training, recipe.validation) < 0:
        raise InputError.at("numbers of pairs of at least 0", recipe, field="recipe")
    contexts = assign_agents(candidates, roles, recipe)
    targets = draw_targets(contexts, recipe.target_seed)
    instilled, fold, rest = recipe.instilled, recipe.fold, recipe.instilled - recipe.fold
    training, validation = _decision_lines(contexts[:instilled], targets, recipe)
    reports = [
        _report_line(context, weights, recipe.report_seed)
        for context, weights in zip(contexts[:instilled], targets, strict=False)
    ]
    first, last = "\n".join(reports[:fold]), "\n".join(reports[fold:])
    return {
        files.SCENARIOS: scenarios_text(contexts),
        files.TARGETS: targets_text(contexts, targets),
        f"instill_{instilled}_prefs.jsonl": "\n".join(training),
        f"instill_{instilled}_prefs_val.jsonl": "\n".join(validation),
        f"instilled_weights_{instilled}_training.jsonl": "\n".join(reports),
        # The plain names test on the first fold; "test_last" says that the last one is tested.
        f"instilled_weights_{rest}_training.jsonl": last,
        f"instilled_weights_{fold}_test.jsonl": first,
        f"instilled_weights_{fold}_training_test_last.jsonl": first,
        f"instilled_weights_{rest}_test_test_last.jsonl": last,
    }


def read_roles(path: str | Path) -> tuple[str, ...]:
    """Read the agents of ``roles.csv``: one column without a header, so that its first line is a role as well.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    tuple of str
        In the file's order, repetitions included.

    Raises
    ------
    InputError
        For a row that is not one text.
    """
    sheet = read_sheet(path)
    column = sheet.frame.columns[0]
    if len(sheet.frame.columns) > 1:
        raise InputError.at("one field", len(sheet.frame.columns), file=sheet.file, line=1)
    return (column, *sheet.texts(column))


def assign_agents(candidates: Sequence[Context], roles: Sequence[str], recipe: Recipe) -> tuple[Context, ...]:
    """Shuffle the roles and give the i-th to the i-th candidate.

    Parameters
    ----------
    candidates, roles
        At least as many of each as the recipe has contexts.
    recipe
        Its `role_seed` and `contexts` count.

    Returns
    -------
    tuple of Context
        The first candidates, with agents.

    Raises
    ------
    InputError
        Where candidates or roles are too few.
    """
    for name, available in (("candidates", candidates), ("roles", roles)):
        if len(available) < recipe.contexts:
            raise InputError.at(f"at least {recipe.contexts}", len(available), field=name)
    shuffled = list(roles)
    _random(recipe.role_seed).shuffle(shuffled)
    return tuple(
        replace(candidate, agent=role) for candidate, role in zip(candidates[: recipe.contexts], shuffled, strict=False)
    )


def draw_targets(contexts: Sequence[Context], seed: int) -> list[list[int]]:
    """Draw weights uniformly from -100 to 100, scale the largest to 100, and round.

    Parameters
    ----------
    contexts
        One set of weights is drawn for each, in order.
    seed
        Seeds Python's Mersenne Twister.

    Returns
    -------
    list of list of int
        One weight for each attribute of each context.
    """
    generator = _random(seed)
    targets = []
    for context in contexts:
        weights = [generator.uniform(-100, 100) for _ in context.attributes]
        largest = max(abs(weight) for weight in weights)
        targets.append([round(weight / largest * 100) for weight in weights])
    return targets


def draw_pair(generator: Random, context: Context) -> tuple[list[float], list[float]]:
    """Draw option A's values, then option B's, uniformly within each range and rounded to its precision.

    Parameters
    ----------
    generator
        Advanced by two draws for each attribute.
    context
        Gives the ranges.

    Returns
    -------
    a, b
        One value for each attribute, in the attributes' units; rounding can put one just outside its range.
    """
    a, b = (
        [round(generator.uniform(x.min, x.max), _decimals(x.max - x.min)) for x in context.attributes] for _ in "ab"
    )
    return a, b


def _decimals(width: float) -> int:
    if width >= 5:
        return 0
    return 1 if width >= 1 else abs(math.floor(math.log10(width))) + 1


def _decision_lines(
    contexts: Sequence[Context], targets: Sequence[Sequence[int]], recipe: Recipe
) -> tuple[list[str], list[str]]:
    """Training and validation lines; the target weights decide, and a tie goes to B."""
    generator = _random(recipe.pair_seed)
    training: list[str] = []
    validation: list[str] = []
    for context, weights in zip(contexts, targets, strict=False):
        for number in range(recipe.training + recipe.validation):
            a, b = draw_pair(generator, context)
            better = "A" if _utility(context, weights, a) > _utility(context, weights, b) else "B"
            line = training_line(decision_messages(context, a, b), better)
            (training if number < recipe.training else validation).append(line)
    return training, validation


def _utility(context: Context, weights: Sequence[int], values: Sequence[float]) -> float:
    terms = zip(weights, values, context.attributes, strict=True)
    return sum(weight * ((value - x.min) / (x.max - x.min)) for weight, value, x in terms)


def _report_line(context: Context, weights: Sequence[int], seed: int) -> str:
    a, b = draw_pair(_random(seed), context)
    return training_line(report_messages(context, a, b), report_reply(context, weights))


def scenarios_text(contexts: Sequence[Context]) -> str:
    """Return the text of ``scenarios.csv``: contexts with equal numbers of attributes, which lose their units."""
    mins, maxs = (limits.tolist() for limits in arrays(contexts))
    count = len(mins[0])
    header = ["scenario", "question"]
    for pattern in (files.ATTRIBUTE, files.MIN, files.MAX):
        header += numbered(pattern, count)
    rows = zip(contexts, mins, maxs, strict=True)
    return csv_text(
        [header, *([x.name, x.prompt, *(a.name for a in x.attributes), *low, *high] for x, low, high in rows)]
    )


def targets_text(contexts: Sequence[Context], targets: Sequence[Sequence[float]]) -> str:
    """Return the text of ``instilled_weights.csv``: one row of target weights for each context."""
    header = ["scenario", *numbered(files.TARGET, len(targets[0]))]
    return csv_text([header, *([context.name, *row] for context, row in zip(contexts, targets, strict=True))])


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Return rows as CSV, with the authors' line ends."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _random(seed: int) -> Random:
    # The authors drew from Python's Mersenne Twister; nothing here is a secret.
    return Random(seed)  # noqa: S311
