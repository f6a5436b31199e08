"""Which answers are kept, and for how long."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from syncline.testing.clock import FakeClock
from syncline.transport.cache import Answers, Kept, MemoryCache, fresh_seconds

_NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0.0),
        ({"cache-control": "max-age=60"}, 60.0),
        ({"cache-control": 'public, MAX-AGE="60", immutable'}, 60.0),
        ({"cache-control": "max-age=60", "age": "45"}, 15.0),
        ({"cache-control": "max-age=60", "age": "90"}, 0.0),
        ({"cache-control": "max-age=60, no-cache"}, 0.0),
        ({"cache-control": "max-age=99999999999"}, 86_400.0),
        ({"cache-control": "max-age=soon"}, 0.0),
        ({"expires": "Tue, 01 Jan 2030 00:01:00 GMT"}, 60.0),
        (
            {"expires": "Tue, 01 Jan 2030 01:01:00 GMT", "date": "Tue, 01 Jan 2030 01:00:00 GMT"},
            60.0,
        ),
        ({"expires": "0"}, 0.0),
        ({"cache-control": "max-age=5", "expires": "Tue, 01 Jan 2030 00:01:00 GMT"}, 5.0),
        ({"cache-control": "no-store"}, None),
        ({"cache-control": "max-age=60, private"}, None),
        ({"cache-control": "private=set-cookie"}, None),
        ({"cache-control": "max-age=60", "vary": "*"}, None),
        ({"cache-control": "max-age=60", "vary": "Accept-Encoding"}, 60.0),
    ],
)
def test_headers_say_for_how_long_an_answer_holds(
    headers: dict[str, str], seconds: float | None
) -> None:
    """None: it is not to be kept; 0: it has to be asked for each time."""
    assert fresh_seconds(headers, _NOW) == seconds


def _kept(body: bytes) -> Kept:
    return Kept(body, {"etag": '"1"'}, 5.0, 60.0)


def test_memory_is_bounded() -> None:
    """Who was not used for longest goes first; after an hour everybody goes."""
    cache = MemoryCache(max_bytes=250)
    for name in "abc":
        cache.put(name, _kept(b"x" * 100), 0)
        cache.get("a", 0)
    assert cache.get("b", 0) is None
    assert cache.get("a", 0) is not None
    cache.put("a", _kept(b"y" * 10), 0)
    cache.put("d", _kept(b"z" * 100), 0)
    assert [name for name in "acd" if cache.get(name, 0)] == ["a", "c", "d"]
    assert cache.get("a", 3601) is None
    cache.put("e", _kept(b"x" * 1000), 0)
    assert cache.get("e", 0) is None


def test_what_is_kept_comes_back_as_it_was() -> None:
    """Through the bytes of the second level."""
    kept = _kept("Grüße, \0".encode() * 1000)
    assert Kept.unpack(kept.pack()) == kept
    assert len(kept.pack()) < 1000


class _Shelf(dict[bytes, bytes]):
    async def get(self, key: bytes) -> bytes | None:  # type: ignore[override]
        return super().get(key)

    async def put(self, key: bytes, data: bytes, seconds: float) -> None:
        self[key] = data

    async def close(self) -> None:
        pass


async def test_connections_share_nothing() -> None:
    """Not even in memory; nor do agents, who may be answered differently."""
    memory, clock = MemoryCache(), FakeClock()
    ours = Answers((1, 1), memory, _Shelf(), clock)
    theirs = Answers((2, 1), memory, _Shelf(), clock)
    await ours.keep("https://x/", "me", b"text", {"cache-control": "max-age=60"}, {})
    assert await ours.get("https://x/", "me") is not None
    assert await ours.get("https://x/", "you") is None
    assert await theirs.get("https://x/", "me") is None


async def test_what_could_never_be_used_is_not_kept() -> None:
    """Neither fresh nor to be validated; or too large."""
    answers = Answers((1, 1), MemoryCache(), _Shelf(), FakeClock())
    await answers.keep("https://x/", "me", b"text", {}, {})
    await answers.keep("https://x/", "me", b"x" * 9_000_000, {"cache-control": "max-age=60"}, {})
    assert await answers.get("https://x/", "me") is None
