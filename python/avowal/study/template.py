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
    "conditions": {"trained": 20, "native": 20, "training": 30, "decisions": 30, "native_decisions": 30, "reports": 4},
}
"""By name, the sizes that a template writes: the paper's, and those of a study that tries everything out, the last one
with a condition that flips the weights."""


def init(folder: str | Path, template: str = "paper") -> Path:
    """Write a commented study.toml.

    Parameters
    ----------
    folder
        The study's folder, made if it isn't there; it gives the study its name.
    template
        One of :data:`TEMPLATES`.

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
        raise InputError.at("a folder without a study", "one", file=path)
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
    for mark, value in {"@name@": name or "study", "@conditions@": condition, **sizes}.items():
        text = text.replace(mark, value)
    path.write_text(text, encoding="utf-8")
    return path
