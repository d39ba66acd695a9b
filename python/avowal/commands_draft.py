"""The command that drafts contexts: shows what it will ask and for how much, asks, and accounts for what came back."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from avowal.errors import InputError
from avowal.progress import Volume, volume
from avowal.text import say, show_json

if TYPE_CHECKING:
    from avowal.draft import Draft, Plan
    from avowal.provider import Client

FORBIDDEN = 2
"""The exit code where the provider refuses: like bad input, it has to be mended first."""

INCOMPLETE = 1
"""The exit code of a draft with fewer good contexts than were wanted; the same command again asks for the rest."""


@click.command()
@click.argument("count", type=click.IntRange(1), metavar="N")
@click.option("--field", required=True, help="The field of life, such as food.")
@click.option("--attributes", type=click.IntRange(1, 12), default=5, show_default=True, help="Of each context.")
@click.option("--use", type=click.Choice(["training", "native"]), help="What the contexts are marked for.")
@click.option("--model", help="As the endpoint knows it; may be left out where it offers only one.")
@click.option("--base-url", metavar="URL", help="The endpoint, up to /v1.  [default: the SDK's, or OPENAI_BASE_URL]")
@click.option("--key-env", default="OPENAI_API_KEY", show_default=True, metavar="NAME",
              help="The environment variable that holds the key.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE",
              help="Where good contexts go.  [default: draft-FIELD.json]")  # fmt: skip
@click.option("--beside", type=click.Path(path_type=Path), metavar="FILE", multiple=True,
              help="Contexts to differ from, besides the built-in ones.")  # fmt: skip
@click.option(
    "--batch", type=click.IntRange(1, 20), default=5, show_default=True, help="Contexts per request, at most."
)
@click.option(
    "--prices", type=click.Path(path_type=Path), metavar="FILE", help="Prices over the built-in ones, as TOML."
)
@click.option("--yes", is_flag=True, help="Ask the model without asking you first.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON document.")
def draft(
    *,
    count: int,
    field: str,
    attributes: int,
    use: Literal["training", "native"] | None,
    model: str | None,
    base_url: str | None,
    key_env: str,
    out: Path | None,
    beside: tuple[Path, ...],
    batch: int,
    prices: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Have a model write N new contexts, and check them.

    Good ones go to FILE, requests and raw replies to FILE.replies.jsonl. The same command again continues: it asks only
    for what is missing. Exits with 0 if N are good, 1 if fewer are, 2 if the input or the provider forbids to go on.

    Example: avowal contexts draft 10 --field food --model my-model --base-url http://127.0.0.1:8080/v1
    """
    from avowal import draft as drafts
    from avowal import prices as price_tables
    from avowal.provider import Client, Endpoint, ProviderError

    task = drafts.Task(field, attributes, use)
    file = out or _file(field)
    table = price_tables.over(prices)
    options: dict[str, Any] = {"batch": batch, "beside": beside}
    # What is on disk may be all that is wanted; then no key is needed, nor an endpoint.
    if drafts.plan(count, task, model or "", file, **options).requests:
        client = Client(Endpoint(base_url, key_env), tell=_wait)
        name = model or _only_model(client)
        for line in _intention(drafts.plan(count, task, name, file, prices=table, **options), client):
            say(line, err=True)
        if not yes and not _agreed():
            say("nothing was sent", err=True)
            click.get_current_context().exit(INCOMPLETE)
        try:
            found = drafts.draft(count, task, name, file, client=client, advance=_progress, **options)
        except ProviderError as error:
            # What came before is safe; it is told after the reason why no more came.
            say(f"avowal: {error}", err=True)
            _tell(drafts.plan(count, task, name, file, **options).draft, as_json=as_json)
            click.get_current_context().exit(INCOMPLETE if error.passing else FORBIDDEN)
    else:
        found = drafts.draft(count, task, model or "", file, **options)
    _tell(found, as_json=as_json)
    if found.missing:
        click.get_current_context().exit(INCOMPLETE)


