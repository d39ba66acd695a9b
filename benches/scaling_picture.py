"""The picture of how cost grows: seconds against agents and against trials, on axes of powers of ten."""

import math
from collections.abc import Mapping
from html import escape

SIDE, HIGH, LEFT, TOP, GAP = 250, 190, 66, 34, 110
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #24292f } .head { font-weight: 600 } .grid { stroke: #d0d7de }
  .dot { fill: #0969da } .line { stroke: #57606a; stroke-dasharray: 5 3; fill: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .grid { stroke: #30363d } .dot { fill: #58a6ff } .line { stroke: #8b949e }
  }
"""
UNITS = {
    0: "1 s",
    -1: "100 ms",
    -2: "10 ms",
    -3: "1 ms",
    -4: "100 µs",
    -5: "10 µs",
    -6: "1 µs",
    -7: "100 ns",
    1: "10 s",
}
RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def panel(place: int, title: str, across: str, points: Mapping[int, float]) -> list[str]:
    """Draw seconds by size, with the line of a cost in proportion to the size through the middle point."""
    left = LEFT + place * (SIDE + GAP)
    sizes = [math.log10(size) for size in points]
    seconds = [math.log10(value) for value in points.values()]
    low, high = math.floor(min(seconds)), math.ceil(max(seconds))
    first, last = math.floor(min(sizes)), math.ceil(max(sizes))

    def x(size: float) -> float:
        return round(left + (size - first) / (last - first) * SIDE, 1)

    def y(value: float) -> float:
        return round(TOP + (high - value) / (high - low) * HIGH, 1)

    parts = [f'<text class="head" x="{left}" y="18">{escape(title)}</text>']
    for tick in range(low, high + 1):
        parts.append(f'<line class="grid" x1="{left}" x2="{left + SIDE}" y1="{y(tick)}" y2="{y(tick)}"/>')
        parts.append(f'<text x="{left - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{UNITS[tick]}</text>')
    for tick in range(first, last + 1):
        power = f"10{str(tick).translate(RAISED)}"
        parts.append(f'<text x="{x(tick)}" y="{TOP + HIGH + 20}" text-anchor="middle">{power}</text>')
    parts.append(f'<text x="{left + SIDE / 2}" y="{TOP + HIGH + 40}" text-anchor="middle">{escape(across)}</text>')
    level = seconds[len(seconds) // 2] - sizes[len(sizes) // 2]
    ends = [max(sizes[0], low - level), min(sizes[-1], high - level)]
    line = "L".join(f"{x(size)} {y(size + level)}" for size in ends)
    parts.append(f'<path class="line" d="M{line}"/>')
    parts += [
        f'<circle class="dot" cx="{x(size)}" cy="{y(value)}" r="5"/>'
        for size, value in zip(sizes, seconds, strict=True)
    ]
    return parts


def picture(by_agents: Mapping[int, float], by_trials: Mapping[int, float]) -> str:
    """Return the SVG: seconds of a fit by number of agents, and seconds per agent by number of trials."""
    width, height = LEFT + 2 * SIDE + GAP + 20, TOP + HIGH + 50
    body = [
        *panel(0, "Fit of all agents", "agents, 50 trials each", by_agents),
        *panel(1, "Fit of one agent among others", "trials", by_trials),
    ]
    title = "Time of a fit on one thread by number of agents and of trials; dashed: in proportion"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"><title>{title}</title>'
        f"<style>{STYLE}</style>\n" + "\n".join(body) + "\n</svg>\n"
    )
