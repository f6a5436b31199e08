"""Reads spaces: first all of their pages, then what the search index says was modified since.

What the index leaves out or tells late, and what changes without a modification (restrictions,
labels, moves, deletions), is seen when everything is enumerated, which reads the database.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import quote

from msgspec.structs import replace

from syncline.connectors.confluence.access import Access
from syncline.connectors.confluence.contents import Contents
from syncline.connectors.confluence.entries import Wiki, entry_of
from syncline.connectors.confluence.listing import listed, results_of
from syncline.connectors.confluence.spec import ConfluenceOptions
from syncline.connectors.confluence.wire import Piece, Space, piece_of
from syncline.connectors.json_api import Answer, JsonApi, Params
from syncline.connectors.marks import cursor_moment, ending_at
from syncline.connectors.wire import clean, read
from syncline.core.errors import BadContent, NotFound, Rejected, Unauthorized
from syncline.core.model import (
    Change,
    Cursor,
    Entry,
    Failed,
    Fetched,
    Gone,
    Identity,
    Json,
    Locator,
    Partition,
    Validators,
)
from syncline.core.ports import Context, Probes

__all__ = ["ConfluenceConnector"]

_VERSION = 1
_LAG = timedelta(minutes=10)
"""What was modified within this time may not be in the index yet."""
_OVERLAP = timedelta(days=1)
"""A query names minutes in the time zone of the user's profile, which is not told."""
_PAGES = ("page", "blogpost")
_UNPUBLISHED = {"trashed", "draft", "historical", "archived", "deleted"}
_MANY, _WITH_BODIES = 200, 50
_WHO = "restrictions.read.restrictions.user,restrictions.read.restrictions.group"
_PLACE = f"ancestors,{_WHO}," + ",".join(f"ancestors.{each}" for each in _WHO.split(","))
_OWN = "space,version,history,metadata.labels"
_CONTAINER = "container.space," + ",".join(f"container.{each}" for each in _PLACE.split(","))
_ONE = f"{_OWN},{_PLACE},container,{_CONTAINER}"
_BELOW = {"attachment": "children.attachment", "comment": "descendants.comment"}