def document(found: Draft) -> dict[str, Any]:
    """Return a draft as the JSON document that ``--json`` prints."""
    account = found.account
    return {
        "field": found.task.field,
        "attributes": found.task.attributes,
        "use": found.task.use,
        "wanted": found.wanted,
        "missing": found.missing,
        "contexts": [each.name for each in found.contexts],
        "spare": [each.name for each in found.spare],
        "account": {
            "planned": account.planned,
            "valid": account.valid,
            "invalid": dict(account.invalid),
            "failed": dict(account.failed),
        },
        "extracted": found.extracted,
        "rejected": [
            {
                "place": each.place,
                "name": each.name,
                "kind": each.kind,
                "count": each.count,
                "problems": list(each.problems),
            }
            for each in found.rejected
        ],
        "file": str(found.file) if found.contexts else None,
        "replies": str(found.replies),
    }


def _file(field: str) -> Path:
    slug = re.sub(r"\W+", "-", field.casefold()).strip("-")
    if not slug:
        raise InputError.at("a file, since the field gives no name for one", "none", field="--out")
    return Path(f"draft-{slug}.json")


def _only_model(client: Client) -> str:
    offered = client.models()
    if len(offered) != 1:
        shown = ", ".join(offered[:8]) + (", ..." if len(offered) > 8 else "")
        raise InputError.at(f"one of the models of {client.url} ({shown or 'it lists none'})", "none", field="--model")
    return offered[0]


def _intention(planned: Plan, client: Client) -> list[str]:
    requests, contexts = len(planned.requests), sum(planned.requests)
    price = "price unknown (--prices FILE may tell it)" if planned.price is None else f"about ${planned.price:.4f}"
    key = f"no key ({client.endpoint.key_env} is not set)" if client.keyless else f"key from {client.endpoint.key_env}"
    return [
        f"{requests} {'request' if requests == 1 else 'requests'} for {contexts} of {planned.draft.wanted} contexts to "
        f"{client.url}, model {planned.model}, {key}:",
        f"about {planned.input_tokens} prompt tokens and {planned.output_tokens} reply tokens, {price}.",
    ]


def _wait(line: str) -> None:
    # A verbose command has it from the log.
    if volume() is Volume.NORMAL:
        say(f"avowal: {line}", err=True)


def _progress(found: Draft) -> None:
    if volume() is not Volume.QUIET:
        say(f"{len(found.contexts)} of {found.wanted} contexts are good, {found.account.lost} lost", err=True)


def _tell(found: Draft, *, as_json: bool) -> None:
    if as_json:
        show_json(document(found))
        return
    for each in found.rejected:
        name = f" ({each.name})" if each.name else ""
        say(f"{each.place}{name}: {each.kind}")
        for problem in each.problems:
            say(f"  {problem}")
    account = found.account
    say(f"{account.planned} planned = {account.valid} valid + {_parts('invalid', account.invalid)} + "
               f"{_parts('failed', account.failed)}")  # fmt: skip
    if found.extracted:
        say(f"{found.extracted} replies had other text around their JSON")
    if found.contexts:
        spare = f" ({len(found.spare)} more are in {found.replies})" if found.spare else ""
        say(f"{len(found.contexts)} of {found.wanted} contexts are in {found.file}{spare}")
    if found.missing:
        say(f"{found.missing} missing: the same command again asks for as many; all replies are in {found.replies}")


def _parts(name: str, counts: Any) -> str:
    kinds = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    return f"{sum(counts.values())} {name}" + (f" ({kinds})" if kinds else "")


def _agreed() -> bool:
    try:
        return click.confirm("Send them?", err=True)
    except click.Abort:
        # The end of the input is no Ctrl-C; where nobody can be asked, --yes has to say it.
        if sys.stdin.isatty():
            raise
        raise InputError.at("an answer, or --yes", "the end of the input", field="Send them?") from None
