"""The client: the one place that sends requests; replies come back raw, and every failure is tried again or named."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote, urlsplit
from weakref import finalize

from avowal.errors import InputError
from avowal.provider import failures, keys, models
from avowal.provider.endpoint import NO_KEY, Endpoint, is_local
from avowal.provider.failures import Failure, ProviderError
from avowal.provider.models import Model
from avowal.provider.retry import Policy

if TYPE_CHECKING:
    from openai import OpenAI

LOG = logging.getLogger(__name__)
"""Each try with its outcome and its seconds, and each wait with its reason; never what is sent or answered."""

SECRET = 16
"""Characters from which a key is taken for a secret and struck out of replies; shorter ones are a local server's
placeholders, such as ``none`` or ``x``, and stand in any text."""

CONNECT = 30.0
"""Seconds for a connection: a host that never answers is known long before a model that thinks."""

Document: TypeAlias = dict[str, Any]
Check: TypeAlias = Callable[[str, int], Failure | None]
Again: TypeAlias = Callable[[], Document | None]


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
    seconds
        From the first try to the last byte.
    """

    body: str
    status: int
    retries: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent.

    Attributes
    ----------
    method
        ``GET`` or ``POST``.
    path
        Below the base URL, as :func:`below` makes it.
    what
        What it asks for, in the words of an error.
    body
        An object; with a file the fields beside it.
    query
        Behind the path.
    file
        A file's name and content.
    """

    method: str
    path: str
    what: str
    body: Mapping[str, Any] | None = None
    query: Mapping[str, Any] | None = None
    file: tuple[str, bytes] | None = None


class Client:
    """Sends requests to one endpoint, with our retry policy instead of the SDK's; from any thread.

    Parameters
    ----------
    endpoint
        Where to, and with which key.
    policy
        Of retries.
    timeout
        Seconds without a byte after which a try has failed; a connection has 30 of them at most.
    folder
        Where a file ``.env`` may hold the key, before the current directory is looked at.
    sleep
        Waits. What it raises ends the request, of which nothing is under way then.
    clock
        Tells the time in seconds; only differences count.
    jitter
        Draws a number from 0 to 1 for each wait. It decides nothing but times, so it has no seed.
    tell
        Is told of every wait, in one line, if given.
    failed
        Is told of every try that failed: its kind, its HTTP status and the seconds that the provider asked to wait,
        None where there are none. :meth:`avowal.provider.throttle.Throttle.failed` wants to know.

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
        folder: str | Path | None = None,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] | None = None,
        tell: Callable[[str], object] | None = None,
        failed: Callable[[str, int | None, float | None], object] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.policy = policy or Policy()
        self._key = endpoint.key(folder)
        self._place = keys.find(endpoint.key_env, folder)[1]
        self._sdk = _sdk(endpoint, self._key, timeout)
        # Left to itself, the SDK closes no connections but those of an HTTP client that it made.
        finalize(self, self._sdk.close)
        self._sleep, self._clock = sleep, clock
        self._jitter = jitter or SystemRandom().random
        self._tell = tell or (lambda _: None)
        self._failed = failed or (lambda *_: None)

    @property
    def url(self) -> str:
        """The address in use, the SDK's default where the endpoint has none."""
        return str(self._sdk.base_url)

    @property
    def local(self) -> bool:
        """Whether that is this machine's."""
        return is_local(self.url)

    @property
    def exposed(self) -> bool:
        """Whether key and prompts cross a network that anyone on the way can read: plain http to another machine."""
        return urlsplit(self.url).scheme == "http" and not self.local

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
            As :meth:`complete`.

        Raises
        ------
        ProviderError
            As :meth:`complete`.
        """
        more = {} if response_format is None else {"response_format": response_format}
        return self.complete({"model": model, "messages": list(messages), **more})

    def complete(self, body: Mapping[str, Any]) -> Reply:
        """Send a request for one chat completion as it is.

        Parameters
        ----------
        body
            Of the request; what stands in it is sent, known to anyone or not.

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
        return self.send(Request("POST", "/chat/completions", f"model {body.get('model')!r}", body))

    def offers(self) -> tuple[Model, ...]:
        """List the models that the endpoint offers, in its order, with the days on which they shut down if it says so.

        Returns
        -------
        tuple of Model

        Raises
        ------
        ProviderError
            As for :meth:`complete`, and where the reply is no list of models.
        """
        # A page in place of a list is most likely the wrong address: asking again would only take time.
        reply = self.send(Request("GET", "/models", "the list of models"), check=lambda *_: None)
        found = models.read(reply.body)
        if found is None:
            message = f"{self.url} answered with no list of models: is it the address of an API of OpenAI's shape?"
            raise ProviderError(message, "unreadable", reply.status, reply.retries, passing=False, body=reply.body)
        return found

    def models(self) -> tuple[str, ...]:
        """List the names of the models that the endpoint offers; order and errors as those of :meth:`offers`."""
        return tuple(each.name for each in self.offers())

    def document(self, request: Request, *, again: Again | None = None) -> Document:
        """Send a request and return the object that answers it; parameters and errors as those of :meth:`send`."""
        found: Document = json.loads(self.send(request, again=again).body)
        return found

    def send(
        self,
        request: Request,
        *,
        check: Check = failures.unreadable,
        again: Again | None = None,
    ) -> Reply:
        """Send a request until it has a reply that can be used.

        Parameters
        ----------
        request
            What is sent.
        check
            Takes body and status of a success, and returns a failure where it can't be used.
        again
            Asked before every further try: what it returns stands for the reply, and nothing is sent again. A creation
            looks there whether the try that seemed to fail has created something.

        Returns
        -------
        Reply

        Raises
        ------
        ProviderError
            As for :meth:`complete`.
        """
        kinds: list[str] = []
        counted, waited, began = 0, 0.0, self._clock()
        while True:
            tried = time.perf_counter()
            reply = self._try(request, check)
            outcome = reply.status if isinstance(reply, Reply) else reply.kind
            LOG.info("%s %s: %s in %.2f s", request.method, request.path, outcome, time.perf_counter() - tried)
            if isinstance(reply, Reply):
                return replace(reply, retries=tuple(kinds), seconds=self._clock() - began)
            self._failed(reply.kind, reply.status, reply.asked)
            if not reply.passing:
                raise self._error(reply, kinds, self._advice(reply, request.what))
            # A wait that the provider asked for ends with the deadline alone.
            counted += reply.asked is None
            if counted >= self.policy.attempts:
                shape = "is it the address of an API of OpenAI's shape?" if reply.kind == "unreadable" else ""
                advice = f"Given up after {len(kinds) + 1} tries; {shape or 'try again later.'}"
                raise self._error(reply, kinds, advice)
            wait = self.policy.wait(len(kinds) + 1, reply.asked, self._jitter())
            # A computer that slept in between has waited for longer than its clock may know.
            if max(waited, self._clock() - began) + wait > self.policy.deadline:
                limit = f"a wait of {wait:.10g} s would pass the limit of {self.policy.deadline:.10g} s for one request"
                # So long a wait is everybody's: other requests would be told the same.
                late = replace(reply, passing=reply.asked is None or reply.asked <= self.policy.deadline)
                raise self._error(late, kinds, f"Given up: {limit}; try again later.")
            kinds.append(reply.kind)
            told = f"{reply.kind} from {self.url}; waiting {wait:.1f} s (failure {len(kinds)})"
            LOG.info("%s", told)
            self._tell(told)
            self._sleep(wait)
            waited += wait
            found = again() if again else None
            if found is not None:
                return Reply(json.dumps(found), 200, tuple(kinds), self._clock() - began)

    def _try(self, request: Request, check: Check) -> Reply | Failure:
        from openai import APIConnectionError, APIStatusError

        try:
            raw = self._call(request)
        except (APIStatusError, APIConnectionError) as error:
            return failures.of(error, self._clean)
        body = self._clean(raw.text)
        return check(body, raw.status_code) or Reply(body, raw.status_code)

    def _call(self, request: Request) -> Any:
        # With this type the SDK returns the response as it came, and no model of it.
        from httpx2 import Response

        if request.method == "GET":
            return self._sdk.get(request.path, cast_to=Response, options={"params": request.query or {}})
        if request.file is None:
            return self._sdk.post(request.path, cast_to=Response, body=request.body)
        return self._sdk.post(
            request.path,
            cast_to=Response,
            body=request.body,
            files=[("file", request.file)],
            options={"headers": {"Content-Type": "multipart/form-data"}},
        )

    def _error(self, failure: Failure, kinds: list[str], advice: str) -> ProviderError:
        message = f"{self.url}: {failure.kind}: {failure.message.rstrip('.')}. {advice}"
        # Without its cause: the SDK's exceptions carry the request, and that carries the key.
        return ProviderError(
            message, failure.kind, failure.status, tuple(kinds), passing=failure.passing, body=failure.body
        )

    def _advice(self, failure: Failure, what: str) -> str:
        status = failure.status
        if failure.kind == "certificate":
            return "Nothing was sent: is it the right address? SSL_CERT_FILE names certificates to trust."
        if status in (401, 403):
            if self.keyless:
                return f"No key was sent, since the environment variable {self.endpoint.key_env} is not set."
            return f"The key came from the {self._place}: is it this provider's?"
        if status is not None and 300 <= status < 400:
            return (
                "Redirects are not followed, since prompts and key go nowhere unnamed: give the address that is meant."
            )
        if status == 404:
            return f"Does this address offer {what}?"
        if status in (402, 429) or failure.kind == "unreadable":
            return "The account has nothing left to spend; nothing was sent again."
        return f"The provider does not accept this request for {what}; sending it again would not help."

    def _clean(self, text: str) -> str:
        return text.replace(self._key, "[key]") if len(self._key) >= SECRET else text


def below(*parts: str) -> str:
    """Return the path that names lead to, each as one part of it, whatever stands in it."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


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
