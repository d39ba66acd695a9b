"""An analysis as one JSON document: a stable shape in which every null has its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from avowal import __version__
from avowal.account import Account
from avowal.accuracy import Accuracy, Gain, ends
from avowal.analysis.groups import GroupResult
from avowal.analysis.material import GAINS, SETS, native
from avowal.analysis.results import Analysis, ModelResult, SetResult
from avowal.jackknife import Combination

Json = dict[str, Any]

NO_TARGETS = "no file instilled_weights.csv"
OTHER_TARGETS = "no target weights for these contexts, or none that vary"
NATIVE_TARGETS = "native contexts have no target weights"
NO_CROSS = "no correlation with the weights of another model"
NO_CHOICES = "no choices to fit"
NO_REPORTS = "no file of reports"


class _Writer:
    """Collects the reasons of nulls, each under its JSON Pointer (RFC 6901)."""

    def __init__(self) -> None:
        self.reasons: dict[str, str] = {}

    def value(self, path: str, value: Any, reason: str) -> Any:
        """Return `value` as JSON has it, and keep the reason where there is none."""
        if value is None:
            self.reasons[path] = reason
        return list(value) if isinstance(value, tuple) else value

    def block(self, path: str, values: Mapping[str, Any], reasons: Mapping[str, str], default: str) -> Json:
        return {key: self.value(f"{path}/{key}", v, reasons.get(key, default)) for key, v in values.items()}


def document(result: Analysis) -> Json:
    """Write an analysis as a JSON document.

    Parameters
    ----------
    result
        The analysis.

    Returns
    -------
    dict
        Keys ``models``, ``gain``, ``differences``, ``account``, ``warnings``, ``reasons`` and ``settings``, described
        in the docs. A value that can't be computed is None, and ``reasons`` holds the reason under the value's
        JSON Pointer (RFC 6901).
    """
    writer = _Writer()
    return {
        "models": {model.name: _model(writer, model, result) for model in result.models},
        "gain": {name: _gain(writer, name, result) for name in _gain_names(result)},
        "differences": {
            name: [_difference(writer, f"/differences/{name}/{i}", *pair) for i, pair in enumerate(pairs)]
            for name, pairs in result.differences.items()
        },
        "account": {name: _account(account) for name, account in result.replies.items()},
        "warnings": result.warnings,
        "reasons": writer.reasons,
        "settings": {**asdict(result.settings), result.kind: result.source, "version": __version__},
    }


def _model(writer: _Writer, model: ModelResult, result: Analysis) -> Json:
    path = f"/models/{escaped(model.name)}"
    why = model.missing.get("learned") or (OTHER_TARGETS if result.targets else NO_TARGETS)
    learned = model.groups.get("learned")
    no_agreement = NO_CHOICES if learned is not None and learned.fit is None and result.targets else why
    return _again(writer, path, model, result) | {
        "learned_vs_target": {"r": writer.value(f"{path}/learned_vs_target/r", model.learned_vs_target, why)},
        "agreement": writer.value(f"{path}/agreement", model.agreement, no_agreement),
        "fit_accuracy": {
            group: _fit_accuracy(writer, f"{path}/fit_accuracy/{group}", model, group) for group in result.groups
        },
        "choices": {group: _choices(writer, f"{path}/choices/{group}", model, group) for group in result.groups},
        "accuracy": {name: _set(writer, f"{path}/accuracy/{name}", model, name, result) for name in result.sets},
    }


def _again(writer: _Writer, path: str, model: ModelResult, result: Analysis) -> Json:
    """Return what only studies have, whose models may decide again after introspection training."""
    if result.kind != "study":
        return {}
    told = {group: found.from_probabilities for group, found in model.groups.items()}
    unlike = "no weights before and after that vary"
    return {
        "kept": writer.block(f"{path}/kept", model.kept, {}, unlike),
        "from_probabilities": writer.block(f"{path}/from_probabilities", told, {}, "no probabilities recorded"),
    }


def _fit_accuracy(writer: _Writer, path: str, model: ModelResult, group: str) -> Json:
    found = model.groups.get(group)
    empty = dict.fromkeys(("with_intercept", "slopes_only", "cross_validated"))
    if found is None:
        return writer.block(path, empty, {}, model.missing.get(group, NO_CHOICES))
    reason = NO_CHOICES if found.fit is None else "the published weights have no intercept and no folds"
    return writer.block(path, asdict(found.fit_accuracy), {}, reason)


def _choices(writer: _Writer, path: str, model: ModelResult, group: str) -> Json:
    found = model.groups.get(group)
    if found is None or found.fit is None:
        keys = ("planned", "valid", "contexts", "statuses", "mean_intercept", "biased_contexts", "reliability")
        reason = model.missing.get(group, NO_CHOICES) if found is None else NO_CHOICES
        return writer.block(path, dict.fromkeys(keys), {}, reason)
    return writer.block(path, _choice_values(found), {}, "no estimated weights")


def _choice_values(found: GroupResult) -> Json:
    if found.fit is None:
        return {}
    account = found.fit.account
    statuses = found.fit.agents["status"].value_counts().sort("status")
    return {
        "planned": account.planned,
        "valid": account.valid,
        "contexts": len(found.contexts),
        "statuses": dict(statuses.iter_rows()),
        "mean_intercept": found.mean_intercept,
        "biased_contexts": found.biased,
        "reliability": found.reliability,
    }


def _set(writer: _Writer, path: str, model: ModelResult, name: str, result: Analysis) -> Json:
    found = model.sets.get(name)
    if found is None:
        keys = (*_SET_KEYS, *_EXTRA_KEYS)
        return writer.block(path, dict.fromkeys(keys), {}, model.missing.get(name, NO_REPORTS))
    group = model.groups[SETS[name][0]]
    is_native = native(SETS[name][0])
    no_r = found.accuracy.status
    no_ceiling = NO_CHOICES if group.fit is None else "no estimated weights"
    no_target = OTHER_TARGETS if no_r == "ok" else no_r
    reasons = {
        "slope": found.accuracy.slope.status,
        "interval": found.accuracy.slope.status,
        "cluster_interval": found.accuracy.cluster_status,
        "r_target": NATIVE_TARGETS if is_native else no_target if result.targets else NO_TARGETS,
        "crossed_r": _not_crossed(model, SETS[name][0], result) or (NO_CROSS if no_r == "ok" else no_r),
        "ceiling": no_ceiling,
        "corrected": no_ceiling if found.ceiling is None else no_r,
        "follows_pair": "no two replies with pairs that differ",
        "reliability": "no context with two replies",
        "sign_agreement": "no entries without zeros",
        "r_within": "no context with variation",
        "folds": "not crossed",
        "bootstrap_percentile": "no correlation to draw",
        "bootstrap_bca": "no correlation to draw" if found.bootstrap is None else found.bootstrap.bca.status,
    }
    block = writer.block(path, _set_values(found), reasons, no_r if no_r != "ok" else "no variation")
    if found.folds:
        block["folds"] = {fold: _fold(writer, f"{path}/folds/{fold}", a) for fold, a in found.folds.items()}
        for fold in SETS[name][1]:
            if fold not in found.folds:
                block["folds"][fold] = writer.value(f"{path}/folds/{fold}", None, model.missing.get(fold, NO_REPORTS))
    return block


def _not_crossed(model: ModelResult, group: str, result: Analysis) -> str | None:
    others = [other for other in result.models if other.name != model.name]
    if not others:
        return f"the {result.kind} holds one model"
    if not any(group in other.groups and other.groups[group].estimated for other in others):
        return f"no other model has {group} weights"
    return None


def _set_values(found: SetResult) -> Json:
    accuracy, beside = found.accuracy, found.beside
    replies, contexts = accuracy.replies, accuracy.context_account
    main = {
        "slope": accuracy.slope.estimate,
        "r": accuracy.r,
        "interval": accuracy.interval,
        "cluster_interval": accuracy.cluster_interval,
        "contexts": accuracy.contexts,
        "contexts_lost": contexts.lost,
        "replies": replies.valid,
        "replies_planned": replies.planned,
        "replies_lost": replies.lost,
        "r_target": beside.r_target,
        "r_without_extremes": beside.r_without_extremes,
        "r_in_range": beside.r_in_range,
        "r_within": beside.r_within,
        "sign_agreement": beside.sign_agreement,
        "top_agreement": beside.top_agreement,
        "ceiling": found.ceiling,
        "corrected": found.corrected,
        "crossed_r": beside.crossed_r,
        "bounds": found.bounds,
    }
    bootstrap = found.bootstrap
    extra = {
        "r_rescaled": beside.r_rescaled,
        "out_of_range": beside.out_of_range,
        "all_zero": beside.all_zero,
        "follows_pair": beside.follows_pair,
        "reliability": beside.reliability,
        "invalid": dict(replies.invalid),
        "failed": dict(replies.failed),
        "contexts_lost_by_reason": dict(contexts.invalid),
        "bootstrap_percentile": None
        if bootstrap is None
        else _pair(bootstrap.percentile.low, bootstrap.percentile.high),
        "bootstrap_bca": None if bootstrap is None else _pair(bootstrap.bca.low, bootstrap.bca.high),
        "folds": tuple(found.folds) or None,
    }
    return {**main, **extra}


_SET_KEYS = (
    "slope", "r", "interval", "cluster_interval", "contexts", "contexts_lost", "replies", "replies_planned",
    "replies_lost", "r_target", "r_without_extremes", "r_in_range", "r_within", "sign_agreement", "top_agreement",
    "ceiling", "corrected", "crossed_r", "bounds",
)  # fmt: skip
_EXTRA_KEYS = (
    "r_rescaled", "out_of_range", "all_zero", "follows_pair", "reliability", "invalid", "failed",
    "contexts_lost_by_reason", "bootstrap_percentile", "bootstrap_bca", "folds",
)  # fmt: skip


def _fold(writer: _Writer, path: str, fold: Accuracy) -> Json:
    values = {
        "slope": fold.slope.estimate,
        "r": fold.r,
        "interval": fold.interval,
        "cluster_interval": fold.cluster_interval,
        "contexts": fold.contexts,
        "contexts_lost": fold.context_account.lost,
        "replies": fold.replies.valid,
        "replies_planned": fold.replies.planned,
        "replies_lost": fold.replies.lost,
    }
    reasons = {"r": fold.status, "cluster_interval": fold.cluster_status}
    return writer.block(path, values, reasons, fold.slope.status)


def _gain_names(result: Analysis) -> tuple[str, ...]:
    """Return the gains that were looked for, and those of variants that were found."""
    asked = [name for name, sides in GAINS.items() if set(sides) <= set(result.sets)]
    return tuple(dict.fromkeys([*asked, *result.gains]))


def _gain(writer: _Writer, name: str, result: Analysis) -> Json:
    path, keys = f"/gain/{name}", ("estimate", "interval", "r", "cluster_interval", "common_contexts", "by_model")
    if name not in result.gains:
        sides = " and ".join(GAINS[name])
        return writer.block(path, dict.fromkeys(keys), {}, f"no model has both {sides}")
    gain, by_model = result.gains[name]
    block = _gain_values(writer, path, gain)
    block["by_model"] = {m: _gain_values(writer, f"{path}/by_model/{escaped(m)}", g) for m, g in by_model.items()}
    return block


def _gain_values(writer: _Writer, path: str, gain: Gain) -> Json:
    values = {
        "estimate": gain.contrast.estimate,
        "interval": ends(gain.contrast),
        "r": gain.cluster.estimate,
        "cluster_interval": ends(gain.cluster),
        "common_contexts": gain.common_contexts,
    }
    reasons = {"r": gain.cluster.status, "cluster_interval": gain.cluster.status}
    return writer.block(path, values, reasons, gain.contrast.status)


def _difference(writer: _Writer, path: str, one: str, other: str, found: Combination, common: int) -> Json:
    values = {
        "models": [one, other],
        "estimate": found.estimate,
        "cluster_interval": ends(found),
        "common_contexts": common,
    }
    return writer.block(path, values, {}, found.status)


def escaped(name: str) -> str:
    """Return a name as a part of a JSON Pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def _account(account: Account) -> Json:
    return {
        "planned": account.planned,
        "valid": account.valid,
        "lost": account.lost,
        "share_lost": account.share_lost,
        "invalid": dict(account.invalid),
        "failed": dict(account.failed),
    }


def _pair(low: float | None, high: float | None) -> Sequence[float] | None:
    return None if low is None or high is None else (low, high)
