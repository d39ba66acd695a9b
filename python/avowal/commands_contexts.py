"""The commands on contexts: list, show, check and count what is built in or stands in a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from avowal.commands_draft import draft
from avowal.errors import InputError
from avowal.text import NONE, say, show, show_json, table

if TYPE_CHECKING:
    from avowal.contexts import Context

COUNTS = ("contexts", "training", "native", "agents", "attributes", "kinds of unit")

FAULTY = 2
"""The exit code of a check that found problems: that of bad input."""

_FILES = click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE]...")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead.")


@click.group()
def contexts() -> None:
    """List, show, check and count contexts: the built-in ones, or those of files; have a model draft new ones.

    Example: avowal contexts list --field food
    """


contexts.add_command(draft)


@contexts.command("list")
@_FILES
@click.option("--field", help="Only this field of life.")
@click.option("--use", type=click.Choice(["training", "native"]), help="Only those for training or native measurement.")
@_JSON
def list_contexts(files: tuple[Path, ...], field: str | None, use: str | None, *, as_json: bool) -> None:
    """List contexts with their agents.

    Example: avowal contexts list --field food --use native
    """
    chosen = [each for each in _read(files) if field in (None, each.field) and use in (None, each.use)]
    if not chosen:
        fields = sorted({each.field for each in _read(files) if each.field is not None})
        expected = f"at least one context; fields are {', '.join(fields) or 'not told'}"
        raise InputError.at(expected, "none of that field and use", field="--field, --use")
    if as_json:
        keys = ("name", "field", "use", "agent")
        show_json({"contexts": [{key: getattr(each, key) for key in keys} for each in chosen]})
        return
    rows = [[each.name, each.field or NONE, each.use or NONE, each.agent or NONE] for each in chosen]
    show([table(f"{len(chosen)} contexts", ["context", "field", "use", "agent"], rows)])


@contexts.command("show", short_help="Show one context: the question and its attributes.")
@click.argument("name")
@_FILES
@_JSON
def show_context(name: str, files: tuple[Path, ...], *, as_json: bool) -> None:
    """Show one context: what is asked, and the attributes with their ranges.

    Example: avowal contexts show honey_jar
    """
    from difflib import get_close_matches

    from avowal.layouts import context

    known = {each.name: each for each in _read(files)}
    if name not in known:
        close = get_close_matches(name, known, n=3, cutoff=0.5)
        expected = f"the name of a context, such as {', '.join(close)}" if close else "one of avowal contexts list"
        raise InputError.at(expected, repr(name), field="NAME")
    found = known[name]
    if as_json:
        show_json(asdict(found))
        return
    show(context(found))


@contexts.command(short_help="Name every problem of a set of contexts.")
@_FILES
@_JSON
def check(files: tuple[Path, ...], *, as_json: bool) -> None:
    """Name every problem of a set of contexts; exit with 2 where there is one.

    Example: avowal contexts check mine.json more.json
    """
    from avowal.context_checks import problems
    from avowal.contexts import builtin_documents
    from avowal.json_values import read_text

    documents = {str(file): read_text(file) for file in files} if files else builtin_documents()
    found = problems(documents)
    if as_json:
        show_json({"files": list(documents), "problems": [asdict(each) for each in found]})
        click.get_current_context().exit(FAULTY if found else 0)
    for problem in found:
        say(problem)
    if found:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(Counter(each.kind for each in found).items()))
        say(f"avowal: {len(found)} problems ({kinds})", err=True)
        click.get_current_context().exit(FAULTY)
    say(f"{len(_read(files))} contexts in {len(documents)} files, no problems")


@contexts.command(short_help="Count contexts by field of life and use.")
@_FILES
@_JSON
def stats(files: tuple[Path, ...], *, as_json: bool) -> None:
    """Count contexts by field of life and use, and what differs between options.

    Example: avowal contexts stats
    """
    known = _read(files)
    fields = sorted({each.field or NONE for each in known})
    counted = {field: _counts([each for each in known if (each.field or NONE) == field]) for field in fields}
    counted["all"] = _counts(known)
    if as_json:
        show_json({field: dict(zip(COUNTS, counts, strict=True)) for field, counts in counted.items()})
        return
    rows = [[field, *map(str, counts)] for field, counts in counted.items()]
    show([table(f"{len(fields)} fields of life", ["field", *COUNTS], rows)])


def _counts(known: list[Context]) -> tuple[int, ...]:
    uses = Counter(each.use for each in known)
    attributes = [attribute for each in known for attribute in each.attributes]
    agents = {each.agent for each in known if each.agent is not None}
    units = {attribute.units for attribute in attributes}
    return (len(known), uses["training"], uses["native"], len(agents), len(attributes), len(units))


def _read(files: Iterable[str | Path]) -> list[Context]:
    from avowal.contexts import builtin, load

    # A file that is named twice is one file.
    named = list(dict.fromkeys(str(file) for file in files))
    return list(load(*named) if named else builtin())
