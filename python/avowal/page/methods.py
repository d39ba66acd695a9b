"""Methods: a paragraph to paste into a paper, with the study's true numbers, and what to cite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from avowal import __version__
from avowal.account import total
from avowal.analysis.material import SETS, native
from avowal.page.course import examples
from avowal.page.figures import Figures
from avowal.page.headline import headline
from avowal.page.sources import Ran
from avowal.page.tables import listed
from avowal.sends import Training
from avowal.study.config import StudyFile
from avowal.study.gather import UNANSWERED
from avowal.study.stages import Stage
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
        _replies(figures, ran),
        *_computed(figures),
        *headline(figures).sentences,
    ]
    return " ".join(part for part in parts if part)


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
    stages = [each.account.stage for each in ran.status.stages]
    if study.trained:
        yield from _trained(study, stages, asked)
        yield from _variants(study)
    else:
        yield from _untrained(study, asked)
    yield from _asked(study)


def _trained(study: StudyFile, stages: Sequence[Stage], asked: str) -> Iterator[str]:
    design, training = study.design, study.training
    contexts, first = study.trained_by(study.models.base[0]), study.folds(study.models.base[0])[0]
    lines = next(
        examples(each.sends)
        for each in stages
        if each.role == "weights" and each.dose is None and isinstance(each.sends, Training)
    )
    each = "" if study.contexts.shared or len(study.models.base) == 1 else f" each, {len(study.trained)} in all"
    others = "1 other" if len(study.native) == 1 else f"{len(study.native)} others"
    yield (
        f"{asked} decided on behalf of {_many(len(contexts), 'character')}{each} (trained contexts, {_sizes(study)}) "
        f"for whom target weights were drawn, after fine-tuning on {lines:,} choices that follow these "
        f"({design.training} pairs for each context, {training.epochs} epochs), and on behalf of {others} (native "
        "contexts), for whom nothing was trained. Each decided between "
        f"{_many(design.decisions, 'pair')} of options in each trained and {design.native_decisions} in each native "
        "context, none of which were in the training."
    )
    taught = {"targets": "the target weights", "learned": "the learned weights", "shuffled": "shuffled weights"}
    told = _joined([taught[each] for each in training.introspection])
    yield (
        f"Each reported its weights {_many(design.reports, 'time')} for each context: before any training, after it, "
        f"and after introspection training on reports of {told}; that was on one fold of the trained contexts "
        f"({len(first)} and {len(contexts) - len(first)}) with reports asked for on the other, and on all of them with "
        "reports asked for on native contexts."
    )


def _untrained(study: StudyFile, asked: str) -> Iterator[str]:
    design = study.design
    yield (
        f"{asked} decided on behalf of {_many(len(study.native), 'character')} (native contexts, {_sizes(study)}) "
        f"between {_many(design.native_decisions, 'pair')} of options each, and reported the weights "
        f"{_many(design.reports, 'time')} for each. Nothing was trained."
    )


def _variants(study: StudyFile) -> Iterator[str]:
    """Say what sets the trainings apart from the paper's, a sentence for each setting."""
    design, training = study.design, study.training
    if len(training.seeds) > 1:
        yield f"Everything was trained {len(training.seeds)} times, with other training seeds."
    doses = [f"{many} of the trained contexts" for many in study.doses.contexts]
    doses += [f"{_many(many, 'pair')} for each context" for many in study.doses.training]
    if doses:
        yield f"Beside these, models were trained on less: on {_joined(doses)}."
    for each in study.conditions:
        taught = "the target weights turned around" if each.effect == "flip" else "other weights"
        yield f"Weight training had each pair once more with a marker in the prompt ({each.name}), under {taught}."
    if design.decide_again:
        yield "The models decided all pairs again after introspection training."
    if design.cross_reports:
        yield "Each model also reported on the contexts that the others were trained in."


def _asked(study: StudyFile) -> Iterator[str]:
    """Say what sets the requests apart from the paper's."""
    design, sampling = study.design, study.sampling
    if design.order == "counterbalanced":
        yield "Each pair of options was shown in both orders, and counts twice among these."
    if design.order == "shuffled":
        yield "Which option of a pair came first was drawn for each request."
    if design.report_prompts != ("paper",):
        yield f"Reports were asked for in other words too, one set for each wording: {_joined(design.report_prompts)}."
    if sampling.logprobs:
        yield "The probabilities of A and B were asked for beside each choice."
    if sampling.structured:
        yield "Reports were asked for as structured output."
    if sampling.lenient:
        yield "Reports that broke the format were repaired where that has one meaning."


def _folder(figures: Figures) -> Iterator[str]:
    result = figures.result
    names = _joined([model.name for model in result.models])
    yield f"The choices and reports of {names} are those of the folder {result.source}."
    for group, what in (("learned", "trained"), ("native", "native")):
        found = [model.groups[group] for model in result.models if group in model.groups]
        fits = [each.fit.account.planned for each in found if each.fit is not None]
        if fits:
            yield f"There are {sum(fits):,} choices in {len(found[0].contexts)} {what} contexts."


def _replies(figures: Figures, ran: Ran | None) -> str:
    """Say what became of the reports; those that a study has still to ask for are not lost."""
    if ran is None:
        account = total(figures.result.replies.values())
    else:
        asked = [each for each in ran.status.stages if each.account.stage.sends.kind == "reports" and not each.trains]
        account = total(each.counts for each in asked)
    if not account.planned:
        return ""
    left = account.failed.get(UNANSWERED, 0)
    kinds = listed({kind: many for kind, many in {**account.invalid, **account.failed}.items() if kind != UNANSWERED})
    lost = account.lost - left
    why = f" ({kinds})" if kinds else ""
    yet = f"; {left:,} have not been answered yet" if left else ""
    share = percent(lost / account.planned)
    return (
        f"Of {account.planned:,} reports planned, {account.valid:,} were valid and {lost:,} ({share}) lost{why}{yet}."
    )


def _computed(figures: Figures) -> Iterator[str]:
    result = figures.result
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


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _joined(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
