"""The base of fake APIs: JSON over HTTP, from a world in memory, as hostile as it is told to be.

A fake derives from `FakeApi`, keeps its world in plain attributes, and answers `reply`. Its methods
that edit the world stamp what they touch with `now()`, the clock of the source.
"""

from __future__ import annotations

import base64
import json
import math
import random
from abc import abstractmethod
from collections.abc import Collection, Mapping
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web
from msgspec import Struct, field
from msgspec.structs import replace

from syncline.core.model import Json
from syncline.testing.clock import FakeClock
from syncline.testing.fake_server import Misbehaviour
from syncline.testing.fake_source import FakeSource

if TYPE_CHECKING:
    from syncline.testing.fakes.oauth import FakeTokens

__all__ = ["Asked", "FakeApi", "Reply", "strange"]


class Asked(Struct, frozen=True):
    """A request, taken apart."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: Json

    def one(self, name: str, default: str = "") -> str:
        """A parameter that may be given once; the last one counts."""
        values = self.query.get(name)
        return values[-1] if values else default

    def number(self, name: str, default: int, most: int | None = None) -> int:
        """A whole number, silently held below `most` as vendors do."""
        try:
            value = int(self.one(name, str(default)))
        except ValueError:
            value = default
        return value if most is None else min(value, most)


class Reply(Struct, frozen=True):
    """An answer: data as JSON, or a text as it is."""

    data: Json = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str | None = None
    content_type: str | None = None


class FakeApi(FakeSource):
    """What a fake of an API derives from."""

    def __init__(self, clock: FakeClock | None = None) -> None:
        super().__init__(clock)
        self.tokens: FakeTokens | None = None
        """Gives access tokens that expire, beside what `accepts` names."""
        self.cap: int | None = None
        """No page is larger, whatever is asked for, and none says so."""
        self.mangle: random.Random | None = None
        """Makes answers strange, as `strange` does."""
        self.expired = 0
        """How many requests came with a cursor that is taken no more."""
        self._cursors = 0
        self._given: set[str] = set()
        """The cursors in the answer that is being made."""
        self._answers: dict[str, Reply] = {}
        """The last one to each question, whichever its page."""

    @abstractmethod
    async def reply(self, asked: Asked) -> Reply:
        """The well-behaved answer."""

    def lets_in(self, asked: Asked) -> bool:
        """Whether the request's credentials are accepted."""
        if self.tokens is not None and self.tokens.accepts(asked.headers.get("authorization")):
            return True
        return self.accepts is None or asked.headers.get("authorization") in self.accepts

    def refuse(self, asked: Asked) -> Reply:
        """The answer to a request whose credentials are not accepted."""
        return Reply({"error": "Couldn't authenticate you"}, 401)

    def too_many(self, asked: Asked, seconds: float) -> Reply:
        """The answer to one request too many, so long before more are let in."""
        wait = str(math.ceil(seconds))
        return Reply(status=429, text="Rate limited", headers={"Retry-After": wait})

    def headers(self, asked: Asked) -> Mapping[str, str]:
        """What each answer carries besides, such as what is left of the quota."""
        return {}

    def cursor(self, place: str) -> str:
        """A cursor that stands for a place, until cursors expire."""
        made = base64.urlsafe_b64encode(f"{self._cursors}|{place}".encode()).decode()
        self._given.add(made)
        return made

    def place(self, cursor: str) -> str | None:
        """The place that a cursor stands for; None where it is not, or no more, one of ours."""
        try:
            number, _, place = base64.urlsafe_b64decode(cursor).decode().partition("|")
        except ValueError:
            return None
        if number == str(self._cursors):
            return place
        self.expired += 1
        return None

    def expire_cursors(self) -> None:
        """Take no cursor any more that was given until now."""
        self._cursors += 1

    def says_again(self) -> Misbehaviour:
        """Gives a page of a list that was given before, in place of the one that is asked for."""
        self._answers.clear()

        async def answer(request: web.BaseRequest) -> web.StreamResponse:
            asked = await _asked(request)
            known = self._answers.get(_question(asked))
            return await self.answer(request) if known is None else self._sent(known, asked)

        return answer

    def withholds_cursors(self) -> Misbehaviour:
        """Answers well, but with null in the place of cursors, and of links that have one."""

        async def answer(request: web.BaseRequest) -> web.StreamResponse:
            asked = await _asked(request)
            reply = await self._replied(asked)
            bare = _without(reply.data, self._given)
            return self._sent(replace(reply, data=bare), asked)

        return answer

    def page_size(self, asked: int) -> int:
        """How many rows a page gets when so many were asked for."""
        return max(1, min(asked, self.cap or asked))

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if self.tokens is not None and request.path == self.tokens.path:
            return await self.tokens.answer(request)
        asked = await _asked(request)
        return self._sent(await self._replied(asked), asked)

    async def _replied(self, asked: Asked) -> Reply:
        wait = self.windows.enter(asked.path)
        if wait > 0:
            return self.too_many(asked, wait)
        if not self.lets_in(asked):
            return self.refuse(asked)
        self._given.clear()
        reply = self._answers[_question(asked)] = await self.reply(asked)
        return reply

    def _sent(self, reply: Reply, asked: Asked) -> web.Response:
        if reply.text is not None:
            body, content_type = reply.text.encode(), reply.content_type or "text/plain"
        else:
            data = reply.data
            if self.mangle is not None:
                data = strange(data, self.mangle)
            body, content_type = json.dumps(data).encode(), reply.content_type or "application/json"
        headers = {
            "Date": format_datetime(self.now(), usegmt=True),
            **self.headers(asked),
            **reply.headers,
            "Content-Type": content_type,
        }
        return web.Response(body=body, status=reply.status, headers=headers)


