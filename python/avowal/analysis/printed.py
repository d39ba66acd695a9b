"""An analysis on the terminal: the paper's tables, and what stands beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from avowal.accuracy import Gain, ends
from avowal.analysis.groups import GroupResult
from avowal.analysis.material import HEADERS, LABELS, NOT_ASKED, SETS
from avowal.analysis.results import Analysis, ModelResult, SetResult
from avowal.text import NONE, Table, estimate, interval, number, percent, table

PAPERS_CHANGE = 0.06
"""The paper (Appendix D): without the ±100 entries no correlation changed by more than this."""

FOLDS = {"introspection_first": "trained on the first fold", "introspection_last": "trained on the second fold"}

PAPERS, BEYOND = tuple(SETS)[:5], tuple(SETS)[5:]

Row = list[str]


def printed(result: Analysis) -> Iterator[Table | str]:
    """Lay an analysis out as tables and lines of text.

    Parameters
    ----------
    result
        The analysis.

    Yields
    ------
    Table or str
        In reading order.
    """
    ours = result.settings.weights == "fitted"
    which = "our fits of the choices" if ours else "the authors' published weights"
    yield f"{result.source}: weights are {which}, {100 * result.settings.level:g}% intervals\n"
    for model in result.models:
        if model.groups:
            yield _choices(model)
    for model in result.models:
        # The paper's accuracies fill a terminal; what a study has beyond them stands in a table of its own.
        for names, what in ((PAPERS, "accuracy of reports"), (BEYOND, "accuracy of reports, beyond the paper's")):
            sets = {name: model.sets[name] for name in names if name in model.sets}
            if sets:
                yield _accuracies(f"{model.name}: {what}", sets)
    for warning in result.warnings:
        yield f"warning: {warning}"
    yield _reading(result)
    for built in (_gains(result), _folds(result), _differences(result)):
        if built is not None:
            yield built
    yield from _notes(result)


def _choices(model: ModelResult) -> Table:
    targets = {"learned": [number(model.learned_vs_target), percent(model.agreement)]}
    groups = {group: found for group, found in model.groups.items() if group != "learned_by_others"}
    columns = [targets.get(group, [NONE, NONE]) + _group_cells(found) for group, found in groups.items()]
    rows = [
        "r with target weights",
        "agreement with targets",
        "predicted, with intercept",
        "predicted, slopes alone",
        "predicted, cross-validated",
        "contexts with an A/B bias",
        "contexts separated",
        "split-half reliability",
        "valid choices",
    ]
    if model.kept:
        rows.append("r with weights before")
        columns = [[*cells, number(model.kept.get(group))] for group, cells in zip(groups, columns, strict=True)]
    told = [found.from_probabilities for found in groups.values()]
    if any(each is not None for each in told):
        rows.append("r with weights from probabilities")
        columns = [[*cells, number(each)] for each, cells in zip(told, columns, strict=True)]
    headers = [HEADERS[group] for group in groups]
    return table(f"{model.name}: choices", ["contexts", *headers], _across(rows, columns))


def _across(labels: Row, columns: list[Row]) -> list[Row]:
    return [[label, *cells] for label, *cells in zip(labels, *columns, strict=True)]


def _group_cells(found: GroupResult) -> Row:
    fits = found.fit_accuracy
    shares = [percent(fits.with_intercept), percent(fits.slopes_only), percent(fits.cross_validated)]
    if found.fit is None:
        return [*shares, *[NONE] * 4]
    statuses, account = found.fit.agents["status"].to_list(), found.fit.account
    return [
        *shares,
        f"{found.biased} of {len(statuses)}",
        f"{statuses.count('separated')} of {len(statuses)}",
        number(found.reliability),
        f"{account.valid} of {account.planned}",
    ]


def _accuracies(title: str, sets: Mapping[str, SetResult]) -> Table:
    columns = [_set_cells(found) for found in sets.values()]
    rows = [
        "slope (the paper's)",
        "r [by context]",
        "  context bootstrap",
        "contexts",
        "replies",
        "other model's weights",
        "target weights",
        "noise ceiling",
        "r / ceiling",
        "reports' reliability",
        "follows the pair",
        "bounds with lost replies",
        "without ±100",
        "without odd replies",
        "  beyond ±100",
        "  all zero",
        "rescaled per context",
        "within contexts",
        "same sign",
        "same top attribute",
    ]
    headers = [LABELS[name] for name in sets]
    return table(title, ["reports", *headers], _across(rows, columns))


def _set_cells(found: SetResult) -> Row:
    accuracy, beside, boot = found.accuracy, found.beside, found.bootstrap
    drawn = None
    if boot is not None and boot.percentile.low is not None and boot.percentile.high is not None:
        drawn = (boot.percentile.low, boot.percentile.high)
    return [
        estimate(accuracy.slope.estimate, accuracy.interval),
        estimate(accuracy.r, accuracy.cluster_interval),
        interval(drawn),
        f"{accuracy.contexts} of {accuracy.context_account.planned}",
        f"{accuracy.replies.valid} of {accuracy.replies.planned}",
        number(beside.crossed_r),
        number(beside.r_target),
        number(found.ceiling),
        number(found.corrected),
        number(beside.reliability),
        number(beside.follows_pair),
        interval(found.bounds),
        number(beside.r_without_extremes),
        number(beside.r_in_range),
        str(beside.out_of_range),
        str(beside.all_zero),
        number(beside.r_rescaled),
        number(beside.r_within),
        percent(beside.sign_agreement),
        percent(beside.top_agreement),
    ]


def _reading(result: Analysis) -> str:
    pairs = [
        (found.accuracy.r, found.beside.r_without_extremes) for model in result.models for found in model.sets.values()
    ]
    changes = [abs(r - without) for r, without in pairs if r is not None and without is not None]
    beyond = sum(change > PAPERS_CHANGE for change in changes)
    without = (
        f" Without the entries whose weight rounds to ±100, {beyond} of {len(changes)} correlations change by more "
        f"than {number(PAPERS_CHANGE)}; the paper says that none did."
    )
    return (
        "The slope is of standardised weights on standardised reports, with the interval of that regression; the "
        "interval by context deletes one context at a time. The context bootstrap covers .93 where it says .95. "
        "Introspection-trained models are asked about held-out contexts only. Odd replies (beyond ±100, or all zero) "
        f"stay in r, as the authors kept them.{without if changes else ''}\n"
    )


def _gains(result: Analysis) -> Table | None:
    rows = []
    for name, (gain, by_model) in result.gains.items():
        named = [*by_model.items(), *([("mean of the models", gain)] if len(by_model) > 1 else [])]
        rows += [
            _gain_row(name.replace("instilled", "trained").replace("_own", ", own weights"), label, each)
            for label, each in named
        ]
    return (
        table(
            "Effect of introspection training",
            ["weights", "model", "slope gain (the paper's)", "r gain [by context]", "common contexts"],
            rows,
        )
        if rows
        else None
    )


def _gain_row(name: str, label: str, gain: Gain) -> Row:
    return [
        name,
        label,
        estimate(gain.contrast.estimate, ends(gain.contrast)),
        estimate(gain.cluster.estimate, ends(gain.cluster)),
        str(gain.common_contexts),
    ]


def _folds(result: Analysis) -> Table | None:
    rows = [
        [
            FOLDS[fold] + (", own weights" if name.endswith("_own") else ""),
            model.name,
            estimate(accuracy.slope.estimate, accuracy.interval),
            estimate(accuracy.r, accuracy.cluster_interval),
            f"{accuracy.contexts} of {accuracy.context_account.planned}",
        ]
        for model in result.models
        for name, found in model.sets.items()
        for fold, accuracy in found.folds.items()
    ]
    columns = ["fold", "model", "slope (the paper's)", "r [by context]", "contexts"]
    return table("Each fold by itself", columns, rows) if rows else None


def _differences(result: Analysis) -> Table | None:
    rows = [
        [LABELS[name], f"{one} - {other}", estimate(found.estimate, ends(found)), str(common)]
        for name, pairs in result.differences.items()
        for one, other, found, common in pairs
    ]
    columns = ["reports", "models", "difference of r [by context]", "common contexts"]
    return table("Differences between models", columns, rows) if rows else None


def _notes(result: Analysis) -> Iterator[str]:
    for name, account in result.replies.items():
        if account.planned:
            lost = percent(account.share_lost, 2)
            yield f"{name}: {account.valid} of {account.planned} replies valid, {account.lost} lost ({lost})"
    for model in result.models:
        # What a study never asks for is missed by nobody.
        for what, reason in model.missing.items():
            if reason == NOT_ASKED:
                continue
            yield f"not computed for {model.name}: {LABELS.get(what, FOLDS.get(what, what))}: {reason}"
