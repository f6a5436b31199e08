"""Beginnings of words: `kub` finds kubernetes, where somebody is still typing or asks for `kub*`.

The last word of a question may be unfinished. It stands for words that begin with it too if it is
itself in no text, or in hardly any; with a star it always does. The most frequent words stand for
all of them, so that the cost is bounded, whatever the beginning.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from syncline.core.model import WorkspaceId
from syncline.pipeline.terms import fold
from syncline.store import search as index
from syncline.store.database import Connection
from syncline.store.entries import Entries
from syncline.store.search import Corpus
from syncline.store.search_scope import Scope, has_title_word
from syncline.sync.search_words import Word, weigh

__all__ = ["Completion", "complete", "widen"]

_SHORTEST, _SHORTEST_STARRED = 3, 2
_MOST, _MOST_STARRED = 8, 20
"""Words that one beginning stands for."""
_RARE = 3
"""In no more passages than this, and a last word may be the beginning of another."""
_MOST_STARS = 3
_LOOKED_AT = 50
_ASKED = 4
"""So many times as many words are asked about: some may be others' alone."""
_BESIDE = 0.5
"""What a word tells that the last one of the question may be the beginning of."""
_STARRED = re.compile(r"(\w+)\*(?!\w)")
_LAST = re.compile(r"(\w+)\Z")


class Completion(Struct, frozen=True):
    """What a beginning stands for."""

    word: str
    """The beginning, folded."""
    terms: tuple[str, ...]
    """Of the index; none where only titles have such a word."""
    beside: bool
    """The word is itself in some text, which counts more than what it may be the beginning of."""


async def complete(
    db: Connection,
    scope: Scope,
    corpus: Corpus,
    text: str,
    words: Mapping[str, Sequence[str]],
    entries: Mapping[str, Entries],
) -> list[Completion]:
    """What the beginnings in a question stand for. `text` is the question as it was typed, `words`
    are the stems of its words, and `entries` those that the index has.

    Only words of documents in the scope are taken: nobody finds more, or sees other hits, for
    what is written where they may not look.
    """
    starred = {fold(each) for each in _STARRED.findall(text)}
    last = _LAST.search(text)
    unfinished = {fold(last[1])} if last else set()
    found: list[Completion] = []
    for word, stems in words.items():
        count = sum(len(entries.get(stem, ())) for stem in stems)
        star = word in starred and len(found) < _MOST_STARS
        if star:
            wanted = len(word) >= _SHORTEST_STARRED
        else:
            wanted = word in unfinished and len(word) >= _SHORTEST and count <= _RARE
        if not wanted or not word[0].isalpha():
            continue
        most = _MOST_STARRED if star else _MOST
        terms = await _visible(db, scope, corpus, word, stems, most)
        if terms or (count == 0 and await has_title_word(db, scope, index.tsquery((), word))):
            found.append(Completion(word, terms, beside=count > 0 and not star))
    return found


async def widen(
    db: Connection,
    workspace: WorkspaceId,
    corpus: Corpus,
    stems: Sequence[tuple[str, ...]],
    completions: Sequence[Completion],
    written: dict[str, str],
    entries: dict[str, Entries],
) -> tuple[tuple[Word, ...], tuple[Word, ...]]:
    """The question's words with what their beginnings stand for, and what counts beside them."""
    terms = [term for each in completions for term in each.terms]
    if terms:
        entries |= await index.entries_of_terms(db, workspace, terms)
    begun = {each.word: each for each in completions}
    wide: list[tuple[str, ...]] = []
    prefixes = []
    for word in stems:
        found = begun.get(written.get(word[0], word[0]))
        inside = found is not None and not found.beside
        wide.append((*word, *found.terms) if found is not None and inside else word)
        prefixes.append(written.get(word[0], word[0]) if inside else "")
    words = tuple(
        replace(word, prefix=prefix)
        for word, prefix in zip(weigh(wide, entries, corpus), prefixes, strict=True)
    )
    more = [each.terms for each in completions if each.beside]
    beside = tuple(replace(word, idf=_BESIDE * word.idf) for word in weigh(more, entries, corpus))
    for each in completions:
        written |= {term: f"{each.word}*" for term in each.terms if term not in written}
    return words, beside


async def _visible(
    db: Connection,
    scope: Scope,
    corpus: Corpus,
    word: str,
    stems: Collection[str],
    most: int,
) -> tuple[str, ...]:
    """The most frequent terms that begin like this and are in a document of the scope."""
    terms = await index.terms_from(db, scope.workspace, word, most=_ASKED * most + len(stems))
    terms = [each for each in terms if each not in stems]
    if not terms:
        return ()
    entries = await index.entries_of_terms(db, scope.workspace, terms, most=_LOOKED_AT)
    ids = {term: (found >> 16).tolist() for term, found in entries.items()}
    inside = replace(scope, deep=True)
    every = sorted({each for own in ids.values() for each in own})
    places = await index.places_of(db, inside, every, ())
    seen = {each.id for each in places}
    visible = [term for term in terms if not seen.isdisjoint(ids.get(term, ()))]
    return tuple(visible[:most])
