"""Search: a question, its asker and filters; ranked passages with the reasons they are there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from syncline.core.errors import SourceError, UsageError
from syncline.core.model import Json, WorkspaceId
from syncline.core.ports import Embedder
from syncline.pipeline.terms import query_terms, stem, word_spans
from syncline.store import search as index
from syncline.store.connections import find_connection, list_connections
from syncline.store.database import Connection
from syncline.store.search import Corpus, Word
from syncline.store.search_scope import (
    Scope,
    Title,
    narrowed,
    search_titles,
    title_scores,
)
from syncline.sync.search_collapse import Group, collapse, single
from syncline.sync.search_hits import Also, Hit, build_hits
from syncline.sync.search_ranking import Ranked, rank, rarity
from syncline.sync.search_snippet import Question

__all__ = ["Also", "Hit", "SearchPage", "SearchRequest", "search"]

_DEEPEST = 1_000
_MOST_BYTES = 8_192
_MOST_WORDS = 64


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What is asked, by whom, and of which documents."""

    text: str
    principals: tuple[str, ...] = ()
    """Whom the asker is; () sees public documents only."""
    everything: bool = False
    """For the machine's owner: ignore access lists."""
    connections: tuple[str, ...] = ()
    """Names."""
    kinds: tuple[str, ...] = ()
    """Connectors' kinds, such as `files`."""
    tags: tuple[str, ...] = ()
    """Any of them."""
    updated_since: datetime | None = None
    """By the source's own time of the update, else by when we noticed it."""
    updated_before: datetime | None = None
    all_copies: bool = False
    """Near-duplicates are hits of their own, instead of being named with the best of them."""
    limit: int = 10
    offset: int = 0


@dataclass(frozen=True, slots=True)
class SearchPage:
    hits: tuple[Hit, ...]
    more: bool
    seconds: float
    notes: tuple[str, ...] = ()
    """What the asker should know of how the search went."""

    def as_json(self) -> dict[str, Json]:
        """For `json.dumps`."""
        page = asdict(self)
        for hit in page["hits"]:
            updated = hit["updated_at"]
            hit["updated_at"] = updated and updated.astimezone(UTC).isoformat()
        return page


@dataclass(frozen=True, slots=True)
class _Depth:
    """How many candidates are looked at."""

    words: int
    meaning: int
    titles: int


_SHALLOW = _Depth(words=150, meaning=100, titles=30)
_DEEP = _Depth(words=2_000, meaning=1_000, titles=1_000)
_SHALLOW_HITS = 30


@dataclass(frozen=True, slots=True)
class _Plan:
    """A question, ready to be asked."""

    words: tuple[Word, ...]
    corpus: Corpus
    question: Question
    model: int | None
    vector: tuple[float, ...] | None

    @property
    def title(self) -> Title:
        queries = [index.tsquery([word]) for word in self.words]
        return Title(queries, [word.idf for word in self.words])


async def search(
    db: Connection,
    workspace: WorkspaceId,
    request: SearchRequest,
    embed: Callable[[], Embedder] | None,
    model: str,
) -> SearchPage:
    """One page of hits, the best first.

    `embed` loads the embedder that `model` names, in full; without one the search is by words.
    Raises `UsageError` for an impossible page, `NotHere` for an unknown connection.
    """
    started = time.perf_counter()
    _check(request)
    text = _cleaned(request.text)
    scope = await narrowed(db, await _scope_of(db, workspace, request))
    hits: list[Hit] = []
    more = False
    if scope.contents == ():
        notes = [_nothing_in_scope(request)]
    else:
        plan, notes = await _plan(db, workspace, text, embed, model)
        if plan is not None:
            wanted = request.offset + request.limit
            groups = await _ranked(db, scope, plan, wanted, all_copies=request.all_copies)
            page = groups[request.offset : wanted]
            more = len(groups) > wanted
            hits = await build_hits(db, scope, plan.question, plan.title, page, request.offset + 1)
    return SearchPage(tuple(hits), more, time.perf_counter() - started, tuple(notes))


def _check(request: SearchRequest) -> None:
    if not 1 <= request.limit <= 100:
        raise UsageError(f"A page has 1 to 100 hits, not {request.limit}.")
    if request.offset < 0 or request.offset + request.limit > _DEEPEST:
        raise UsageError(
            f"A search shows its first {_DEEPEST:,} hits; this page would not be among them.",
            hint="Ask more narrowly: with further words, a connection, a tag or a time.",
        )


def _cleaned(text: str) -> str:
    """What can be stored, as far as it can be a question."""
    data = text.encode("utf-8", "ignore")[:_MOST_BYTES]
    return data.decode("utf-8", "ignore").replace("\0", " ").strip()


def _storable(values: Sequence[str]) -> tuple[str, ...]:
    """Those of these names that the database can hold: no other one is in it."""
    return tuple(v for v in values if "\0" not in v and v == v.encode("utf-8", "ignore").decode())


