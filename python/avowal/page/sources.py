"""Sources: everything that a page is made from, read once from a study, a folder of the authors' files, or a sweep."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from avowal.analysis import Analysis, Material, Settings, analyze
from avowal.errors import InputError
from avowal.page.checks import read_check

if TYPE_CHECKING:
    from avowal.page.examples import Example
    from avowal.prices import Prices
    from avowal.study.collect import Collected
    from avowal.study.place import Place
    from avowal.study.status import Status
    from avowal.study.store import Store
    from avowal.sweep.power import Power

__all__ = ["Answered", "File", "Given", "Ran", "Source", "kind_of", "of_study", "read"]

SWEEP = "sweep"
"""The folder of a sweep, in a study's."""

Kind = Literal["study", "folder", "sweep"]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Given:
    """What a command was given beside its folder, and the commands on the page are given as well.

    Attributes
    ----------
    provider
        Of a study's run, if not its file's.
    prices
        A file of prices over the built-in ones.
    check
        The document of ``avowal check --json``; by default a study's own last one.
    """

    provider: str | None = None
    prices: Path | None = None
    check: Path | None = None

    def options(self, *names: str) -> str:
        """Return those that were given, of these names, as a command takes them."""
        held = {name: getattr(self, name) for name in names}
        return "".join(f" --{name} {shlex.quote(str(value))}" for name, value in held.items() if value is not None)


@dataclass(frozen=True, slots=True)
class File:
    """A file that the page's numbers come from: its name and the SHA-256 of its bytes; None while a run writes it."""

    name: str
    digest: str | None


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
    given
        To the command, so that the page can say how it was made.
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
    given: Given = Given()
    home: Path | None = None


def kind_of(folder: str | Path) -> Kind:
    """Tell from a folder's files what it is.

    Raises
    ------
    InputError
        Where there is no such folder.
    """
    from avowal.study.config import FILE
    from avowal.sweep.store import PLAN

    home = Path(folder)
    if not home.is_dir():
        found = f"a file; give {home.parent}" if home.name == FILE and home.exists() else "no folder"
        raise InputError.at("the folder of a study, of the paper's files, or of a sweep", found, file=home)
    return "study" if (home / FILE).exists() else "sweep" if (home / PLAN).exists() else "folder"


def read(
    folder: str | Path,
    settings: Settings | None = None,
    given: Given | None = None,
    *,
    progress: Progress | None = None,
) -> Source:
    """Read a study, finished or not, a folder of the authors' files, or that of a sweep.

    Parameters
    ----------
    folder
        Its kind is told from its files.
    settings
        Of the analysis. For a study the replies planned are always its own.
    given
        What else the command was given.
    progress
        Called with the steps done and the steps in all.

    Returns
    -------
    Source

    Raises
    ------
    InputError
        For a folder of no kind, or bad files in it, or what was given for one of another kind.
    """
    from avowal.study.config import FILE

    home, how, more, kind = Path(folder), settings or Settings(), given or Given(), kind_of(folder)
    if kind == "study":
        return _study(home, how, more, progress)
    for name in ("provider", "prices"):
        if more.options(name):
            raise InputError.at(f"a study, with a file {FILE}", "none", file=home, field=f"--{name}")
    if kind == "folder":
        return _folder(home, how, more, progress)
    if more.check is not None:
        raise InputError.at("a study or a folder of the paper's files", "a sweep", file=home, field="--check")
    return _sweep(home)


def of_study(here: Place, collected: Collected, found: Material, analysis: Analysis) -> Source:
    """Take a study whose tables have been read and analysed already, and that nobody runs.

    Parameters
    ----------
    here
        Where it runs.
    collected, found, analysis
        Its tables, as material, and the analysis of that.

    Returns
    -------
    Source

    Raises
    ------
    InputError
        For a bad database, or a bad document of a check.
    """
    from avowal.study.store import Store

    with Store.reading(here.folder) as store:
        return replace(_read(store, here, collected, Given()), material=found, analysis=analysis)


def _study(home: Path, settings: Settings, given: Given, progress: Progress | None) -> Source:
    from avowal import prices as price_tables
    from avowal.study.analysis import material
    from avowal.study.collect import collect
    from avowal.study.place import place
    from avowal.study.store import Store

    here, prices = place(home, given.provider), price_tables.over(given.prices)
    # All that the page says of a study is of one moment, however long the analysis takes.
    with Store.reading(here.folder) as store, nullcontext() if store is None else store.snapshot():
        collected = collect(store, here.study, prices=prices)
        source = _read(store, here, collected, given, prices)
    found = material(collected)
    analysis = analyze(found, replace(settings, replies=here.study.design.reports), progress=progress)
    return replace(source, material=found, analysis=analysis)


def _read(store: Store | None, here: Place, collected: Collected, given: Given, prices: Prices | None = None) -> Source:
    """Read everything of a study but its analysis."""
    from avowal.page.examples import of_study as examples_of
    from avowal.study.config import FILE
    from avowal.study.results import CHECK, TABLES
    from avowal.study.status import status_of
    from avowal.study.store import FILE as DATABASE

    status = status_of(store, here, collected, prices)
    kept = here.folder / TABLES / CHECK
    database = [here.folder / f"{DATABASE}{more}" for more in ("", "-wal")]
    return Source(
        kind="study",
        name=here.study.name,
        path=str(here.home),
        files=(*_files(here.home / FILE), *_files(*database, written=status.holder is not None)),
        ran=Ran(collected, status, () if store is None else _answered(store), here.simulated),
        examples=examples_of(store, collected),
        check=read_check(given.check if given.check is not None or not kept.exists() else kept),
        sweep=_kept_sweep(here),
        given=given,
        home=here.folder,
    )


def _folder(home: Path, settings: Settings, given: Given, progress: Progress | None) -> Source:
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
        check=read_check(given.check),
        given=given,
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
    from avowal.study.plan import sizes
    from avowal.sweep.stored import stored

    folder = here.home / SWEEP
    if not folder.is_dir():
        like = sizes(here.study)
        if like is None:
            return "no simulation is like this study"
        held = " ".join(f"{name}={value}" for name, value in like.items())
        kept = shlex.quote(str(folder))
        return f"avowal power {held} --out {kept} simulates studies of this size and keeps them beside this one"
    try:
        return stored(folder)
    except InputError as error:
        # A sweep that is under way must not keep anybody from the study's results.
        return str(error)


def _files(*paths: Path, written: bool = False) -> tuple[File, ...]:
    found = []
    for path in paths:
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            continue
        if content:
            found.append(File(path.name, None if written else sha256(content).hexdigest()))
    return tuple(found)


def _answered(store: Store) -> tuple[Answered, ...]:
    # A body that is no JSON names no model.
    query = (
        "select case when json_valid(replies.body) then json_extract(replies.body, '$.model') end as said, count(*),"
        " min(at), max(at) from replies where failure is null group by said order by min(at), said"
    )
    rows = store.rows(query)
    return tuple(Answered(str(said), many, first, last) for said, many, first, last in rows if said is not None)
