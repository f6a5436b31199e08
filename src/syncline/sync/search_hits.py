"""What a search shows: a content's best passage, its document, and the reasons for both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from msgspec import Struct

from syncline.core.model import DocumentId
from syncline.store.database import Connection, at_once
from syncline.store.search_scope import (
    Passage,
    Scope,
    SeenDocument,
    Title,
    documents_of,
    passages_of,
)
from syncline.sync.search_collapse import Group
from syncline.sync.search_ranking import LEAST_MEANING, Ranked
from syncline.sync.search_snippet import Question, snippet

__all__ = ["Also", "Hit", "build_hits"]

_MOST_ALSO = 20


class Also(Struct, frozen=True):
    """Another document with a hit's content: the very same, or nearly."""

    document: DocumentId
    title: str | None
    url: str | None
    connection: str
    entry_id: str


class Hit(Struct, frozen=True):
    """A content, by its best passage and the best document that the asker may see."""

    rank: int
    score: float
    """Between 0 and 1."""
    document: DocumentId
    connection: str
    kind: str
    entry_id: str
    title: str | None
    url: str | None
    headings: tuple[str, ...]
    text: str
    """The passage."""
    snippet: str
    """One line of it."""
    highlights: tuple[tuple[int, int], ...]
    """Where in the snippet the question's words are."""
    why: tuple[str, ...]
    """For people: `words: rotate, key`, `title: key`, `meaning 0.62`."""
    scores: Mapping[str, float]
    """`words`, `meaning` and `title`, each between 0 and 1."""
    also: tuple[Also, ...]
    """With the same text."""
    similar: tuple[Also, ...]
    """With nearly the same text, which would have been further hits."""
    updated_at: datetime | None
    tags: tuple[str, ...]


async def build_hits(
    db: Connection,
    scope: Scope,
    question: Question,
    title: Title,
    groups: Sequence[Group],
    first_rank: int,
) -> list[Hit]:
    """The hits for these groups, in their order."""
    page = [group.shown for group in groups]
    fellows = [content for group in groups for content in group.fellows[:_MOST_ALSO]]
    contents = [each.content for each in page] + fellows
    keys = [(each.content, each.n) for each in page if each.n is not None]
    async with at_once(db) as reads:
        shown = reads.create_task(documents_of(db, scope, contents, title, most=_MOST_ALSO + 1))
        texts = reads.create_task(passages_of(db, scope.workspace, keys))
    documents, passages = shown.result(), texts.result()
    hits: list[Hit] = []
    for each, group in zip(page, groups, strict=True):
        # A document may have been deleted since it was ranked.
        if each.content in documents:
            passage = passages.get((each.content, each.n or 0), Passage())
            rank_here = first_rank + len(hits)
            similar = [d for fellow in group.fellows for d in documents.get(fellow, ())]
            hits.append(_hit(rank_here, each, documents[each.content], similar, passage, question))
    return hits


def _hit(
    place: int,
    ranked: Ranked,
    documents: Sequence[SeenDocument],
    similar: Sequence[SeenDocument],
    passage: Passage,
    question: Question,
) -> Hit:
    document, others = documents[0], documents[1:]
    shown = snippet(passage.text, question)
    return Hit(
        rank=place,
        score=ranked.score,
        document=document.id,
        connection=document.connection,
        kind=document.kind,
        entry_id=document.entry_id,
        title=document.title,
        url=document.url,
        headings=tuple(passage.headings),
        text=passage.text,
        snippet=shown.text,
        highlights=shown.highlights,
        why=_why(
            ranked, document, question, shown.stems | question.stems_in(" ".join(passage.headings))
        ),
        scores={
            "words": round(ranked.words, 4),
            "meaning": round(ranked.meaning, 4),
            "title": round(ranked.title, 4),
        },
        also=_also(others),
        similar=_also(similar[:_MOST_ALSO]),
        updated_at=document.updated_at,
        tags=tuple(document.tags),
    )


def _also(documents: Sequence[SeenDocument]) -> tuple[Also, ...]:
    return tuple(
        Also(each.id, each.title, each.url, each.connection, each.entry_id) for each in documents
    )


def _why(
    ranked: Ranked, document: SeenDocument, question: Question, stems: AbstractSet[str]
) -> tuple[str, ...]:
    reasons = []
    if words := question.words_of(stems):
        reasons.append("words: " + ", ".join(words))
    if ranked.title > 0 and (words := question.words_of(question.stems_in(document.title or ""))):
        reasons.append("title: " + ", ".join(words))
    if ranked.cosine >= LEAST_MEANING:
        former = f" ({question.models[ranked.model]})" if ranked.model else ""
        reasons.append(f"meaning {ranked.cosine:.2f}{former}")
    if ranked.n == 0:
        reasons.append("first passage of its document")
    elif ranked.first > 0:
        reasons.append("first passage matches too")
    return tuple(reasons)
