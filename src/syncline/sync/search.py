"""Search: a question, its asker and filters; ranked passages with the reasons they are there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from msgspec import Struct, to_builtins
from msgspec.structs import replace

from syncline.core.errors import UsageError
from syncline.core.model import Json, WorkspaceId
from syncline.core.ports import Embedder, EmbedderInfo
from syncline.pipeline.terms import query_terms, stem, word_spans
from syncline.store import search as index
from syncline.store.connections import find_connection, list_connections
from syncline.store.database import Connection, at_once
from syncline.store.entries import Entries
from syncline.store.postings import BLOCK
from syncline.store.search import Asked, Corpus, Place
from syncline.store.search_scope import (
    Scope,
    Title,
    narrowed,
    search_titles,
    title_scores,
)
from syncline.sync.search_collapse import Group, collapse, single
from syncline.sync.search_hits import Also, Hit, build_hits
from syncline.sync.search_models import Models, ask
from syncline.sync.search_prefixes import complete, widen
from syncline.sync.search_ranking import Ranked, Scored, rank
from syncline.sync.search_snippet import Question
from syncline.sync.search_spelling import correct
from syncline.sync.search_words import Word, WordScores, score_words

__all__ = ["Also", "Hit", "SearchPage", "SearchRequest", "search"]

_DEEPEST = 1_000
_MOST_BYTES = 8_192
_MOST_WORDS = 64


class SearchRequest(Struct, frozen=True):
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


class SearchPage(Struct, frozen=True):
    hits: tuple[Hit, ...]
    more: bool
    seconds: float
    notes: tuple[str, ...] = ()
    """What the asker should know of how the search went."""

    def as_json(self) -> dict[str, Json]:
        """For `json.dumps`."""
        page: dict[str, Json] = to_builtins(self, builtin_types=(datetime,))
        for hit in page["hits"]:
            updated = hit["updated_at"]
            hit["updated_at"] = updated and updated.astimezone(UTC).isoformat()
        return page


class _Depth(Struct, frozen=True):
    """How many candidates are looked at."""

    words: int
    meaning: int
    titles: int


_SHALLOW = _Depth(words=100, meaning=100, titles=30)
_DEEP = _Depth(words=2_000, meaning=1_000, titles=1_000)
_SHALLOW_HITS = 30


class _Plan(Struct, frozen=True):
    """A question, ready to be asked."""

    words: tuple[Word, ...]
    beside: tuple[Word, ...]
    """What counts in texts alone: words that the last one may be the beginning of."""
    entries: Mapping[str, Entries]
    corpus: Corpus
    question: Question
    asked: tuple[Asked, ...]
    """The question in each model that answers; none without one."""

    @property
    def title(self) -> Title:
        queries = [index.tsquery(word.stems, word.prefix) for word in self.words]
        return Title(queries, [word.idf for word in self.words])


async def search(
    db: Connection,
    workspace: WorkspaceId,
    request: SearchRequest,
    embed: Callable[[], Embedder] | None,
    model: str,
    recreate: Callable[[EmbedderInfo], Embedder] | None = None,
) -> SearchPage:
    """One page of hits, the best first.

    `embed` loads the embedder that `model` names, in full; without one the search is by words.
    `recreate` loads another one, of which the workspace has embeddings while they are replaced.
    Raises `UsageError` for an impossible page, `NotHere` for an unknown connection.
    """
    started = time.perf_counter()
    _check(request)
    text = _cleaned(request.text)
    scope = await _scope_of(db, workspace, request)
    plan, notes = await _plan(db, scope, text, request.text, Models(embed, model, recreate))
    hits: list[Hit] = []
    more = False
    if plan is not None:
        wanted = request.offset + request.limit
        groups = await _ranked(db, scope, plan, wanted, all_copies=request.all_copies)
        page = groups[request.offset : wanted]
        more = len(groups) > wanted
        hits = await build_hits(db, scope, plan.question, plan.title, page, request.offset + 1)
    if not hits and (await narrowed(db, scope)).contents == ():
        notes = [_nothing_in_scope(request)]
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
    scope: Scope,
    text: str,
    typed: str,
    models: Models,
) -> tuple[_Plan | None, list[str]]:
    """What to look for, and what the asker should know of it; None for a question of no words."""
    workspace = scope.workspace
    corpus = await index.describe_corpus(db, workspace)
    stems = query_terms(text, corpus.stemmings)
    if not stems:
        return None, ["the question has no words to look for"]
    notes = []
    if len(stems) > _MOST_WORDS:
        notes.append(f"only the first {_MOST_WORDS} words of the question were looked for")
        del stems[_MOST_WORDS:]
    written = {
        stem(word, language): word
        for _, _, word in reversed(word_spans(text))
        for language in corpus.stemmings
    }
    entries = await index.entries_of_terms(db, workspace, [each for word in stems for each in word])
    completions = await complete(
        db, scope, corpus, typed, {written.get(word[0], word[0]): word for word in stems}, entries
    )
    begun = {each.word: each for each in completions if not each.beside}
    unknown = {
        said: word
        for word in stems
        if not entries.keys() & set(word) and (said := written.get(word[0], word[0])) not in begun
    }
    for each in await correct(db, scope, corpus, unknown) if unknown else ():
        notes.append(f'searched for "{each.instead}" instead of "{each.word}"')
        stems[stems.index(unknown[each.word])] = each.stems
        written |= dict.fromkeys(each.stems, each.instead)
        text = text.replace(each.word, each.instead)
        entries |= await index.entries_of_terms(db, workspace, each.stems)
    asked, remarks = await ask(models, corpus, text)
    notes += remarks
    words, beside = await widen(db, workspace, corpus, stems, completions, written, entries)
    question = Question(
        corpus.stemmings,
        weights={stem: word.idf for word in (*beside, *words) for stem in word.stems},
        written=written,
        models=tuple(each.model.info.name for each in asked),
    )
    return _Plan(words, beside, entries, corpus, question, asked), notes


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
        if exhausted or _is_enough(groups, ranked, wanted, seen, visible):
            return groups
    inside = replace(await narrowed(db, scope), deep=True)
    ranked = (await _look(db, inside, plan, _DEEP))[3]
    return single(ranked) if all_copies else await collapse(db, scope, ranked)


def _is_enough(
    groups: Sequence[Group], ranked: Sequence[Ranked], wanted: int, seen: int, visible: int
) -> bool:
    """Whether a look that was cut off has found the best `wanted` hits, and one more."""
    own = visible - (len(ranked) - len(groups))
    if own <= wanted or 2 * visible < seen:
        return False
    # Where the last hit is no better than the worst candidate, others may be as good as both.
    return len(groups) <= wanted or groups[wanted].shown.score > ranked[-1].score


async def _look(
    db: Connection, scope: Scope, plan: _Plan, depth: _Depth
) -> tuple[int, int, bool, list[Ranked]]:
    """How many contents were candidates and were visible, whether these are all, and the order."""
    async with at_once(db) as reads:
        # The vectors first: words are scored here while the database compares those.
        near = reads.create_task(_by_meaning(db, scope, plan, depth.meaning))
        worded = reads.create_task(_by_words(db, scope, plan, depth.words))
        titled = reads.create_task(search_titles(db, scope, plan.title, depth.titles))
    (by_meaning, all_near), (by_words, scores), by_title = (
        near.result(), worded.result(), titled.result(),
    )  # fmt: skip
    found = [*by_words, *by_meaning]
    contents = {each.content for each in found} | set(by_title)
    async with at_once(db) as reads:
        visible = reads.create_task(title_scores(db, scope, sorted(contents), plan.title))
        first = reads.create_task(_first_places(db, scope, plan, contents, found))
    titles = visible.result()
    places = {e.id: e for e in (*found, *first.result()) if e.content in titles}
    scored = [
        Scored(place.content, place.n, score, place.meaning, place.model)
        for place, score in zip(places.values(), scores.of(list(places)), strict=True)
    ]
    exhausted = scores.blocks <= depth.words and all_near and len(by_title) < depth.titles
    ranked = rank(scored, titles, ceiling=sum(plan.title.idfs), with_meaning=bool(plan.asked))
    return len(contents), len(titles), exhausted, ranked


async def _by_meaning(
    db: Connection, scope: Scope, plan: _Plan, most: int
) -> tuple[list[Place], bool]:
    """The chunks nearest to the question, and whether these are all.

    While a model is being replaced, those that are near by another one as well; a chunk that
    the first one knows counts by its word.
    """
    found: list[Place] = []
    everything = True
    for n, asked in enumerate(plan.asked):
        near = await index.nearest(db, scope, asked, most)
        everything = everything and len(near) < most
        if n == 0:
            found = near
            continue
        known = {each.id for each in found}
        others = [each.id for each in near if each.id not in known]
        if others:
            found += await index.places_of(db, scope, others, plan.asked)
    return found, everything


async def _first_places(
    db: Connection, scope: Scope, plan: _Plan, contents: Iterable[int], found: Sequence[Place]
) -> Iterable[Place]:
    """The first chunk of each content, where it was not found itself. Most follow from another
    one's number; those have no cosine."""
    there = {each.content for each in found if each.n == 0}
    firsts = {
        each.content: Place(each.id - each.n, each.content, 0, None)
        for each in found
        if each.n < BLOCK and each.content not in there
    }
    others = sorted(set(contents) - there - firsts.keys())
    if others:
        for place in await index.first_chunks(db, scope, others, plan.asked):
            firsts[place.content] = place
    return firsts.values()


async def _by_words(
    db: Connection, scope: Scope, plan: _Plan, most: int
) -> tuple[list[Place], WordScores]:
    """The best chunks by their words, of the scope only if it is deep; and the scores of all."""
    scores = all_scores = score_words((*plan.words, *plan.beside), plan.entries, plan.corpus)
    if scope.contents is not None:
        scores = scores.among(await index.numbers_of(db, scope.workspace, scope.contents))
    found: list[Place] = []
    for ids in scores.best(most):
        found += await index.places_of(db, scope, ids, plan.asked)
        if not scope.deep or len(found) >= most:
            break
    return found, all_scores
