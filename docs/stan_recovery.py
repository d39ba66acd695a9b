"""The figure and the table of the recovery study: what is found of a known latent correlation.

Run ``python docs/stan_recovery.py`` to write ``docs/stan-recovery.svg`` anew and to print the table of
``docs/stan-joint.md``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from avowal.stan.recovery import kept, summarise

HERE = Path(__file__).parent
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 640, 340, 50, 40, 30
SERIES = {"plain": ("correlation of estimates", -14), "mean": ("latent correlation", 14)}
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #24292f } .grid { stroke: #d0d7de } .truth { stroke: #57606a }
  .plain { fill: #bc4c00; stroke: #bc4c00 } .mean { fill: #0969da; stroke: #0969da } .key { stroke: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .grid { stroke: #30363d } .truth { stroke: #8b949e }
    .plain { fill: #f0883e; stroke: #f0883e } .mean { fill: #58a6ff; stroke: #58a6ff }
  }
"""
COLUMNS = {
    "rho": "rho",
    "studies": "studies",
    "plain": "plain",
    "mean": "latent correlation",
    "coverage": "coverage",
    "realised": "true accuracy",
    "accuracy_mean": "accuracy without error",
    "accuracy_coverage": "coverage",
    "problems": "with problems",
}


def rows() -> list[dict[str, Any]]:
    """Return the studies as they are kept."""
    return kept(HERE / "stan-recovery.jsonl")


def table() -> str:
    """Write the summary as Markdown."""
    found = summarise(rows())
    lines = [f"| {' | '.join(COLUMNS.values())} |", f"|{'---|' * len(COLUMNS)}"]
    for row in found.iter_rows(named=True):
        cells = [
            str(row[name]) if isinstance(row[name], int) else f"{row[name]:.{1 if name == 'rho' else 3}f}"
            for name in COLUMNS
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def mark(name: str, x: float, y: float) -> str:
    """Draw a dot for the latent correlation, a square for the plain one."""
    if name == "mean":
        return f'<circle class="{name}" cx="{x:.1f}" cy="{y:.1f}" r="6"/>'
    return f'<rect class="{name}" x="{x - 5:.1f}" y="{y - 5:.1f}" width="10" height="10"/>'


def line(name: str, x: tuple[float, float], y: tuple[float, float], more: str = "") -> str:
    """Draw a line."""
    return f'<line class="{name}" x1="{x[0]:.1f}" x2="{x[1]:.1f}" y1="{y[0]:.1f}" y2="{y[1]:.1f}"{more}/>'


def down(value: float) -> float:
    """Place a correlation from -.3 to 1 on the page."""
    return TOP + (1 - value) / 1.3 * (HEIGHT - TOP - BOTTOM)


def figure() -> str:
    """Draw, for each true value, mean and central 90% of the studies' estimates."""
    found = pl.DataFrame(rows())
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        "<title>Estimates of a known latent correlation, by correlating estimates and by the joint model</title>",
        f"<style>{STYLE}</style>",
    ]
    for tick in (-0.3, 0.0, 0.3, 0.6, 0.9):
        parts.append(line("grid", (LEFT, WIDTH), (down(tick), down(tick))))
        parts.append(f'<text x="{LEFT - 8}" y="{down(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>')
    truths = found["rho"].unique().sort().to_list()
    for place, truth in enumerate(truths):
        middle, level = LEFT + (place + 0.5) * (WIDTH - LEFT) / len(truths), down(truth)
        parts.append(f'<text x="{middle:.1f}" y="{HEIGHT - 10}" text-anchor="middle">true value {truth:g}</text>')
        parts.append(line("truth", (middle - 50, middle + 50), (level, level), ' stroke-dasharray="5 3"'))
        for name, (_, shift) in SERIES.items():
            x, values = middle + shift, found.filter(rho=truth)[name].to_numpy()
            low, high = np.quantile(values, (0.05, 0.95))
            parts.append(line(name, (x, x), (down(low), down(high)), ' stroke-width="3"'))
            parts.append(mark(name, x, down(values.mean())))
    for place, (name, (label, _)) in enumerate(SERIES.items()):
        x = LEFT + 20 + 210 * place
        parts += [mark(name, x, 14), f'<text x="{x + 14}" y="18">{label}</text>']
    parts.append(f'<text x="{LEFT + 440}" y="18">bars: 90% of studies</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    (HERE / "stan-recovery.svg").write_text(figure(), encoding="utf-8")
    sys.stdout.write(table())
