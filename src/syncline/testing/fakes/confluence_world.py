"""What a fake Confluence holds, and its payloads with what is expanded in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from itertools import count
from typing import Any, TypeAlias
from urllib.parse import quote

from syncline.core.model import Json
from syncline.testing.clock import FakeClock
from syncline.testing.fake_api import FakeApi

__all__ = ["MOST_SUBJECTS", "ConfluenceWorld", "FakeContent", "FakeSpace", "Tree", "expanded"]

Tree: TypeAlias = "dict[str, Tree]"
_INNER = 25
"""Of what hangs on a content, so many come along."""
MOST_SUBJECTS = 200


@dataclass(slots=True)
class FakeSpace:
    key: str
    name: str
    kind: str = "global"
    status: str = "current"
    viewers: list[tuple[str, str]] = field(default_factory=lambda: [("group", "confluence-users")])
    """Who has the permission to view: `("anonymous", "")`, `("user", name)`, `("group", name)`."""


@dataclass(slots=True)
class FakeContent:
    id: str
    type: str
    space: str
    title: str
    body: str
    created_at: datetime
    modified_at: datetime
    """What queries go by; no field of an answer says it for certain."""
    parent: str | None = None
    """Of a page: the page above; of a comment or attachment: what it is on."""
    author: str = "jane"
    version: int = 1
    status: str = "current"
    labels: list[str] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    """Who alone may view it, and what is beneath it, if there is any."""
    groups: list[str] = field(default_factory=list)
    media_type: str = ""


class ConfluenceWorld(FakeApi):
    """What there is, and how it is said. Edits are methods."""

    def __init__(self, clock: FakeClock | None = None, *, context: str = "") -> None:
        super().__init__(clock)
        self.context = context
        """The path that everything lies beneath, such as `/confluence`."""
        self.spaces: dict[str, FakeSpace] = {}
        self.contents: dict[str, FakeContent] = {}
        self.users = {"jane": "Jane Doe", "joe": "Joe Bloggs", "reader": "The Reader"}
        """Display names by user name; keys are `key-NAME`."""
        self.members: dict[str, list[str]] = {"confluence-users": ["jane", "joe", "reader"]}
        self.zone = timezone(timedelta(hours=2))
        """Of the reader's profile, for queries; and of what answers say."""
        self.expands_restrictions = True
        self.expands_containers = True
        self._ids = count(65_537)
        self._hanging: dict[str, list[FakeContent]] = {}
        """Comments and attachments, by what they are on."""

    # --- edits ---------------------------------------------------------------------------------

    def add_space(self, key: str, name: str = "", **more: Any) -> FakeSpace:
        self.spaces[key] = FakeSpace(key, name or f"The space {key}", **more)
        return self.spaces[key]

    def create(
        self,
        space: str,
        title: str,
        body: str = "",
        *,
        kind: str = "page",
        parent: str | None = None,
        **more: Any,
    ) -> str:
        """A content; `parent` is the page above, or what a comment or attachment is on."""
        prefix = "att" if kind == "attachment" else ""
        now = self.now()
        made = FakeContent(
            f"{prefix}{next(self._ids)}", kind, space, title, body, now, now, parent, **more
        )
        self.contents[made.id] = made
        if kind in ("comment", "attachment"):
            self._hanging.setdefault(parent or "", []).append(made)
        return made.id

    def update(self, content: str, body: str | None = None, *, title: str | None = None) -> None:
        """A new version."""
        found = self.contents[content]
        found.body = found.body if body is None else body
        found.title = found.title if title is None else title
        found.version += 1
        found.modified_at = self.now()

    def trash(self, content: str) -> None:
        """Into the trash, as a person deletes; what is on it goes out of sight with it."""
        self.contents[content].status = "trashed"

    def purge(self, content: str) -> None:
        """Out of the trash, too."""
        del self.contents[content]

    def restrict(self, content: str, users: Iterable[str] = (), groups: Iterable[str] = ()) -> None:
        """Who may view it. That is no modification, and no new version."""
        self.contents[content].users = list(users)
        self.contents[content].groups = list(groups)

    def label(self, content: str, *labels: str) -> None:
        """Labels are no modification either."""
        self.contents[content].labels = list(labels)

    def move(self, content: str, parent: str | None) -> None:
        """Beneath another page."""
        self.contents[content].parent = parent

    def above(self, content: FakeContent) -> list[FakeContent]:
        """The pages above a page, the uppermost first."""
        found: list[FakeContent] = []
        while content.type == "page" and content.parent is not None:
            content = self.contents[content.parent]
            found.insert(0, content)
        return found

    def current(self) -> list[FakeContent]:
        """What there is to see, in the order of its creation."""
        return [each for each in self.contents.values() if self.lives(each)]

    def lives(self, content: FakeContent | None) -> bool:
        if content is None or content.status != "current":
            return False
        placed = content.type in ("page", "blogpost")
        return placed or self.lives(self.contents.get(content.parent or ""))

    # --- payloads ------------------------------------------------------------------------------

    def space_row(self, space: FakeSpace) -> Json:
        links = {"webui": f"/display/{space.key}", "self": self.link(f"/rest/api/{space.key}")}
        number = 1 + list(self.spaces).index(space.key)
        return {
            "id": number,
            "key": space.key,
            "name": space.name,
            "type": space.kind,
            "_links": links,
        }

    def user_row(self, name: str) -> Json:
        return {
            "type": "known",
            "username": name,
            "userKey": f"key-{name}",
            "displayName": self.users.get(name, name),
        }

    def _iso(self, moment: datetime) -> str:
        return moment.astimezone(self.zone).isoformat(timespec="milliseconds")

    def below(self, content: FakeContent, kind: str) -> list[FakeContent]:
        """What is on it; answers to comments are so, too."""
        if kind == "page":
            return [each for each in self.current() if each.parent == content.id]
        found = self._hanging.get(content.id, [])
        return [each for each in found if each.type == kind and self._is_there(each)]

    def _is_there(self, content: FakeContent) -> bool:
        return content.id in self.contents and self.lives(content)

    def content_row(self, content: FakeContent, tree: Tree) -> dict[str, Json]:
        webui = f"/display/{content.space}/{quote(content.title)}"
        links: dict[str, Json] = {"webui": webui, "self": self.link(f"/rest/{content.id}")}
        shown: dict[str, Json] = {
            "id": content.id,
            "type": content.type,
            "status": content.status,
            "title": content.title,
            "_links": links,
            "_expandable": {"space": f"/rest/api/space/{content.space}"},
        }
        if content.type == "attachment":
            name = quote(content.title)
            links["download"] = f"/download/attachments/{content.parent}/{name}?api=v2"
            about = {"mediaType": content.media_type or "text/plain"}
            shown["metadata"] = dict(about)
            shown["extensions"] = {**about, "fileSize": len(content.body)}
        for name, inner in tree.items():
            part = self._expanded(content, name, inner)
            if part is not None:
                old = shown.get(name)
                shown[name] = {**old, **part} if isinstance(old, dict) else part
        return shown

    def _expanded(self, content: FakeContent, name: str, inner: Tree) -> Json:
        match name:
            case "space":
                return self.space_row(self.spaces[content.space])
            case "version":
                when, by = self._iso(content.modified_at), self.user_row(content.author)
                return {"by": by, "when": when, "number": content.version, "minorEdit": False}
            case "history":
                when, by = self._iso(content.created_at), self.user_row(content.author)
                return {"latest": True, "createdBy": by, "createdDate": when}
            case "body" if "storage" in inner and content.type != "attachment":
                return {"storage": {"value": content.body, "representation": "storage"}}
            case "metadata" if "labels" in inner:
                labels = [{"prefix": "global", "name": each} for each in content.labels]
                return {"labels": {"results": labels, "start": 0, "limit": 200}}
            case "ancestors":
                return [self.content_row(each, inner) for each in self.above(content)]
            case "restrictions" if self.expands_restrictions:
                wanted = inner.get("read", {})
                return {"read": self.restriction_row(content, wanted, 0, MOST_SUBJECTS)}
            case "container" if content.type not in ("page", "blogpost"):
                page = self.contents[content.parent or ""]
                return self.content_row(page, inner if self.expands_containers else {})
            case "children" | "descendants":
                return {each: self._along(content, each, inner[each]) for each in inner}
        return None

    def _along(self, content: FakeContent, kind: str, inner: Tree) -> Json:
        found = self.below(content, kind)
        links: dict[str, Json] = {"self": self.link(f"/rest/api/content/{content.id}/child")}
        if len(found) > _INNER:
            links["next"] = f"/rest/api/content/{content.id}/child/{kind}?start={_INNER}"
        shown = [self.content_row(each, inner) for each in found[:_INNER]]
        return {"results": shown, "start": 0, "limit": _INNER, "size": len(shown), "_links": links}

    def restriction_row(self, content: FakeContent, tree: Tree, start: int, limit: int) -> Json:
        """Lists of subjects have no `next`."""
        wanted = tree.get("restrictions", {})
        found: dict[str, Json] = {}
        for kind, names in (("user", content.users), ("group", content.groups)):
            if kind in wanted:
                cut = names[start : start + limit]
                rows = [
                    self.user_row(each) if kind == "user" else {"type": "group", "name": each}
                    for each in cut
                ]
                found[kind] = {"results": rows, "start": start, "limit": limit, "size": len(rows)}
        return {"operation": "read", "restrictions": found}


def expanded(expand: str) -> Tree:
    tree: Tree = {}
    for path in filter(None, expand.split(",")):
        at = tree
        for name in path.split("."):
            at = at.setdefault(name, {})
    return tree
