"""The command on power: sweeps over designs, single replicates of them, and the way to what may be solved for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from avowal.errors import InputError
from avowal.text import say, show, show_json, table, width

if TYPE_CHECKING:
    from avowal.sweep.power import Power, Sweep
    from avowal.sweep.run import Executor

_HELP = """Simulate the study over a grid of designs, and say what each would show, and at what price.

DESIGN is any number of NAME=VALUE, NAME=VALUE,VALUE,... or NAME=FIRST:LAST:STEP. NAME is a parameter of the simulation
(--parameters lists them), or agents, decisions, reports, fidelity and the like for all groups or sets at once; model
(gpt-4o, gpt-4o-mini, or a file of settings); pairs (uniform, d-optimal).

A test is ESTIMAND>NUMBER or ESTIMAND<NUMBER, in quotes. Estimands are accuracy.SET, with SET off_the_shelf,
weight_trained (accuracy alone), introspection_trained, native_before or native_after; gain.instilled (gain),
gain.native, learned_target, over_baseline. A study passes it if its whole interval does.

Every replicate is kept in the folder of --out; the same command goes on where it was interrupted.

\b
Examples:
  avowal power agents=25,50,100 reports=5,10 --test 'accuracy>0.3'
  avowal power model=gpt-4o-mini agents=20:120:20 --test gain --replicates 4000
  avowal power reports=5 --solve 'accuracy>=0.9' --for agents --test 'accuracy>0.3'
