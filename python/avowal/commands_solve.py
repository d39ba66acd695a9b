"""The part of the command on power that solves: options that belong together, and the answer."""

from __future__ import annotations

from typing import Any

import click
from click.core import ParameterSource

from avowal.errors import InputError
from avowal.text import say, show, show_json

__all__ = ["asked", "solve"]

_ONLY_HERE = {"for_": "--for", "limit": "--limit", "tolerance": "--tolerance", "budget": "--budget"}
_NOT_HERE = {
    "replicates": "--replicates",
    "cell": "--cell",
    "replicate": "--replicate",
    "dump": "--dump",
    "across": "--x",
    "charts": "--charts or --no-charts",
}


def asked(options: dict[str, Any]) -> bool:
    """Tell whether the command is to solve, and refuse options that contradict each other.

    Parameters
    ----------
    options
        Of the command that runs, by name.

    Returns
    -------
    bool

    Raises
    ------
    InputError
        For ``--solve`` without ``--for``, options of solving without it, or such as make no sense with it.
    """
    context = click.get_current_context()
    given = {name for name in options if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    if options["solve"] is None:
        for name in _ONLY_HERE.keys() & given:
            raise InputError.at(f"--solve with {_ONLY_HERE[name]}", "none", field="power")
        return False
    if options["for_"] is None:
        raise InputError.at("--for with --solve, such as --for agents", "none", field="power")
    for name in sorted(_NOT_HERE.keys() & given):
        instead = " (--budget limits the replicates)" if name == "replicates" else ""
        raise InputError.at(f"no {_NOT_HERE[name]} with --solve{instead}", "both", field="power")
    if len(options["tests"]) > 1:
        raise InputError.at("at most one --test with --solve", len(options["tests"]), field="power")
    return True


def solve(options: dict[str, Any], pricing: Any, executor: Any) -> None:
    """Solve, and print the answer.

    Parameters
    ----------
    options
        Of the command, by name.
    pricing
        How designs are priced.
    executor
        Where they are simulated.
    """
    from avowal.progress import bar
    from avowal.sweep.grid import parse
    from avowal.sweep.solve import solve as run
    from avowal.sweep.solved import printed

    out = options["out"]
    design = parse(options["design"])
    try:
        with bar("solving") as advance:
            found = run(
                design,
                options["solve"],
                options["for_"],
                test=options["tests"][0] if options["tests"] else None,
                **{name: options[name] for name in ("seed", "level", "interval", "limit", "tolerance", "budget")},
                pricing=pricing,
                out=out,
                executor=executor,
                progress=advance,
            )
    except KeyboardInterrupt:
        say(f"avowal: what was simulated is kept in {out}; the same command goes on from there", err=True)
        raise
    if options["as_json"]:
        show_json(found.to_dict())
    else:
        show(printed(found))
        say(f"kept in {out}: solution.json, and every replicate in cells/")
