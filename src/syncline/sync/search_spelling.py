"""Words of a question that occur nowhere: the nearest spelling that does, if there is one.

One letter too many, too few, another one, or two changed over. All such spellings of a word are
some hundred, and one statement says which of them are indexed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from syncline.pipeline.terms import stem
from syncline.store import search as index
from syncline.store.database import Connection
from syncline.store.search import Corpus
from syncline.store.search_scope import Scope, has_title_word

__all__ = ["Correction", "correct", "near_words"]

_SHORTEST, _LONGEST = 4, 32
_MOST = 3
"""So many words of a question are corrected; each takes some milliseconds."""
_TRIED = 5
_LOOKED_AT = 500
_LATIN = "abcdefghijklmnopqrstuvwxyz"
_FURTHER = {
    "danish": "æøå",
    "french": "àâçèéêëîïôùûü",
    "german": "äöüß",
    "italian": "àèéìòù",
    "norwegian": "æøå",
    "portuguese": "áâãàçéêíóôõú",
    "spanish": "áéíñóúü",
    "swedish": "äåö",
}


class Correction(Struct, frozen=True):
    word: str
    """As it was asked."""
    instead: str
    stems: tuple[str, ...]
    """Of the word to look for."""


async def correct(
    db: Connection, scope: Scope, corpus: Corpus, unknown: Mapping[str, Sequence[str]]
) -> list[Correction]:
    """Other spellings for words that nothing is indexed under, given with their stems.

    Only what a document in the scope holds is told: a spelling must not betray another's text.
    """
    found = []
    inside = replace(scope, deep=True)
    words = [word for word in unknown if _SHORTEST <= len(word) <= _LONGEST and word.isalpha()]
    for word in words[:_MOST]:
        if await has_title_word(db, scope, index.tsquery(unknown[word])):
            continue
        stems: dict[str, str] = {}
        for near in near_words(word, corpus.stemmings):
            for language in corpus.stemmings:
                stems.setdefault(stem(near, language), near)
        often = await index.frequencies(db, scope.workspace, sorted(stems))
        for term in sorted(often, key=lambda each: (-often[each], each))[:_TRIED]:
            entries = (await index.entries_of_terms(db, scope.workspace, [term]))[term]
            ids = (entries[:_LOOKED_AT] >> 16).tolist()
            if await index.places_of(db, inside, ids, ()):
                near = stems[term]
                forms = dict.fromkeys(stem(near, language) for language in corpus.stemmings)
                found.append(Correction(word, near, tuple(forms)))
                break
    return found


def near_words(word: str, stemmings: Sequence[str]) -> list[str]:
    """All words at one edit's distance, in the letters of these languages and of the word: the
    likeliest slips first."""
    letters = sorted(set(_LATIN).union(word, *(_FURTHER.get(each, "") for each in stemmings)))
    cuts = [(word[:n], word[n:]) for n in range(len(word) + 1)]
    near = [head + tail[1] + tail[0] + tail[2:] for head, tail in cuts if len(tail) > 1]
    near += [head + tail[1:] for head, tail in cuts if tail]
    near += [head + letter + tail[1:] for head, tail in cuts if tail for letter in letters]
    near += [head + letter + tail for head, tail in cuts for letter in letters]
    return [each for each in dict.fromkeys(near) if each != word]
