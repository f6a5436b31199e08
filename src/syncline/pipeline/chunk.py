"""Cutting a normalised text into searchable pieces.

Boundaries start anew at each heading, so that an edit moves only its own section. Within a
section a chunk ends at a paragraph, else at a line of code, table or list, else at a
sentence, else at a word; neighbours overlap.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from msgspec import Struct

from syncline.core.prepared import Chunk
from syncline.pipeline.terms import term_list

__all__ = ["CHUNKER_VERSION", "Chunking", "chunk"]

CHUNKER_VERSION = 1
"""Moves whenever the same text would be cut otherwise: everything is then cut again."""


class Chunking(Struct, frozen=True):
    """How large chunks are, in characters."""

    size: int = 1000
    overlap: int = 200

    def __post_init__(self) -> None:
        if not 50 <= self.size <= 100_000:
            raise ValueError(f"chunk size {self.size} is not between 50 and 100000")
        if not 0 <= self.overlap <= self.size // 2:
            raise ValueError(
                f"chunk overlap {self.overlap} is not between 0 and half the size ({self.size})"
            )


def chunk(text: str, stemming: str, chunking: Chunking) -> list[Chunk]:
    """The chunks of a normalised text, in order; none for an empty one.

    A heading's own line is not repeated in a chunk's text: it stands in `headings`. A
    heading that nothing stands under becomes text, so that it can be found.
    """
    chunks: list[Chunk] = []
    for section in _sections(text):
        for start, end in _pieces(text, section, chunking):
            chunks.append(_make(len(chunks), text[start:end], start, section.path, stemming))
    return chunks


def _make(n: int, text: str, start: int, headings: tuple[str, ...], stemming: str) -> Chunk:
    found = term_list(text, stemming)
    embedded = text
    if headings:
        embedded = " > ".join(headings) + "\n" + text
        found += _heading_terms(headings, stemming)
    return Chunk(
        n=n,
        text=text,
        headings=headings,
        start=start,
        hash=blake2b(embedded.encode(), digest_size=16).digest(),
        terms=found,
    )


@lru_cache(maxsize=256)
def _heading_terms(path: tuple[str, ...], stemming: str) -> tuple[str, ...]:
    return tuple(term_list("\n".join(path), stemming))


@dataclass(slots=True)
class _Section:
    """A stretch of text under one heading path."""

    path: tuple[str, ...]
    start: int
    end: int
    fences: Sequence[tuple[int, int]] = ()
    """Where its code blocks begin and end."""
    bare: bool = False
    """It is nothing but headings."""


def _sections(text: str) -> list[_Section]:
    stretches = list(_stretches(text))
    sections: list[_Section] = []
    above: list[tuple[int, str]] = []
    for n, (level, title, start, body, end, fences) in enumerate(stretches):
        while above and above[-1][0] >= level:
            above.pop()
        parents = tuple(name for _, name in above)
        if level:
            above.append((level, title))
        if _has_text(text, body, end):
            path = (*parents, title) if level else ()
            sections.append(_Section(path, body, end, fences))
        elif level and (n + 1 == len(stretches) or stretches[n + 1][0] <= level):
            last = sections[-1] if sections else None
            if last and last.bare and last.path == parents and last.end == start:
                last.end = end
            else:
                sections.append(_Section(parents, start, end, bare=True))
    if sections and all(section.bare for section in sections):
        return [_Section((), 0, len(text), bare=True)]
    return sections


# A longer line is no heading, whatever it begins with: every chunk below would repeat it.
_MARK = re.compile(r"^(?:(#{1,6}) (\S.{0,299})|[ >]*(`{3,})(.*))$", re.MULTILINE)


def _stretches(
    text: str,
) -> Iterator[tuple[int, str, int, int, int, list[tuple[int, int]]]]:
    """What lies between headings: level, title, start, start and end of the body, code blocks."""
    level, title, start, body = 0, "", 0, 0
    fences: list[tuple[int, int]] = []
    opened, ticks = -1, ""
    for mark in _MARK.finditer(text):
        if mark[3]:
            if opened < 0:
                opened, ticks = mark.start(), mark[3]
            elif len(mark[3]) >= len(ticks) and not mark[4].strip():
                fences.append((opened, mark.end()))
                opened = -1
        elif opened < 0:
            yield level, title, start, body, mark.start(), fences
            level, title, start, body = len(mark[1]), mark[2].strip(), mark.start(), mark.end()
            fences = []
    if opened >= 0:
        fences.append((opened, len(text)))
    yield level, title, start, body, len(text), fences


_INK = re.compile(r"\S")


def _has_text(text: str, start: int, end: int) -> bool:
    return _INK.search(text, start, end) is not None


def _pieces(text: str, section: _Section, chunking: Chunking) -> Iterator[tuple[int, int]]:
    """Where each chunk of a section begins and ends. Together they leave out only white space."""
    end = _trimmed(text, section.start, section.end)
    start = _first_ink(text, section.start, end)
    done = start
    while end - start > chunking.size:
        at = _break(text, start, done, chunking.size, section.fences)
        yield start, _trimmed(text, start, at)
        done = at
        start = _first_ink(text, _resume(text, start, at, chunking.overlap, section.fences), end)
    if start < end:
        yield start, end


def _first_ink(text: str, start: int, end: int) -> int:
    """Past blank lines, and past spaces that do not indent a line."""
    ink = _INK.search(text, start, end)
    if ink is None:
        return end
    line = text.rfind("\n", start, ink.start()) + 1
    if line:
        return line
    return start if start == 0 or text[start - 1] == "\n" else ink.start()


def _trimmed(text: str, start: int, end: int) -> int:
    while end > start and text[end - 1].isspace():
        end -= 1
    return end


_STRUCTURE = re.compile(r"[|>\-*+\s]|\d{1,9}[.)] ")
_SENTENCE = re.compile(r"[.!?…][)\]\"'”’»]*\s|[。！？]")


def _break(text: str, start: int, done: int, size: int, fences: Sequence[tuple[int, int]]) -> int:
    """Where the chunk that begins at `start` ends: the best place in its second half.

    Always beyond `done`, where the last chunk ended. A code block or a table row that
    fits into one chunk is left whole, even if this chunk comes out short.
    """
    limit = start + size
    least = max(start, done) + 1
    low = max(start + size // 2, least)
    fence = _fence_at(fences, limit)
    if fence is not None:
        if fence[0] >= least and fence[1] - fence[0] <= size:
            return fence[0]
        line = text.rfind("\n", max(low, fence[0]), limit)
        return line if line > 0 else limit
    if (row := _row_at(text, limit, least, size)) is not None:
        return row
    return (
        _last_paragraph(text, low, limit, fences)
        or _last_line(text, low, limit)
        or _last_sentence(text, low, limit)
        or _last_word(text, low, limit)
        or limit
    )


def _fence_at(fences: Sequence[tuple[int, int]], at: int) -> tuple[int, int] | None:
    """The code block that `at` lies inside of."""
    n = bisect_right(fences, (at,)) - 1
    return fences[n] if n >= 0 and fences[n][0] < at < fences[n][1] else None


def _row_at(text: str, limit: int, least: int, size: int) -> int | None:
    """Where the table row that `limit` lies inside of begins, if it fits into one chunk."""
    line = text.rfind("\n", least, limit)
    if line < 0 or text[line + 1 : line + 2] != "|":
        return None
    after = text.find("\n", limit, line + size + 2)
    fits = after >= 0 or len(text) - line <= size
    return line if fits else None


def _last_paragraph(text: str, low: int, limit: int, fences: Sequence[tuple[int, int]]) -> int:
    at = text.rfind("\n\n", low, limit + 2)
    while at > 0 and (fence := _fence_at(fences, at)):
        at = text.rfind("\n\n", low, fence[0])
    return max(at, 0)


def _last_line(text: str, low: int, limit: int) -> int:
    at = text.rfind("\n", low, limit + 1)
    while at > 0:
        if _STRUCTURE.match(text, at + 1):
            return at
        at = text.rfind("\n", low, at)
    return 0


def _last_sentence(text: str, low: int, limit: int) -> int:
    at = 0
    for stop in _SENTENCE.finditer(text, low, limit + 1):
        at = stop.end()
    return min(at, limit)


def _last_word(text: str, low: int, limit: int) -> int:
    return max(text.rfind(" ", low, limit + 1), text.rfind("\n", low, limit + 1), 0)


def _resume(text: str, start: int, at: int, overlap: int, fences: Sequence[tuple[int, int]]) -> int:
    """Where the next chunk begins: a little before `at`, where something begins."""
    earliest = max(at - overlap, start + 1)
    if not overlap or earliest >= at or _begins_whole(text, at, fences):
        return at
    fence = _fence_at(fences, earliest)
    if fence is not None:
        if fence[1] <= at:
            return fence[1]
        line = text.find("\n", earliest, at)
        return line + 1 if line >= 0 else at
    latest = at - overlap // 4
    for sign in ("\n\n", "\n"):
        if (found := text.find(sign, earliest, latest)) >= 0:
            return found + len(sign)
    if stop := _SENTENCE.search(text, earliest, latest):
        return stop.end()
    word = text.find(" ", earliest, at)
    return word + 1 if word >= 0 else earliest


def _begins_whole(text: str, at: int, fences: Sequence[tuple[int, int]]) -> bool:
    """Whether a code block or a table row comes next: with an overlap it might not fit."""
    ink = _INK.search(text, at)
    if ink is None:
        return False
    fence = _fence_at(fences, ink.start() + 1)
    return (fence is not None and fence[0] >= at) or text[ink.start()] == "|"
