"""Provenance: by what, from what and how the page's numbers were made, so that anybody can make them again."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from avowal import __version__, _core
from avowal.page.accounts import short
from avowal.page.sources import File, Ran, Source
from avowal.page.tables import Cell, Table, count, figure, told

__all__ = ["Provenance", "check_command", "named", "provenance"]


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the numbers come from.

    Attributes
    ----------
    versions, settings, files
        What computed them, how, and from what.
    models
        Tuned models by the stage that trained them; None but for studies.
    answered
        Models as the replies name them, with dates; None but for studies.
    commands
        Command lines, each with what it makes.
    """

    versions: Table
    settings: Table
    files: Table
    models: Table | None
    answered: Table | None
    commands: tuple[tuple[str, str], ...]


def provenance(source: Source) -> Provenance:
    """Tell where the numbers come from.

    Parameters
    ----------
    source
        What the page is made from.

    Returns
    -------
    Provenance
    """
    ran = source.ran
    return Provenance(
        versions=_table("versions", "Versions", ("what", "version"), _versions()),
        settings=_table("settings", "Settings and seeds", ("setting", "value"), list(_settings(source))),
        files=_table(
            "files", "Files", ("file", "SHA-256"), [(told(each.name), _digest(each)) for each in source.files]
        ),
        models=None if ran is None else _models(ran),
        answered=None if ran is None else _answered(ran),
        commands=tuple(_commands(source)),
    )


def check_command(source: Source) -> str:
    """Return the command that asks Stan about what the page is made from."""
    return f"avowal check {named(source)}" + (" --json > check.json" if source.kind == "folder" else "")


def named(source: Source) -> str:
    """Return a source as commands take it."""
    return f"{shlex.quote(source.path)}{source.given.options('provider')}"


def _digest(file: File) -> Cell:
    return Cell(reason="a run writes it now") if file.digest is None else told(file.digest)


def _table(name: str, caption: str, columns: tuple[str, ...], rows: Sequence[tuple[Cell, ...]]) -> Table:
    return Table(name, caption, columns, tuple(rows))


def _versions() -> list[tuple[Cell, ...]]:
    found = {
        "avowal": __version__,
        "engine (Rust)": _core.__version__,
        "Python": platform.python_version(),
        "polars": version("polars"),
        "numpy": version("numpy"),
    }
    return [(told(name), told(each)) for name, each in found.items()]


def _settings(source: Source) -> Iterator[tuple[Cell, ...]]:
    if source.analysis is not None:
        settings = source.analysis.settings
        yield told("weights"), told(settings.weights)
        yield told("level of the intervals"), figure(settings.level, "plain")
        yield told("seed of the analysis"), count(settings.seed)
        yield told("draws behind the noise ceiling"), count(settings.draws)
        yield told("replicates of the context bootstrap"), count(settings.resamples)
        yield told("replies planned for each context and set"), count(settings.replies)
        yield told("share of losses that warns"), figure(settings.threshold, "share")
    if source.ran is not None:
        yield from _study(source.ran)
    if not isinstance(source.sweep, str):
        sweep = source.sweep.sweep
        yield told("seed of the sweep"), count(sweep.seed)
        yield told("studies simulated of each design"), count(sweep.replicates)


def _study(ran: Ran) -> Iterator[tuple[Cell, ...]]:
    study = ran.collected.study
    endpoint = ran.status.endpoint or f"{study.provider.base_url}, nothing sent yet"
    yield told("seed of the study"), count(study.seed)
    yield told("training seeds"), told(", ".join(map(str, study.training.seeds)))
    yield told("provider"), told(endpoint)
    yield told("requests"), told("in batches" if study.provider.mode == "batch" else "one by one")
    yield told("temperature"), figure(study.sampling.temperature, "plain")
    yield told("reading of reports"), told("lenient" if study.sampling.lenient else "strict")
    yield told("order of options"), told(study.design.order)
    training = study.training
    for name, value in (
        ("epochs", training.epochs),
        ("learning-rate multiplier", training.learning_rate_multiplier),
        ("batch size, weight training", training.batch_size),
        ("batch size, introspection training", training.introspection_batch_size),
    ):
        if study.trained:
            yield told(name), told("auto") if value is None else figure(value, "plain")


def _models(ran: Ran) -> Table | None:
    jobs: dict[str, list[dict[str, Any]]] = {}
    for job in ran.collected.tables["jobs"].iter_rows(named=True):
        jobs.setdefault(job["stage"], []).append(job)
    rows = [
        (
            told(each.account.stage.base),
            told(short(each.account.stage)),
            told(job["tuned"] or job["state"]),
            told(_day(each.account.began)),
            told(_day(each.account.ended)),
        )
        for each in ran.status.stages
        for job in jobs.get(each.account.stage.name, ())
    ]
    return (
        _table("models", "Trained models", ("base model", "trained by", "model", "began", "ended"), rows)
        if rows
        else None
    )


def _answered(ran: Ran) -> Table | None:
    rows = [
        (told(each.model), count(each.replies), told(_day(each.first)), told(_day(each.last))) for each in ran.answered
    ]
    columns = ("model, as its replies name it", "replies", "first", "last")
    return _table("answered", "Models that answered", columns, rows) if rows else None


def _day(moment: float | None) -> str:
    return "" if moment is None else datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d")


def _commands(source: Source) -> Iterator[tuple[str, str]]:
    where = named(source)
    if source.analysis is None:
        yield f"avowal report {where}", "this page"
        return
    settings, prices = source.analysis.settings, source.given.options("prices")
    how = f" --level {settings.level!r} --resamples {settings.resamples} --seed {settings.seed}"
    if source.kind == "study":
        yield f"avowal run {where}{prices}", "what the study still lacks; it asks for nothing twice"
        yield f"avowal analyze {where}{how}{prices} --json", "every figure of the accuracies"
        yield f"avowal status {where}{prices} --json", "the account of every stage, and its cost"
        yield f"avowal check {where}", "Stan's answer beside them"
    else:
        how = f" --weights {settings.weights} --replies {settings.replies}{how}"
        yield f"avowal replicate {where}{how} --json", "every figure of the accuracies"
        yield f"avowal check {where} --json > check.json", "Stan's answer, for --check check.json"
    more = how + source.given.options("prices", "check")
    yield f"avowal report {where}{more}", "this page"
    yield f"avowal report {where}{more} --json", "everything on it as one document"
