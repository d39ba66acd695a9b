"""Accounts: what became of every request and reply, by stage and by context, and how the choices were made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from avowal.account import Account
from avowal.accuracy import UNRECORDED
from avowal.analysis.analyze import asked_about
from avowal.analysis.groups import Z_LIMIT, GroupResult
from avowal.analysis.material import HEADERS, LABELS, SETS, ModelMaterial
from avowal.analysis.results import ModelResult
from avowal.page.figures import Figures
from avowal.page.headline import contexts_of
from avowal.page.sources import Ran
from avowal.page.tables import Cell, Table, count, figure, listed, share, told
from avowal.study.gather import UNANSWERED
from avowal.study.stages import Stage
from avowal.study.status import StageStatus
from avowal.text import number

__all__ = ["Accounts", "accounts"]

Row = tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Accounts:
    """What happened to every reply.

    Attributes
    ----------
    stages
        Planned, valid, repaired, invalid, failed and left, by stage of a study or by set of a folder.
    kinds
        Everything that was not valid, by type; None where all is.
    contexts
        The same by context.
    lost
        Contexts lost, by accuracy, and the bounds that the losses leave.
    choices
        How well weights tell the choices, and how far the option's place does.
    agents
        The same by context.
    notes
        What needs words.
    """

    stages: Table
    kinds: Table | None
    contexts: Table
    lost: Table | None
    choices: Table | None
    agents: Table | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Line:
    """The account of one stage or set, or of one context in it."""

    model: str
    stage: str
    kind: str
    account: Account
    context: str = ""
    repaired: int = 0

    def cells(self, recorded: bool) -> Row:
        """Return the counts under :data:`_COUNTS`, or where what became of replies isn't recorded, :data:`_KEPT`."""
        if not recorded:
            return count(self.account.planned), count(self.account.valid), count(self.account.lost)
        failed = {kind: many for kind, many in self.account.failed.items() if kind != UNANSWERED}
        return (
            count(self.account.planned),
            count(self.account.valid),
            count(self.repaired),
            count(sum(self.account.invalid.values())),
            count(sum(failed.values())),
            count(self.account.failed.get(UNANSWERED, 0)),
        )

    @property
    def types(self) -> str:
        """All that went wrong, by type."""
        failed = {kind: many for kind, many in self.account.failed.items() if kind != UNANSWERED}
        return listed({**self.account.invalid, **failed})


_COUNTS = ("planned", "valid", "repaired", "invalid", "failed", "left")

_KEPT = ("planned", "valid", "not recorded")
"""What the authors' files tell: they hold the replies that parsed."""


def accounts(figures: Figures, ran: Ran | None) -> Accounts:
    """Account for every reply.

    Parameters
    ----------
    figures
        Of the analysis.
    ran
        Of a study; None for a folder of the authors' files.

    Returns
    -------
    Accounts
        In every line planned = valid + invalid + failed + left, or valid + not recorded.
    """
    stages, by_context = (_of_study(ran), _study_contexts(ran)) if ran is not None else _of_folder(figures)
    recorded = ran is not None
    contexts = Table(
        "replies-by-context",
        "Replies by context",
        ("context", "model", "stage", *(_COUNTS if recorded else _KEPT), *(["types"] if recorded else [])),
        tuple(
            (
                *(told(line.context), told(line.model), told(line.stage)),
                *line.cells(recorded),
                *([told(line.types)] if recorded else []),
            )
            for line in by_context
        ),
        sortable=True,
    )
    return Accounts(
        stages=_stages(stages, ran),
        kinds=_kinds(stages) if recorded else None,
        contexts=contexts,
        lost=_lost(figures),
        choices=_choices(figures),
        agents=_agents(figures),
        notes=tuple(_notes(ran)),
    )


def short(stage: Stage) -> str:
    """Return a stage's name without that of its base model."""
    return stage.name.removeprefix(f"{stage.base}: ")


def _of_study(ran: Ran) -> list[_Line]:
    repaired = Counter(
        ran.collected.tables["reports"]
        .filter(pl.col("report").is_not_null() & pl.col("strict_failure").is_not_null())["stage"]
        .to_list()
    )
    return [
        _Line(
            each.account.stage.base,
            short(each.account.stage),
            each.account.stage.sends.kind,
            each.counts,
            repaired=repaired[each.account.stage.name],
        )
        for each in ran.status.stages
        if not each.trains
    ]


