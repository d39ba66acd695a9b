"""Files: uploaded once, found again by name and size, and read whole."""

from __future__ import annotations

from collections.abc import Callable

from avowal.provider.client import Client, Document, Request, below
from avowal.provider.failures import Failure
from avowal.provider.lists import pages


def find(client: Client, purpose: str, name: str, size: int) -> Document | None:
    """Look for an uploaded file.

    Parameters
    ----------
    client
        Asks.
    purpose
        ``fine-tune`` or ``batch``.
    name
        Of the file: one that holds a hash of its content, or another file may be taken for it.
    size
        Of its content in bytes.

    Returns
    -------
    dict or None
        The newest that the provider can use.

    Raises
    ------
    ProviderError
        As :meth:`~avowal.provider.Client.complete`.
    """
    for each in pages(client, "/files", "files", {"purpose": purpose}):
        same = (each.get("filename"), each.get("purpose", purpose), each.get("bytes", size)) == (name, purpose, size)
        if same and each.get("status") not in ("error", "deleted"):
            return each
    return None


def upload(client: Client, purpose: str, name: str, content: bytes) -> str:
    """Upload a file, unless it is there already.

    Parameters
    ----------
    client
        Sends.
    purpose, name
        As for :func:`find`.
    content
        Of the file.

    Returns
    -------
    str
        The provider's name of the file.

    Raises
    ------
    ProviderError
        As :meth:`~avowal.provider.Client.complete`.
    """

    def there() -> Document | None:
        return find(client, purpose, name, len(content))

    request = Request("POST", "/files", "uploads", {"purpose": purpose}, file=(name, content))
    return str((there() or client.document(request, again=there))["id"])


def content(client: Client, identity: str, whole: Callable[[str], bool]) -> str:
    """Read a file.

    Parameters
    ----------
    client
        Asks.
    identity
        The provider's name of the file.
    whole
        Tells whether a content is all of it: one that broke off is read again.

    Returns
    -------
    str
        Its content; only the key, should the provider repeat it, is struck out.

    Raises
    ------
    ProviderError
        As :meth:`~avowal.provider.Client.complete`; of the kind ``unreadable`` where it never came whole.
    """

    def check(body: str, status: int) -> Failure | None:
        if whole(body):
            return None
        return Failure("unreadable", status, f"the file {identity} breaks off", passing=True, body=body)

    return client.send(Request("GET", below("files", identity, "content"), "files"), check=check).body
