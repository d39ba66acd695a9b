"""The site's pages that nobody writes: one for each public module, one for each command, and files from outside docs/.

mkdocs calls the ``on_`` functions while it builds (``hooks`` in mkdocs.yml). Nothing is written into the repository.
"""

from __future__ import annotations

import html
import importlib
import inspect
import posixpath
import re
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

import avowal

if TYPE_CHECKING:
    from types import ModuleType

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent

# Of the modules below the first floor, those that the pages and examples use; tests/test_site.py holds this to them.
DEEPER = (
    "analysis.document", "context_checks", "lines", "page.data", "page.render", "page.sources", "prompts",
    "published.replicate", "simulated", "soundness", "stan.predictive", "study.analysis", "study.parity",
    "study.place", "study.status", "study.training_checks", "study.training_files", "sweep.chart", "sweep.cluster",
    "sweep.solve", "sweep.solved",
)  # fmt: skip

# Pages of the repository that are on the site as well, by their place in both.
OUTSIDE = ("CHANGELOG.md", "CONTRIBUTING.md", "benches/results.md")

ROLE = re.compile(r":(?:py:)?(?:mod|func|class|meth|attr|data|exc|obj):<code>~?([\w.]+)</code>")
SKIPPED = re.compile(r'^( *)<!-- skip: next "(.*)" -->$', re.MULTILINE)


@cache
def modules() -> tuple[str, ...]:
    """Return the names of the modules that have a page, in alphabetical order."""
    offered = (name for name in avowal.__all__ if _is_module(f"avowal.{name}"))
    return ("avowal", *sorted(f"avowal.{name}" for name in {*offered, *DEEPER}))


def _is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def api_page(name: str) -> str:
    """Return the page of a module: its docstring and those of its public names, filled in by mkdocstrings."""
    return f"# {name}\n\n::: {name}\n"


def api_list() -> str:
    """Return the list of the modules, each with the first sentence of its docstring."""
    lines = ["# API reference", "", "Everything that `import avowal` offers, and what the pages use beside it.", ""]
    lines += ["| module | what it holds |", "|---|---|"]
    for name in modules():
        lines.append(f"| [`{name}`]({name}.md) | {_first_line(importlib.import_module(name))} |")
    return "\n".join(lines) + "\n"


def _first_line(module: ModuleType) -> str:
    text = (inspect.getdoc(module) or "").split("\n", 1)[0]
    return text.replace("``", "`").replace("|", "\\|")


def commands() -> Iterator[tuple[click.Context, click.Command]]:
    """Yield every command with its context, groups before what they hold."""
    from avowal.cli import app

    def below(context: click.Context) -> Iterator[tuple[click.Context, click.Command]]:
        yield context, context.command
        if isinstance(context.command, click.Group):
            for name in context.command.list_commands(context):
                command = context.command.get_command(context, name)
                if command is not None and not command.hidden:
                    yield from below(click.Context(command, context, name, **command.context_settings))

    yield from below(click.Context(app, info_name="avowal", **app.context_settings))


def commands_page() -> str:
    """Return the page of the commands: what `--help` says of each."""
    parts = ["# Command reference", "", "What `--help` says of each command. Results go to standard output, all else"]
    parts += ["to standard error.", ""]
    for context, command in commands():
        said, examples = _help(command)
        parts += [f"## {context.command_path}", "", *said, "```text", _usage(context, command), "```", ""]
        parts += ["| option | what it does |", "|---|---|"]
        for each in command.get_params(context):
            names, text = each.get_help_record(context) or ("", "")
            if text:
                parts.append(f"| <code>{_plain(names)}</code> | {_plain(text)} |")
        parts += ["", *examples]
    return "\n".join(parts)


def _help(command: click.Command) -> tuple[list[str], list[str]]:
    """Return what a command's help says, and its examples: as is what starts with "Example" or must not be wrapped."""
    said, examples = [], []
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        text = paragraph.removeprefix("\b\n")
        heading, colon, example = text.partition(":")
        if colon and heading in ("Example", "Examples"):
            examples += [f"{heading}:", "", "```text", inspect.cleandoc(example), "```", ""]
        elif text != paragraph:
            said += ["```text", text, "```", ""]
        else:
            said += [_plain(text), ""]
    return said, examples


def _usage(context: click.Context, command: click.Command) -> str:
    return " ".join([context.command_path, *command.collect_usage_pieces(context)])


def _plain(text: str) -> str:
    """Return text in which a letter of Markdown's or HTML's is what it is."""
    return re.sub(r"([\\*_`\[\]#])", r"\\\1", html.escape(" ".join(text.split()), quote=False)).replace("|", "&#124;")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the generated pages of the API into the place that the navigation keeps for them."""
    pages = [{name.removeprefix("avowal."): f"api/{name}.md"} for name in modules()]
    for entry in config.nav or []:
        if isinstance(entry, dict) and "API reference" in entry:
            entry["API reference"] = ["api/index.md", *pages]
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the generated pages, and those of the repository that lie outside docs/."""
    from mkdocs.structure.files import File

    made = {"commands.md": commands_page(), "api/index.md": api_list()}
    made |= {f"api/{name}.md": api_page(name) for name in modules()}
    made |= {name: (ROOT / name).read_text(encoding="utf-8") for name in OUTSIDE}
    for name, content in made.items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: object) -> str:
    """Turn what the repository and its tests need into what the site needs.

    Links into the repository lead to its pages on the site, prompts have a lexer of their own, and the reason why a
    block does not run is shown.
    """
    for name in OUTSIDE:
        here = posixpath.relpath(name, posixpath.dirname(page.file.src_uri) or ".")
        markdown = markdown.replace(f"](../{name}", f"]({here}")
    markdown = markdown.replace("```console runnable\n", "```console\n").replace("```python\n>>>", "```pycon\n>>>")
    return SKIPPED.sub(r"\1*Not run by the tests: \2.*\n", markdown)


def on_page_content(text: str, *, page: Page, **_: object) -> str:
    """Turn the roles in docstrings into links, as far as there are pages."""
    return ROLE.sub(_link, text) if page.file.src_uri.startswith("api/") else text


def _link(role: re.Match[str]) -> str:
    name = role[1]
    page, _, member = name.rpartition(".")
    if name in modules():
        return f'<a href="{name}.html"><code>{name}</code></a>'
    if page in modules() and not _is_module(name):
        return f'<a href="{page}.html#{name}"><code>{member}</code></a>'
    return f"<code>{name}</code>"
