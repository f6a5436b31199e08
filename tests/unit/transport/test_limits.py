"""Limits on bodies: compression, sizes and rates."""

from __future__ import annotations

import gzip
import zlib

import pytest

from syncline.core.errors import BadContent, Transient
from syncline.transport.limits import BoundedGunzip, Limits, RateFloor, bounded_decoder

_MB = 1024 * 1024
_TEXT = " ".join(f"Sentence {n * n}." for n in range(100_000)).encode()


def _decode(
    data: bytes, step: int = 1000, *, deflate: bool = False, bound: int = 64 * _MB
) -> bytes:
    decoder = BoundedGunzip(Limits(), bound, "http://a/", deflate=deflate)
    pieces = [
        piece
        for start in range(0, len(data), step)
        for piece in decoder.feed(data[start : start + step])
    ]
    decoder.close()
    assert max(map(len, pieces), default=0) <= 256 * 1024
    return b"".join(pieces)


@pytest.mark.parametrize("step", [1, 77, 1000, 10_000_000])
def test_compressed_bodies_are_decoded_in_bounded_pieces(step: int) -> None:
    """However they are cut, gzip and both kinds of deflate give the same bytes."""
    text = _TEXT if step > 1 else _TEXT[:30_000]
    assert _decode(gzip.compress(text), step) == text
    assert _decode(zlib.compress(text), step, deflate=True) == text
    bare = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    assert _decode(bare.compress(text) + bare.flush(), step, deflate=True) == text


def test_several_members_and_padding_are_read() -> None:
    """Joined gzip files are one file; what archivers pad them with is passed over."""
    assert _decode(gzip.compress(b"one ") + gzip.compress(b"two") + bytes(512)) == b"one two"


def test_a_bomb_is_stopped_early() -> None:
    """The ratio is judged while decoding, long before all of it would be in memory."""
    bomb = gzip.compress(bytes(64 * _MB))
    decoder = BoundedGunzip(Limits(), 64 * _MB, "http://a/")
    decoded: list[int] = []

    def decode_all() -> None:
        for start in range(0, len(bomb), 1000):
            decoded.extend(map(len, decoder.feed(bomb[start : start + 1000])))

    with pytest.raises(BadContent, match="more than 200 times its size") as caught:
        decode_all()
    assert sum(decoded) < 5 * _MB
    assert "bomb" in (caught.value.hint or "")


def test_a_decoded_body_beyond_its_bound_is_refused() -> None:
    """The bound holds for what comes out as well."""
    with pytest.raises(BadContent, match="larger than 1 MB"):
        _decode(gzip.compress(_TEXT), bound=_MB)


def test_damaged_and_cut_off_data_are_told_apart() -> None:
    """Damage is for good; a cut may be mended by reading again."""
    with pytest.raises(BadContent, match="cannot be decompressed"):
        _decode(b"\x1f\x8b\x08\x00 this is no gzip at all, is it")
    with pytest.raises(Transient, match="cut off"):
        _decode(gzip.compress(_TEXT)[:-20])


def test_encodings_that_were_not_asked_for_are_refused() -> None:
    """Brotli would come without a bound; the message names it."""
    assert bounded_decoder("identity", Limits(), _MB, "http://a/") is None
    with pytest.raises(BadContent, match="'br', which was not asked for"):
        bounded_decoder("br", Limits(), _MB, "http://a/")


def test_a_drip_is_ended_after_the_grace() -> None:
    """Time in reads counts, the reader's own time between them does not."""
    now = [0.0]
    floor = RateFloor(Limits(bytes_per_second=1000, rate_grace_seconds=10), lambda: now[0], "it")
    for second in range(1, 11):
        now[0] += 500  # the reader's own time
        floor.ask()
        now[0] += 1
        floor.got(second)
    floor.ask()
    now[0] += 1
    with pytest.raises(Transient, match="too slowly: 11 bytes in 11 s"):
        floor.got(11)
