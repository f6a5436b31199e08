"""A fake Confluence Data Center, as its documentation and those who read it describe it.

https://developer.atlassian.com/server/confluence/rest/ and, for what these pages do not say, the
knowledge base: silent caps, `_links.next` that steps by what was asked for, rows that are hidden
after they were counted, queries in the reader's time zone, tokens that are ignored when invalid.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlencode

from syncline.core.model import Json
from syncline.testing.clock import FakeClock
from syncline.testing.fake_api import Asked, Reply
from syncline.testing.fakes.confluence_world import (
    MOST_SUBJECTS,
    ConfluenceWorld,
    FakeContent,
    FakeSpace,
    Tree,
    expanded,
)

__all__ = ["FakeConfluence", "FakeContent", "FakeSpace"]


class FakeConfluence(ConfluenceWorld):
    """Answers what it is asked about its world."""

    def __init__(self, clock: FakeClock | None = None, *, context: str = "") -> None:
        super().__init__(clock, context=context)
        self.hidden: set[str] = set()
        """Contents that the reader may not view: they are taken out of a page once it is cut."""
        self.reader = "reader"
        self.index_lag = 0.0
        """Seconds after which a modification is in the index."""
        self.tells_permissions = True
        """Since 9.1, to administrators of the space."""
        self.ignores_bad_tokens = False
        self.breaks_above: int | None = None
        """Answers 500 where more rows are asked for."""
        self.overruns = False
        """The list of spaces says its last rows again past its end."""

    def let_in(self, token: str, *, username: str | None = None) -> None:
        """A personal access token, or the password of a user."""
        pair = base64.b64encode(f"{username}:{token}".encode()).decode()
        value = f"Bearer {token}" if username is None else f"Basic {pair}"
        self.accepts = {*(self.accepts or ()), value}

    def lets_in(self, asked: Asked) -> bool:
        return self.ignores_bad_tokens or super().lets_in(asked)

    def refuse(self, asked: Asked) -> Reply:
        return Reply(
            text="<html><title>Unauthorized (401)</title></html>",
            status=401,
            content_type="text/html",
            headers={"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"},
        )

    def headers(self, asked: Asked) -> Mapping[str, str]:
        limit, left, _ = self.windows.told(asked.path) or (1000, 999, 0)
        return {
            "X-AUSERNAME": self.reader if super().lets_in(asked) else "anonymous",
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(left),
            "X-RateLimit-Interval-Seconds": "1",
            "X-RateLimit-FillRate": str(limit),
            "Retry-After": "0",
        }

    async def reply(self, asked: Asked) -> Reply:
        if not asked.path.startswith(f"{self.context}/"):
            return Reply(text="<html>No such page</html>", status=404, content_type="text/html")
        path = [unquote(part) for part in asked.path.removeprefix(self.context).split("/")[1:]]
        if not super().lets_in(asked):
            return self._page(asked, [], str)
        if self.breaks_above is not None and asked.number("limit", 0) > self.breaks_above:
            return _error(500, "java.lang.OutOfMemoryError")
        match path:
            case ["download", "attachments", _, _]:
                return self._download(path[2], path[3])
            case ["rest", "api", "space", *rest]:
                return self._spaces(rest, asked)
            case ["rest", "api", "content", *rest]:
                return self._contents(rest, asked)
            case ["rest", "api", "search"]:
                wrapped = self._search(asked)
                return Reply(_wrapped(wrapped.data), wrapped.status)
            case ["rest", "api", "user", *rest]:
                return self._users(rest, asked)
            case ["rest", "api", "group", name, "member"]:
                return self._page(asked, self.members.get(name, []), self.user_row)
        return _error(404, "null for uri")

    def _page(
        self,
        asked: Asked,
        rows: list[Any],
        show: Callable[[Any], Json],
        *,
        most: int = 1000,
        hidden: Callable[[Any], bool] = lambda row: False,
    ) -> Reply:
        """A page; it is cut before what is hidden is taken out, and a cap is not told."""
        limit, start = asked.number("limit", 25), max(0, asked.number("start", 0))
        cut = rows[start : start + self.page_size(min(limit, most))]
        more = start + len(cut) < len(rows)
        shown = [show(row) for row in cut if not hidden(row)]
        query = {name: each[-1] for name, each in asked.query.items()}
        links: dict[str, Json] = {
            "self": self.link(asked.path),
            "base": self.link(self.context),
            "context": self.context,
        }
        if more:
            following = urlencode({**query, "limit": limit, "start": start + limit})
            links["next"] = f"{asked.path.removeprefix(self.context)}?{following}"
        return Reply(
            {"results": shown, "start": start, "limit": limit, "size": len(shown), "_links": links}
        )

    def _spaces(self, rest: list[str], asked: Asked) -> Reply:
        keys = [each.casefold() for each in asked.query.get("spaceKey", [])]
        found = [
            space
            for space in self.spaces.values()
            if (not keys or space.key.casefold() in keys)
            and asked.one("type", space.kind) == space.kind
            and asked.one("status", space.status) == space.status
        ]
        if not rest:
            if self.overruns and asked.number("start", 0) >= len(found):
                shown = [self.space_row(each) for each in found[-1:]]
                return Reply({"results": shown, "_links": {"next": "/rest/api/space?start=9999"}})
            answer = self._page(asked, found, self.space_row)
            if self.overruns:
                answer.data["_links"]["next"] = f"/rest/api/space?start={len(found)}"
            return answer
        space = self.spaces.get(rest[0])
        if space is None:
            return _error(404, f"No space with key : {rest[0]}")
        if rest[1:] == ["permissions"]:
            if not self.tells_permissions:
                return _error(403, "User is not permitted to administer the space")
            return Reply([_permission(space.key, *viewer) for viewer in space.viewers])
        return Reply(self.space_row(space))

    def _contents(self, rest: list[str], asked: Asked) -> Reply:
        tree = expanded(asked.one("expand"))
        if rest in ([], ["search"]):
            return self._search(asked) if rest else self._list(asked, tree)
        content = self.contents.get(rest[0])
        if content is None or not self.lives(content) or self._is_hidden(content):
            return _error(404, f"No content found with id: ContentId{{id={rest[0]}}}")
        match rest[1:]:
            case []:
                tree = tree or expanded("history,space,version")
                return Reply(self.content_row(content, tree))
            case ["child" | "descendant", kind]:
                found = self.below(content, kind)
                return self._page(asked, found, lambda each: self.content_row(each, tree), most=200)
            case ["restriction", "byOperation"]:
                every = expanded("restrictions.user,restrictions.group")
                read = self.restriction_row(content, every, 0, MOST_SUBJECTS)
                return Reply({"read": read, "update": {**read, "operation": "update"}})
            case ["restriction", "byOperation", "read"]:
                start, limit = asked.number("start", 0), asked.number("limit", 100, MOST_SUBJECTS)
                return Reply(self.restriction_row(content, tree, start, limit))
        return _error(404, "null for uri")

    def _list(self, asked: Asked, tree: Tree) -> Reply:
        space = asked.one("spaceKey")
        if space and space not in self.spaces:
            return _error(404, f"No space found with key : {space}")
        status, kind = asked.one("status", "current"), asked.one("type", "page")
        if kind not in ("page", "blogpost"):
            return _error(400, f"Unsupported content type {kind}")
        found = [
            each
            for each in self.contents.values()
            if each.type == kind
            and (not space or each.space == space)
            and status in ("any", each.status)
            and asked.one("title", each.title) == each.title
        ]
        return self._cut(asked, found, tree)

    def _search(self, asked: Asked) -> Reply:
        found = self._found(asked.one("cql"))
        if found is None:
            return _error(400, f"Could not parse cql : {asked.one('cql')}")
        return self._cut(asked, found, expanded(asked.one("expand")))

    def _cut(self, asked: Asked, found: list[FakeContent], tree: Tree) -> Reply:
        most = 50 if "body" in tree else 200 if tree else 1000
        return self._page(
            asked,
            found,
            lambda each: self.content_row(each, tree),
            most=most,
            hidden=self._is_hidden,
        )

    def _found(self, cql: str) -> list[FakeContent] | None:
        """What a query finds; None for one that this fake does not understand."""
        conditions, _, order = cql.partition(" order by ")
        found = [each for each in self.current() if not self._unindexed(each)]
        for condition in filter(None, conditions.split(" and ")):
            parsed = re.fullmatch(r"\s*(\w+)\s*(>=|=|in)\s*(.+?)\s*", condition)
            if parsed is None:
                return None
            name, sign, value = parsed.groups()
            values = [each.strip().strip('"') for each in value.strip("()").split(",")]
            match name.lower(), sign:
                case "space", "=" | "in":
                    found = [each for each in found if each.space in values]
                case "type", "=" | "in":
                    found = [each for each in found if each.type in values]
                case "lastmodified", ">=":
                    since = datetime.strptime(values[0], "%Y-%m-%d %H:%M").replace(tzinfo=self.zone)
                    found = [each for each in found if each.modified_at >= since]
                case _:
                    return None
        if order:
            found.sort(key=lambda each: (each.modified_at, each.id))
        return found

    def _unindexed(self, content: FakeContent) -> bool:
        return (self.now() - content.modified_at).total_seconds() < self.index_lag

    def _is_hidden(self, content: FakeContent) -> bool:
        return content.id in self.hidden

    def _users(self, rest: list[str], asked: Asked) -> Reply:
        if rest == ["current"]:
            return Reply(self.user_row(self.reader))
        name = asked.one("username") or asked.one("key").removeprefix("key-")
        if name not in self.users:
            return _error(404, f"No user found with name : {name}")
        if rest == ["memberof"]:
            groups = [group for group, members in self.members.items() if name in members]
            return self._page(asked, groups, lambda each: {"type": "group", "name": each})
        return Reply(self.user_row(name))

    def _download(self, page: str, name: str) -> Reply:
        for each in self.current():
            if each.type == "attachment" and (each.parent, each.title) == (page, name):
                return Reply(text=each.body, content_type=each.media_type or "text/plain")
        return Reply(text="<html>Page not found</html>", status=404, content_type="text/html")


def _permission(space: str, kind: str, name: str) -> Json:
    subject = {"displayName": name, "type": kind}
    if kind == "user":
        subject |= {"type": "known", "username": name, "userKey": f"key-{name}"}
    elif kind == "group":
        subject["name"] = name
    operation = {"targetType": "space", "operationKey": "read"}
    return {"operation": operation, "subject": subject, "spaceKey": space, "spaceId": 1}


def _wrapped(data: Json) -> Json:
    """As `/search` has it, around each row."""
    if not isinstance(data, dict) or "results" not in data:
        return data
    rows = [
        {"content": row, "title": row.get("title"), "entityType": "content"}
        for row in data["results"]
    ]
    return {**data, "results": rows, "totalSize": len(rows)}


def _error(status: int, message: str) -> Reply:
    data = {"authorized": status not in (401, 403), "valid": True, "errors": []}
    reason = {400: "Bad Request", 403: "Forbidden", 404: "Not Found"}.get(status, "Error")
    return Reply({"statusCode": status, "data": data, "message": message, "reason": reason}, status)
