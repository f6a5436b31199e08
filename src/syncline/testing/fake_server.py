"""A hostile server on loopback, the base of the fake sources that tests read from.

It answers from a world in memory that a test edits while it is read, misbehaves where and
as often as it is told to, and remembers what it was asked.
"""

from __future__ import annotations

import asyncio
import zlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeAlias

from aiohttp import web
from msgspec import Struct

__all__ = [
    "FakeServer",
    "Misbehaviour",
    "Seen",
    "answers",
    "cut_off",
    "drips",
    "gzip_bomb",
    "never_ends",
    "rate_limits",
    "redirects",
    "sends_raw",
    "stays_silent",
]

Misbehaviour: TypeAlias = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
"""Answers a request in place of the server."""


class Seen(Struct, frozen=True):
    """A request that came in."""

    path: str
    """With its query."""
    headers: Mapping[str, str]
    """Names in lower case."""
    method: str = "GET"


@dataclass(slots=True)
class _Order:
    misbehaviour: Misbehaviour
    path: str | None
    left: int | None
    after: int


class FakeServer(ABC):
    """Open it with `async with`; its address is then in `url`, without a slash at the end."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Seen] = []
        self.most_at_once = 0
        """The largest number of requests that were being answered at the same time."""
        self.sent_bytes = 0
        """Of the bodies of whole answers, as they were sent."""
        self.before: Callable[[Seen], None] = lambda seen: None
        """Called before each answer: here a test edits the world while it is read."""
        self.latency = 0.0
        """Seconds that each answer takes, for measurements."""
        self._orders: list[_Order] = []
        self._at_once = 0
        self._runner: web.ServerRunner | None = None

    @abstractmethod
    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """The well-behaved answer."""

    def misbehave(
        self,
        misbehaviour: Misbehaviour,
        path: str | None = None,
        times: int | None = None,
        *,
        after: int = 0,
    ) -> None:
        """Misbehave on `path` (None: everywhere) the next `times` times (None: always).

        The first `after` requests that it fits are answered well. The first order that fits
        a request is carried out.
        """
        self._orders.append(_Order(misbehaviour, path, times, after))

    def behave(self) -> None:
        """Forget all orders to misbehave."""
        self._orders.clear()

    def count(self, path: str | None = None) -> int:
        """How many requests came in, for `path` or in all."""
        counts = Counter(seen.path for seen in self.requests)
        return counts.total() if path is None else counts[path]

    async def __aenter__(self) -> Self:
        # Handlers that never end are cancelled when their client goes away.
        runner = web.ServerRunner(
            web.Server(self._handle, access_log=None, handler_cancellation=True),
            shutdown_timeout=0.1,
        )
        await runner.setup()
        self._runner = runner
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        seen = Seen(
            request.raw_path,
            {name.lower(): value for name, value in request.headers.items()},
            request.method,
        )
        self.requests.append(seen)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            if self.latency:
                await asyncio.sleep(self.latency)
            self.before(seen)
            order = self._next_order(seen.path)
            answer = await (order.misbehaviour(request) if order else self.answer(request))
            body = answer.body if isinstance(answer, web.Response) else None
            self.sent_bytes += len(body) if isinstance(body, bytes) else 0
            return answer
        finally:
            self._at_once -= 1

    def _next_order(self, path: str) -> _Order | None:
        for order in self._orders:
            if order.path in (None, path) and order.left != 0:
                if order.after:
                    order.after -= 1
                    continue
                if order.left is not None:
                    order.left -= 1
                return order
        return None


def answers(
    status: int,
    body: str | bytes = b"",
    *,
    headers: Mapping[str, str] | None = None,
    content_type: str = "text/html",
) -> Misbehaviour:
    """Answers with this status, these headers and this body."""
    data = body.encode() if isinstance(body, str) else body

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(
            status=status, body=data, headers={"Content-Type": content_type, **(headers or {})}
        )

    return answer


def rate_limits(retry_after: str | None = None) -> Misbehaviour:
    """429, with this Retry-After, however absurd, or without one."""
    return answers(429, headers={} if retry_after is None else {"Retry-After": retry_after})


def redirects(location: str, status: int = 302) -> Misbehaviour:
    """Redirects to `location`, which may be relative, foreign or nonsense."""
    return answers(status, headers={"Location": location})


def cut_off(sent: bytes = b"", promised: int = 1_000_000) -> Misbehaviour:
    """Promises a body, sends the beginning of it, and cuts the connection."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={"Content-Type": "text/html", "Content-Length": str(promised)}
        )
        await response.prepare(request)
        await response.write(sent)
        _hang_up(request)
        return response

    return answer


def sends_raw(data: bytes) -> Misbehaviour:
    """Sends these very bytes, HTTP or not, and cuts the connection."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        if request.transport is not None:
            request.transport.write(data)
        _hang_up(request)
        return web.Response()

    return answer


def stays_silent() -> Misbehaviour:
    """Takes the request and never answers."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError("nothing sets the event")

    return answer


def drips(pause: Callable[[], Awaitable[None]]) -> Misbehaviour:
    """Sends one byte, pauses, and so on for ever."""

    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield b"."
            await pause()

    return _streams(pieces, {})


def never_ends(piece: bytes = b"<p>and so on</p>" * 4096) -> Misbehaviour:
    """A body without an end, as fast as it is taken."""

    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield piece

    return _streams(pieces, {})


def gzip_bomb(megabytes: int = 64) -> Misbehaviour:
    """A small compressed body that decompresses to many megabytes of nothing."""

    async def pieces() -> AsyncIterator[bytes]:
        deflater = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
        zeros = bytes(1024 * 1024)
        for _ in range(megabytes):
            piece = deflater.compress(zeros)
            if piece:
                yield piece
        yield deflater.flush()

    return _streams(pieces, {"Content-Encoding": "gzip"})


def _streams(
    pieces: Callable[[], AsyncIterator[bytes]], headers: Mapping[str, str]
) -> Misbehaviour:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/html", **headers})
        await response.prepare(request)
        async for piece in pieces():
            if request.transport is None or request.transport.is_closing():
                break
            await response.write(piece)
        return response

    return answer


def _hang_up(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.close()
