"""Failures: what a try that got no usable reply tells, and whether the same request may succeed later."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from avowal.errors import AvowalError
from avowal.provider.retry import retry_after, transient
from avowal.text import plain

SHOWN = 300
"""Characters of a provider's own message that an error shows: some answer with whole pages."""

SPENT = ("insufficient_quota", "billing_hard_limit_reached")
"""Codes of an account that has nothing left. They come with 429 too, and no wait fills it."""


class ProviderError(AvowalError):
    """A request that got no reply.

    Attributes
    ----------
    kind
        ``HTTP 401`` and so on, ``no connection``, ``certificate``, ``timeout``, or ``unreadable``.
    status
        The HTTP status, if there was one.
    retries
        The kinds of the failures before the last one.
    passing
        Whether the same request may succeed later.
    body
        What came last, as it came but for the key; empty where nothing did.
    """

    def __init__(
        self, message: str, kind: str, status: int | None, retries: tuple[str, ...], *, passing: bool, body: str = ""
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.status = status
        self.retries = retries
        self.passing = passing
        self.body = body


@dataclass(frozen=True, slots=True)
class Failure:
    """One try that got no reply.

    Attributes
    ----------
    kind, status, passing, body
        As those of :class:`ProviderError`.
    message
        What the provider said.
    asked
        The seconds that it asked to wait.
    """

    kind: str
    status: int | None
    message: str
    passing: bool
    asked: float | None = None
    body: str = ""


def of(error: Any, clean: Callable[[str], str]) -> Failure:
    """Tell what an exception of the SDK means.

    Parameters
    ----------
    error
        An ``openai.APIError``.
    clean
        Strikes the key out of a text. A message is cleaned before it is cut: half a key would stay.

    Returns
    -------
    Failure
    """
    from openai import APIStatusError, APITimeoutError

    if isinstance(error, APIStatusError):
        status, body = error.status_code, clean(error.response.text)
        passing = transient(status) and not _spent(error.body)
        message, wait = _message(error, clean), retry_after(error.response.headers)
        return Failure(f"HTTP {status}", status, message, passing, wait, body)
    if isinstance(error, APITimeoutError):
        return Failure("timeout", None, "no answer in time", passing=True)
    if any(isinstance(each, ssl.SSLCertVerificationError) for each in _causes(error)):
        return Failure("certificate", None, clean(str(error.__cause__ or error)), passing=False)
    return Failure("no connection", None, clean(str(error.__cause__ or error)), passing=True)


def unreadable(body: str, status: int) -> Failure | None:
    """Tell why the body of a success is none.

    Parameters
    ----------
    body
        As it came.
    status
        Of HTTP.

    Returns
    -------
    Failure or None
        None for a whole JSON object, unless that is an error alone. A body can break off although its length fits
        what its headers say, and proxies show pages with status 200.
    """
    try:
        held = json.loads(body)
    except (ValueError, RecursionError):
        held = None
    if not isinstance(held, dict):
        shown = _shown(body) or "nothing"
        return Failure("unreadable", status, f"expected a JSON object, found {shown}", passing=True, body=body)
    told = held.get("error")
    if not told or "choices" in held or "id" in held:
        return None
    said = told.get("message") if isinstance(told, dict) else told
    return Failure("unreadable", status, _shown(str(said)), passing=not _spent(told), body=body)


def _causes(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def _spent(told: object) -> bool:
    """Tell whether an error's body says that the account has nothing left."""
    if isinstance(told, dict):
        return any(told.get(field) in SPENT for field in ("code", "type")) or _spent(told.get("error"))
    return isinstance(told, str) and any(code in told for code in SPENT)


def _message(error: Any, clean: Callable[[str], str]) -> str:
    if "location" in error.response.headers:
        return _shown(clean(f"moved to {error.response.headers['location']}"))
    said = error.body.get("message") if isinstance(error.body, dict) else error.body
    return _shown(clean(said if isinstance(said, str) and said.strip() else str(error.message)))


def _shown(text: str) -> str:
    """Cut what a provider said to a readable length, without what would steer the terminal."""
    text = plain(" ".join(text[: 9 * SHOWN].split()))
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."
