"""The picture of the README: what a model is asked, and reported against learned weights before and after training.

Run ``python docs/picture.py avowal-demo`` to write ``docs/picture.svg`` anew from what ``avowal demo`` left there.
"""

from __future__ import annotations

import json
import sys
from html import escape
from pathlib import Path
from textwrap import wrap

import polars as pl

from avowal.accuracy import Accuracy
from avowal.demo import demo
from avowal.prompts import decision_messages
from avowal.text import estimate

MODEL = "gpt-4o-2024-08-06"
SETS = {
    "weight_trained": "Reports before introspection training",
    "introspection_trained": "Reports after, on contexts held out",
}
SIDE, LEFT, TOP = 330, 350, 72
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .small { font-size: 12px } .mono { font: 11px ui-monospace, monospace } .head { font-weight: 600 }
  .card { fill: #f6f8fa; stroke: #d0d7de } .grid { stroke: #d0d7de } .dot { fill: #0969da; fill-opacity: .55 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .card { fill: #161b22; stroke: #30363d } .grid { stroke: #30363d } .dot { fill: #58a6ff }
  }
"""


def card(top: int, height: int, head: str, lines: list[str]) -> list[str]:
    """Draw a box of text on the left."""
    parts = [
        f'<rect class="card" x="10" y="{top}" width="300" height="{height}" rx="8"/>',
        f'<text class="head" x="24" y="{top + 24}">{escape(head)}</text>',
    ]
    for row, line in enumerate(lines):
        parts.append(f'<text class="mono" x="24" y="{top + 46 + 16 * row}">{escape(line)}</text>')
    return parts


def scatter(place: int, title: str, found: Accuracy) -> list[str]:
    """Draw reported (up) against learned weights (across), both from -100 to 100."""
    left = LEFT + place * (SIDE + 40)

    def x(weight: float) -> float:
        return round(left + (weight + 100) / 200 * SIDE, 1)

    def y(report: float) -> float:
        return round(TOP + (100 - report) / 200 * SIDE, 1)

    parts = [
        f'<text class="head" x="{left}" y="28">{escape(title)}</text>',
        f'<text class="small" x="{left}" y="48">r = {escape(estimate(found.r, found.cluster_interval))}</text>',
        f'<rect class="card" x="{left}" y="{TOP}" width="{SIDE}" height="{SIDE}" rx="8"/>',
        f'<path class="grid" d="M{left} {y(0)}H{left + SIDE}M{x(0)} {TOP}V{TOP + SIDE}"/>',
        f'<text class="small" x="{left}" y="{TOP + SIDE + 20}">learned weight, -100 to 100</text>',
        f'<text class="small" transform="translate({left - 8} {TOP + SIDE}) rotate(-90)">reported weight</text>',
    ]
    entries = zip(found.entries.weights, found.entries.reports, strict=True)
    parts += [f'<circle class="dot" cx="{x(weight)}" cy="{y(report)}" r="4"/>' for weight, report in entries]
    return parts


def picture(folder: Path) -> str:
    """Return the SVG of the demo's study in a folder."""
    found = demo(folder)
    study, tables = found.collected.study, found.collected.tables
    model = next(each for each in found.analysis.models if each.name == MODEL)
    asked = (pl.col("base") == MODEL) & pl.col("failure").is_null()
    reply = tables["reports"].filter(asked, role="introspection_first").row(0, named=True)
    choice = tables["choices"].filter(asked, role="learned", context=reply["context"]).row(0, named=True)
    context = next(each for each in study.trained if each.name == reply["context"])
    shown = decision_messages(context, choice["a"], choice["b"])[1]["content"].split("\n\n", 1)[1].splitlines()
    values = zip(context.attributes, reply["report"], strict=True)
    reported = json.dumps({attribute.name: round(weight) for attribute, weight in values}, indent=1).splitlines()
    question = [line for sentence in shown[0].replace(". ", ".\n", 1).split("\n") for line in wrap(sentence, 40)]
    body = [
        *card(
            10,
            306,
            "What the model chooses ...",
            [*question, *(line for line in shown[1:] if line), f"→ {choice['choice']}"],
        ),
        *card(326, 164, "... and what it says it weighs", reported),
    ]
    for place, (name, title) in enumerate(SETS.items()):
        body += scatter(place, title, model.sets[name].accuracy)
    title = "A model's choices and its reports; reported against learned weights before and after training"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1070 500" role="img"><title>{title}</title>'
        f"<style>{STYLE}</style>\n" + "\n".join(body) + "\n</svg>\n"
    )


if __name__ == "__main__":
    Path(__file__).with_suffix(".svg").write_text(picture(Path(sys.argv[1])), encoding="utf-8")
