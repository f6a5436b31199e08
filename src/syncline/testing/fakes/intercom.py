"""A fake Intercom, as its OpenAPI description (2.14) and its real answers have it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any, TypeAlias

from syncline.core.model import Json
from syncline.core.quota import Bucket
from syncline.testing.clock import FakeClock
from syncline.testing.fake_api import Asked, FakeApi, Reply
from syncline.testing.fakes.intercom_search import matching, page_after

__all__ = ["FakeIntercom"]

Row: TypeAlias = dict[str, Any]

_VERSIONS = frozenset({f"1.{n}" for n in range(5)} | {f"2.{n}" for n in range(15)})
_WINDOW = 10.0
_MOST_PARTS = 500
_MOST = {"articles": 250, "internal_articles": 250, "collections": 150, "conversations": 150}


class FakeIntercom(FakeApi):
    """Rows are as the API gives them. Edits are methods; they stamp what they touch in seconds."""

    def __init__(self, clock: FakeClock | None = None) -> None:
        super().__init__(clock)
        self.workspace = "hfi1bx4l"
        self.articles: dict[str, Row] = {}
        self.internal: dict[str, Row] = {}
        self.conversations: dict[str, Row] = {}
        """With all their parts, oldest first."""
        self.collections: dict[str, Row] = {}
        self.admins: dict[str, Row] = {}
        self.multilingual = True
        """Whether the help center has several languages: if not, none is ever named."""
        self.counts_parts = True
        """Whether conversations come with statistics."""
        self.sorts = True
        """Whether a search is sorted as it is asked to be; else the newest come first."""
        self.plan_lacks: tuple[str, ...] = ()
        """Paths that the plan does not include."""
        self.scopes_lack: tuple[str, ...] = ()
        """Paths that the app may not read."""
        self.limit(Bucket(1_666, _WINDOW))
        self._ids = count(9_100_001)
        self.me = self.hire("Ciaran Lee", "ciaran@example.com")

    # --- the world ------------------------------------------------------------------------------

    def let_in(self, token: str) -> None:
        """An app's access token, and from now on no others."""
        self.accepts = {*(self.accepts or ()), f"Bearer {token}"}

    def hire(self, name: str, email: str) -> str:
        """A new teammate."""
        number = self._new_id()
        self.admins[number] = {
            "type": "admin",
            "id": number,
            "name": name,
            "email": email,
            "away_mode_enabled": False,
            "away_mode_reassign": False,
            "has_inbox_seat": True,
            "team_ids": [],
        }
        return number

    def collect(self, name: str, parent: str | None = None) -> str:
        """A collection, perhaps in another one."""
        number, now = self._new_id(), self.stamp()
        self.collections[number] = {
            "id": number,
            "workspace_id": self.workspace,
            "name": name,
            "description": None,
            "created_at": now,
            "updated_at": now,
            "url": f"http://help.test/{number}",
            "order": 0,
            "icon": "bookmark",
            "parent_id": parent,
            "help_center_id": 79,
        }
        return number

    def rename(self, collection: str, name: str) -> None:
        """Articles in it are not touched."""
        self.collections[collection].update(name=name, updated_at=self.stamp())

    def create(self, title: str, body: str, *, collection: str | None = None) -> str:
        """A published article, in English."""
        number, now = self._new_id(), self.stamp()
        row = {
            "id": number,
            "type": "article",
            "workspace_id": self.workspace,
            "parent_id": None,
            "parent_type": None,
            "parent_ids": [],
            "tags": {"type": "tag.list", "tags": []},
            **self._text(number, "en", title, body, now),
        }
        del row["_"]
        if collection is not None:
            row.update(parent_id=int(collection), parent_type="collection")
            row["parent_ids"] = [int(collection)]
        if self.multilingual:
            row["default_locale"] = "en"
            row["translated_content"] = {"type": "article_translated_content", "ar": None}
        self.articles[number] = row
        return number

    def update(self, article: str, **fields: Json) -> None:
        """Change the default language's text, or its state."""
        row = self.articles[article]
        row.update(fields, updated_at=self.stamp())
        row["url"] = None if row["state"] == "draft" else self._url(article, "en")

    def translate(
        self, article: str, locale: str, title: str, body: str, state: str = "published"
    ) -> None:
        """Write a translation. The article's own `updated_at` stays: it is its default text's."""
        text = self._text(article, locale, title, body, self.stamp())
        text["type"] = text.pop("_")
        texts = self.articles[article]["translated_content"]
        texts[locale] = {**text, "state": state}

    def tag(self, article: str, *names: str) -> None:
        """Its tags from now on. It is not touched."""
        self.articles[article]["tags"]["tags"] = [
            {"type": "tag", "id": f"{n}", "name": name} for n, name in enumerate(names)
        ]

    def create_internal(self, title: str, body: str) -> str:
        """An article for teammates."""
        number, now = self._new_id(), self.stamp()
        self.internal[number] = {
            "type": "internal_article",
            "id": number,
            "title": title,
            "body": body,
            "owner_id": int(self.me),
            "author_id": int(self.me),
            "locale": "en",
            "created_at": now,
            "updated_at": now,
        }
        return number

    def update_internal(self, article: str, **fields: Json) -> None:
        """Change it."""
        self.internal[article].update(fields, updated_at=self.stamp())

    def talk(self, body: str, *, subject: str = "", name: str = "Jane Doe") -> str:
        """A customer begins a conversation."""
        number, now = self._new_id(), self.stamp()
        author = {"type": "user", "id": f"u{number}", "name": name, "email": "jane@example.com"}
        self.conversations[number] = {
            "type": "conversation",
            "id": number,
            "created_at": now,
            "updated_at": now,
            "title": None,
            "state": "open",
            "open": True,
            "read": False,
            "waiting_since": now,
            "priority": "not_priority",
            "snoozed_until": None,
            "conversation_rating": None,
            "admin_assignee_id": None,
            "team_assignee_id": None,
            "teammates": None,
            "first_contact_reply": None,
            "sla_applied": None,
            "custom_attributes": {},
            "ai_agent": None,
            "ai_agent_participated": False,
            "tags": {"type": "tag.list", "tags": []},
            "contacts": {"type": "contact.list", "contacts": []},
            "source": {
                "type": "email" if subject else "conversation",
                "id": f"s{number}",
                "delivered_as": "customer_initiated",
                "subject": subject,
                "body": body,
                "author": author,
                "attachments": [],
                "url": None,
                "redacted": False,
            },
            "parts": [],
        }
        return number

    def say(
        self,
        conversation: str,
        body: str | None,
        *,
        part_type: str = "comment",
        author: str | None = None,
        attached: Sequence[str] = (),
    ) -> None:
        """A part: without a body it is no message. By a teammate, where one is named."""
        row, now = self.conversations[conversation], self.stamp()
        writer = row["source"]["author"] if author is None else self._writer(author)
        files = [
            {"type": "upload", "name": each, "url": f"https://downloads.test/{each}"}
            | {"content_type": "image/png", "filesize": 100, "width": 1, "height": 1}
            for each in attached
        ]
        row["parts"].append(
            {
                "type": "conversation_part",
                "id": self._new_id(),
                "part_type": part_type,
                "body": body,
                "created_at": now,
                "updated_at": now,
                "notified_at": now,
                "assigned_to": None,
                "author": writer,
                "attachments": files,
                "tags": [],
                "external_id": None,
                "redacted": False,
                "state": row["state"],
            }
        )
        row["updated_at"] = now

    def assign(self, conversation: str, admin: str) -> None:
        """To a teammate: a part without a body."""
        self.conversations[conversation]["admin_assignee_id"] = int(admin)
        self.say(conversation, None, part_type="assignment", author=admin)

    def close(self, conversation: str) -> None:
        """Answered."""
        self.conversations[conversation].update(state="closed", open=False)
        self.say(conversation, None, part_type="close", author=self.me)

    def delete(self, number: str) -> None:
        """An article or a conversation: nothing tells."""
        for rows in (self.articles, self.internal, self.conversations):
            rows.pop(number, None)

    def stamp(self) -> int:
        """The source's time, in whole seconds."""
        return int(self.now().timestamp())

    def _new_id(self) -> str:
        return str(next(self._ids))

    def _writer(self, admin: str) -> Row:
        row = self.admins[admin]
        return {name: row[name] for name in ("type", "id", "name", "email")}

    def _url(self, article: str, locale: str) -> str:
        return f"http://help-center.test/myapp/{locale}/articles/{article}-an-article"

    def _text(self, article: str, locale: str, title: str, body: str, now: int) -> Row:
        return {
            "_": "article_content",
            "title": title,
            "description": "",
            "body": body,
            "author_id": int(self.me),
            "state": "published",
            "url": self._url(article, locale),
            "created_at": now,
            "updated_at": now,
        }

    # --- the API --------------------------------------------------------------------------------

    def refuse(self, asked: Asked) -> Reply:
        return self._error(401, "unauthorized", "Access Token Invalid")

    def headers(self, asked: Asked) -> Mapping[str, str]:
        limit, left, seconds = self.windows.told(asked.path) or (1_666, 1_666, _WINDOW)
        return {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(left),
            "X-RateLimit-Reset": str(math.ceil(self.now().timestamp() + seconds)),
        }

    def too_many(self, asked: Asked, seconds: float) -> Reply:
        return self._error(429, "rate_limit_exceeded", "Exceeded rate limit")

    async def reply(self, asked: Asked) -> Reply:
        if asked.headers.get("intercom-version", "2.14") not in _VERSIONS:
            return self._error(400, "intercom_version_invalid", "The requested version is invalid")
        if asked.path.startswith(self.plan_lacks or ("\0",)):
            return self._error(403, "api_plan_restricted", "Active subscription needed.")
        if asked.path.startswith(self.scopes_lack or ("\0",)):
            return self._error(403, "forbidden", "The app is not allowed to read this")
        if (asked.method, asked.path) == ("POST", "/conversations/search"):
            return self._search(asked.body)
        return self._get(asked) if asked.method == "GET" else self._not_found()

    def _get(self, asked: Asked) -> Reply:
        match asked.path.strip("/").split("/"):
            case ["me"]:
                app = {"type": "app", "id_code": self.workspace, "name": "MyApp 1", "region": "US"}
                return Reply({**self.admins[self.me], "email_verified": True, "app": app})
            case ["admins"]:
                return Reply({"type": "admin.list", "admins": list(self.admins.values())})
            case ["articles"]:
                return self._numbered(asked, self.articles.values(), "articles")
            case ["internal_articles"]:
                return self._numbered(asked, self.internal.values(), "internal_articles")
            case ["help_center", "collections"]:
                return self._numbered(asked, self.collections.values(), "collections")
            case ["articles", number] if number in self.articles:
                views = {"type": "article_statistics", "views": 0, "conversations": 0}
                return Reply({**self.articles[number], "statistics": views})
            case ["internal_articles", number] if number in self.internal:
                return Reply(self.internal[number])
            case ["conversations", number] if number in self.conversations:
                row = self.conversations[number]
                parts = {
                    "type": "conversation_part.list",
                    "conversation_parts": row["parts"][-_MOST_PARTS:],
                    "total_count": len(row["parts"]),
                }
                return Reply({**self._listed(row), "conversation_parts": parts})
        return self._not_found()

    def _numbered(self, asked: Asked, rows: Iterable[Row], kind: str) -> Reply:
        """A page by its number, the newest rows first."""
        ordered = sorted(rows, key=lambda row: (row["updated_at"], int(row["id"])), reverse=True)
        size = self.page_size(max(1, asked.number("per_page", 25, _MOST[kind])))
        page = asked.number("page", 1)
        total = -(-len(ordered) // size) or 1
        pages: Row = {"type": "pages", "page": page, "per_page": size, "total_pages": total}
        if page < 1:
            # As it is: page 0 has the rows of page 1, names page 1 as the next, and as the only.
            pages.update(next=self.link(f"{asked.path}?page=1&per_page={size}"), total_pages=1)
            page = 1
        elif page < total:
            pages["next"] = self.link(f"{asked.path}?page={page + 1}&per_page={size}")
        data = ordered[(page - 1) * size : page * size]
        return Reply({"type": "list", "pages": pages, "total_count": len(ordered), "data": data})

    def _search(self, body: Json) -> Reply:
        asked = body if isinstance(body, dict) else {}
        found: list[Row] = [self._listed(row) for row in self.conversations.values()]
        try:
            found = [row for row in found if matching(row, asked.get("query"))]
            sort = asked.get("sort") if self.sorts else None
            paging = asked.get("pagination") or {}
            size = self.page_size(min(int(paging.get("per_page") or 20), _MOST["conversations"]))
            after = paging.get("starting_after")
            place = self.place(after) or "an old cursor" if after else ""
            rows, pages = page_after(found, sort, place, size)
            if "next" in pages:
                pages["next"]["starting_after"] = self.cursor(pages["next"]["starting_after"])
        except (ValueError, TypeError, LookupError) as error:
            return self._error(400, "parameter_invalid", f"The query is not valid: {error}")
        total = {"total_count": len(found)}
        return Reply({"type": "conversation.list", "pages": pages, **total, "conversations": rows})

    def _listed(self, row: Row) -> Row:
        """A conversation as lists have it: without its parts."""
        known = {name: value for name, value in row.items() if name != "parts"}
        counted = {
            "type": "conversation_statistics",
            "count_conversation_parts": len(row["parts"]),
        }
        return {**known, "statistics": counted if self.counts_parts else None}

    def _not_found(self) -> Reply:
        return self._error(404, "not_found", "Resource Not Found")

    def _error(self, status: int, code: str, message: str) -> Reply:
        request = re.sub(r"^(.{8})(.{4})(.{4})(.{4})", r"\1-\2-\3-\4-", f"{self.count():032x}")
        errors = [{"code": code, "message": message}]
        return Reply({"type": "error.list", "request_id": request, "errors": errors}, status)
