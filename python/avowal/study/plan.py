"""The plan of a study: what will be sent, what it will cost, and whether it is likely to show anything."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from avowal import prices as price_tables
from avowal.calibrated import likeness
from avowal.cost import Item, quote
from avowal.display import Shown
from avowal.errors import InputError
from avowal.prices import RATES, Entry, Mode, Prices
from avowal.provider import Endpoint
from avowal.study.config import StudyFile, read
from avowal.study.left import Left, left
from avowal.study.shutdowns import Offers, Shutdown, shutdown
from avowal.study.stages import Stage, stages
from avowal.study.training_checks import LEAST
from avowal.sweep.money import Pricing
from avowal.sweep.power import Power, power
from avowal.text import Table
from avowal.tokens import DEFAULT_ENCODING

__all__ = ["Plan", "Planned", "plan", "pricing"]

REPLICATES = 200
"""Studies simulated for the power of the design: an error of .03 at most, in about a second."""

ENOUGH = 0.8
"""The power below which a plan warns."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One stage with what it is billed for.

    Attributes
    ----------
    stage
        The stage.
    item
        Requests, tokens and price.
    """

    stage: Stage
    item: Item


@dataclass(frozen=True, slots=True)
class Plan(Shown):
    """What a study will do.

    Attributes
    ----------
    study
        As its file asks for it.
    stages
        In an order in which they can be carried out.
    shutdowns
        Of the base models, where their endpoint or the built-in list tells.
    power
        By base model, what a study of this size would show, by simulation; and whose behaviour was simulated.
    unasked
        Why the endpoint didn't tell; empty where it did, or wasn't asked.
    left
        By stage, what the runs so far have left; None where there was none.
    """

    study: StudyFile
    stages: tuple[Planned, ...]
    shutdowns: tuple[Shutdown, ...]
    power: dict[str, tuple[str, Power]]
    unasked: str = ""
    left: Mapping[str, Left] | None = None

    def _shown(self) -> Iterable[Table | str]:
        from avowal.study.printed import printed

        return printed(self, datetime.datetime.now(datetime.UTC).date())

    @property
    def price(self) -> Decimal:
        """US dollars for everything, exact."""
        return price_tables.total(each.item.price for each in self.stages)

    @property
    def price_left(self) -> Decimal:
        """US dollars for what is left; for everything where nothing has been run."""
        return self.price if self.left is None else price_tables.total(each.price for each in self.left.values())

    @property
    def requests_left(self) -> int:
        """Requests left, without the lines of training files."""
        asked = (each for each in self.stages if each.item.billing != "training")
        return sum(each.item.requests if self.left is None else self.left[each.stage.name].requests for each in asked)

    def warnings(self, today: datetime.date) -> list[str]:
        """Tell what should be known before the first paid request.

        Parameters
        ----------
        today
            The day of asking.

        Returns
        -------
        list of str
            One sentence or two each.
        """
        told = [_shutting(each, today) for each in self.shutdowns]
        if self.unasked:
            told.append(f"Shutdowns are looked up in the built-in list alone, since there is no answer: {self.unasked}")
        for base, (profile, found) in self.power.items():
            told += [
                f"{base}: power {row['power']:.2f} for {row['test']}, simulated as {profile}. "
                "avowal power says what size would be enough."
                for row in found.table.iter_rows(named=True)
                if row["power"] < ENOUGH
            ]
        told += self._short_files()
        if self.study.sampling.structured and self.price:
            told.append(
                "Structured output: providers may bill its schema with each report; the plan counts texts alone."
            )
        limit = self.study.limits.spend
        if limit is not None and self.price > Decimal(str(limit)):
            told.append(f"The plan costs ${self.price:,.2f}; the run will stop at limits.spend = {limit:g}.")
        return told

    def _short_files(self) -> list[str]:
        short = [each for each in self.stages if each.item.billing == "training" and each.item.requests < LEAST]
        if not short:
            return []
        more = f", and those of {len(short) - 1} further jobs" if len(short) > 1 else ""
        lines = short[0].item.requests
        return [
            f"The file of {short[0].stage.name!r} has {lines} lines{more}: a training file needs {LEAST}, so that the "
            "run would stop there. More trained contexts make it longer."
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return the plan for a JSON document; prices are texts, exact."""
        return {
            "name": self.study.name,
            "price": str(self.price),
            "left": None if self.left is None else {"requests": self.requests_left, "price": str(self.price_left)},
            "stages": [
                {
                    "stage": each.stage.name,
                    "base": each.stage.base,
                    "seed": each.stage.seed,
                    "role": each.stage.role,
                    "label": each.stage.label,
                    "dose": each.stage.dose,
                    "condition": each.stage.condition,
                    "wording": each.stage.wording,
                    "about": each.stage.about,
                    "kind": "train" if each.item.billing == "training" else each.stage.sends.kind,
                    "needs": list(each.stage.needs),
                    "billing": each.item.billing,
                    "requests": each.item.requests,
                    "input_tokens": each.item.input_tokens,
                    "output_tokens": each.item.output_tokens,
                    "price": str(each.item.price),
                    **_left_of(None if self.left is None else self.left[each.stage.name]),
                }
                for each in self.stages
            ],
            "shutdowns": [
                {"model": each.model, "day": each.day.isoformat(), "source": each.source} for each in self.shutdowns
            ],
            "power": {
                base: {"simulated_as": profile, "tests": found.table.to_dicts()}
                for base, (profile, found) in self.power.items()
            },
        }


