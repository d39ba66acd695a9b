"""Batches: many requests in one file, answered within a day; each found again by its digest and never created twice."""

from __future__ import annotations

from collections.abc import Sequence

from avowal.provider.client import Client, Document, Request, below
from avowal.provider.jobs import TAG
from avowal.provider.lists import pages

ENDED = ("completed", "failed", "expired", "cancelled")
"""States that a batch stays in."""


def find(client: Client, digest: str, *, ignoring: Sequence[str] = ()) -> Document | None:
    """Look for a batch.

    Parameters
    ----------
    client
        Asks.
    digest
        In the batch's metadata.
    ignoring
        States in which it doesn't count. None is ignored unless told: also an expired batch has replies that are paid.

    Returns
    -------
    dict or None
        The newest, as it came.

    Raises
    ------
    ProviderError
        As :meth:`~avowal.provider.Client.complete`.
    """
    for each in pages(client, "/batches", "batches"):
        if (each.get("metadata") or {}).get(TAG) == digest and each.get("status") not in ignoring:
            return each
    return None


def create(client: Client, input_file: str, digest: str, *, endpoint: str = "/v1/chat/completions") -> Document:
    """Create a batch, or adopt the one that a try created whose answer never came.

    Parameters
    ----------
    client
        Sends.
    input_file
        The provider's name of the uploaded file.
    digest
        Of the requests in it. Look with :func:`find` before.
    endpoint
        The path that the requests are for.

    Returns
    -------
    dict
        The batch, as it came.

    Raises
    ------
    ProviderError
        As :meth:`~avowal.provider.Client.complete`.
    """
    body = {
        "input_file_id": input_file,
        "endpoint": endpoint,
        "completion_window": "24h",
        "metadata": {TAG: digest},
    }
    return client.document(Request("POST", "/batches", "batches", body), again=lambda: find(client, digest))


def batch(client: Client, identity: str) -> Document:
    """Return a batch as it stands now; errors as those of :func:`find`."""
    return client.document(Request("GET", below("batches", identity), f"batch {identity}"))


def cancel(client: Client, identity: str) -> Document:
    """Cancel a batch and return it; errors as those of :func:`find`, also where it has ended already."""
    return client.document(Request("POST", below("batches", identity, "cancel"), f"cancelling batch {identity}", {}))
