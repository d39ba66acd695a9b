"""What every test may ask for: the folder of the authors' published files."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# What a shell runs in the background ignores Ctrl-C from the start, and so would every process that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Workers of pytest-xdist set these, as a terminal would; commands under test are to have none.
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)

# Laws say nothing of speed, and a busy machine passes the default 200 ms now and then.
settings.register_profile("avowal", deadline=None)
settings.load_profile("avowal")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def published() -> Path:
    folder = Path(os.environ.get("AVOWAL_PUBLISHED_DATA") or ROOT.parent / "shared" / "published")
    if not folder.is_dir():
        pytest.skip(f"the authors' files are not at {folder}; AVOWAL_PUBLISHED_DATA may name their folder")
    return folder


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command in this process, hold it to its exit code, and return all that it printed."""
    from avowal.cli import main

    def call(*words: object, code: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["avowal", *map(str, words)])
        before = signal.getsignal(signal.SIGTERM)
        try:
            with pytest.raises(SystemExit) as ended:
                main()
        finally:
            signal.signal(signal.SIGTERM, before)
        printed = "".join(capfd.readouterr())
        assert ended.value.code == code, printed
        return printed

    return call