"""


@click.command(help=_HELP, short_help="Power, precision and price of designs, by simulation.")
@click.argument("design", nargs=-1, metavar="[DESIGN]...")
@click.option("--test", "tests", multiple=True, metavar="CLAIM",
              help="What the study is to show; may be given several times.  [default: accuracy, both gains and "
              "over_baseline above 0]")  # fmt: skip
@click.option("--replicates", type=click.IntRange(1), default=1000, show_default=True,
              help="Studies simulated of each design.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), default=1, show_default=True,
              help="Seed of everything drawn.")  # fmt: skip
@click.option("--level", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.95, show_default=True,
              help="Level of the studies' intervals.")  # fmt: skip
@click.option("--interval", type=click.Choice(["contexts", "regression"]), default="contexts", show_default=True,
              help="r with its interval by contexts, or the paper's slope and interval.")  # fmt: skip
@click.option("--threads", type=click.IntRange(0), default=0, help="Threads; 0 for one per core.")
@click.option("--scheduler", metavar="ADDRESS",
              help="Simulate on the workers of this Dask scheduler, such as tcp://10.0.0.7:8786, instead.")  # fmt: skip
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("power"), show_default=True,
              help="Folder that keeps replicates, tables and charts.")  # fmt: skip
@click.option("--x", "across", metavar="NAME",
              help="The parameter across the chart of power.  [default: the first one of numbers]")  # fmt: skip
@click.option("--charts/--no-charts", default=True, help="Draw charts in the folder of --out, or don't.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of a table.")
@click.option("--price-model", metavar="MODEL", help="Price all cells as this base model.")
@click.option("--prices", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="TOML file with prices that are laid over the built-in ones.")  # fmt: skip
@click.option("--batch", is_flag=True, help="Price queries as batches.")
@click.option("--training", type=click.IntRange(1), default=50, show_default=True,
              help="Lines of weight training for each trained context, for the price.")  # fmt: skip
@click.option("--epochs", type=click.IntRange(1), default=3, show_default=True,
              help="Epochs of each training job, for the price.")  # fmt: skip
@click.option("--contexts", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="Contexts to price instead of the built-in ones; those of use native are not trained.")  # fmt: skip
@click.option("--solve", metavar="TARGET",
              help="Find the smallest --for that has a power, such as 'accuracy>=0.9', in one design.")  # fmt: skip
@click.option("--for", "for_", metavar="NAME",
              help="With --solve: agents, decisions, reports, or one of their parts.")  # fmt: skip
@click.option("--limit", type=click.IntRange(2), help="With --solve: the largest number to try.  [default: 16 times "
              "the design's, at least 100]")  # fmt: skip
@click.option("--tolerance", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.02, show_default=True,
              help="With --solve: how near the ends of the interval are to lie, as a share of the number.")  # fmt: skip
@click.option("--budget", type=click.IntRange(0), default=50_000, show_default=True,
              help="With --solve: replicates to spend after bracketing.")  # fmt: skip
@click.option("--cell", type=click.IntRange(0), help="With --replicate and --dump: the cell.")
@click.option("--replicate", type=click.IntRange(0, 2**63), help="Simulate this replicate of --cell alone.")
@click.option("--dump", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="Folder for the choices, replies and figures of that replicate.")  # fmt: skip
@click.option(
    "--parameters", is_flag=True, help="List the names that DESIGN knows, with the calibrated values, and stop."
)
def power(**options: Any) -> None:
    """Simulate the study over a grid of designs."""
    from avowal.commands_solve import asked, solve
    from avowal.sweep.chart import check_charts, write
    from avowal.sweep.grid import parse
    from avowal.sweep.power import prepare

    if options["parameters"]:
        _parameters(as_json=options["as_json"])
        return
    if asked(options):
        solve(options, _pricing(options), _executor(options))
        return
    sweep = prepare(
        parse(options["design"]),
        **({"tests": options["tests"]} if options["tests"] else {}),
        **{name: options[name] for name in ("replicates", "seed", "level", "interval")},
        pricing=_pricing(options),
    )
    alone = [options[name] is not None for name in ("cell", "replicate", "dump")]
    if all(alone):
        _dump(sweep, options)
    elif any(alone):
        raise InputError.at("--cell, --replicate and --dump together", "only some of them", field="power")
    else:
        if options["charts"]:
            # An axis that doesn't exist is no news for the end of an hour.
            check_charts(sweep, options["across"])
        found = _carried_out(sweep, options)
        charts = write(found, options["out"], options["across"]) if options["charts"] else []
        _show(found, options["out"], charts, as_json=options["as_json"])


def _parameters(*, as_json: bool) -> None:
    from avowal.calibrated import PROFILES, profile
    from avowal.sweep.grid import SHORT

    held = [profile(name).to_dict() for name in PROFILES]
    if as_json:
        show_json({"names": dict(SHORT), "parameters": dict(zip(PROFILES, held, strict=True))})
        return
    short = [[name, ", ".join(stands)] for name, stands in SHORT.items()]
    rows = [[name, *(f"{each[name]:g}" for each in held)] for name in held[0]]
    show(
        [
            table("names for several parameters", ["name", "stands for"], short),
            table("parameters", ["name", *PROFILES], rows),
        ]
    )


def _pricing(options: dict[str, Any]) -> Any:
    from avowal import contexts, prices
    from avowal.sweep.money import Pricing

    held = contexts.load(options["contexts"]) if options["contexts"] else ()
    return Pricing(
        seed=options["seed"],
        model=options["price_model"],
        trained=tuple(each for each in held if each.use != "native"),
        native=tuple(each for each in held if each.use == "native"),
        training=options["training"],
        epochs=options["epochs"],
        mode="batch" if options["batch"] else "sync",
        prices=prices.over(options["prices"]),
    )


def _carried_out(sweep: Sweep, options: dict[str, Any]) -> Power:
    from avowal.progress import bar
    from avowal.sweep.power import carry_out

    out = options["out"]
    try:
        with bar("simulating") as advance:
            return carry_out(sweep, out=out, executor=_executor(options), progress=advance)
    except KeyboardInterrupt:
        say(f"avowal: what was simulated is kept in {out}; the same command goes on from there", err=True)
        raise


def _executor(options: dict[str, Any]) -> Executor:
    if options["scheduler"] is not None:
        from avowal.sweep.cluster import cluster

        return cluster(options["scheduler"])
    from avowal.sweep.run import here

    return here(options["threads"])


def _show(found: Power, out: Path, charts: list[Path], *, as_json: bool) -> None:
    from avowal.sweep.printed import printed

    if as_json:
        show_json(found.to_dict())
    else:
        show(printed(found, width()))
        drawn = "".join(f"{path.name}, " for path in charts)
        say(f"kept in {out}: power.parquet, power.csv, power.json, {drawn}and every replicate in cells/")


def _dump(sweep: Sweep, options: dict[str, Any]) -> None:
    from avowal.sweep.dump import dump

    number, replicate, folder = options["cell"], options["replicate"], options["dump"]
    if number >= len(sweep.cells):
        raise InputError.at(f"a cell from 0 to {len(sweep.cells) - 1}", number, field="--cell")
    figures = dump(sweep, sweep.cells[number], replicate, folder, kept=options["out"])
    show_json(figures)
