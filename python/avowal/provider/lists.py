"""Lists: what an endpoint keeps, page after page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from avowal.provider.client import Client, Document, Request

MOST = 100
"""Objects per page; no endpoint of this shape is known to refuse so many."""


def pages(client: Client, path: str, what: str, query: Mapping[str, Any] | None = None) -> Iterator[Document]:
    """List all objects at a path.

    Parameters
    ----------
    client
        Asks.
    path
        Of the list.
    what
        What it is a list of, in the words of an error.
    query
        What is asked for beside the page.

    Yields
    ------
    dict
        Each object once, as it came, in the endpoint's order.

    Raises
    ------
    ProviderError
        As :meth:`~avowal.provider.Client.complete`.
    """
    seen: set[str] = set()
    asked: dict[str, Any] = {**(query or {}), "limit": MOST}
    while True:
        found = client.document(Request("GET", path, what, query=asked))
        listed = found.get("data")
        rows = [each for each in listed if isinstance(each, dict) and "id" in each] if isinstance(listed, list) else []
        fresh = [each for each in rows if str(each["id"]) not in seen]
        yield from fresh
        seen.update(str(each["id"]) for each in fresh)
        # An endpoint that knows no pages answers every request with the same one.
        if not fresh or not found.get("has_more"):
            return
        asked["after"] = rows[-1]["id"]