def _study_contexts(ran: Ran) -> list[_Line]:
    """Count each context of each stage that has begun; what the file asks since then is left."""
    rows: dict[str, dict[str, list[tuple[str | None, bool]]]] = {}
    tables = ran.collected.tables
    for name, context, failure in tables["choices"].select("stage", "context", "failure").iter_rows():
        rows.setdefault(name, {}).setdefault(context, []).append((failure, False))
    mended = pl.col("report").is_not_null() & pl.col("strict_failure").is_not_null()
    reports = tables["reports"].select("stage", "context", "failure", mended.alias("mended"))
    for name, context, failure, repaired in reports.iter_rows():
        rows.setdefault(name, {}).setdefault(context, []).append((failure, repaired))
    lines = []
    for each in ran.collected.stages:
        stage = each.stage
        for context in stage.sends.contexts if stage.name in rows else ():
            held = rows[stage.name].get(context.name, [])
            lost = Counter(failure for failure, _ in held if failure is not None)
            if more := stage.sends.trials - len(held):
                lost[UNANSWERED] += more
            failed = {kind: many for kind, many in lost.items() if kind in {*ran.collected.unanswered, UNANSWERED}}
            invalid = {kind: many for kind, many in lost.items() if kind not in failed}
            valid = sum(failure is None for failure, _ in held)
            account = Account(valid + lost.total(), valid, invalid, failed)
            repaired = sum(was for _, was in held)
            lines.append(_Line(stage.base, short(stage), stage.sends.kind, account, context.name, repaired))
    return lines


def _of_folder(figures: Figures) -> tuple[list[_Line], list[_Line]]:
    """Count what the authors' files hold; of a reply that they don't hold, no more is known."""
    by_context = []
    for model, its in zip(figures.result.models, figures.material.models, strict=True):
        for group, table in its.choices.items():
            stage = f"choices, {HEADERS[group]}"
            per = table.group_by("context", maintain_order=True).agg(pl.len(), pl.col("choice").count().alias("valid"))
            for context, many, valid in per.iter_rows():
                by_context.append(_Line(model.name, stage, "decisions", _kept(many, valid), context))
        for name in figures.sets_of(model):
            if name in model.sets:
                stage = f"reports, {LABELS[name]}"
                for context, many, valid in _reported(figures, model, its, name):
                    by_context.append(_Line(model.name, stage, "reports", _kept(many, valid), context))
    stages: dict[tuple[str, str], _Line] = {}
    for line in by_context:
        before = stages.get((line.model, line.stage))
        total = line.account if before is None else before.account + line.account
        stages[line.model, line.stage] = _Line(line.model, line.stage, line.kind, total)
    return list(stages.values()), by_context


def _kept(planned: int, valid: int) -> Account:
    return Account(planned, valid, failed={UNRECORDED: planned - valid} if planned > valid else {})


def _reported(figures: Figures, model: ModelResult, its: ModelMaterial, name: str) -> Iterator[tuple[str, int, int]]:
    """Yield each context of a set with the replies planned and valid, those without any included."""
    group, files = SETS[name]
    there = [file for file in files if file in its.reports]
    asked = asked_about(its, there, model.groups[group].contexts, figures.material.contexts)
    for file in there:
        counts = its.reports[file].group_by("context").agg(pl.len(), pl.col("report").count().alias("valid"))
        held = {context: (many, valid) for context, many, valid in counts.iter_rows()}
        for context in asked[file]:
            many, valid = held.get(context, (0, 0))
            yield context, max(figures.result.settings.replies, many), valid


def _stages(lines: list[_Line], ran: Ran | None) -> Table:
    if ran is None:
        rows = [
            (told(line.model), told(line.stage), *line.cells(recorded=False), share(line.account.share_lost))
            for line in lines
        ]
        columns = ("model", "what", *_KEPT, "share")
        note = (
            "The authors kept only the replies that parsed: of a reply that is not there, the files don't say what "
            "became of it. Replies planned are the ten of the paper, unless --replies says otherwise."
        )
        return Table("replies-by-stage", "Replies by set", columns, tuple(rows), note)
    asked = iter(lines)
    listed_rows = []
    for each in ran.status.stages:
        stage, account = each.account.stage, each.account
        cells = tuple(Cell() for _ in _COUNTS) if each.trains else next(asked).cells(recorded=True)
        more = (count(account.retries), count(len(each.unsure)), count(account.surplus))
        listed_rows.append((told(stage.base), told(short(stage)), told(account.state), *cells, *more))
    heads = ("model", "stage", "state", *_COUNTS, "retries", "paid twice?", "beyond the first")
    note = (
        "Paid twice?: requests that were under way when a run died, and were asked again. Beyond the first: further "
        "replies to one request, which are paid and not used."
    )
    return Table("replies-by-stage", "Requests and replies by stage", heads, tuple(listed_rows), note)


def _kinds(lines: list[_Line]) -> Table | None:
    rows = [
        (told(line.model), told(line.stage), told(what), told(kind), count(many), share(many / line.account.planned))
        for line in lines
        for what, kinds in (("invalid", line.account.invalid), ("failed", line.account.failed))
        for kind, many in kinds.items()
        if kind != UNANSWERED and many
    ]
    columns = ("model", "stage", "what", "type", "replies", "of those planned")
    return Table("types", "Replies that are not valid, by type", columns, tuple(rows)) if rows else None


