"""Plain text: kept as it is written, its first line taken for the title if it looks like one."""

from __future__ import annotations

import re

from syncline.core.model import Content, Metadata
from syncline.pipeline.extract.decode import decode
from syncline.pipeline.extract.normalise import normalise
from syncline.pipeline.extract.reading import Reading

__all__ = ["read_plain"]

_RULE = re.compile(r"([=\-~^\"'*+#_`:.])\1{2,}")
_LONGEST_TITLE = 100


def read_plain(content: Content, listed: Metadata) -> Reading:
    """Read plain text, reStructuredText included. Raises `BadContent`."""
    text = normalise(decode(content.data, content.charset))
    return Reading(text, Metadata(title=_title(text)))


def _title(text: str) -> str | None:
    """The first line, if it is underlined, or short and alone and not a sentence."""
    lines = text[:2000].split("\n", 4)[:4]
    if _RULE.fullmatch(lines[0]) and len(lines) > 2 and _RULE.fullmatch(lines[2]):
        return lines[1].strip() or None  # a line above the title and one beneath it
    first = lines[0].strip()
    if not 2 <= len(first) <= _LONGEST_TITLE or not any(map(str.isalnum, first)):
        return None
    if len(lines) > 1 and _RULE.fullmatch(lines[1]):
        return first
    alone = len(lines) == 1 or not lines[1]
    looks = alone and not first.endswith((".", ",", ";", ":", "!", "?")) and first[0].isalnum()
    return first if looks else None
