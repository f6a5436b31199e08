"""What a hit shows of its passage: the part with the best matches, and where they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from syncline.pipeline.terms import spans_of, stem

__all__ = ["MOST_CHARACTERS", "Question", "Snippet", "snippet"]

MOST_CHARACTERS = 240


@dataclass(frozen=True, slots=True)
class Question:
    """The words a search looks for, by each of their stems."""

    stemmings: tuple[str, ...]
    weights: Mapping[str, float]
    """How much a stem tells."""
    written: Mapping[str, str]
    """The question's own word for a stem."""
    models: tuple[str, ...] = ()
    """The models it was asked in."""

    _seen: dict[str, str | None] = field(default_factory=dict, compare=False, repr=False)
    """What words were found to stand for: passages that answer one question share theirs."""

    def match(self, word: str) -> str | None:
        """The question's stem that a folded word stands for, if any."""
        try:
            return self._seen[word]
        except KeyError:
            stems = (stem(word, stemming) for stemming in self.stemmings)
            found = next((each for each in stems if each in self.weights), None)
            self._seen[word] = found
            return found

    def stems_in(self, text: str) -> set[str]:
        """The question's stems that a text holds."""
        return {found for _, _, found in spans_of(text, self.match)}

    def words_of(self, stems: Iterable[str]) -> list[str]:
        """The question's words for these stems, in the order they tell."""
        found = sorted(stems, key=lambda each: (-self.weights[each], each))
        return list(dict.fromkeys(self.written[each] for each in found))


class Snippet(Struct, frozen=True):
    text: str
    highlights: tuple[tuple[int, int], ...]
    stems: frozenset[str]
    """The question's stems in the whole passage."""


def snippet(text: str, question: Question, most: int = MOST_CHARACTERS) -> Snippet:
    """One line of up to `most` characters, cut at words, around the best matches in `text`."""
    line = " ".join(text.split())
    matches = spans_of(line, question.match)
    start, end = _window(line, matches, question.weights, most)
    before, after = "… " if start else "", " …" if end < len(line) else ""
    shift = len(before) - start
    return Snippet(
        before + line[start:end] + after,
        _merged([(a + shift, b + shift) for a, b, _ in matches if a >= start and b <= end]),
        frozenset(found for _, _, found in matches),
    )


def _window(
    line: str, matches: Sequence[tuple[int, int, str]], weights: Mapping[str, float], most: int
) -> tuple[int, int]:
    """The part of the line that holds most: each stem once, and a little for its repetitions."""
    if len(line) <= most:
        return 0, len(line)
    room = most - 4  # for the ellipses
    best = (-1.0, 0, 0)
    for i, (start, first_end, _) in enumerate(matches):
        seen: set[str] = set()
        value, last = 0.0, min(first_end, start + room)
        for _, end, found in matches[i:]:
            if end > start + room:
                break
            value += weights[found] * (0.1 if found in seen else 1.0)
            seen.add(found)
            last = end
        if value > best[0]:
            best = (value, start, last)
    _, start, end = best
    # Some words before the first match say what it is about; the rest of the room goes after it.
    start = max(0, start - (room - (end - start)) // 3)
    start = max(0, min(start, len(line) - room))
    return _at_words(line, start, min(len(line), start + room), keep=best[1:])


def _at_words(line: str, start: int, end: int, *, keep: tuple[int, int]) -> tuple[int, int]:
    """Drop the pieces of words at both ends, but nothing of `keep`."""
    if start and line[start - 1] != " ":
        space = line.find(" ", start, max(keep[0], start) if keep[1] else end)
        start = space + 1 if space >= 0 else start
    if end < len(line) and line[end] != " ":
        space = line.rfind(" ", max(keep[1], start + 1), end)
        end = space if space >= 0 else end
    return start, end


def _merged(spans: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Overlapping and touching spans as one: words of scripts without spaces overlap."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)
