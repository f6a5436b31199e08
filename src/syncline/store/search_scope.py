"""Which documents a search may find: the asker's access list and filters, and what they show.

A content is found through any document in the scope that points to it. Most often nearly
everything is in the scope, and it is cheapest to look at candidates first. Where little is, or
much of what was found is not, the scope goes into the candidates' own queries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import combinations

from msgspec import Struct, field
from msgspec.structs import replace

from syncline.core.model import DocumentId, WorkspaceId
from syncline.store.binary import array_literal, bigints
from syncline.store.database import Connection

__all__ = [
    "Passage",
    "Scope",
    "SeenDocument",
    "Title",
    "documents_of",
    "has_title_word",
    "narrowed",
    "passages_of",
    "search_titles",
    "title_scores",
]

_NARROW = 1_000
"""So many documents in the scope, and it is cheaper to begin with them."""


class Scope(Struct, frozen=True):
    """Live documents of one workspace that the asker may see and that pass the filters."""

    workspace: WorkspaceId
    principals: tuple[str, ...] | None = ()
    """The asker's; None sees everything."""
    connections: tuple[int, ...] | None = None
    """None: any."""
    tags: tuple[str, ...] = ()
    """Any of these; none asked for if empty."""
    updated_since: datetime | None = None
    updated_before: datetime | None = None
    contents: tuple[int, ...] | None = None
    """All contents in the scope, where they are few."""
    deep: bool = False
    """Candidates are looked for inside the scope from the start."""

    @property
    def narrow(self) -> bool:
        return self.contents is not None

    def of_documents(self) -> tuple[str, dict[str, object]]:
        """The condition on `documents d`, and its parameters."""
        clauses = ["d.workspace_id = %(workspace)s", "d.state = 'live'"]
        values: dict[str, object] = {"workspace": self.workspace}
        if self.principals is not None:
            clauses.append("(d.principals IS NULL OR d.principals && %(principals)s::text[])")
            values["principals"] = list(self.principals)
        if self.connections is not None:
            clauses.append("d.connection_id = ANY(%(connections)s::bigint[])")
            values["connections"] = list(self.connections)
        if self.tags:
            clauses.append("d.tags && %(tags)s::text[]")
            values["tags"] = list(self.tags)
        if self.updated_since is not None:
            clauses.append("coalesce(d.source_updated, d.changed_at) >= %(since)s::timestamptz")
            values["since"] = self.updated_since
        if self.updated_before is not None:
            clauses.append("coalesce(d.source_updated, d.changed_at) < %(before)s::timestamptz")
            values["before"] = self.updated_before
        return " AND ".join(clauses), values

    def of_chunks(self) -> tuple[str, dict[str, object]]:
        """The further condition on `chunks c`, and the parameters, with `workspace`."""
        if self.contents is not None:
            return "AND c.content_id = ANY(%(contents)s::bigint[])", {
                "workspace": self.workspace,
                "contents": bigints(self.contents),
            }
        if self.deep:
            condition, values = self.of_documents()
            return (
                f"AND EXISTS (SELECT FROM documents d WHERE {condition}"
                " AND d.content_id = c.content_id)"
            ), values
        return "", {"workspace": self.workspace}


class Title(Struct, frozen=True):
    """What a title is looked through for: queries in `tsquery` syntax, and what each tells."""

    queries: Sequence[str]
    idfs: Sequence[float]


class SeenDocument(Struct, frozen=True):
    """A document in the scope, as a hit shows it."""

    content: int
    id: DocumentId
    connection: str
    kind: str
    entry_id: str
    title: str | None
    url: str | None
    updated_at: datetime
    tags: Sequence[str]


class Passage(Struct, frozen=True):
    text: str = ""
    headings: Sequence[str] = field(default=())


async def narrowed(db: Connection, scope: Scope) -> Scope:
    """The scope, with its contents where they are few (none, perhaps)."""
    condition, values = scope.of_documents()
    found = await db.execute(
        f"SELECT d.content_id FROM documents d WHERE {condition} LIMIT {_NARROW + 1}".encode(),
        values,
    )
    rows = await found.fetchall()
    if len(rows) > _NARROW:
        return scope
    return replace(scope, contents=tuple(sorted({row[0] for row in rows})))


# How much of the question the title has, and how much of the title the question.
_TITLE = """(SELECT coalesce(sum(w.idf), 0) / %(all)s::float8
    * (0.5 + 0.5 * count(*) / greatest(length(d.title_terms), 1))
    FROM unnest(%(queries)s::tsquery[], %(idfs)s::float8[]) AS w (query, idf)
    WHERE d.title_terms @@ w.query)"""


