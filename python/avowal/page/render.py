"""Rendering: the page's data become one HTML file that needs no other."""

from __future__ import annotations

import gzip
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from avowal import __version__
from avowal.page import charts
from avowal.page.data import Page, Results
from avowal.page.doubts import ROWS
from avowal.page.drawings import diagram, panel, style
from avowal.page.panels import Part, table
from avowal.page.scripts import bundle, embed_calls
from avowal.page.shown import shown
from avowal.page.tables import Table

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["PAGE", "is_page", "render", "write"]

PAGE = "report.html"
"""The name of a page, in a study's folder."""

PREFIX = "chart-"

_GENERATOR = b'<meta name="generator" content="avowal '
_HEAD = 4096
"""Bytes at the beginning of a page that have its generator in them."""


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the page: its place in the address, its title, and the template that it is made by."""

    id: str
    title: str
    template: str


RESULTS = (
    Section("found", "What was found", "found.html.j2"),
    Section("course", "How the study was run", "course.html.j2"),
    Section("real", "Is it real?", "real.html.j2"),
    Section("replies", "What happened to every reply", "replies.html.j2"),
    Section("contexts", "Context by context", "contexts.html.j2"),
)
POWER = Section("sweep", "Power of designs", "power.html.j2")
COST = Section("cost", "Cost", "cost.html.j2")
ORIGIN = Section("origin", "Where it comes from", "origin.html.j2")


def render(page: Page) -> str:
    """Write a page as HTML.

    Parameters
    ----------
    page
        Its data.

    Returns
    -------
    str
        One file: styles, scripts and data stand in it. Names and replies are escaped, what no eye can see in them is
        made visible, and the file's own policy forbids every request and every script but those that it came with.
    """
    from markupsafe import Markup

    found = page.results
    specs = _charts(page)
    scripts = [_asset("page.js")]
    packed = ""
    if specs:
        drawing = f"{bundle()}\n{embed_calls(specs)}"
        packed = _packed(drawing)
        scripts.append(_asset("unpack.js"))
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            page=page,
            found=found,
            version=__version__,
            sections=(POWER, ORIGIN) if found is None else (*RESULTS, POWER, COST, ORIGIN),
            charts=bool(specs),
            has_bars=f"{PREFIX}accuracies" in specs,
            level="" if found is None else _level(page),
            rows=ROWS,
            unfinished=page.unfinished,
            system=None if found is None else _system(found),
            diagram=Markup("") if found is None else Markup(diagram(found.course)),  # noqa: S704
            # Neither holds what others wrote, but for JSON in which no "<" stands.
            style=Markup(_styles(page)),  # noqa: S704
            scripts=[Markup(each) for each in scripts],  # noqa: S704
            packed=packed,
            policy=_policy([*scripts, *([drawing] if specs else [])]),
        )
    )


def write(page: Page, path: Path) -> None:
    """Write a page as a file, whole or not at all.

    Parameters
    ----------
    page
        Its data.
    path
        The file.
    """
    from avowal.study.whole import whole

    text = render(page)
    # What a link points to is written, not the link.
    with whole(path.resolve()) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def is_page(path: Path) -> bool:
    """Tell whether a file is a page that :func:`write` has written: only such a one is written over."""
    with path.open("rb") as file:
        return _GENERATOR in file.read(_HEAD)


def _charts(page: Page) -> dict[str, Any]:
    specs: dict[str, Any] = {}
    found = page.results
    if found is not None:
        models, sets = (list(dict.fromkeys(row[key] for row in found.bars)) for key in ("model", "set"))
        if found.scatter:
            specs["scatter"] = charts.scatter(found.scatter, models, sets)
        if any(row["r"] is not None for row in found.bars):
            specs["accuracies"] = charts.accuracies(found.bars)
        if found.multiverse:
            specs["multiverse"] = charts.multiverse(found.multiverse)
    specs |= {f"sweep-{name}": spec for name, spec in page.powered.charts.items()}
    return {f"{PREFIX}{name}": spec for name, spec in specs.items()}


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup, escape

    from avowal.analysis.material import LABELS

    def lines(text: str) -> Markup:
        """Keep the line breaks of a text, and make everything else visible."""
        return Markup("\n").join(escape(shown(line)) for line in re.split(r"\r\n|\r|\n", text))

    def drawing(part: Part) -> Markup:
        return Markup(panel(_drawn(part), order=tuple(LABELS.values())))  # noqa: S704

    made = Environment(
        loader=PackageLoader("avowal.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    filters: Mapping[str, Callable[..., Any]] = {
        "csv": _address,
        "drawing": drawing,
        "lines": lines,
        "numbers": lambda part: table(part, ""),
    }
    made.filters.update(filters)
    return made


def _visible(value: Any) -> Any:
    """Make visible what stands in a text unseen; markup of our own stays as it is."""
    return shown(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _address(its: Table) -> str:
    """Return a table as the address of a file: the page carries it, and no script is needed to save it."""
    text = its.csv().encode("utf-8", "replace")
    return "data:text/csv;charset=utf-8," + quote(text, safe=" ,.-:;()[]/'|+*=@!$~^{}")


def _drawn(part: Part) -> list[dict[str, Any]]:
    from avowal.analysis.material import LABELS

    return [
        {
            "name": each.name,
            "target": each.target,
            "learned": each.learned,
            "low": None if each.ends is None else each.ends[0],
            "high": None if each.ends is None else each.ends[1],
            "reports": {LABELS[name]: held for name, held in each.reports.items()},
        }
        for each in part.attributes
    ]


def _level(page: Page) -> str:
    rows = {row[0].value: row[1].value for row in page.provenance.settings.rows}
    return f"{100 * float(str(rows['level of the intervals'])):g}%"


def _system(found: Results) -> str | None:
    """Return the system message if all prompts share one."""
    told = {
        content
        for each in found.panels
        for example in each.examples
        for role, content in example.messages
        if role == "system"
    }
    return told.pop() if len(told) == 1 else None


def _asset(name: str) -> str:
    return files("avowal.page").joinpath("templates", name).read_text(encoding="utf-8").strip()


def _packed(script: str) -> str:
    """Pack a script to less than half: the browser unpacks it, and its policy knows it by its hash."""
    return b64encode(gzip.compress(script.encode(), mtime=0)).decode()


def _styles(page: Page) -> str:
    """Return all styles; columns of numbers are told by their place, since a class on each cell would be long."""
    right = []
    for its in page.tables:
        places = [place for place, numeric in enumerate(its.numeric, 1) if numeric and place > 1]
        right += [f"#table-{its.name} :is(td, th):nth-child({place})" for place in places]
    aligned = f"{', '.join(right)} {{ text-align: right; white-space: nowrap; }}" if right else ""
    return f"{_asset('page.css')}\n{style()}\n{aligned}"


def _policy(scripts: list[str]) -> str:
    """Allow the page's own scripts by their hashes, and nothing else: no request, and no handler in an attribute."""
    hashes = " ".join(f"'sha256-{b64encode(sha256(each.encode()).digest()).decode()}'" for each in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )
