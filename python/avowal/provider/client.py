"""The client: the one place that sends requests; replies come back raw, and every failure is tried again or named."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import SystemRandom
from typing import TYPE_CHECKING, Any
from weakref import finalize

from avowal.errors import AvowalError, InputError
from avowal.provider.endpoint import NO_KEY, Endpoint, is_local
from avowal.provider.retry import Policy, retry_after, transient

if TYPE_CHECKING:
    from openai import OpenAI

SECRET = 16
"""Characters from which a key is taken for a secret and struck out of replies; shorter ones are a local server's
placeholders, such as ``none`` or ``x``, and stand in any text."""

CONNECT = 30.0
"""Seconds for a connection: a host that never answers is known long before a model that thinks."""

SHOWN = 300
"""Characters of a provider's own message that an error shows: some answer with whole pages."""


class ProviderError(AvowalError):
    """A request that got no reply.

    Attributes
    ----------
    kind
        ``HTTP 401`` and so on, ``no connection`` or ``timeout``.
    status
        The HTTP status, if there was one.
    retries
        The kinds of the failures before the last one.
    passing
        Whether the same request may succeed later.
    """

    def __init__(self, message: str, kind: str, status: int | None, retries: tuple[str, ...], *, passing: bool) -> None:
        super().__init__(message)
        self.kind = kind
        self.status = status
        self.retries = retries
        self.passing = passing


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply as it came.

    Attributes
    ----------
    body
        The whole body, unparsed; only the key, should the provider repeat it, is struck out.
    status
        The HTTP status, 200 to 299.
    retries
        The kinds of the failures that came before it.
    """

    body: str
    status: int
    retries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Failure:
    """One try that got no reply."""

    kind: str
    status: int | None
    message: str
    asked: float | None
    passing: bool


class Client:
    """Sends requests to one endpoint, one at a time, with our retry policy instead of the SDK's.

    Parameters
    ----------
    endpoint
        Where to, and with which key.
    policy
        Of retries.
    timeout
        Seconds without a byte after which a try has failed; a connection has 30 of them at most.
    sleep
        Waits; a test passes its own.
    jitter
        Draws a number from 0 to 1 for each wait. It decides nothing but times, so it has no seed.
    tell
        Is told of every wait, in one line, if given.

    Raises
    ------
    InputError
        Where the key is missing, or the environment's proxies or certificates can't be used.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        policy: Policy | None = None,
        timeout: float = 600.0,
        sleep: Callable[[float], object] = time.sleep,
        jitter: Callable[[], float] | None = None,
        tell: Callable[[str], object] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.policy = policy or Policy()
        self._key = endpoint.key()
        self._sdk = _sdk(endpoint, self._key, timeout)
        # Left to itself, the SDK closes no connections but those of an HTTP client that it made.
        finalize(self, self._sdk.close)
        self._sleep = sleep
        self._jitter = jitter or SystemRandom().random
        self._tell = tell or (lambda _: None)

    @property
    def url(self) -> str:
        """The address in use, the SDK's default where the endpoint has none."""
        return str(self._sdk.base_url)

    @property
    def local(self) -> bool:
        """Whether that is this machine's."""
        return is_local(self.url)

    @property
    def keyless(self) -> bool:
        """Whether no key is sent, since a local server's is not set."""
        return self._key == NO_KEY

    def close(self) -> None:
        """Close the connections."""
        self._sdk.close()

    def chat(
        self, model: str, messages: Sequence[Mapping[str, str]], *, response_format: Mapping[str, Any] | None = None
    ) -> Reply:
        """Ask for one chat completion.

        Parameters
        ----------
        model
            As the endpoint knows it.
        messages
            Each with ``role`` and ``content``.
        response_format
            Of a structured output, if wanted.

        Returns
        -------
        Reply
            Read it with :func:`avowal.provider.completion`, after it has been put on disk.

        Raises
        ------
        ProviderError
            At once where the provider refuses the request (400, 401, 403, 404, quota used up, ...), and where the
            policy gives up; says what to do.
        """
        more: dict[str, Any] = {} if response_format is None else {"response_format": response_format}
        asked: Any = list(messages)
        create = self._sdk.chat.completions.with_raw_response.create
        return self._send(lambda: create(model=model, messages=asked, **more), f"model {model!r}")

    def models(self) -> tuple[str, ...]:
        """List the names of the models that the endpoint offers, in its order.

        Returns
        -------
        tuple of str

        Raises
        ------
        ProviderError
            As for :meth:`chat`, and where the reply is no list of models.
        """
        reply = self._send(self._sdk.models.with_raw_response.list, "the list of models")
        try:
            return tuple(str(each["id"]) for each in json.loads(reply.body)["data"])
        except (ValueError, KeyError, TypeError, RecursionError):
            message = f"{self.url} answered with no list of models: is it the address of an API of OpenAI's shape?"
            raise ProviderError(message, "unreadable", reply.status, reply.retries, passing=False) from None

    def _send(self, call: Callable[[], Any], what: str) -> Reply:
        kinds: list[str] = []
        waited = 0.0
        while True:
            reply = self._try(call)
            if isinstance(reply, Reply):
                return Reply(reply.body, reply.status, tuple(kinds))
            if not reply.passing:
                raise self._error(reply, kinds, self._advice(reply, what))
            wait = self.policy.wait(len(kinds) + 1, reply.asked, self._jitter())
            if len(kinds) + 1 >= self.policy.attempts:
                raise self._error(reply, kinds, f"Given up after {len(kinds) + 1} tries; try again later.")
            if waited + wait > self.policy.patience:
                limit = f"a wait of {wait:.10g} s would pass the limit of {self.policy.patience:.0f} s for one request"
                raise self._error(reply, kinds, f"Given up: {limit}; try again later.")
            kinds.append(reply.kind)
            self._tell(
                f"{reply.kind} from {self.url}; waiting {wait:.1f} s (try {len(kinds)} of {self.policy.attempts})"
            )
            self._sleep(wait)
            waited += wait

    def _try(self, call: Callable[[], Any]) -> Reply | _Failure:
        from openai import APIConnectionError, APIStatusError, APITimeoutError

        try:
            raw = call()
        except APIStatusError as error:
            status = error.status_code
            # A quota that is used up also answers 429, and no wait fills it.
            spent = "insufficient_quota" in (error.code, error.type)
            asked = retry_after(error.response.headers)
            passing = transient(status) and not spent
            return _Failure(f"HTTP {status}", status, self._clean(_message(error)), asked, passing)
        except APITimeoutError:
            return _Failure("timeout", None, "no answer in time", None, passing=True)
        except APIConnectionError as error:
            return _Failure("no connection", None, self._clean(str(error.__cause__ or error)), None, passing=True)
        return Reply(self._clean(raw.text), raw.status_code)

    def _error(self, failure: _Failure, kinds: list[str], advice: str) -> ProviderError:
        message = f"{self.url}: {failure.kind}: {failure.message.rstrip('.')}. {advice}"
        # Without its cause: the SDK's exceptions carry the request, and that carries the key.
        return ProviderError(message, failure.kind, failure.status, tuple(kinds), passing=failure.passing)

    def _advice(self, failure: _Failure, what: str) -> str:
        if failure.status in (401, 403):
            if self.keyless:
                return f"No key was sent, since the environment variable {self.endpoint.key_env} is not set."
            return f"The key came from the environment variable {self.endpoint.key_env}: is it this provider's?"
        if failure.status is not None and failure.status < 400:
            return (
                "Redirects are not followed, since prompts and key go nowhere unnamed: give the address that is meant."
            )
        if failure.status == 404:
            return f"Does this address offer {what}?"
        if failure.status in (402, 429):
            return "The account has nothing left to spend; nothing was sent again."
        return f"The provider does not accept this request for {what}; sending it again would not help."

    def _clean(self, text: str) -> str:
        return text.replace(self._key, "[key]") if len(self._key) >= SECRET else text


