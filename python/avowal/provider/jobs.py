"""Jobs: fine-tuning, each job under a digest by which it is found again and never created twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from avowal.provider.client import Client, Document, Request, below
from avowal.provider.lists import pages

TAG = "avowal"
"""The key of the digest in the metadata of jobs and batches."""

DEAD = ("failed", "cancelled")
"""States of jobs that came to nothing."""

_PATH = ("fine_tuning", "jobs")


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be trained.

    Attributes
    ----------
    model
        Which is trained further.
    training_file, validation_file
        The provider's names of uploaded files; no validation if None.
    hyperparameters
        ``n_epochs``, ``batch_size`` and ``learning_rate_multiplier``: numbers or ``auto``.
    seed
        From 0 to 2**31 - 1; the provider's choice if None.
    suffix
        Part of the tuned model's name; none if empty.
    digest
        Of all that decides what is trained.
    """

    model: str
    training_file: str
    validation_file: str | None
    hyperparameters: Mapping[str, float | str]
    seed: int | None
    suffix: str
    digest: str

    def body(self) -> Document:
        """Return the body of the request."""
        given = {"validation_file": self.validation_file, "seed": self.seed, "suffix": self.suffix or None}
        return {
            "model": self.model,
            "training_file": self.training_file,
            "method": {"type": "supervised", "supervised": {"hyperparameters": dict(self.hyperparameters)}},
            "metadata": {TAG: self.digest},
            **{name: value for name, value in given.items() if value is not None},
        }


def find(client: Client, digest: str) -> Document | None:
    """Look for a job that has succeeded or may yet.

    Parameters
    ----------
    client
        Asks.
    digest
        In the job's metadata.

    Returns
    -------
    dict or None
        The job, as it came.

    Raises
    ------
    ProviderError
        As :meth:`~avowal.provider.Client.complete`.
    """
    # Not every endpoint heeds the filter: what it lists is looked at again.
    for each in pages(client, below(*_PATH), "fine-tuning jobs", {f"metadata[{TAG}]": digest}):
        if (each.get("metadata") or {}).get(TAG) == digest and each.get("status") not in DEAD:
            return each
    return None


def create(client: Client, order: Order) -> Document:
    """Create a job, or adopt the one that a try created whose answer never came.

    Parameters
    ----------
    client
        Sends.
    order
        What is to be trained. Look with :func:`find` before.

    Returns
    -------
    dict
        The job, as it came.

    Raises
    ------
    ProviderError
        As :meth:`~avowal.provider.Client.complete`.
    """
    request = Request("POST", below(*_PATH), "fine-tuning", order.body())
    return client.document(request, again=lambda: find(client, order.digest))


def job(client: Client, identity: str) -> Document:
    """Return a job as it stands now; errors as those of :func:`find`."""
    return client.document(Request("GET", below(*_PATH, identity), f"job {identity}"))


def events(client: Client, identity: str) -> list[Document]:
    """Return all events of a job, the newest first; errors as those of :func:`find`."""
    return list(pages(client, below(*_PATH, identity, "events"), f"events of job {identity}"))


def checkpoints(client: Client, identity: str) -> list[Document]:
    """Return all checkpoints of a job, the newest first; errors as those of :func:`find`."""
    return list(pages(client, below(*_PATH, identity, "checkpoints"), f"checkpoints of job {identity}"))


def cancel(client: Client, identity: str) -> Document:
    """Cancel a job and return it; errors as those of :func:`find`, also where it has ended already."""
    return client.document(Request("POST", below(*_PATH, identity, "cancel"), f"cancelling job {identity}", {}))
