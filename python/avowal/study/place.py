"""The place of a run: the folder that it works in, and the provider that it works with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from avowal.errors import InputError
from avowal.provider import Endpoint
from avowal.study.config import StudyFile, read
from avowal.study.store import Store

__all__ = ["SIMULATED", "Place", "place", "serving"]

SIMULATED = "simulated"
"""The word that stands for the provider that comes with the package."""

DRY_RUN = "simulated-run"
"""The folder, in a study's, of a run on the simulated provider where the study's file names another one."""

STATE = "simulated"
"""The folder of the simulated provider's own memory: files, jobs, batches and its log of requests."""

KEY_ENV = "AVOWAL_SIMULATED_KEY"
"""The variable that the simulated provider's key would come from; it needs none, and gets nobody else's."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a study runs.

    Attributes
    ----------
    home
        The folder with the study's file.
    folder
        The folder of its database, tables and training files.
    study
        As its file asks for it.
    endpoint
        ``simulated`` or the provider's address; part of the name of every request.
    """

    home: Path
    folder: Path
    study: StudyFile
    endpoint: str

    @property
    def simulated(self) -> bool:
        """Whether the provider is the one that comes with the package."""
        return self.endpoint == SIMULATED

    @property
    def free(self) -> bool:
        """Whether nothing is paid: the simulated provider, and servers on this machine."""
        return self.simulated or Endpoint(self.endpoint).local


def place(home: str | Path, provider: str | None = None) -> Place:
    """Find where a study runs.

    Parameters
    ----------
    home
        The folder with the study's file.
    provider
        ``simulated`` or an address, in place of the file's. On the simulated provider the run has a folder of its own
        within the study's, unless the file names it too: its replies aren't the study's.

    Returns
    -------
    Place

    Raises
    ------
    InputError
        Where the file or the address is bad.
    """
    study = read(home)
    # The address is part of every request's name: one that is written otherwise must not make others of them.
    asked, own = (_plain(each) for each in (provider or study.provider.base_url, study.provider.base_url))
    if asked != SIMULATED:
        Endpoint(asked)
    dry = asked == SIMULATED != own
    return Place(Path(home), Path(home) / DRY_RUN if dry else Path(home), study, asked)


def _plain(address: str) -> str:
    return address.strip().rstrip("/")


def bind(store: Store, found: Place) -> None:
    """Note which provider a database's replies come from, once there is anything from it.

    A new database gets a number of its own too, by which its jobs and batches are told from those of another study that
    asks the same.

    Raises
    ------
    InputError
        Where it holds another provider's.
    """
    held = store.fact("endpoint")
    tables = ("requests", "jobs", "batches")
    if held is None or not any(store.rows(f"select 1 from {table} limit 1") for table in tables):  # noqa: S608
        number = store.fact("number") or uuid4().hex
        store.note({"endpoint": found.endpoint, "study": found.study.name, "number": number})
    elif held != found.endpoint:
        expected = f"{held}, whose replies the study holds (for another provider, copy study.toml to a new folder)"
        raise InputError.at(expected, found.endpoint, file=store.path, field="provider")


@contextmanager
def serving(found: Place) -> Iterator[Endpoint]:
    """Give the provider of a run; the simulated one is started here and ends with it.

    Parameters
    ----------
    found
        Where the study runs.

    Yields
    ------
    Endpoint
    """
    if not found.simulated:
        yield Endpoint(found.endpoint, found.study.provider.key_env)
        return
    from avowal.calibrated import likeness
    from avowal.simulated import running

    study = found.study
    with running(
        seed=study.seed,
        models={base: likeness(base).settings for base in study.models.base},
        contexts=(*study.trained, *study.native),
        state=found.folder / STATE,
    ) as url:
        yield Endpoint(url, KEY_ENV)