def _sdk(endpoint: Endpoint, key: str, timeout: float) -> OpenAI:
    """Make the SDK send what is said and shown, there and nowhere else."""
    from openai import DefaultHttpxClient, OpenAI, Timeout

    try:
        return OpenAI(
            api_key=key,
            base_url=endpoint.base_url,
            # The SDK would give up where Retry-After exceeds two minutes, and not say what it tried.
            max_retries=0,
            timeout=Timeout(timeout, connect=min(timeout, CONNECT)),
            # Else one in OPENAI_CUSTOM_HEADERS would take the place of the key that was named.
            default_headers={"Authorization": f"Bearer {key}"},
            http_client=DefaultHttpxClient(
                # A redirect would take the prompts to an address that nobody has seen, or turn them into a GET.
                follow_redirects=False,
                # A proxy reaches its own loopback, not ours, and would read key and prompts.
                trust_env=not endpoint.local,
                event_hooks={"response": [_as_utf8]},
            ),
        )
    except (ImportError, OSError, ValueError) as error:
        expected = "proxies and certificates that can be used (HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE, ...)"
        raise InputError.at(expected, error, field="environment") from None


def _as_utf8(response: Any) -> None:
    # JSON is UTF-8 (RFC 8259), whatever the headers say; where they name no text encoding, the reply would be lost.
    response.encoding = "utf-8"


def _message(error: Any) -> str:
    """Return what the provider said, cut to a readable length, without what would steer the terminal."""
    said = error.body.get("message") if isinstance(error.body, dict) else None
    text = said if isinstance(said, str) and said.strip() else str(error.message)
    if "location" in error.response.headers:
        text = f"moved to {error.response.headers['location']}"
    text = "".join(letter if letter.isprintable() else "\ufffd" for letter in " ".join(text.split()))
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."
