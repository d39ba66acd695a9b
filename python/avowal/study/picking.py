"""Picking: which contexts a study trains and measures, and how base models and folds divide them among themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from avowal.contexts import Context
from avowal.errors import InputError
from avowal.study.sections import Contexts
from avowal.study.training_checks import LEAST

if TYPE_CHECKING:
    from avowal.study.config import StudyFile

__all__ = ["check", "folds", "pick"]


def pick(there: Sequence[Context], asked: Contexts, file: str) -> tuple[tuple[Context, ...], tuple[Context, ...]]:
    """Pick contexts by number or by name.

    Parameters
    ----------
    there
        All contexts of the study's files, with names that differ.
    asked
        The section of the study's file.
    file
        That file, for errors.

    Returns
    -------
    trained, native : tuple of Context

    Raises
    ------
    InputError
        For more contexts than there are, an unknown name, or a context that is both trained and native.
    """
    # A context of no declared use may be trained; it is measured natively only if it says so, or is named.
    groups = {
        "trained": tuple(each for each in there if each.use != "native"),
        "native": tuple(each for each in there if each.use == "native"),
    }
    picked: dict[str, tuple[Context, ...]] = {}
    for group, usual in groups.items():
        wanted, field = getattr(asked, group), f"contexts.{group}"
        if not isinstance(wanted, int):
            picked[group] = _named(there, wanted, file, field)
        elif len(usual) < wanted:
            expected = f"at most {len(usual)}, as many as there are"
            raise InputError.at(expected, wanted, file=file, field=field)
        else:
            picked[group] = usual[:wanted]
    for context in picked["native"]:
        if context in picked["trained"]:
            found = f"{context.name!r} in contexts.trained as well"
            raise InputError.at("contexts that are not trained", found, file=file, field="contexts.native")
    return picked["trained"], picked["native"]


def folds(trained: Sequence[Context], asked: Contexts) -> tuple[tuple[Context, ...], tuple[Context, ...]]:
    """Divide trained contexts into the two folds of the introspection training.

    Parameters
    ----------
    trained
        Of one base model.
    asked
        The section of the study's file, which may name the contexts of a fold.

    Returns
    -------
    first, second : tuple of Context
        Every context in one of them, in the given order.
    """
    if asked.first_fold:
        inside = set(asked.first_fold)
    elif asked.second_fold:
        inside = {context.name for context in trained} - set(asked.second_fold)
    else:
        inside = {context.name for context in trained[: len(trained) // 2]}
    first = tuple(context for context in trained if context.name in inside)
    return first, tuple(context for context in trained if context.name not in inside)


def check(study: StudyFile, file: str) -> None:
    """Check what the parts of a study's file say of each other.

    Parameters
    ----------
    study
        Its fields each by itself allowed.
    file
        The study's file, for errors.

    Raises
    ------
    InputError
        For the first rule broken; names the field.
    """
    for field, expected, found in _faults(study):
        raise InputError.at(expected, found, file=file, field=field)


def _named(there: Sequence[Context], names: Sequence[str], file: str, field: str) -> tuple[Context, ...]:
    known = {context.name: context for context in there}
    for name in names:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            likely = f" (did you mean {close[0]!r}?)" if close else ""
            raise InputError.at(f"names of contexts that there are{likely}", repr(name), file=file, field=field)
    return tuple(known[name] for name in names)


Fault = tuple[str, str, object]
"""Field, what was expected, what was found."""


def _faults(study: StudyFile) -> Iterator[Fault]:
    if not study.trained:
        yield from _untrained_faults(study)
        return
    if len(study.trained) == 1:
        yield "contexts.trained", "none, or two or more", 1
    yield from _fold_faults(study)
    yield from _block_faults(study)
    yield from _dose_faults(study)
    yield from _report_faults(study)


def _untrained_faults(study: StudyFile) -> Iterator[Fault]:
    told = {
        "condition": study.conditions,
        "contexts.first_fold": study.contexts.first_fold,
        "contexts.second_fold": study.contexts.second_fold,
        "doses.contexts": study.doses.contexts,
        "doses.training": study.doses.training,
    }
    for field, held in told.items():
        if held:
            yield field, "nothing, where no context is trained", repr(held)


def _fold_faults(study: StudyFile) -> Iterator[Fault]:
    lists = {"contexts.first_fold": study.contexts.first_fold, "contexts.second_fold": study.contexts.second_fold}
    trained = {context.name for context in study.trained}
    for field, names in lists.items():
        for name in names:
            if name not in trained:
                yield field, "names of trained contexts", repr(name)
    both = [name for name in study.contexts.first_fold if name in study.contexts.second_fold]
    if both:
        yield "contexts.second_fold", "folds without a context in common", repr(both[0])
    left = trained.difference(*lists.values())
    if all(lists.values()) and left:
        yield "contexts.second_fold", "every trained context in one of the folds", f"{min(left)!r} in none"


def _block_faults(study: StudyFile) -> Iterator[Fault]:
    bases, many = len(study.models.base), len(study.trained)
    if not study.contexts.shared:
        if bases == 1:
            yield "contexts.shared", "true: one base model shares its contexts with no other", "false"
        if many % bases or many < 2 * bases:
            yield "contexts.trained", f"two or more contexts for each of {bases} base models, the same number", many
    for base in study.models.base:
        if not all(study.folds(base)):
            yield "contexts.first_fold", f"two folds of the contexts of {base}", "all of them in one"


def _dose_faults(study: StudyFile) -> Iterator[Fault]:
    block, pairs = len(study.trained_by(study.models.base[0])), study.design.training
    for field, doses, whole in (("contexts", study.doses.contexts, block), ("training", study.doses.training, pairs)):
        if doses and max(doses) >= whole:
            yield f"doses.{field}", f"less than the whole study's {whole}", max(doses)
    lines = block * (1 + len(study.conditions)) * min(study.doses.training, default=pairs)
    if lines < LEAST:
        yield "doses.training", f"pairs enough for {LEAST} lines of training", f"{lines} lines"


def _report_faults(study: StudyFile) -> Iterator[Fault]:
    if "paper" not in study.design.report_prompts:
        yield "design.report_prompts", '"paper" among them', repr(list(study.design.report_prompts))
    if study.design.cross_reports and study.contexts.shared:
        expected = "false where contexts.shared is true: reports on shared contexts are crossed by avowal analyze"
        yield "design.cross_reports", expected, "true"
    if "shuffled" in study.training.introspection:
        for base in study.models.base:
            for taught in study.folds(base):
                counts = Counter(len(context.attributes) for context in taught)
                if 1 in counts.values():
                    alone = next(each.name for each in taught if counts[len(each.attributes)] == 1)
                    found = f"{alone!r} alone in its fold with so many"
                    expected = "contexts to shuffle weights among, two or more of each number of attributes"
                    yield "training.introspection", expected, found
