"""The map of the commands, in the order of the work: each with its line of the help, and where it lives."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click

__all__ = ["MAP", "Entry", "Map", "command"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A command of the map.

    Attributes
    ----------
    name
        As it is typed.
    where
        ``module:attribute``, imported when the command is called for.
    line
        What it does, in one line of the help.
    """

    name: str
    where: str
    line: str


MAP: dict[str, tuple[Entry, ...]] = {
    "Start here": (Entry("demo", "avowal.commands_demo:demo", "Run a small simulated study: no key, no network."),),
    "Design and power": (
        Entry("contexts", "avowal.commands_contexts:contexts", "List, show, check, count or draft contexts."),
        Entry("power", "avowal.commands_power:power", "Power, precision and price of designs, by simulation."),
    ),
    "Studies": (
        Entry("init", "avowal.commands_study:init", "Write a commented study.toml into a folder."),
        Entry("plan", "avowal.commands_study:plan", "What a study will send, cost and show; spends nothing."),
        Entry("run", "avowal.commands_run:run", "Run what is left of a study: train, decide, report."),
        Entry("status", "avowal.commands_results:status", "How far a study is, also while it runs."),
    ),
    "Results": (
        Entry("analyze", "avowal.commands_results:analyze", "The paper's tables for a study, finished or not."),
        Entry("check", "avowal.commands_check:check", "The same in Stan: does it depend on the method?"),
        Entry("report", "avowal.commands_report:report", "One page with all results, to show to others."),
        Entry("export", "avowal.commands_results:export", "A study's tables, files or raw replies for others."),
        Entry("replicate", "avowal.commands_published:replicate", "The paper's tables from its files or a rerun's."),
    ),
    "Other": (
        Entry("serve", "avowal.commands_serve:serve", "Serve simulated models: a provider of OpenAI's shape."),
        Entry("completion", "avowal.commands_completion:completion", "Print the completion script of a shell."),
    ),
}
"""By section; a further command is a further line here."""


class Map(click.Group):
    """A group that imports a command when it is called, and prints the map as its help."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names in the order of the work."""
        return [entry.name for section in MAP.values() for entry in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return a command, which also takes ``--quiet`` and ``--verbose``; None where there is none of that name."""
        return command(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that was typed, or say which ones there are that look like it."""
        from difflib import get_close_matches

        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            close = get_close_matches(args[0], self.list_commands(ctx), n=2, cutoff=0.5)
            next_ = f"did you mean {' or '.join(close)}?" if close else "avowal --help lists all commands."
            raise click.UsageError(f"No such command {args[0]!r}: {next_}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the map."""
        widest = max(map(len, self.list_commands(ctx)))
        for title, section in MAP.items():
            with formatter.section(title):
                formatter.write_dl([(entry.name.ljust(widest), entry.line) for entry in section])


def command(name: str) -> click.Command | None:
    """Import a command of the map.

    Parameters
    ----------
    name
        Its name.

    Returns
    -------
    click.Command or None
        None where the map has none of that name.
    """
    for section in MAP.values():
        for entry in section:
            if entry.name == name:
                module, _, attribute = entry.where.partition(":")
                found: click.Command = getattr(import_module(module), attribute)
                _hear(found)
                return found
    return None


def _hear(found: click.Command) -> None:
    """Let a command, or all commands of a group, take the options on how much it shows."""
    if isinstance(found, click.Group):
        for each in found.commands.values():
            _hear(each)
    elif not any("--quiet" in each.opts for each in found.params):
        found.params += [
            _volume("-q", "--quiet", "Show no progress: only questions, warnings and errors."),
            _volume("-v", "--verbose", "Show every request and wait, and progress in lines too."),
        ]


def _volume(short: str, long: str, text: str) -> click.Option:
    def heard(_: click.Context, __: click.Parameter, given: bool) -> None:
        if given:
            from avowal.progress import Volume, listen

            listen(Volume(long.removeprefix("--")))

    kept: dict[str, Any] = {"is_flag": True, "expose_value": False, "callback": heard, "help": text}
    return click.Option([short, long], **kept)
