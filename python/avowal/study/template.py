"""Templates: a commented study.toml to start from."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from avowal.errors import InputError
from avowal.study.config import FILE

__all__ = ["TEMPLATES", "init"]

TEMPLATES = {
    "paper": {"trained": 100, "native": 100, "training": 50, "decisions": 50, "native_decisions": 100, "reports": 10},
    "small": {"trained": 20, "native": 20, "training": 30, "decisions": 30, "native_decisions": 30, "reports": 4},
    "demo": {"trained": 24, "native": 24, "training": 30, "decisions": 30, "native_decisions": 30, "reports": 5},
    "conditions": {"trained": 20, "native": 20, "training": 30, "decisions": 30, "native_decisions": 30, "reports": 4},
}
"""By name, the sizes that a template writes: the paper's, and those of studies that try everything out; that of
"conditions" also flips the weights under a condition."""

BOTH = '"gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18"'
"""The base models of the demo, both of the paper's."""


def init(folder: str | Path, template: str = "paper", *, seed: int = 1) -> Path:
    """Write a commented study.toml.

    Parameters
    ----------
    folder
        The study's folder, made if it isn't there; it gives the study its name.
    template
        One of :data:`TEMPLATES`.
    seed
        Of everything that the study draws.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    InputError
        For another template, or a folder that has a study already.
    """
    if template not in TEMPLATES:
        raise InputError.at(" or ".join(TEMPLATES), repr(template), field="template")
    place = Path(folder)
    path = place / FILE
    if path.exists():
        raise InputError.at("a folder without a study (take another, or go on with avowal plan)", "one", file=path)
    if place.exists() and not place.is_dir():
        raise InputError.at("a folder", "a file", file=place)
    place.mkdir(parents=True, exist_ok=True)
    text, condition = (
        files("avowal").joinpath("study", file).read_text(encoding="utf-8")
        for file in ("template.toml", "template_conditions.toml")
    )
    if template != "conditions":
        condition = "".join(f"#   {line}\n" for line in condition.splitlines())
    name = "".join(sign if sign.isprintable() and sign not in '"\\' else "_" for sign in place.resolve().name)
    sizes = {f"@{key}@": str(value) for key, value in TEMPLATES[template].items()}
    base = BOTH if template == "demo" else BOTH.split(", ")[0]
    told = {"@name@": name or "study", "@seed@": f"{seed:<37} ", "@base@": base, "@conditions@": condition}
    for mark, value in {**told, **sizes}.items():
        text = text.replace(mark, value)
    path.write_text(text, encoding="utf-8")
    return path
