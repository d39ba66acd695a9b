"""The page of results: one section for each benchmark, written in place of the one of the same title."""

import platform
import re
from collections.abc import Sequence
from pathlib import Path

PAGE = Path(__file__).with_name("results.md")


def write(text: str) -> None:
    """Print a section that begins with its title and put it into the page, last if its title is new."""
    print(text)
    held = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    sections = {}
    for part in (*re.split(r"^(?=# )", held, flags=re.MULTILINE), text):
        if part:
            sections[part.partition("\n")[0]] = part.rstrip() + "\n"
    PAGE.write_text("\n".join(sections.values()), encoding="utf-8")


def quote(page: Path, header: str, rows: Sequence[str]) -> None:
    """Put rows of a table into the place of those that stand on another page below the same header."""
    lines = page.read_text(encoding="utf-8").splitlines()
    first = lines.index(header) + 2
    last = next(i for i in range(first, len(lines)) if not lines[i].startswith("|"))
    columns = header.count("|")
    lines[first:last] = ["|".join(row.split("|")[:columns]) + "|" for row in rows]
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")


def processor() -> str:
    """Return the processor's name, which on Linux platform.processor() leaves out."""
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text(encoding="utf-8").splitlines() if listing.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor()
