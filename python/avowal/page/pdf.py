"""PDF: the page printed by a Chromium of this machine, without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from avowal.errors import AvowalError
from avowal.study.whole import whole

__all__ = ["BROWSERS", "browser", "print_page"]

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
"""Names of browsers that print, in the order in which they are looked for."""

PATIENCE = 180
"""Seconds that a browser has; the paper's study takes it some."""

DRAWING = 15_000
"""Milliseconds of the page's own time in which its charts are drawn; they pass as fast as the machine allows."""


def browser() -> str | None:
    """Return the path of a browser that prints, or None where there is none."""
    return next((found for name in BROWSERS if (found := shutil.which(name)) is not None), None)


def print_page(page: Path, pdf: Path) -> None:
    """Print a page.

    Parameters
    ----------
    page
        A file of HTML.
    pdf
        The file to write.

    Raises
    ------
    AvowalError
        Where there is no browser that prints, or it fails.
    """
    command = browser()
    if command is None:
        raise AvowalError(
            "--pdf needs Chromium or Chrome on the path: install one (apt install chromium, or brew install --cask "
            "chromium), or print the page from any browser"
        )
    with TemporaryDirectory(prefix="avowal-pdf-") as scratch, whole(pdf.absolute()) as part:
        options = [
            "--headless",
            "--disable-gpu",
            "--disable-background-networking",
            "--no-first-run",
            # Nothing on the page asks for anything; should that ever change, nothing is found.
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={scratch}",
            f"--virtual-time-budget={DRAWING}",
            "--no-pdf-header-footer",
            f"--print-to-pdf={part}",
        ]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            # Chromium refuses to run for root within its sandbox.
            options.append("--no-sandbox")
        try:
            done = subprocess.run(  # noqa: S603
                [command, *options, page.resolve().as_uri()], capture_output=True, timeout=PATIENCE, check=False
            )
        except subprocess.TimeoutExpired:
            raise AvowalError(f"{command} did not print {page} within {PATIENCE} seconds") from None
        if done.returncode or not part.exists():
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            told = said[-1] if said else f"it ended with {done.returncode}"
            raise AvowalError(f"{command} did not print {page}: {told}")
