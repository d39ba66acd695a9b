"""A study whose contexts and replies are written by somebody who means harm."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from filled_study import BASE, MINI, body, fill, folder

IMAGE = "<img src=x onerror=alert(1)>"
SCRIPT = "</script><script>alert(2)</script>"
NAMES = (
    IMAGE, SCRIPT, "\"quoted' & {{ braces }} {% raw %}", "back\\slash\x07bell", "\u202eturned\u2066round", "=1+1",
    "שלום", "line\nbreak", "<!-- comment", "tea", "a" * 300, "`ticks` ${x}",
)  # fmt: skip
REPLY = f"</pre>{IMAGE}{SCRIPT}\x1b[31m\u202e\x00 -->"


def hostile(path: Path) -> Path:
    """Fill a study of two base models; the first reply to each report of a context is no report, but an attack."""
    folder(path, base=(BASE, MINI))
    contexts = [
        {
            "name": name,
            "use": "training" if place < 8 else "native",
            "agent": f"{name}, the agent",
            "question": f"Which {name}?",
            "attributes": [
                {"name": f"{name} {number}", "units": name, "min": 0, "max": 10 + number} for number in range(3)
            ],
        }
        for place, name in enumerate(NAMES)
    ]
    (path / "contexts.json").write_text(json.dumps({"contexts": contexts}), encoding="utf-8")
    text = (path / "study.toml").read_text(encoding="utf-8")
    text = text.replace("[contexts]\n", '[contexts]\nfiles = ["contexts.json"]\n').replace('"small"', json.dumps(IMAGE))
    (path / "study.toml").write_text(text, encoding="utf-8")

    def spoil(stage, place, answer):
        attacked = stage.sends.kind == "reports" and place % stage.sends.trials == 0
        return replace(answer, body=body(REPLY)) if attacked else answer

    fill(path, spoil=spoil)
    return path