def plan(
    study: StudyFile | str | Path,
    *,
    prices: Prices | None = None,
    replicates: int = REPLICATES,
    offers: Offers | None = None,
) -> Plan:
    """Plan a study: list its stages, price them, and simulate what it would show.

    Parameters
    ----------
    study
        A study's folder, whose database says what is left; or its file as read.
    prices
        The built-in prices if None; then the simulated provider costs nothing, nor does an endpoint on this machine.
    replicates
        Studies simulated for the power of the design; 0 for none.
    offers
        What the endpoint says of its models, as :func:`avowal.study.shutdowns.offers` asks it; nothing is sent here.

    Returns
    -------
    Plan

    Raises
    ------
    InputError
        For a bad file, a base model without a price, or a database of another version.
    """
    asked = study if isinstance(study, StudyFile) else read(study)
    simulated = asked.provider.base_url == "simulated"
    free = prices is None and (simulated or Endpoint(asked.provider.base_url).local)
    table = pricing(asked, free=free, prices=prices)
    listed = stages(asked)
    planned = []
    for base in asked.models.base:
        own = [each for each in listed if each.base == base]
        mode: Mode = "batch" if asked.provider.mode == "batch" else "sync"
        items = quote([each.sends for each in own], [base], seed=asked.seed, prices=table, mode=mode).items
        planned += [Planned(stage, item) for stage, item in zip(own, items, strict=True)]
    shutting = () if simulated else tuple(filter(None, (shutdown(base, offers) for base in asked.models.base)))
    found = _power(asked, replicates) if replicates else {}
    known = None
    if not isinstance(study, StudyFile):
        known = left(Path(study), asked, [(each.stage, each.item) for each in planned], table)
    return Plan(asked, tuple(planned), shutting, found, "" if offers is None else offers.problem, known)


def pricing(study: StudyFile, *, free: bool, prices: Prices | None = None) -> Prices:
    """Return the prices of a study's base models.

    Parameters
    ----------
    study
        Names them.
    free
        Whether nothing is paid; then even unknown models have a price.
    prices
        The built-in prices if None.

    Returns
    -------
    Prices

    Raises
    ------
    InputError
        Where a base model has no price.
    """
    table = _free(study.models.base) if free else prices or price_tables.builtin()
    for base in study.models.base:
        table.entry(base)
    return table


def _free(models: Iterable[str]) -> Prices:
    """Return prices of nothing, with the encodings of the models that the built-in table knows."""
    known = price_tables.builtin()
    entries = {}
    for model in models:
        try:
            encoding = known.encoding(model)
        except InputError:
            encoding = DEFAULT_ENCODING
        rates = dict.fromkeys(RATES, Decimal(0))
        entries[model] = Entry(model, datetime.date.min, "the simulated provider", rates, encoding)
    return Prices(entries)


def sizes(study: StudyFile) -> dict[str, int] | None:
    """Return the sizes of a study as :class:`avowal.quantities.Settings` has them.

    Parameters
    ----------
    study
        Any.

    Returns
    -------
    dict or None
        None where no simulation is like it: without training, or with contexts of several numbers of attributes.
    """
    counts = {len(context.attributes) for context in (*study.trained, *study.native)}
    if len(counts) > 1 or min(counts) < 2 or not study.trained:
        return None
    design = study.design
    return {
        "trained_agents": len(study.trained_by(study.models.base[0])),
        "native_agents": len(study.native),
        "attributes": counts.pop(),
        "trained_decisions": design.decisions,
        "native_decisions": design.native_decisions,
        "replies": design.reports,
    }


def _power(study: StudyFile, replicates: int) -> dict[str, tuple[str, Power]]:
    like = sizes(study)
    found: dict[str, tuple[str, Power]] = {}
    if like is None:
        return found
    for base in study.models.base:
        model = likeness(base)
        free = Pricing(seed=study.seed)
        simulated = power(base=model.settings.but(like), replicates=replicates, seed=study.seed, pricing=free)
        found[base] = (str(model.name), simulated)
    return found


def _left_of(found: Left | None) -> dict[str, Any]:
    """Return what a JSON document says of what is left of a stage."""
    if found is None:
        return {"state": None, "left": None}
    tokens = {"input_tokens": found.input_tokens, "output_tokens": found.output_tokens}
    return {"state": found.state, "left": {"requests": found.requests, **tokens, "price": str(found.price)}}


def _shutting(found: Shutdown, today: datetime.date) -> str:
    days = (found.day - today).days
    if days <= 0:
        return f"{found.model} shut down on {found.day} ({found.source})."
    return f"{found.model} shuts down on {found.day}, in {days} days ({found.source}); models tuned from it go with it."
