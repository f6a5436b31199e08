"""Ids for file names: readable text for ordinary names, reversible for every name there is."""

from __future__ import annotations

import os
import re
from hashlib import blake2b

__all__ = ["MAX_ID_BYTES", "entry_id", "path_of"]

MAX_ID_BYTES = 8192

_TO_ENCODE = re.compile(
    r"%(?=[0-9A-Fa-f]{2})"  # it would be taken for one of ours
    r"|[\x00-\x1f\x7f-\x9f\u2028\u2029]"  # control characters and line ends
    r"|[\ud800-\udfff]"  # bytes that are not UTF-8, as Python stands in for them
)
_ENCODED = re.compile(r"%([0-9A-Fa-f]{2})")


def entry_id(path: str) -> str:
    """The id of a relative POSIX path as `os` functions give it.

    Bytes that are not UTF-8, control characters, and a `%` that two hexadecimal digits follow
    are percent-encoded; everything else stays as it is. Ids that would be too long to store end
    in a hash; `path_of` cannot read those back.
    """
    ordinary = path.isprintable() and "%" not in path
    encoded = path if ordinary else _TO_ENCODE.sub(_percent, path)
    if len(encoded) * 4 <= MAX_ID_BYTES:
        return encoded
    data = encoded.encode()
    if len(data) <= MAX_ID_BYTES:
        return encoded
    kept = data[: MAX_ID_BYTES - 64].decode(errors="ignore")
    return f"{kept}…{blake2b(data, digest_size=16).hexdigest()}"


def path_of(entry: str) -> str:
    """The relative path that `entry_id` made this id of."""
    if "%" not in entry:
        return entry
    data = _ENCODED.sub(lambda match: chr(0xDC00 + int(match[1], 16)), entry)
    return os.fsdecode(_bytes_of(data))


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in os.fsencode(match[0]))


def _bytes_of(text: str) -> bytes:
    """`text` in UTF-8, in which a code unit U+DC00 + n stands for the byte n."""
    pieces = re.split(r"([\udc00-\udcff])", text)
    return b"".join(
        bytes([ord(piece) - 0xDC00]) if index % 2 else piece.encode()
        for index, piece in enumerate(pieces)
    )
