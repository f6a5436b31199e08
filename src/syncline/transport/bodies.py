"""Reading the bodies of answers: decoded piece by piece, within bounds, and never too slowly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import aiohttp
from msgspec import Struct

from syncline.core.errors import SourceError
from syncline.core.ports import Clock
from syncline.core.urls import shown_url
from syncline.transport.classify import error_of_exception
from syncline.transport.limits import Limits, RateFloor, bounded_decoder, too_large

__all__ = ["FAILURES", "Bodies"]

FAILURES = (aiohttp.ClientError, asyncio.TimeoutError, OSError)
"""What the HTTP library raises when a connection fails."""
_REASON_BYTES = 16 * 1024
"""Of a refusal's body are read, for the reason that it gives."""


class Bodies(Struct, frozen=True):
    """How one session reads them."""

    limits: Limits
    clock: Clock
    count: Callable[[str, int], None]
    """Told of the bytes that were received."""

    async def pieces(
        self, response: aiohttp.ClientResponse, url: str, bound: int
    ) -> AsyncGenerator[bytes, None]:
        """The decoded body in pieces, within `bound` bytes both received and decoded.

        Raises a `SourceError`.
        """
        name = shown_url(url)
        if (response.content_length or 0) > bound:
            raise too_large(name, bound)
        decoder = bounded_decoder(
            response.headers.get("Content-Encoding", ""), self.limits, bound, name
        )
        floor = RateFloor(self.limits, self.clock.monotonic, name)
        received = 0
        try:
            while True:
                floor.ask()
                data = await response.content.readany()
                if not data:
                    break
                received += len(data)
                self.count("received_bytes", len(data))
                floor.got(received)
                if received > bound:
                    raise too_large(name, bound)
                if decoder is None:
                    yield data
                else:
                    for piece in decoder.feed(data):
                        yield piece
        except FAILURES as error:
            raise error_of_exception(error, name, self.limits.connect_seconds) from error
        if decoder is not None and received:
            decoder.close()

    async def beginning(self, response: aiohttp.ClientResponse, url: str) -> bytes:
        """Of a refusal's body, what came before any trouble."""
        found = bytearray()
        try:
            async with aclosing(self.pieces(response, url, self.limits.body_bytes)) as pieces:
                async for piece in pieces:
                    found += piece
                    if len(found) >= _REASON_BYTES:
                        break
        except SourceError:
            pass
        return bytes(found[:_REASON_BYTES])
