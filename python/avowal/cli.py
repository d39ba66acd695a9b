"""The command line: results on standard output, progress and errors on standard error."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from contextlib import suppress
from typing import NoReturn

import click

from avowal import __version__
from avowal.commands import Map
from avowal.errors import AvowalError
from avowal.text import plain, say

NAME = "avowal"

INTERRUPTED, TERMINATED = 130, 143


@click.command(cls=Map, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name=NAME)
def app() -> None:
    """Tell whether a language model's account of itself is true.

    The commands stand in the order of the work; avowal COMMAND --help has an example of each.

    Example: avowal demo
    """


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
        code = app.main(prog_name=NAME, standalone_mode=False)
    except click.ClickException as error:
        told = io.StringIO()
        error.show(told)
        # What was typed, or what a pattern of the shell made of it, may steer the terminal.
        click.echo(plain(told.getvalue().expandtabs(2), lines=True), err=True, nl=False)
        return error.exit_code
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1
    except (KeyboardInterrupt, click.Abort):
        say("avowal: interrupted", err=True)
        return INTERRUPTED
    except AvowalError as error:
        say(f"avowal: {error}", err=True)
        return 2
    except BrokenPipeError:
        # Whoever read the output has gone; what is left of it has nowhere to go either.
        sys.stderr.close()
        return 1
    except OSError as error:
        # A full disk, a closed device: nothing that a traceback would explain.
        say(f"avowal: {error.filename or 'output'}: {error.strerror or error}", err=True)
        return 2
    except Exception as error:
        # Imported where a study is: its database is the only one, and --help needs none.
        database = sys.modules.get("sqlite3")
        if database is None or not isinstance(error, database.OperationalError):
            raise
        say(f"avowal: the study's database can't be written: {error}", err=True)
        return 2
    return code if isinstance(code, int) else 0


def _terminated(*_: object) -> NoReturn:
    sys.exit(TERMINATED)
