"""The authors' files: finding them, reading them into avowal's tables, and rebuilding those that seeds determine."""

from avowal.published.files import ModelFiles, find_models
from avowal.published.read import (
    Published,
    PublishedModel,
    read,
    read_choices,
    read_reports,
    read_scenarios,
    read_targets,
    read_weights,
)
from avowal.published.rebuild import Recipe, build, rebuild

__all__ = [
    "ModelFiles",
    "Published",
    "PublishedModel",
    "Recipe",
    "build",
    "find_models",
    "read",
    "read_choices",
    "read_reports",
    "read_scenarios",
    "read_targets",
    "read_weights",
    "rebuild",
]