_PLACES = ("page", "offset", "start", "limit", "size", "after", "cursor")
"""What is in the names of parameters that tell the page."""


def _question(asked: Asked) -> str:
    """What is asked for, whichever page of it."""
    query = {
        name: values
        for name, values in asked.query.items()
        if not any(each in name for each in _PLACES)
    }
    body = asked.body
    if isinstance(body, dict):
        body = {name: value for name, value in body.items() if name != "pagination"}
    return json.dumps([asked.method, asked.path, query, body])


def _without(data: Json, cursors: Collection[str]) -> Json:
    """The data with null for each text that has one of the cursors in it."""
    if isinstance(data, str):
        return None if any(each in data for each in cursors) else data
    if isinstance(data, list):
        return [_without(each, cursors) for each in data]
    if isinstance(data, dict):
        return {name: _without(value, cursors) for name, value in data.items()}
    return data


async def _asked(request: web.BaseRequest) -> Asked:
    parts = urlsplit(request.raw_path)
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        query.setdefault(name, []).append(value)
    raw = await request.read()
    try:
        body = json.loads(raw) if raw else None
    except ValueError:
        body = None
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Asked(request.method, parts.path, query, headers, body)


_ODD: tuple[Any, ...] = (
    *(None, "", 0, -1, 10**30, 1.5, True, [], {}, [None], {"id": None}, "\0", "\ud800"),
    *("2024-13-45T99:99:99Z", "9" * 400, [[[]]], {"a": {"b": {}}}),
)


def strange(data: Json, chance: random.Random, rate: float = 0.08) -> Json:
    """The data with nulls, missing and unknown fields, and values of other types here and there."""
    if chance.random() < rate / 4:
        return chance.choice(_ODD)
    if isinstance(data, list):
        rows = [strange(each, chance, rate) for each in data if chance.random() > rate / 4]
        return [*rows, chance.choice(_ODD)] if chance.random() < rate else rows
    if isinstance(data, dict):
        made = {
            name: chance.choice(_ODD) if chance.random() < rate else strange(value, chance, rate)
            for name, value in data.items()
            if chance.random() > rate / 2
        }
        return {**made, "an_unknown_field": chance.choice(_ODD)} if chance.random() < 0.3 else made
    return data