class ConfluenceConnector:
    """One Confluence, as one account sees it."""

    def __init__(
        self, options: ConfluenceOptions, context: Context, *, authenticated: bool
    ) -> None:
        self._options = options
        self._context = context
        self._authenticated = authenticated
        self._api = JsonApi(context.http, options.url)
        self._access = Access(self._api, options.viewers, context.warn, authenticated=authenticated)
        self._wiki = Wiki(options.url, options.max_attachment_mb)
        basic = options.username is not None
        self._contents = Contents(
            self._api, context.http, basic=basic, most_bytes=self._wiki.most_bytes
        )
        self._now: datetime | None = None
        """When we began, by the source's own clock."""
        self._checked: Answer | None = None
        """The first page of spaces, until it is used."""

    async def check(self) -> Identity:
        answer = self._checked = await self._api.get(
            "/rest/api/space", {**self._which(), "start": 0, "limit": _MANY}
        )
        self._now = answer.date or self._context.clock.now()
        found, following = results_of(answer)
        who = answer.headers.get("x-ausername", "").strip() or await self._who()
        if self._authenticated and who == "anonymous":
            raise Unauthorized(
                "Confluence took us for an anonymous reader: the credentials are not accepted",
                hint="A token that has expired, or was revoked, is ignored without a word. "
                "Make a new one in Confluence, under your profile, and give it with "
                "--secret token.",
            )
        if following is None:
            self._demand(str(row.get("key")) for row in found if isinstance(row, dict))
        return Identity(f"{who} at {self._options.url}", {"user": who})

    async def probes(self) -> Probes:
        space = (await self.partitions())[0].id
        cql = {"cql": f'space="{space}" and type in ({",".join(self._options.include)})'}
        ways: dict[str, tuple[str, Params]] = {
            "contents": ("/rest/api/content", {"spaceKey": space, "type": "page"}),
            "changes": ("/rest/api/content/search", cql),
        }
        return {
            f"{what} of {space}": partial(self._api.get, path, {**query, "start": 0, "limit": 1})
            for what, (path, query) in ways.items()
        }

    async def partitions(self) -> Sequence[Partition]:
        first, self._checked = self._checked, None
        rows = listed(
            self._api, "/rest/api/space", self._which(), _MANY, first=first, overruns=True
        )
        found: dict[str, str] = {}
        async for row in rows:
            space = read(Space, row, "A space")
            found[space.key] = space.name
        self._demand(found)
        if not found:
            raise Rejected(
                "There is no space that this account may view",
                hint="Give it the permission to view spaces in Confluence; personal spaces "
                "are read only where the option spaces names them.",
            )
        return [Partition(key, title=found[key] or key) for key in sorted(found)]

    async def changes(self, partition: Partition, cursor: Cursor | None) -> AsyncIterator[Change]:
        if self._now is None:
            await self.check()
        assert self._now is not None
        if cursor is not None:
            since = cursor_moment(cursor, _VERSION, "since")
            stream = self._modified(partition.id, since, bodies=False)
        elif self._context.since is not None:
            stream = self._modified(partition.id, self._context.since, bodies=True)
        else:
            stream = self._all(partition.id, bodies=True)
        reached = Cursor(_VERSION, {"since": (self._now - _LAG).isoformat()})
        async for each in ending_at(reached, stream):
            yield each

    async def enumerate(self, partition: Partition) -> AsyncIterator[Entry | Failed]:
        async for each in self._all(partition.id, bodies=False):
            yield each

    async def fetch(self, locator: Locator, validators: Validators | None) -> Fetched:
        identifier, name = str(locator["id"]), f"{locator['type']}:{locator['id']}"
        try:
            piece = piece_of(await self._row(identifier, f"body.storage,{_ONE}"))
            page = await self._page_of(piece)
            if page is None or {piece.status, page.status} & _UNPUBLISHED:
                return Gone(name, "it is not published any more")
            principals = await self._access.of(page.space_key, [*page.above, page.raw])
            entry = entry_of(piece, page, principals, self._wiki)
            return await self._contents.of(piece, entry, principals)
        except NotFound as error:
            return Gone(name, error.message)

    async def _who(self) -> str:
        """For where a proxy takes the header away that says it."""
        user = (await self._api.get("/rest/api/user/current")).object()
        name = user.get("username")
        return name if isinstance(name, str) and name.strip() else "anonymous"

    def _demand(self, keys: Iterable[str]) -> None:
        """Raise `Rejected` if a space is missing that was named: all in it would seem gone."""
        there = {key.casefold() for key in keys}
        for key in self._options.spaces:
            if key.casefold() not in there:
                raise Rejected(
                    f"There is no space {key!r}, or this account may not view it",
                    hint="Correct the option spaces, or let the account view the space.",
                )

    # Listings.

    def _which(self) -> dict[str, Json]:
        if self._options.spaces:
            return {"spaceKey": list(self._options.spaces)}
        return {"type": "global", "status": "current"}

    async def _all(self, space: str, *, bodies: bool) -> AsyncIterator[Entry | Failed]:
        """Everything that is current, page by page with what hangs on it."""
        wanted: set[str] = {*self._options.include}
        body = "body.storage," if bodies else ""
        expand = [f"{body}{_OWN}", _PLACE]
        for kind, below in _BELOW.items():
            if kind in wanted:
                expand += [f"{below}.{each}" for each in f"{body}{_OWN}".split(",")]
        for kind in _PAGES:
            if not wanted & {kind, *_BELOW}:
                continue
            query = {"spaceKey": space, "type": kind, "status": "current"}
            query["expand"] = ",".join(expand)
            limit = _WITH_BODIES if bodies else _MANY
            async for row in listed(self._api, "/rest/api/content", query, limit):
                async for each in self._with_all_below(row, wanted, bodies=bodies):
                    yield each

    async def _with_all_below(
        self, row: Json, wanted: set[str], *, bodies: bool
    ) -> AsyncIterator[Entry | Failed]:
        try:
            page = piece_of(row)
            principals = await self._access.of(page.space_key, [*page.above, page.raw])
        except BadContent as error:
            # Without an id: what hangs on this page is not listed either.
            yield Failed(error.code, error.message)
            return
        if page.type in wanted:
            yield await self._listed(page, page, principals, content=bodies)
        for kind, below in _BELOW.items():
            if kind in wanted:
                try:
                    async for each in self._below(row, page, kind, below, bodies=bodies):
                        yield await self._listed(piece_of(each), page, principals, content=bodies)
                except (BadContent, NotFound) as error:
                    yield Failed(error.code, error.message)

    async def _below(
        self, row: dict[str, Any], page: Piece, kind: str, below: str, *, bodies: bool
    ) -> AsyncIterator[Json]:
        """A page's attachments or comments, all of them where only some came along."""
        group, _, name = below.partition(".")
        part = row.get(group)
        part = part.get(name) if isinstance(part, dict) else None
        answer = Answer(part, {}, f"{page.name}: {kind}s")
        found, following = results_of(answer)
        limit = answer.object().get("limit")
        if following is None and isinstance(limit, int) and len(found) < limit:
            for each in found:
                yield each
            return
        group = "child" if group == "children" else "descendant"
        path = f"/rest/api/content/{quote(page.id, safe='')}/{group}/{name}"
        expand = f"body.storage,{_OWN}" if bodies else _OWN
        limit = _WITH_BODIES if bodies else _MANY
        async for each in listed(self._api, path, {"expand": expand}, limit):
            yield each

    async def _modified(
        self, space: str, since: datetime, *, bodies: bool
    ) -> AsyncIterator[Entry | Failed]:
        """What the index says was modified; a day more, whose versions are known."""
        kinds = ",".join(self._options.include)
        moment = (since - _OVERLAP).strftime("%Y-%m-%d %H:%M")
        cql = f'space="{space}" and type in ({kinds}) and lastmodified >= "{moment}"'
        expand, most = (f"body.storage,{_ONE}", _WITH_BODIES) if bodies else (_ONE, _MANY)
        query = {"cql": f"{cql} order by lastmodified asc", "expand": expand}
        async for row in listed(self._api, "/rest/api/content/search", query, most):
            try:
                piece = piece_of(row)
                page = await self._page_of(piece)
                if page is not None:
                    principals = await self._access.of(page.space_key, [*page.above, page.raw])
                    yield await self._listed(piece, page, principals, content=bodies)
            except NotFound:
                continue  # deleted since: the enumeration proves it
            except BadContent as error:
                yield Failed(error.code, error.message)

    # Single contents.

    async def _row(self, identifier: str, expand: str) -> dict[str, Any]:
        path = f"/rest/api/content/{quote(clean(identifier), safe='')}"
        return (await self._api.get(path, {"expand": expand})).object()

    async def _page_of(self, piece: Piece) -> Piece | None:
        """The page it stands on, which may be itself; None for what stands on something else."""
        if piece.type in _PAGES:
            return piece
        container = piece.container
        if not isinstance(container, dict) or container.get("id") is None:
            raise BadContent(f"Confluence does not say where {piece.name} stands")
        if container.get("type") not in _PAGES:
            return None
        told = isinstance(container.get("ancestors"), list) or container["type"] == "blogpost"
        if not told or not isinstance(container.get("space"), dict):
            container = await self._row(str(container["id"]), f"{_OWN},{_PLACE}")
        return piece_of(container)

    async def _listed(
        self, piece: Piece, page: Piece, principals: tuple[str, ...] | None, *, content: bool
    ) -> Entry | Failed:
        """An entry, or why it is none. What is attached is never brought along."""
        try:
            entry = entry_of(piece, page, principals, self._wiki)
            if content and piece.type != "attachment":
                return replace(entry, content=await self._contents.of(piece, entry, principals))
        except BadContent as error:
            locator = {"id": piece.id, "type": piece.type, "space": page.space_key}
            return Failed(error.code, error.message, piece.name, locator)
        return entry
