"""The command that runs a simulated provider until it is told to stop."""

from __future__ import annotations

import re
from pathlib import Path

import click

from avowal.errors import InputError
from avowal.text import say

_FAULTS = """\b
KIND is an HTTP status from 400 to 599, or one of
  slow            the answer comes SECONDS (5) later
  reset           carried out, then the connection is reset amid the answer
  truncate        carried out, then the answer ends amid its JSON
  wrong-type      HTML with status 200 in place of the answer
  quota           429 with the code insufficient_quota
  refuse, malformed, empty, cut, filtered
                  what becomes of a reply; the HTTP answer stays whole
  job-fails       a fine-tuning job fails after a while
  create-timeout  a job or batch is created, but the answer never comes
  batch-fails     a batch fails its validation
  batch-expires   a batch expires with half of its requests answered
  batch-partial   a request of a batch ends in its error file

\b
WHEN is a probability, or # and occasions counted from 1: #1, #3-9, #1+4+6-8.
SECONDS with a status is what Retry-After says; retry-after=SECONDS says so
for all statuses. PATH limits a fault to paths that contain it."""


@click.command(epilog=_FAULTS)
@click.option("--port", type=click.IntRange(0, 65535), default=8321, show_default=True, help="0 takes a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), default=1, show_default=True,
              help="Seed of everything drawn.")  # fmt: skip
@click.option("--profile", "profiles", multiple=True, metavar="gpt-4o|gpt-4o-mini|FILE",
              help="A base model to serve; again for another. Both by default.")  # fmt: skip
@click.option("--contexts", type=click.Path(path_type=Path), metavar="FILE", multiple=True,
              help="Contexts that models know, in place of the built-in ones; again for more.")  # fmt: skip
@click.option("--state", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Folder of what survives a restart, and of the request log.")  # fmt: skip
@click.option("--fault", "faults", multiple=True, metavar="KIND[@PATH]=WHEN[:SECONDS]",
              help="Something that goes wrong, see below; again, or after a comma, for more.")  # fmt: skip
@click.option("--job-seconds", type=click.FloatRange(0), default=5.0, show_default=True,
              help="How long a fine-tuning job takes.")  # fmt: skip
@click.option("--batch-seconds", type=click.FloatRange(0), default=5.0, show_default=True,
              help="How long a batch takes.")  # fmt: skip
@click.option("--shutdown", multiple=True, metavar="MODEL=YYYY-MM-DD",
              help="The day on which a base model shuts down; again for more.")  # fmt: skip
def serve(
    *,
    port: int,
    host: str,
    seed: int,
    profiles: tuple[str, ...],
    contexts: tuple[Path, ...],
    state: Path | None,
    faults: tuple[str, ...],
    job_seconds: float,
    batch_seconds: float,
    shutdown: tuple[str, ...],
) -> None:
    """Serve simulated models: an HTTP provider of OpenAI's shape.

    Its address is the first line on standard output. Models are trained on what is uploaded, decide and report, with
    the noise of real ones; docs/serve.md has the formulas. Ctrl-C stops it.

    Example: avowal serve --port 8321 --state runs --fault 429=0.2 --fault reset=0.02
    """
    from avowal.calibrated import PROFILES
    from avowal.contexts import load
    from avowal.simulated.server import listening, setup, url
    from avowal.simulated.server import serve as run

    made = setup(
        seed=seed,
        profiles=profiles or PROFILES,
        contexts=load(*contexts) if contexts else None,
        state=state,
        faults=faults,
        job_seconds=job_seconds,
        batch_seconds=batch_seconds,
        shutdown=dict(_dated(each) for each in shutdown),
    )
    listener = listening(host, port)
    run(made, listener, lambda: say(f"serving on {url(listener)}"))


def _dated(text: str) -> tuple[str, str]:
    model, _, date = text.rpartition("=")
    if not model or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", date):
        raise InputError.at("MODEL=YYYY-MM-DD", repr(text), field="shutdown")
    return model, date