async def _scope_of(db: Connection, workspace: WorkspaceId, request: SearchRequest) -> Scope:
    connections = None
    if request.connections:
        rows = [await find_connection(db, workspace, name) for name in request.connections]
        connections = {row.id for row in rows}
    if request.kinds:
        rows = await list_connections(db, workspace)
        of_kinds = {row.id for row in rows if row.kind in request.kinds}
        connections = of_kinds if connections is None else connections & of_kinds
    tags = _storable(request.tags)
    if request.tags and not tags:
        connections = set()
    return Scope(
        workspace,
        principals=None if request.everything else _storable(request.principals),
        connections=None if connections is None else tuple(sorted(connections)),
        tags=tags,
        updated_since=_in_utc(request.updated_since),
        updated_before=_in_utc(request.updated_before),
    )


def _in_utc(moment: datetime | None) -> datetime | None:
    """A time without a zone is UTC, whatever the database's session thinks."""
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _nothing_in_scope(request: SearchRequest) -> str:
    filtered = (
        request.connections
        or request.kinds
        or request.tags
        or request.updated_since
        or request.updated_before
    )
    if filtered:
        return "no document that is visible to you passes these filters"
    if request.everything:
        return "this workspace has no documents yet"
    return "no document of this workspace is visible to you"


async def _plan(
    db: Connection,
    workspace: WorkspaceId,
    text: str,
    embed: Callable[[], Embedder] | None,
    model: str,
) -> tuple[_Plan | None, list[str]]:
    """What to look for, and what the asker should know of it; None for a question of no words."""
    languages = tuple(await index.stemmings(db, workspace)) or ("english",)
    stems = query_terms(text, languages)
    if not stems:
        return None, ["the question has no words to look for"]
    notes = []
    if len(stems) > _MOST_WORDS:
        notes.append(f"only the first {_MOST_WORDS} words of the question were looked for")
        del stems[_MOST_WORDS:]
    number, vector = None, None
    if embed is None:
        notes.append("without a model: found by words alone")
    else:
        number = await index.find_model(db, model)
        if number is None:
            notes.append(f"nothing is embedded with {model} yet: found by words alone")
        else:
            try:
                vector = await _embedded(embed, text)
            except SourceError as error:
                notes.append(f"found by words alone, because the model did not answer: {error}")
    corpus = await index.describe_corpus(db, workspace)
    words = await _weighed(db, workspace, [Word(each) for each in stems], corpus)
    question = Question(
        languages,
        weights={stem: word.idf for word in words for stem in word.stems},
        written={
            stem(word, language): word
            for _, _, word in reversed(word_spans(text))
            for language in languages
        },
    )
    return _Plan(words, corpus, question, number, vector), notes


async def _embedded(embed: Callable[[], Embedder], text: str) -> tuple[float, ...] | None:
    embedder = await asyncio.to_thread(embed)
    vector = (await embedder.embed([text]))[0]
    return tuple(map(float, vector)) if vector.any() else None


async def _weighed(
    db: Connection, workspace: WorkspaceId, words: Sequence[Word], corpus: Corpus
) -> tuple[Word, ...]:
    counts = await index.count_words(db, workspace, words, corpus)
    return tuple(
        replace(word, idf=rarity(count, max(corpus.chunks, 1)), rare=count < index.MOST_COUNTED)
        for word, count in zip(words, counts, strict=True)
    )


async def _ranked(
    db: Connection, scope: Scope, plan: _Plan, wanted: int, *, all_copies: bool
) -> list[Group]:
    """The best contents: at least `wanted` and one more, where there are so many.

    A first look takes few candidates and asks afterwards which of them are in the scope.
    Where that leaves too little, a second one takes many, of the scope only.
    """
    if wanted <= _SHALLOW_HITS:
        seen, visible, exhausted, ranked = await _look(db, scope, plan, _SHALLOW)
        groups = single(ranked) if all_copies else await collapse(db, scope, ranked)
        own = visible - (len(ranked) - len(groups))
        if exhausted or (own > wanted and (scope.narrow or 2 * visible >= seen)):
            return groups
    ranked = (await _look(db, replace(scope, deep=True), plan, _DEEP))[3]
    return single(ranked) if all_copies else await collapse(db, scope, ranked)


async def _look(
    db: Connection, scope: Scope, plan: _Plan, depth: _Depth
) -> tuple[int, int, bool, list[Ranked]]:
    """How many contents were candidates and were visible, whether these are all, and the order."""
    by_words = await index.search_words(db, scope, plan.words, plan.corpus, depth.words)
    by_meaning = []
    if plan.model is not None and plan.vector is not None:
        by_meaning = await index.nearest(
            db, scope, plan.model, plan.vector, plan.corpus, depth.meaning
        )
    by_title = await search_titles(db, scope, plan.title, depth.titles)
    contents = {content for content, _ in (*by_words, *by_meaning)} | set(by_title)
    titles = await title_scores(db, scope, sorted(contents), plan.title)
    keys = {key for key in (*by_words, *by_meaning) if key[0] in titles}
    keys |= {(content, 0) for content in titles}
    scored = await index.chunk_scores(
        db, scope.workspace, sorted(keys), plan.words, plan.corpus, plan.model, plan.vector
    )
    exhausted = (
        len(by_words) < depth.words
        and len(by_meaning) < depth.meaning
        and len(by_title) < depth.titles
        and all(word.rare for word in plan.words)
    )
    ranked = rank(
        scored, titles, ceiling=sum(plan.title.idfs), with_meaning=plan.vector is not None
    )
    return len(contents), len(titles), exhausted, ranked
