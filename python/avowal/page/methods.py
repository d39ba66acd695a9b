"""Methods: a paragraph to paste into a paper, with the study's true numbers, and what to cite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from avowal import __version__
from avowal.account import total
from avowal.analysis.material import SETS, native
from avowal.page.figures import Figures
from avowal.page.headline import headline
from avowal.page.sources import Ran
from avowal.page.tables import listed
from avowal.study.config import StudyFile
from avowal.text import percent

__all__ = ["PAPER", "cite", "methods"]

PAPER = (
    "Plunkett, D., Morris, A., Reddy, K., and Morales, J. (2025). Self-Interpretability: LLMs Can Describe Complex "
    "Internal Processes that Drive Their Decisions."
)

SIMULATED = "The models were simulated by avowal's own provider: no language model was asked."

WEIGHTS = (
    "The weights behind the choices were estimated for each context by a logistic regression of the choice on the "
    "options' differences in units of each attribute's range (posterior mode; normal priors with standard deviation "
    "1 on the slopes, Student-t with 3 degrees of freedom and scale 2.5 on the centred intercept), and scaled so that "
    "each context's largest is ±100."
)


def methods(figures: Figures, ran: Ran | None) -> str:
    """Write the paragraph.

    Parameters
    ----------
    figures
        Of the analysis.
    ran
        Of a study; None for a folder of the authors' files.

    Returns
    -------
    str
        Sentences on what was done, what was lost, how it was computed, and what came out.
    """
    parts = [
        *(_design(ran) if ran is not None else _folder(figures)),
        *_computed(figures),
        *headline(figures).sentences,
    ]
    return " ".join(parts)


def cite() -> tuple[str, ...]:
    """Return what to cite: the method's paper, and this package."""
    return PAPER, f"The avowal contributors. avowal, version {__version__} [software]. Licence: Apache-2.0."


def _design(ran: Ran) -> Iterator[str]:
    study = ran.collected.study
    states = [each.account.state for each in ran.status.stages]
    if done := [state for state in states if state == "finished"]:
        if len(done) < len(states):
            yield f"The study is not finished: {len(done)} of its {len(states)} stages are."
    else:
        yield "The study has not been carried out; this is what it will do."
    if ran.simulated:
        yield SIMULATED
    models = _joined(study.models.base)
    where = "" if ran.simulated else f" at {ran.status.endpoint or study.provider.base_url}"
    asked = f"{models}, asked{where} at temperature {study.sampling.temperature:g},"
    yield from _trained(study, asked) if study.trained else _untrained(study, asked)


def _trained(study: StudyFile, asked: str) -> Iterator[str]:
    design, training = study.design, study.training
    contexts, first = study.trained_by(study.models.base[0]), study.folds(study.models.base[0])[0]
    lines = len(contexts) * design.training
    yield (
        f"{asked} decided on behalf of {len(contexts)} characters (trained contexts, {_sizes(study)}) for whom target "
        f"weights were drawn, after fine-tuning on {lines:,} choices that follow these ({design.training} pairs for "
        f"each context, {training.epochs} epochs), and on behalf of {len(study.native)} others (native contexts), for "
        f"whom nothing was trained. Each decided between {design.decisions} pairs of options in each trained and "
        f"{design.native_decisions} in each native context, none of which were in the training."
    )
    taught = {"targets": "the target weights", "learned": "the learned weights", "shuffled": "shuffled weights"}
    yield (
        f"Each reported its weights {design.reports} times for each context: before any training, after it, and after "
        f"introspection training on reports of {_joined([taught[each] for each in training.introspection])}; that was "
        f"on one fold of the trained contexts ({len(first)} and {len(contexts) - len(first)}) with reports asked for "
        "on the other, and on all of them with reports asked for on native contexts."
    )


def _untrained(study: StudyFile, asked: str) -> Iterator[str]:
    design = study.design
    yield (
        f"{asked} decided on behalf of {len(study.native)} characters (native contexts, {_sizes(study)}) between "
        f"{design.native_decisions} pairs of options each, and reported the weights {design.reports} times for each. "
        "Nothing was trained."
    )


def _folder(figures: Figures) -> Iterator[str]:
    result = figures.result
    names = _joined([model.name for model in result.models])
    yield f"The choices and reports of {names} are those of the folder {result.source}."
    for group, what in (("learned", "trained"), ("native", "native")):
        found = [model.groups[group] for model in result.models if group in model.groups]
        fits = [each.fit.account.planned for each in found if each.fit is not None]
        if fits:
            yield f"There are {sum(fits):,} choices in {len(found[0].contexts)} {what} contexts."


def _computed(figures: Figures) -> Iterator[str]:
    result = figures.result
    account = total(result.replies.values())
    if account.planned:
        lost = listed({**account.invalid, **account.failed})
        why = f" ({lost})" if lost else ""
        yield (
            f"Of {account.planned:,} reports planned, {account.valid:,} were valid and {account.lost:,} "
            f"({percent(account.share_lost)}) lost{why}."
        )
    yield WEIGHTS if result.settings.weights == "fitted" else "The weights are the authors' published estimates."
    held_out = any(
        SETS[name][1] != (name,) and not native(SETS[name][0]) for model in result.models for name in model.sets
    )
    crossed = " Folds are standardised by themselves and taken together." if held_out else ""
    yield (
        "Reports were averaged over each context's valid replies, as given, and correlated with the weights over all "
        f"attributes of all contexts.{crossed} Intervals ({100 * result.settings.level:g}%) leave out one context at a "
        "time (jackknife on Fisher's z), paired over common contexts for gains."
    )
    yield f"All figures were computed with avowal {__version__}."


def _sizes(study: StudyFile) -> str:
    counts = sorted({len(context.attributes) for context in (*study.trained, *study.native)})
    span = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"{span} attribute{'' if span == '1' else 's'} each"


def _joined(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
