"""The command that teaches a shell to complete avowal's commands and options."""

from __future__ import annotations

import click

__all__ = ["completion"]


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), metavar="bash|zsh|fish")
def completion(shell: str) -> None:
    """Print the script by which a shell completes commands and options.

    \b
    Where each shell looks for it:
      bash  ~/.local/share/bash-completion/completions/avowal
      zsh   a file _avowal in a folder of $fpath
      fish  ~/.config/fish/completions/avowal.fish

    Example: avowal completion fish > ~/.config/fish/completions/avowal.fish
    """  # noqa: D301
    from click.shell_completion import get_completion_class

    from avowal.cli import NAME, app

    made = get_completion_class(shell)
    if made is None:
        raise click.UsageError(f"click knows no completion for {shell}.")
    # The script is printed as it is: it holds tabs and escapes that a shell needs.
    click.echo(made(app, {}, NAME, f"_{NAME.upper()}_COMPLETE").source())
