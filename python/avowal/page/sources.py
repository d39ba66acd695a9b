"""Sources: everything that a page is made from, read once from a study, a folder of the authors' files, or a sweep."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from avowal.analysis import Analysis, Material, Settings, analyze
from avowal.errors import InputError
from avowal.json_values import read_text

if TYPE_CHECKING:
    from avowal.page.examples import Example
    from avowal.prices import Prices
    from avowal.study.collect import Collected
    from avowal.study.place import Place
    from avowal.study.status import Status
    from avowal.sweep.power import Power

__all__ = ["Answered", "File", "Ran", "Source", "of_study", "read"]

SWEEP = "sweep"
"""The folder of a sweep, in a study's."""

Kind = Literal["study", "folder", "sweep"]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class File:
    """A file that the page's numbers come from: its name and the SHA-256 of its bytes."""

    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What one model answered: its name as the replies have it, how many they are, and when they came (since 1970)."""

    model: str
    replies: int
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class Ran:
    """What only a study has.

    Attributes
    ----------
    collected, status
        Its tables, and how far it is.
    answered
        By whom its replies say that they were written.
    simulated
        Whether by the provider that comes with the package.
    """

    collected: Collected
    status: Status
    answered: tuple[Answered, ...]
    simulated: bool


@dataclass(frozen=True, slots=True)
class Source:
    """What a page is made from.

    Attributes
    ----------
    kind
        ``study``, ``folder`` (of the authors' files) or ``sweep``.
    name, path
        Its name, and its folder as it was asked for.
    files
        What was read.
    material, analysis
        None for a sweep.
    ran
        None but for a study.
    examples
        By context, a prompt and what was answered.
    check
        The document of a check in Stan, and the file that it was read from.
    sweep
        A sweep over designs, or why there is none.
    options
        Of the command, so that the page can say how it was made.
    home
        The folder that the page belongs into: that of a study's run; None for the folders of others.
    """

    kind: Kind
    name: str
    path: str
    files: tuple[File, ...]
    material: Material | None = None
    analysis: Analysis | None = None
    ran: Ran | None = None
    examples: Mapping[str, tuple[Example, ...]] = field(default_factory=dict)
    check: Mapping[str, Any] | None = None
    sweep: Power | str = "none was kept"
    options: str = ""
    home: Path | None = None


def read(
    folder: str | Path,
    settings: Settings | None = None,
    *,
    provider: str | None = None,
    check: Path | None = None,
    prices: Prices | None = None,
    progress: Progress | None = None,
) -> Source:
    """Read a study, finished or not, a folder of the authors' files, or that of a sweep.

    Parameters
    ----------
    folder
        Its kind is told from its files.
    settings
        Of the analysis. For a study the replies planned are always its own.
    provider
        Of a study's run, if not its file's.
    check
        The document of ``avowal check --json``; by default a study's own last one.
    prices
        The built-in prices if None.
    progress
        Called with the steps done and the steps in all.

    Returns
    -------
    Source

    Raises
    ------
    InputError
        For a folder of no kind, or bad files in it.
    """
    from avowal.study.config import FILE
    from avowal.sweep.store import PLAN

    home, how = Path(folder), settings or Settings()
    if (home / FILE).exists():
        return _study(home, how, provider, check, prices, progress)
    for given, option in ((provider, "--provider"), (prices, "--prices")):
        if given is not None:
            raise InputError.at(f"a study, with a file {FILE}", "none", file=home, field=option)
    if (home / PLAN).exists():
        if check is not None:
            raise InputError.at("a study or a folder of the paper's files", "a sweep", file=home, field="--check")
        return _sweep(home)
    if not home.is_dir():
        raise InputError.at("the folder of a study, of the paper's files, or of a sweep", "no folder", file=home)
    return _folder(home, how, check, progress)


def of_study(
    here: Place,
    collected: Collected,
    found: Material,
    analysis: Analysis,
    *,
    provider: str | None = None,
    check: Path | None = None,
    prices: Prices | None = None,
) -> Source:
    """Take a study whose tables have been read and analysed already.

    Parameters
    ----------
    here
        Where it runs.
    collected, found, analysis
        Its tables, as material, and the analysis of that.
    provider, check, prices
        As for :func:`read`.

    Returns
    -------
    Source

    Raises
    ------
    InputError
        For a bad database, or a bad document of a check.
    """
    from avowal.page.examples import of_study as examples_of
    from avowal.study.config import FILE
    from avowal.study.results import CHECK, TABLES
    from avowal.study.status import status
    from avowal.study.store import FILE as DATABASE
    from avowal.study.store import Store

    with Store.reading(here.folder) as store:
        answered = () if store is None else _answered(store)
        examples = examples_of(store, collected)
    kept = here.folder / TABLES / CHECK
    return Source(
        kind="study",
        name=here.study.name,
        path=str(here.home),
        files=_files(here.home / FILE, *(here.folder / f"{DATABASE}{more}" for more in ("", "-wal"))),
        material=found,
        analysis=analysis,
        ran=Ran(collected, status(here, prices, collected), answered, here.simulated),
        examples=examples,
        check=_check(check if check is not None or not kept.exists() else kept),
        sweep=_kept_sweep(here),
        options="" if provider is None else f" --provider {shlex.quote(provider)}",
        home=here.folder,
    )


def _study(
    home: Path,
    settings: Settings,
    provider: str | None,
    check: Path | None,
    prices: Prices | None,
    progress: Progress | None,
) -> Source:
    from avowal.study.analysis import material
    from avowal.study.place import place
    from avowal.study.status import look

    here = place(home, provider)
    collected = look(here, prices)
    found = material(collected)
    analysis = analyze(found, replace(settings, replies=here.study.design.reports), progress=progress)
    return of_study(here, collected, found, analysis, provider=provider, check=check, prices=prices)


def _folder(home: Path, settings: Settings, check: Path | None, progress: Progress | None) -> Source:
    from avowal.page.examples import of_folder
    from avowal.published.files import SCENARIOS, TARGETS, find_models
    from avowal.published.read import read as read_files
    from avowal.published.replicate import material

    data = read_files(home)
    found = material(data, settings)
    used = [home / SCENARIOS, home / TARGETS]
    for model in find_models(home):
        used += [*model.choices.values(), *model.reports.values(), *model.weights.values()]
    return Source(
        kind="folder",
        name=home.resolve().name,
        path=str(home),
        files=_files(*used),
        material=found,
        analysis=analyze(found, settings, progress=progress),
        examples=of_folder(data),
        check=_check(check),
    )


def _sweep(home: Path) -> Source:
    from avowal.sweep.store import PLAN
    from avowal.sweep.stored import TABLE, stored

    return Source(
        kind="sweep",
        name=home.resolve().name,
        path=str(home),
        files=_files(home / PLAN, home / TABLE),
        sweep=stored(home),
    )


def _kept_sweep(here: Place) -> Power | str:
    from avowal.sweep.stored import stored

    folder = here.home / SWEEP
    if not folder.is_dir():
        return f"avowal power --out {folder} keeps one beside the study"
    try:
        return stored(folder)
    except InputError as error:
        # A sweep that is under way must not keep anybody from the study's results.
        return str(error)


def _files(*paths: Path) -> tuple[File, ...]:
    there = (path for path in paths if path.is_file() and path.stat().st_size)
    return tuple(File(path.name, sha256(path.read_bytes()).hexdigest()) for path in there)


def _check(path: Path | None) -> Mapping[str, Any] | None:
    """Read the document of a check; every part of it that the page shows must be there."""
    if path is None:
        return None
    try:
        held = json.loads(read_text(path))
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError.at("JSON", error, file=path) from None
    tables = ("weights", "accuracies", "gains", "joint")
    for key in (*tables, "warnings", "problems"):
        # A check that left the joint model out says so by a null.
        left_out = key == "joint" and isinstance(held, dict) and key in held and held[key] is None
        if not left_out and (not isinstance(held, dict) or not isinstance(held.get(key), list)):
            raise InputError.at("the document of avowal check --json, with this list", "none", file=path, field=key)
    if not isinstance(held.get("engine"), str):
        raise InputError.at("the name of a Stan engine", repr(held.get("engine")), file=path, field="engine")
    for key in tables:
        for row, each in enumerate(held[key] or (), 1):
            if not isinstance(each, dict):
                raise InputError.at("an object", repr(each), file=path, field=f"{key}, row {row}")
    document: dict[str, Any] = held
    return document


def _answered(store: Any) -> tuple[Answered, ...]:
    # A body that is no JSON names no model.
    query = (
        "select case when json_valid(replies.body) then json_extract(replies.body, '$.model') end as said, count(*),"
        " min(at), max(at) from replies where failure is null group by said order by min(at), said"
    )
    rows = store.rows(query)
    return tuple(Answered(str(said), many, first, last) for said, many, first, last in rows if said is not None)
