"""A body that may come from what is kept: used as it is, asked for with validators, or read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeAlias

from msgspec import Struct

from syncline.core.model import Validators
from syncline.core.ports import HttpResponse
from syncline.transport.cache import MOST_BYTES, Answers, Kept
from syncline.transport.conditional import validators_of

__all__ = ["OpenStream", "Streamed", "kept_stream"]

_PIECE = 256 * 1024


class Streamed(Struct, frozen=True):
    """An answer whose body arrives in pieces."""

    status: int
    url: str
    headers: Mapping[str, str]
    pieces: AsyncIterator[bytes]


OpenStream: TypeAlias = Callable[[Validators], AbstractAsyncContextManager[Streamed]]
"""Asks the source, with these validators."""


@asynccontextmanager
async def kept_stream(
    answers: Answers, url: str, agent: str, most: int, keep: float, ask: OpenStream
) -> AsyncIterator[AsyncIterator[bytes]]:
    """The body of at most `most` bytes; used unasked if it came less than `keep` seconds ago.

    A body that is read to its end is kept.
    """
    kept = await answers.get(url, agent)
    if kept is not None and len(kept.body) > most:
        kept = None
    if kept is not None and kept.is_fresh(answers.now(), keep):
        answers.hit()
        yield _pieces(kept)
        return
    async with ask({} if kept is None else kept.validators) as answer:
        if answer.status == 304 and kept is not None:
            await answers.renew(url, agent, kept, answer.headers)
            answers.hit()
            yield _pieces(kept)
        else:
            yield _keeping(answers, url, agent, answer)


async def _pieces(kept: Kept) -> AsyncIterator[bytes]:
    for start in range(0, len(kept.body), _PIECE):
        yield kept.body[start : start + _PIECE]


async def _keeping(
    answers: Answers, url: str, agent: str, answer: Streamed
) -> AsyncIterator[bytes]:
    body: bytearray | None = bytearray()
    async for piece in answer.pieces:
        if body is not None:
            body += piece
            if len(body) > MOST_BYTES:
                body = None
        yield piece
    if body is not None and answer.status == 200:
        whole = HttpResponse(answer.status, answer.url, answer.headers, b"")
        await answers.keep(url, agent, bytes(body), answer.headers, validators_of(whole, url))
