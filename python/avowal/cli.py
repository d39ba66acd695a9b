"""The command line: results on standard output, progress and errors on standard error."""

from __future__ import annotations

import io
import json
import os
import signal
import sqlite3
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import click

from avowal import __version__
from avowal.commands_check import check
from avowal.commands_contexts import contexts
from avowal.commands_power import power
from avowal.commands_report import report
from avowal.commands_results import analyze, export, status
from avowal.commands_run import run
from avowal.commands_serve import serve
from avowal.commands_study import init, plan
from avowal.errors import AvowalError
from avowal.progress import bar
from avowal.text import show as _print

INTERRUPTED, TERMINATED = 130, 143


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="avowal")
def app() -> None:
    """Tell whether a language model's account of itself is true."""


for command in (contexts, power, init, plan, run, status, analyze, export, check, report, serve):
    app.add_command(command)


@app.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="[DIR]", default=Path("avowal-demo"))
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=1, show_default=True, help="Seed of the study.")
def demo(folder: Path, *, seed: int) -> int:
    """Run a small study of two simulated models over HTTP and analyse it: no key, no network.

    Example: avowal demo avowal-demo --seed 7
    """
    from avowal.analysis import printed
    from avowal.demo import demo as run
    from avowal.study.watch import watching

    with watching() as watch:
        found = run(folder, seed=seed, watch=watch)
    _print([*printed(found.analysis), f"The study is in {folder}, its tables in {folder / 'tables'}."])
    click.echo(f"The page of all results: {found.page}")
    return 1 if found.outcome.stopped else 0


@app.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of tables.")
@click.option("--weights", type=click.Choice(["fitted", "published"]), default="fitted", show_default=True,
              help="Our fits of the choices, or the authors' weights.")  # fmt: skip
@click.option("--replies", type=click.IntRange(1), default=10, show_default=True,
              help="Replies planned for each context and set.")  # fmt: skip
@click.option("--level", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.95, show_default=True,
              help="Level of the intervals.")  # fmt: skip
@click.option("--resamples", type=click.IntRange(2), default=10_000, show_default=True,
              help="Replicates of the context bootstrap.")  # fmt: skip
@click.option(
    "--seed", type=click.IntRange(0, 2**64 - 1), default=1, show_default=True, help="Seed of everything drawn."
)
def replicate(
    folder: Path, *, as_json: bool, weights: str, replies: int, level: float, resamples: int, seed: int
) -> None:
    """Print the paper's tables from its files or a rerun's.

    Example: avowal replicate published --json > tables.json
    """
    from avowal.analysis.document import document
    from avowal.analysis.printed import printed
    from avowal.published.replicate import Settings
    from avowal.published.replicate import replicate as run

    settings = Settings(weights=weights, replies=replies, seed=seed, level=level, resamples=resamples)
    with bar("replicating") as advance:
        result = run(str(folder), settings, progress=advance)
    if as_json:
        click.echo(json.dumps(document(result), indent=2, allow_nan=False))
    else:
        _print(printed(result))


def main() -> None:
    """Run the command line.

    The process ends with 0, 1 (ran, with failures), 2 (usage, input, or a file that can't be written), 130 (Ctrl-C) or
    143 (SIGTERM, which is answered like Ctrl-C: what was measured is kept).
    """
    signal.signal(signal.SIGTERM, _terminated)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that knows no dash shows a question mark rather than a traceback.
            stream.reconfigure(errors="replace")
    code = _code()
    if any(not each.daemon for each in threading.enumerate() if each is not threading.main_thread()):
        # Interrupted twice: threads that wait for a provider may do so for minutes, and nobody waits for them.
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        os._exit(code)
    sys.exit(code)


def _code() -> int:
    """Run the command and return the exit code; what went wrong is told in one line."""
    try:
        code = app.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1
    except (KeyboardInterrupt, click.Abort):
        click.echo("avowal: interrupted", err=True)
        return INTERRUPTED
    except AvowalError as error:
        click.echo(f"avowal: {error}", err=True)
        return 2
    except BrokenPipeError:
        # Whoever read the output has gone; what is left of it has nowhere to go either.
        sys.stderr.close()
        return 1
    except sqlite3.OperationalError as error:
        click.echo(f"avowal: the study's database can't be written: {error}", err=True)
        return 2
    except OSError as error:
        # A full disk, a closed device: nothing that a traceback would explain.
        click.echo(f"avowal: {error.filename or 'output'}: {error.strerror or error}", err=True)
        return 2
    return code if isinstance(code, int) else 0


def _terminated(*_: object) -> NoReturn:
    sys.exit(TERMINATED)
