"""What no answer may exceed: bytes, compression, redirects, time; and the rate it must keep."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator

from msgspec import Struct

from syncline.core.errors import BadContent, Transient

__all__ = ["BoundedGunzip", "Limits", "RateFloor", "bounded_decoder"]

_MB = 1024 * 1024
_PIECE = 256 * 1024
# Small bodies may compress as they like: a ratio says something only about large ones.
_RATIO_FROM = 4 * _MB


class Limits(Struct, frozen=True):
    """Bounds of one request. Sizes in bytes, times in seconds."""

    body_bytes: int = 64 * _MB
    """Of a body that `get` returns: on the wire, and decoded."""
    stream_bytes: int = 2048 * _MB
    """Of a body that `stream` yields: on the wire, and decoded."""
    ratio: int = 200
    """Decoded to received bytes, once four mebibytes have been decoded."""
    redirects: int = 10
    connect_seconds: float = 10
    idle_seconds: float = 30
    """Without a single byte."""
    total_seconds: float = 60
    """Of one `get`, each hop by itself."""
    stream_seconds: float = 900
    """Of one `stream`, the time its reader takes included."""
    bytes_per_second: int = 1000
    """The least average rate of a body, judged from `rate_grace_seconds` on."""
    rate_grace_seconds: float = 10


class RateFloor:
    """Ends a body that only drips: it would hold a connection for hours and never time out."""

    def __init__(self, limits: Limits, monotonic: Callable[[], float], name: str) -> None:
        self._limits = limits
        self._monotonic = monotonic
        self._name = name
        self._waited = 0.0
        self._asked = 0.0

    def ask(self) -> None:
        """A read begins."""
        self._asked = self._monotonic()

    def got(self, received: int) -> None:
        """A read ended, `received` bytes have come in all. Raises `Transient` when too slow.

        Only the time spent in reads counts: a reader that takes its time is not the
        server's fault.
        """
        self._waited += self._monotonic() - self._asked
        floor = self._limits.bytes_per_second
        if self._waited > self._limits.rate_grace_seconds and received < floor * self._waited:
            raise Transient(
                f"{self._name} is sent too slowly: {received:,} bytes in {self._waited:.0f} s",
                hint="The site is overloaded or holds us off; the next run tries again.",
            )


def bounded_decoder(
    encoding: str, limits: Limits, max_bytes: int, name: str
) -> BoundedGunzip | None:
    """The decoder for a Content-Encoding, or None when the body is not encoded.

    Raises `BadContent` for an encoding that we do not ask for.
    """
    coding = encoding.strip().lower()
    if coding in ("", "identity"):
        return None
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise BadContent(
            f"{name} came in the encoding {encoding!r}, which was not asked for",
            hint="Syncline reads gzip and deflate; the server ignores Accept-Encoding.",
        )
    return BoundedGunzip(limits, max_bytes, name, deflate=coding == "deflate")


class BoundedGunzip:
    """Decompresses gzip (or deflate) in pieces: a bomb is stopped before it fills memory."""

    def __init__(self, limits: Limits, max_bytes: int, name: str, *, deflate: bool = False) -> None:
        self._ratio = limits.ratio
        self._max_bytes = max_bytes
        self._name = name
        self._deflate = deflate
        self._inflater: zlib._Decompress | None = None
        self._received = 0
        self._decoded = 0
        self._complete = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The decoded pieces of the next received bytes; 256 KiB at most each.

        Raises `BadContent` beyond the limits and for data that does not decompress.
        """
        self._received += len(data)
        while data:
            if self._inflater is None:
                if self._complete and data[:2] != b"\x1f\x8b":
                    return  # padding after the last member, as some archivers write
                self._inflater = zlib.decompressobj(self._window(data))
            try:
                piece = self._inflater.decompress(data, _PIECE)
            except zlib.error as error:
                raise BadContent(
                    f"{self._name} cannot be decompressed: {error}",
                    hint="The file is damaged at the source, or mislabelled as compressed.",
                ) from error
            data = self._inflater.unconsumed_tail
            if self._inflater.eof:
                data = self._inflater.unused_data
                self._inflater = None
                self._complete = True
            elif len(piece) == _PIECE and not data:
                # Output may still wait inside; an empty piece ends the loop.
                yield from self._drain(piece)
                continue
            if piece:
                self._count(piece)
                yield piece

    def close(self) -> None:
        """Raise `Transient` if the compressed data ended in the middle."""
        if self._inflater is not None or (self._received and not self._complete):
            raise Transient(
                f"{self._name} is cut off: its compressed data ends early",
                hint="The next run tries again; if it stays so, the file is damaged.",
            )

    def _drain(self, piece: bytes) -> Iterator[bytes]:
        assert self._inflater is not None
        while piece:
            self._count(piece)
            yield piece
            piece = self._inflater.decompress(b"", _PIECE)
        if self._inflater.eof:
            self._inflater = None
            self._complete = True

    def _count(self, piece: bytes) -> None:
        self._decoded += len(piece)
        if self._decoded > self._max_bytes:
            raise too_large(self._name, self._max_bytes)
        if self._decoded > _RATIO_FROM and self._decoded > self._ratio * self._received:
            raise BadContent(
                f"{self._name} decompresses to more than {self._ratio} times its size",
                hint="It looks like a decompression bomb and was stopped.",
            )

    def _window(self, data: bytes) -> int:
        if not self._deflate:
            return zlib.MAX_WBITS | 16
        # Servers send both the zlib format, as the standard says, and bare deflate.
        is_zlib = data[0] & 0x0F == 8 and (len(data) < 2 or (data[0] << 8 | data[1]) % 31 == 0)
        return zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS


def too_large(name: str, max_bytes: int) -> BadContent:
    """The error for a body beyond its limit."""
    size = f"{max_bytes / _MB:g} MB" if max_bytes >= _MB else f"{max_bytes:,} bytes"
    return BadContent(
        f"{name} is larger than {size}",
        hint="Raise the connection's size limit, or exclude this address.",
    )
