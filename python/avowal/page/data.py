"""The page as data: every number and every word that it shows, before anything is rendered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from avowal import __version__
from avowal.page.accounts import Accounts, accounts
from avowal.page.course import course
from avowal.page.doubts import Doubts, doubts, multiverse
from avowal.page.figures import Figures
from avowal.page.headline import Headline, bars, headline, scatter
from avowal.page.methods import cite, methods
from avowal.page.money import Money, money
from avowal.page.panels import Panel, panels, weights
from avowal.page.provenance import Provenance, check_command, named, provenance
from avowal.page.sources import Source
from avowal.page.sweeps import Powered, powered
from avowal.page.tables import Table

__all__ = ["Page", "Results", "page"]

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Results:
    """What a page on choices and reports shows, and one on a sweep does not.

    Attributes
    ----------
    headline, doubts, accounts, money
        The sections of these names.
    scatter, bars, multiverse, course
        Rows of the figures.
    panels
        The contexts.
    weights
        All their numbers as one table.
    methods
        The paragraph to paste.
    simulated
        Whether the models were simulated by the package's own provider.
    """

    headline: Headline
    doubts: Doubts
    accounts: Accounts
    money: Money
    scatter: list[Row]
    bars: list[Row]
    multiverse: list[Row]
    course: list[Row]
    panels: tuple[Panel, ...]
    weights: Table
    methods: str
    simulated: bool


@dataclass(frozen=True, slots=True)
class Page:
    """A page of results.

    Attributes
    ----------
    kind, name, path
        Of its source.
    state
        In a sentence, how far it is and where its replies come from.
    results
        None for a sweep.
    powered
        The sweep over designs.
    provenance
        Where it all comes from.
    cite
        What to cite.
    """

    kind: str
    name: str
    path: str
    state: str
    results: Results | None
    powered: Powered
    provenance: Provenance
    cite: tuple[str, ...]

    @property
    def unfinished(self) -> bool:
        """Whether it is of a study that has stages to carry out."""
        return self.results is not None and any(row["state"] != "done" for row in self.results.course)

    @property
    def tables(self) -> tuple[Table, ...]:
        """Every table of the page but those of single contexts, in order."""
        return tuple(_tables(self))

    def to_dict(self) -> Row:
        """Return everything on the page for a JSON document."""
        found = self.results
        return {
            "avowal": __version__,
            "kind": self.kind,
            "name": self.name,
            "state": self.state,
            **({} if found is None else _results(found)),
            "sweep": {"sentence": self.powered.sentence, "notes": list(self.powered.notes)},
            "tables": {table.name: table.to_dict() for table in self.tables},
            "commands": [{"command": command, "makes": makes} for command, makes in self.provenance.commands],
            "cite": list(self.cite),
        }


def page(source: Source) -> Page:
    """Build a page.

    Parameters
    ----------
    source
        What it is made from.

    Returns
    -------
    Page
        The same for the same source: nothing in it depends on when it is made.
    """
    return Page(
        kind=source.kind,
        name=source.name,
        path=source.path,
        state=_state(source),
        results=_built(source),
        powered=powered(source.sweep),
        provenance=provenance(source),
        cite=cite(),
    )


def _built(source: Source) -> Results | None:
    if source.material is None or source.analysis is None:
        return None
    figures = Figures(source.material, source.analysis)
    shown = panels(figures, dict(source.examples))
    return Results(
        headline=headline(figures),
        doubts=doubts(figures, source.check, check_command(source)),
        accounts=accounts(figures, source.ran),
        money=money(source.ran),
        scatter=scatter(figures),
        bars=bars(figures),
        multiverse=multiverse(figures, source.check),
        course=course(figures, source.ran),
        panels=shown,
        weights=weights(shown),
        methods=methods(figures, source.ran),
        simulated=source.ran is not None and source.ran.simulated,
    )


def _state(source: Source) -> str:
    if source.ran is None:
        return "A sweep over designs." if source.kind == "sweep" else "A folder of the authors' files."
    status = source.ran.status
    states = [each.account.state for each in status.stages]
    done, again = states.count("finished"), f"avowal run {named(source)}"
    if status.endpoint is None:
        return f"A study that has not been run: none of its {len(states)} stages has begun; {again} begins."
    where = (
        "simulated models, no language model was asked" if source.ran.simulated else f"replies from {status.endpoint}"
    )
    if done == len(states):
        return f"A finished study of {len(states)} stages; {where}."
    goes_on = f"{status.holder} runs it now" if status.holder is not None else f"{again} goes on"
    return f"A study half way: {done} of {len(states)} stages finished; {where}; {goes_on}."


def _results(found: Results) -> Row:
    return {
        "headline": {
            "sentences": list(found.headline.sentences),
            "warnings": list(found.headline.warnings),
            "undrawn": list(found.headline.undrawn),
        },
        "remarks": list(found.doubts.remarks),
        "check": list(found.doubts.notes),
        "notes": list(found.accounts.notes),
        "cost": found.money.sentence,
        "figures": {
            "scatter": found.scatter,
            "accuracies": found.bars,
            "multiverse": found.multiverse,
            "diagram": found.course,
        },
        "contexts": [panel.to_dict() for panel in found.panels],
        "methods": found.methods,
    }


def _tables(its: Page) -> Iterator[Table]:
    found, origin = its.results, its.provenance
    asked: list[Table | None] = []
    if found is not None:
        its_doubts, its_accounts = found.doubts, found.accounts
        asked += [found.headline.accuracies, found.headline.missing]
        asked += [*its_doubts.beside, its_doubts.gains, its_doubts.folds, its_doubts.differences, *its_doubts.methods]
        asked += [its_accounts.stages, its_accounts.kinds, its_accounts.lost, its_accounts.choices]
        asked += [its_accounts.contexts, its_accounts.agents, found.weights, found.money.stages]
    asked += [its.powered.table, origin.versions, origin.settings, origin.files, origin.models, origin.answered]
    yield from (table for table in asked if table is not None)