def _lost(figures: Figures) -> Table | None:
    rows = []
    for model in figures.result.models:
        for name in figures.sets_of(model):
            at = ("models", model.name, "accuracy", name)
            if name in model.sets:
                why = figures.value(*at, "contexts_lost_by_reason")
                bounds = figures.cell(*at, "r", ends="bounds")
                rows.append(
                    (
                        told(model.name),
                        told(LABELS[name]),
                        contexts_of(figures, at),
                        told(listed(why) or "none lost"),
                        figures.cell(*at, "replies_lost", form="count"),
                        Cell(None, "r", bounds.low, bounds.high, reason=bounds.reason or bounds.unsure),
                    )
                )
    columns = ("model", "reports", "contexts", "lost for", "replies lost", "r could lie in")
    caption = "Contexts and replies lost, and where that could move r"
    return Table("lost", caption, columns, tuple(rows)) if rows else None


def _choices(figures: Figures) -> Table | None:
    rows = []
    for model in figures.result.models:
        for group in figures.result.groups:
            if group not in model.groups or group == "learned_by_others":
                continue
            at, fits = ("models", model.name, "choices", group), ("models", model.name, "fit_accuracy", group)
            found = model.groups[group]
            own = group == "learned"
            rows.append(
                (
                    told(model.name),
                    told(HEADERS[group]),
                    figures.cell(*at, "valid", of="planned"),
                    _share_of_a(found),
                    figures.cell(*at, "mean_intercept"),
                    figures.cell(*at, "biased_contexts", of="contexts"),
                    count((figures.value(*at, "statuses") or {}).get("separated", 0), figures.value(*at, "contexts")),
                    *(figures.cell(*fits, key, form="share") for key in ("with_intercept", "cross_validated")),
                    figures.cell(*at, "reliability"),
                    figures.cell("models", model.name, "agreement", form="share") if own else Cell(),
                    figures.cell("models", model.name, "learned_vs_target", "r") if own else Cell(),
                )
            )
    columns = (
        "model", "contexts", "valid choices", "A chosen", "log odds of A", "contexts with an A/B bias", "separated",
        "predicted", "cross-validated", "split-half reliability", "agree with targets", "r with targets",
    )  # fmt: skip
    note = (
        f"A context has an A/B bias where its intercept is more than {number(Z_LIMIT)} standard errors from zero; five "
        "in a hundred have by chance. The fits take it out of the weights. Predicted: the share of choices that the "
        "weights tell, in sample and of choices left out. The reliability says how consistent choices are."
    )
    return Table("choices", "How the choices were made", columns, tuple(rows), note) if rows else None


def _share_of_a(found: GroupResult) -> Cell:
    if found.fit is None:
        return share(None)
    chosen = [trials.choices for trials, _ in found.fit.parts]
    valid = sum(len(each) for each in chosen)
    return share(sum(int(each.sum()) for each in chosen) / valid if valid else None)


def _agents(figures: Figures) -> Table | None:
    rows = []
    seen: set[int] = set()
    for model in figures.result.models:
        for group, found in model.groups.items():
            if found.fit is None or id(found) in seen or group == "learned_by_others":
                continue
            seen.add(id(found))
            shares = _shares(found)
            for row in found.fit.agents.iter_rows(named=True):
                z, error = row["centred_intercept"], row["centred_intercept_error"]
                rows.append(
                    (
                        told(row["context"]),
                        told(model.name),
                        told(HEADERS[group]),
                        count(row["valid"], row["planned"]),
                        share(shares.get(row["context"])),
                        figure(None if z is None or not error else z / error),
                        share(row["accuracy"]),
                        told(row["status"]),
                    )
                )
    columns = ("context", "model", "contexts", "valid choices", "A chosen", "z of the A/B bias", "predicted", "status")
    caption = "Choices by context"
    return Table("choices-by-context", caption, columns, tuple(rows), sortable=True) if rows else None


def _shares(found: GroupResult) -> dict[str, float]:
    """Return for each context the share of valid choices that are A."""
    shares = {}
    for trials, _ in () if found.fit is None else found.fit.parts:
        for agent, (_, context) in enumerate(trials.keys):
            chosen = trials.choices[int(trials.offsets[agent]) : int(trials.offsets[agent + 1])]
            if len(chosen):
                shares[context] = float(chosen.mean())
    return shares


def _notes(ran: Ran | None) -> Iterator[str]:
    for each in () if ran is None else ran.status.stages:
        yield from _words(each)


def _words(each: StageStatus) -> Iterator[str]:
    account, name = each.account, each.account.stage.name
    if account.error is not None:
        yield f"{name}: stopped: {account.error}"
    for job in each.jobs:
        if job["error"] is not None:
            yield f"{name}: job {job['id']} {job['state']}: {job['error']}"
    for how, read in (("strictly", account.strict), ("leniently", account.lenient)):
        if read is not None and read.valid != each.counts.valid:
            setting = " (sampling.lenient = true in study.toml)" if how == "leniently" else ""
            yield f"{name}: read {how}{setting}, {read.valid:,} of {read.planned:,} would be valid."
