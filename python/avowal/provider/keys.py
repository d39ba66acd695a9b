"""Keys: where the secret that opens an endpoint is found: the environment, else a file ``.env``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from avowal.errors import InputError

FILE = ".env"
"""The name of the file, in a study's folder or the current directory."""

_LINE = re.compile(r"\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*(?P<value>.*?)\s*")


def find(name: str, folder: str | Path | None = None) -> tuple[str, str]:
    """Find a key; nothing is put into the environment.

    Parameters
    ----------
    name
        Of the variable.
    folder
        Whose ``.env`` is read before that of the current directory; None for the latter alone.

    Returns
    -------
    value, place : str
        The key without blanks around it, and where it was found in the words of an error; both empty without a key.

    Raises
    ------
    InputError
        For a file that isn't UTF-8, can't be read, or a key that can't be sent; shows nothing of it.
    """
    for value, place in _places(name, folder):
        if value.strip():
            if not (value.strip().isascii() and value.strip().isprintable()):
                raise InputError.at("a key of printable ASCII characters", "others", field=place)
            return value.strip(), place
    return "", ""


def _places(name: str, folder: str | Path | None) -> Iterator[tuple[str, str]]:
    yield os.environ.get(name, ""), f"environment variable {name}"
    for each in dict.fromkeys((*([Path(folder)] if folder is not None else []), Path())):
        path = each / FILE
        try:
            text = path.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError):
            # Not the error itself: it may show what stands there.
            raise InputError.at("a file of lines NAME=value that can be read", "another", file=path) from None
        yield _value(text, name), f"file {path}, {name}"


def _value(text: str, name: str) -> str:
    """Return the value of the last line that has the name, as shells would."""
    found = ""
    for line in text.splitlines():
        parts = _LINE.fullmatch(line)
        if parts is not None and parts["name"] == name:
            value = parts["value"]
            quoted = re.fullmatch(r"""(["'])(.*?)\1(?:\s+#.*)?""", value)
            found = quoted[2] if quoted else re.sub(r"(?:^|\s+)#.*", "", value)
    return found
