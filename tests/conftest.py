"""Fixtures that several test files share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def published() -> Path:
    """Find the folder of the authors' published files, which the project does not copy."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "published"
    folder = Path(os.environ.get("AVOWAL_PUBLISHED_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"the authors' published files are not at {folder}; set AVOWAL_PUBLISHED_DATA")
    return folder
