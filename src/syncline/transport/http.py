"""The HTTP session: every request through the guard, the host's gate, the limits and the retries.

The layers stand in this order around one request: what is kept, what became of it as a whole,
retries, then per hop the guard, the host's turn, what is shared about the host (its breaker,
its quota), the exchange itself, and the bounded reading of the body. A layer that must see
every attempt belongs inside `_answer`, one that sees only requests beside `_note_end`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Collection,
    Mapping,
)
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType
from typing import Self

import aiohttp
from msgspec import Struct, field
from msgspec.structs import replace
from yarl import URL

from syncline.core.clock import SystemClock
from syncline.core.errors import RateLimited, Rejected, SourceError
from syncline.core.model import Validators
from syncline.core.ports import Authentication, Clock, Explain, HttpResponse, Refusal
from syncline.core.urls import normalise_url, origin_of, same_origin, shown_url
from syncline.transport.answered import plain_headers, redirect_target
from syncline.transport.bodies import FAILURES, Bodies
from syncline.transport.classify import error_of_exception, error_of_status
from syncline.transport.conditional import conditional_headers
from syncline.transport.guard import UrlGuard
from syncline.transport.hosts import Hosts, Shared
from syncline.transport.kept_stream import Streamed, kept_stream
from syncline.transport.limits import Limits
from syncline.transport.oauth import OAuthTokens, Renewal, renewing
from syncline.transport.politeness import Politeness
from syncline.transport.resolver import GuardedResolver, Lookup, system_lookup
from syncline.transport.retry import Retries, RetryPolicy, Sleep
from syncline.transport.told import rest_told

__all__ = ["HttpSession", "default_user_agent"]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# All that may follow a redirect to another origin: keys travel in headers of any name.
_HARMLESS = frozenset({"accept", "accept-language"})
_CONNECTIONS = 100
_DNS_SECONDS = 60


def default_user_agent() -> str:
    """How Syncline introduces itself to a site."""
    try:
        number = version("syncline")
    except PackageNotFoundError:
        number = "0"
    return f"Syncline/{number} (knowledge base sync)"


class _Request(Struct, frozen=True):
    url: str
    name: str
    """The URL as messages may show it."""
    headers: Mapping[str, str]
    validators: Validators
    seconds: float
    """For one hop, before any growth."""
    body: bytes | None = None
    """Of a POST; None for a GET."""
    asked: list[str] = field(default_factory=list)
    """The hosts that it was sent to, so far."""


class HttpSession:
    """Implements `core.ports.HttpTransport`. Open it with `async with`."""

    def __init__(
        self,
        *,
        allow_private_hosts: Collection[str] = (),
        user_agent: str | None = None,
        authentication: Authentication | None = None,
        explain: Explain | None = None,
        renewal: Renewal | None = None,
        concurrency: int = 8,
        delay: float = 0.0,
        limits: Limits | None = None,
        retries: RetryPolicy | None = None,
        clock: Clock | None = None,
        sleep: Sleep = asyncio.sleep,
        random: Callable[[], float] = random.random,
        lookup: Lookup = system_lookup,
        shared: Shared | None = None,
        count: Callable[[str, int], None] | None = None,
    ) -> None:
        """`concurrency` and `delay` (seconds) hold for each host by itself.

        Without `shared`, it knows of no other session, and of no quota; `count` is then told what
        `Shared.count` would be. With a `renewal`, its access token is sent in place of the headers
        of `authentication`.
        """
        self._clock = clock or SystemClock()
        self._limits = limits or Limits()
        self._policy = retries or RetryPolicy()
        self._guard = UrlGuard(allow_private_hosts)
        self._lookup = lookup
        self._politeness = Politeness(
            concurrency=concurrency, delay=delay, clock=self._clock, sleep=sleep
        )
        self._retries = Retries(self._policy, clock=self._clock, sleep=sleep, random=random)
        self._hosts = (
            None
            if shared is None
            else Hosts(shared, clock=self._clock, sleep=sleep, patience=self._policy.patience)
        )
        self._answers = None if shared is None else shared.answers
        self._count = (count or _uncounted) if shared is None else shared.count
        self._bodies = Bodies(self._limits, self._clock, self._count)
        self._user_agent = user_agent or default_user_agent()
        self._authentication = authentication
        self._explain = explain
        self._tokens: OAuthTokens | None = None
        if renewal is not None:
            bare = partial(
                HttpSession,
                allow_private_hosts=allow_private_hosts,
                user_agent=user_agent,
                clock=self._clock,
                sleep=sleep,
                lookup=lookup,
                count=self._count,
            )
            self._tokens = OAuthTokens(renewal.grant, renewal.store, self._clock, bare)
        self._timeouts: dict[tuple[float, float], aiohttp.ClientTimeout] = {}
        self._client: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=GuardedResolver(self._guard, self._lookup),
                limit=_CONNECTIONS,
                ttl_dns_cache=_DNS_SECONDS,
            ),
            headers={"User-Agent": self._user_agent, "Accept-Encoding": "gzip, deflate"},
            # A cookie would make an answer depend on the order of requests.
            cookie_jar=aiohttp.DummyCookieJar(),
            # aiohttp would decompress without a bound on the ratio.
            auto_decompress=False,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        client, self._client = self._client, None
        try:
            if self._hosts is not None:
                await self._hosts.close()
            if self._answers is not None:
                await self._answers.close()
        finally:
            if client is not None:
                await client.close()

    def pace(self, url: str, seconds: float) -> None:
        """See `HttpTransport.pace`."""
        self._politeness.pace(self._guard.check_url(url).host, seconds)

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        validators: Validators | None = None,
        max_bytes: int | None = None,
    ) -> HttpResponse:
        """See `HttpTransport.get`."""
        request = _request(url, headers, validators, self._limits.total_seconds)
        return await self._exchange(request, max_bytes)

    async def post(
        self,
        url: str,
        body: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        max_bytes: int | None = None,
    ) -> HttpResponse:
        """See `HttpTransport.post`."""
        request = _request(url, headers, None, self._limits.total_seconds)
        return await self._exchange(replace(request, body=body), max_bytes)

    async def _exchange(self, request: _Request, max_bytes: int | None) -> HttpResponse:
        bound = min(max_bytes or self._limits.body_bytes, self._limits.body_bytes)

        async def attempt(scale: float) -> HttpResponse:
            async with self._answer(request, scale) as (response, final):
                received = plain_headers(response)
                body = b""
                if response.status != 304:
                    pieces = self._bodies.pieces(response, final, bound)
                    body = b"".join([piece async for piece in pieces])
                return HttpResponse(response.status, final, received, body)

        try:
            response = await self._retries.run(renewing(self._tokens, attempt))
        except SourceError as error:
            await self._note_end(request, error)
            raise
        await self._note_end(request, None)
        return response

    async def _note_end(self, request: _Request, error: SourceError | None) -> None:
        if self._hosts is not None and request.asked:
            await self._hosts.ended(request.asked[-1], request, error)

    @asynccontextmanager
    async def stream(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        max_bytes: int | None = None,
        keep: float | None = None,
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """See `HttpTransport.stream`. Only what fails before the body begins is tried again."""
        bound = min(max_bytes or self._limits.stream_bytes, self._limits.stream_bytes)

        request = _request(url, headers, None, self._limits.stream_seconds)

        def ask(validators: Validators) -> AbstractAsyncContextManager[Streamed]:
            return self._stream(replace(request, validators=validators, asked=[]), bound)

        if keep is None or self._answers is None:
            async with ask({}) as answer:
                yield answer.pieces
        else:
            agent = f"{self._user_agent} {sorted((headers or {}).items())}"
            kept = kept_stream(self._answers, request.url, agent, bound, keep, ask)
            async with kept as pieces:
                yield pieces

    @asynccontextmanager
    async def _stream(self, request: _Request, bound: int) -> AsyncIterator[Streamed]:
        async def attempt(
            scale: float,
        ) -> tuple[
            AbstractAsyncContextManager[tuple[aiohttp.ClientResponse, str]],
            tuple[aiohttp.ClientResponse, str],
        ]:
            opening = self._answer(request, scale)
            return opening, await opening.__aenter__()

        try:
            opened, (response, final) = await self._retries.run(renewing(self._tokens, attempt))
            try:
                async with aclosing(self._bodies.pieces(response, final, bound)) as pieces:
                    received = plain_headers(response)
                    yield Streamed(response.status, final, received, pieces)
            finally:
                await opened.__aexit__(None, None, None)
        except SourceError as error:
            await self._note_end(request, error)
            raise
        await self._note_end(request, None)

    @asynccontextmanager
    async def _answer(
        self, request: _Request, scale: float
    ) -> AsyncGenerator[tuple[aiohttp.ClientResponse, str], None]:
        """The response after redirects, its body unread, with the URL it came from."""
        url, headers = request.url, request.headers
        seen: set[str] = set()
        while True:
            host = self._guard.check_url(url).host
            async with self._politeness.turn(host):
                if self._hosts is not None:
                    await self._hosts.ask(host, request, url)
                request.asked.append(host)
                try:
                    response = await self._send(request, url, headers, scale)
                except BaseException:
                    if self._hosts is not None:
                        self._hosts.lost(host, url)
                    raise
                try:
                    if self._hosts is not None:
                        self._hosts.hear(host, url, response.status, plain_headers(response))
                    if response.status not in _REDIRECTS:
                        await self._raise_for_status(request, url, host, response)
                        yield response, url
                        return
                    target = redirect_target(response, url)
                finally:
                    # An unread rest closes the connection; a read body gives it back.
                    response.release()
            if request.body is not None:
                raise Rejected(
                    f"{request.name} redirects what was sent to it to {shown_url(target)}",
                    hint="Give the address that it names, if you trust it.",
                )
            seen.add(url)
            if target in seen or len(seen) > self._limits.redirects:
                what = "in a circle" if target in seen else f"more than {len(seen) - 1} times"
                raise Rejected(
                    f"{request.name} redirects {what}",
                    hint="Open it in a browser: the site may want a log-in or cookies.",
                )
            if not same_origin(url, target):
                headers = {n: v for n, v in headers.items() if n.lower() in _HARMLESS}
            url = target

    async def _send(
        self, request: _Request, url: str, headers: Mapping[str, str], scale: float
    ) -> aiohttp.ClientResponse:
        if self._client is None:
            raise RuntimeError("the session is used outside of `async with`")
        if request.validators:
            headers = {**headers, **conditional_headers(request.validators, request.url, url)}
        proof = self._authentication
        if proof is not None and origin_of(url) in proof.origins:
            own = proof.headers if self._tokens is None else self._tokens.headers
            headers = {**own, **headers}
        self._count("requests", 1)
        try:
            return await self._client.request(
                "GET" if request.body is None else "POST",
                URL(url, encoded=True),
                data=request.body,
                headers=headers,
                allow_redirects=False,
                timeout=self._timeout(request.seconds, scale),
            )
        except FAILURES as error:
            seconds = self._limits.connect_seconds * scale
            raise error_of_exception(error, shown_url(url), seconds) from error

    def _timeout(self, seconds: float, scale: float) -> aiohttp.ClientTimeout:
        timeout = self._timeouts.get((seconds, scale))
        if timeout is None:
            timeout = self._timeouts[(seconds, scale)] = aiohttp.ClientTimeout(
                total=seconds * scale,
                sock_connect=self._limits.connect_seconds * scale,
                sock_read=self._limits.idle_seconds * scale,
            )
        return timeout

    async def _raise_for_status(
        self, request: _Request, url: str, host: str, response: aiohttp.ClientResponse
    ) -> None:
        status = response.status
        if 200 <= status < 300 or (status == 304 and request.validators):
            return
        headers = plain_headers(response)
        # Where there is a ledger, its quota hears what the headers say, and waits for that.
        rest = rest_told(headers, self._clock.now()) if self._hosts is None else None
        error = error_of_status(status, shown_url(url), headers, self._clock.now(), rest=rest)
        if self._explain is not None:
            body = await self._bodies.beginning(response, url)
            refusal = Refusal(status, headers, body, error, request.url, url)
            error = self._explain(refusal) or error
        if isinstance(error, RateLimited) and error.retry_after:
            if self._hosts is None or error.retry_after <= self._policy.patience:
                # Whoever else waits for this host would only be told the same.
                self._politeness.hold(host, min(error.retry_after, self._policy.patience))
            if self._hosts is not None:
                raise await self._hosts.limited(host, error)
        raise error


def _uncounted(name: str, more: int) -> None:
    """For a session whose run nobody accounts for."""


def _request(
    url: str, headers: Mapping[str, str] | None, validators: Validators | None, seconds: float
) -> _Request:
    try:
        normal = normalise_url(url)
    except ValueError as error:
        raise Rejected(
            f"{shown_url(url)} cannot be requested: {error}",
            hint="Only http and https URLs without a user name in them are requested.",
        ) from error
    return _Request(normal, shown_url(normal), headers or {}, validators or {}, seconds)
