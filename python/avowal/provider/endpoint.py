"""The endpoint: the address that requests go to, and the name of the environment variable that holds its key."""

from __future__ import annotations

import os
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from avowal.errors import InputError
from avowal.provider import keys

KEY_ENV = "OPENAI_API_KEY"
"""The variable that every client of this shape reads unless told otherwise."""

URL_ENV = "OPENAI_BASE_URL"
"""The variable that such clients read the address from where none is given."""

NO_KEY = "none"
"""What is sent to a local server without a key: the SDK insists on one, such servers ignore it."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where requests go, and where the key is found; never the key itself.

    Attributes
    ----------
    base_url
        The address up to ``/v1``. If None, what ``OPENAI_BASE_URL`` holds now; where that is not set it stays None:
        the SDK's default address.
    key_env
        The name of the environment variable that holds the key.

    Raises
    ------
    InputError
        For an address that is not ``http://`` or ``https://`` with a host, or one that carries a password; wherever it
        comes from.

    Examples
    --------
    >>> Endpoint("http://127.0.0.1:8080/v1").local
    True
    """

    base_url: str | None = None
    key_env: str = KEY_ENV

    def __post_init__(self) -> None:
        if self.base_url is not None:
            _check(self.base_url, "base_url")
        elif URL_ENV in os.environ:
            # The SDK would read it too, but neither check what it carries nor know that it is local.
            _check(os.environ[URL_ENV], f"environment variable {URL_ENV}")
            object.__setattr__(self, "base_url", os.environ[URL_ENV])

    @property
    def local(self) -> bool:
        """Whether the address is this machine's; unknown (None) counts as not local."""
        return self.base_url is not None and is_local(self.base_url)

    def key(self, folder: str | Path | None = None) -> str:
        """Read the key from the environment, else from a file ``.env``.

        Parameters
        ----------
        folder
            Whose ``.env`` is read before that of the current directory.

        Returns
        -------
        str
            For a local address without a key, a text that stands for none.

        Raises
        ------
        InputError
            Where there is none or it can't be sent; says what to set, and never shows the value.
        """
        found, _ = keys.find(self.key_env, folder)
        if found or self.local:
            return found or NO_KEY
        expected = f"the provider's key (export {self.key_env}=..., a line of that in .env, or another variable)"
        raise InputError.at(expected, "nothing", field=f"environment variable {self.key_env}")


def _check(url: str, field: str) -> None:
    """Refuse an address that the SDK can't use, or that carries what must not be shown."""
    try:
        parts = urlsplit(url)
        # Port and host are looked at only when they are asked for; the SDK would, after the request is in the log.
        good = parts.scheme in ("http", "https") and bool((parts.hostname or "").encode("idna")) and parts.port != 0
    except ValueError:
        good = False
    if good and (parts.username or parts.password or parts.query or parts.fragment):
        # The address is shown and logged; what it carries must not be.
        raise InputError.at("an address alone", "a user, a password, a query or a fragment in it", field=field)
    if not (good and url.isascii() and url.isprintable() and " " not in url):
        shown = "another" if "@" in url or "?" in url else repr(url)
        raise InputError.at("an address such as http://127.0.0.1:8080/v1", shown, field=field)


def is_local(url: str) -> bool:
    """Tell whether an address is this machine's loopback."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