def _values(title: Title) -> dict[str, object]:
    return {
        "queries": array_literal(title.queries),
        "idfs": list(title.idfs),
        "all": sum(title.idfs) or 1.0,
    }


async def has_title_word(db: Connection, scope: Scope, query: str) -> bool:
    """Whether a title in the scope has a word."""
    condition, values = scope.of_documents()
    found = await db.execute(
        f"SELECT EXISTS (SELECT FROM documents d WHERE {condition}"
        " AND d.title_terms @@ %(query)s::tsquery)".encode(),
        {**values, "query": query},
    )
    row = await found.fetchone()
    return row is not None and bool(row[0])


async def search_titles(db: Connection, scope: Scope, title: Title, most: int) -> list[int]:
    """Contents of documents whose titles hold the most telling of these words, the best first.

    That is the rarest one, or two of the five rarest: a list of all titles with a frequent word
    would be long, and the others in it are found by their texts.
    """
    condition, values = scope.of_documents()
    found = await db.execute(
        "SELECT content_id FROM (SELECT d.content_id,"
        " ts_rank(d.title_terms, %(any)s::tsquery, 1) AS score"
        f" FROM documents d WHERE {condition} AND d.title_terms @@ %(telling)s::tsquery"
        " LIMIT 1000) AS t"
        " GROUP BY content_id ORDER BY max(score) DESC, content_id LIMIT %(most)s",
        {**values, "any": "|".join(title.queries), "telling": _telling(title), "most": most},
    )
    return [row[0] for row in await found.fetchall()]


def _telling(title: Title) -> str:
    order = sorted(range(len(title.queries)), key=lambda n: -title.idfs[n])[:5]
    rarest = [f"({title.queries[n]})" for n in order]
    pairs = [f"{one}&{other}" for one, other in combinations(rarest[1:], 2)]
    return "|".join([rarest[0], *pairs])


async def title_scores(
    db: Connection,
    scope: Scope,
    contents: Sequence[int],
    title: Title,
) -> dict[int, float]:
    """Those of these contents that are in the scope, with the best score of their titles."""
    condition, values = scope.of_documents()
    found = await db.execute(
        f"SELECT d.content_id, max({_TITLE}) FROM documents d WHERE {condition}"
        " AND d.content_id = ANY(%(found)s::bigint[]) GROUP BY d.content_id",
        {**values, **_values(title), "found": bigints(contents)},
    )
    return dict(await found.fetchall())


async def documents_of(
    db: Connection,
    scope: Scope,
    contents: Sequence[int],
    title: Title,
    *,
    most: int,
) -> dict[int, list[SeenDocument]]:
    """Up to `most` documents in the scope for each content: the best title first."""
    condition, values = scope.of_documents()
    found = await db.execute(
        "SELECT d.content_id, d.id, c.name, c.kind, d.entry_id, d.title, d.url,"
        " coalesce(d.source_updated, d.changed_at), d.tags"
        " FROM unnest(%(found)s::bigint[]) AS k (content_id), LATERAL (SELECT d.*,"
        f" {_TITLE} AS score FROM documents d WHERE {condition} AND d.content_id = k.content_id"
        " ORDER BY score DESC, d.connection_id, d.entry_id LIMIT %(most)s) AS d"
        " JOIN connections c ON c.workspace_id = d.workspace_id AND c.id = d.connection_id"
        " ORDER BY d.content_id, d.score DESC, d.connection_id, d.entry_id",
        {**values, **_values(title), "found": bigints(contents), "most": most},
    )
    documents: dict[int, list[SeenDocument]] = {}
    for row in await found.fetchall():
        documents.setdefault(row[0], []).append(SeenDocument(*row))
    return documents


async def passages_of(
    db: Connection, workspace: WorkspaceId, keys: Sequence[tuple[int, int]]
) -> Mapping[tuple[int, int], Passage]:
    """These chunks' texts and headings."""
    found = await db.execute(
        "SELECT c.content_id, c.n, c.text, c.headings"
        " FROM unnest(%s::bigint[], %s::int[]) AS k (content_id, n)"
        " JOIN chunks c ON c.workspace_id = %s AND c.content_id = k.content_id AND c.n = k.n",
        (bigints(content for content, _ in keys), bigints(n for _, n in keys), workspace),
    )
    return {(row[0], row[1]): Passage(row[2], tuple(row[3])) for row in await found.fetchall()}
