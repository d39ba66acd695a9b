"""The command that runs a study, and what it asks before it spends anything."""

from __future__ import annotations

import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from avowal.errors import InputError
from avowal.text import say, show_json

if TYPE_CHECKING:
    from avowal.provider import Client
    from avowal.study.place import Place
    from avowal.study.run import Options, Outcome

__all__ = ["run"]


@click.command()
@click.argument("study", type=click.Path(path_type=Path), metavar="STUDY")
@click.option("--provider", metavar="simulated|URL",
              help="Where requests go, in place of the file's. The simulated provider costs nothing.")  # fmt: skip
@click.option("--max-cost", type=click.FloatRange(0), metavar="USD",
              help="Stop before the study has cost more, in place of limits.spend.")  # fmt: skip
@click.option("--stage", "stages", multiple=True, metavar="S",
              help="Carry out only stages with this in their names; again for more.")  # fmt: skip
@click.option("--detach", is_flag=True, help="Submit jobs and batches and quit; a later run picks them up.")
@click.option("--ignore-shutdowns", "closed", is_flag=True,
              help="Ask for models even where a list says that they have shut down.")  # fmt: skip
@click.option("--yes", is_flag=True, help="Don't ask before the first paid request.")
@click.option("--prices", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="TOML file with prices that are laid over the built-in ones.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print how it ended as one JSON document.")
def run(
    study: Path,
    *,
    provider: str | None,
    max_cost: float | None,
    stages: tuple[str, ...],
    detach: bool,
    closed: bool,
    yes: bool,
    prices: Path | None,
    as_json: bool,
) -> int:
    """Run what is left of a study: train, decide, report; stop it whenever you like.

    Every request is on the disk before it is sent, every reply when it arrives: the same command goes on where the last
    one ended, however that was, and asks for nothing twice that has a reply.

    Example: avowal run mine --provider simulated
    """
    from avowal import prices as price_tables
    from avowal.progress import Volume, bar, volume
    from avowal.study.results import tabulate
    from avowal.study.run import Options
    from avowal.study.run import run as carry_out
    from avowal.study.watch import watching

    options = Options(
        provider=provider,
        max_cost=None if max_cost is None else Decimal(str(max_cost)),
        stages=stages,
        detach=detach,
        closed=closed,
        prices=price_tables.over(prices),
    )

    def confirm(place: Place, client: Client) -> None:
        if not yes:
            _confirm(place, client, options)

    with watching(quiet=volume() is Volume.QUIET) as watch:
        try:
            outcome = carry_out(study, options, watch=watch, confirm=confirm)
        except KeyboardInterrupt:
            watch.tell(f"avowal run {study} goes on from here")
            raise
    with bar("writing tables") as advance:
        tabulate(outcome.place, options.prices, progress=advance)
    if as_json:
        show_json(document(outcome))
    else:
        _tell(outcome, study)
    return 1 if outcome.stopped else 0


def document(outcome: Outcome) -> dict[str, Any]:
    """Return how a run ended as the JSON document that ``--json`` prints."""
    from avowal.study.results import TABLES

    return {
        "finished": list(outcome.finished),
        "stopped": outcome.stopped,
        "waiting": list(outcome.waiting),
        "spent": str(outcome.spent),
        "tables": str(outcome.place.folder / TABLES),
    }


def _confirm(place: Place, client: Client, options: Options) -> None:
    """Tell where requests go, and ask whether the study may be paid for where any are left."""
    requests, price = _left(place, options)
    key = "without a key" if client.keyless else f"with the key in {client.endpoint.key_env}"
    told = f"Requests go to {client.url}, {key}."
    if client.exposed:
        told += " This is plain http: anyone on the way can read the prompts and the key."
    if not requests:
        say(f"{told} Nothing is left to pay for.", err=True)
        return
    limit = place.study.limits.spend if options.max_cost is None else options.max_cost
    ends = (
        "no limit is set (--max-cost, limits.spend)" if limit is None else f"the limit for the study is ${limit:,.2f}"
    )
    say(f"{told} What is left will cost about ${price:,.2f}; {ends}.", err=True)
    if not sys.stdin.isatty():
        raise InputError.at("--yes, since nobody can be asked", "a run that is paid for", file=place.home)
    if not click.confirm("Go on?", err=True):
        say("Nothing was sent.", err=True)
        raise click.exceptions.Exit(1)


def _left(place: Place, options: Options) -> tuple[int, Decimal]:
    """Count the requests that are left of the stages asked for, lines to train on among them, and price them."""
    from avowal.prices import total
    from avowal.study.left import left
    from avowal.study.plan import plan, pricing

    table = pricing(place.study, free=False, prices=options.prices)
    # The plan takes nothing for free but what the run does: its address may be another one than the file's.
    elsewhere = replace(place.study, provider=replace(place.study.provider, base_url=place.endpoint))
    stages = plan(elsewhere, prices=table, replicates=0).stages
    known = left(place.folder, place.study, [(each.stage, each.item) for each in stages], table)
    asked = [
        each.item if known is None else known[each.stage.name]
        for each in stages
        if not options.stages or any(part in each.stage.name for part in options.stages)
    ]
    return sum(each.requests for each in asked), total(each.price for each in asked)


def _tell(outcome: Outcome, study: Path) -> None:
    from avowal.study.budget import LIMIT
    from avowal.study.results import TABLES

    many = len(outcome.finished)
    say(f"{many} stage{'' if many == 1 else 's'} done, ${outcome.spent:,.2f} spent in all.")
    again = f"avowal run {study}"
    limited = [name for name, reason in outcome.stopped.items() if reason.startswith(LIMIT)]
    for name, reason in outcome.stopped.items():
        if name not in limited:
            say(f"stopped: {name}: {reason}")
    if limited:
        say(f"{LIMIT} stopped {len(limited)} stage{'' if len(limited) == 1 else 's'}.")
    if outcome.stopped:
        more = ", with a higher --max-cost or limits.spend" if limited else ""
        say(f"{again} goes on from here{more}.")
    elif outcome.waiting:
        say(f"{len(outcome.waiting)} stages wait for the provider: {again} picks them up.")
    if not outcome.stopped and not outcome.waiting:
        say(f"Tables are in {outcome.place.folder / TABLES}; avowal analyze prints what they say.")
