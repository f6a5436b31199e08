"""Asking an API that answers in JSON, at the connection's own address.

Authentication, quota and retries are the transport's (`core.ports.HttpTransport`); what a page
is followed by is in `paging.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from msgspec import Struct

from syncline.core.errors import BadContent, Rejected
from syncline.core.model import Json, Validators
from syncline.core.ports import HttpResponse, HttpTransport
from syncline.core.urls import normalise_url, shown_url

__all__ = ["Answer", "JsonApi", "Params"]

Params = Mapping[str, str | int | Sequence[str | int] | None]
"""A query: lists repeat their name, None leaves it out."""


class Answer(Struct, frozen=True):
    """What an API said."""

    data: Json
    headers: Mapping[str, str]
    """Names in lower case."""
    what: str
    """Names the answer for people: the address it came from."""
    not_modified: bool = False

    @property
    def date(self) -> datetime | None:
        """When it was given, by the source's own clock, cut to the second."""
        try:
            return parsedate_to_datetime(self.headers.get("date", "")).astimezone(UTC)
        except (ValueError, TypeError, OverflowError):
            return None

    def object(self) -> dict[str, Any]:
        """The data, which must be an object. Raises `BadContent`."""
        if not isinstance(self.data, dict):
            raise BadContent(f"{self.what} answered with something else than an object")
        return self.data

    def array(self) -> list[Any]:
        """The data, which must be a list. Raises `BadContent`."""
        if not isinstance(self.data, list):
            raise BadContent(f"{self.what} answered with something else than a list")
        return self.data


class JsonApi:
    """Requests beneath one address."""

    def __init__(
        self,
        http: HttpTransport,
        base: str,
        *,
        headers: Mapping[str, str] | None = None,
        max_bytes: int | None = None,
    ) -> None:
        """`base` is the API's address, with the path that all others lie beneath, if any."""
        self.base = normalise_url(base).rstrip("/")
        self._http = http
        self._headers = {"Accept": "application/json", **(headers or {})}
        self._max_bytes = max_bytes

    def url(self, path: str, params: Params | None = None) -> str:
        """The address of `path`, which begins with a slash, and may have a query already."""
        query = urlencode(
            [
                (name, each)
                for name, value in (params or {}).items()
                if value is not None
                for each in (value if isinstance(value, list | tuple) else (value,))
            ]
        )
        joint = "" if not query else "&" if "?" in path else "?"
        return f"{self.base}{path}{joint}{query}"

    def own(self, link: str) -> str:
        """A link that the server gave, as a path of our own address, for `get`.

        Servers behind proxies and aliases name hosts that we must not send credentials to, and
        may not reach: what counts is the path. Raises `BadContent` for what is no such link.
        """
        try:
            parts = urlsplit(link)
        except ValueError as error:
            raise BadContent("A link to the next page is malformed") from error
        path = urlunsplit(("", "", parts.path, parts.query, ""))
        prefix = urlsplit(self.base).path
        if prefix and path.startswith(f"{prefix}/"):
            path = path[len(prefix) :]
        if not path.startswith("/") or path.startswith("//"):
            raise BadContent(f"A link to the next page leads elsewhere: {shown_url(link)}")
        return path

    async def get(
        self,
        path: str,
        params: Params | None = None,
        *,
        validators: Validators | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """GET. Raises a `SourceError`: the transport's, or `BadContent` for what is no JSON."""
        url = self.url(path, params)
        response = await self._http.get(
            url,
            headers={**self._headers, **(headers or {})},
            validators=validators,
            max_bytes=self._max_bytes,
        )
        return _answer(response, url)

    async def post(self, path: str, body: Json, params: Params | None = None) -> Answer:
        """POST a question. Raises as `get` does."""
        url = self.url(path, params)
        response = await self._http.post(
            url,
            json.dumps(body, separators=(",", ":")).encode(),
            headers={**self._headers, "Content-Type": "application/json"},
            max_bytes=self._max_bytes,
        )
        return _answer(response, url)


def _answer(response: HttpResponse, url: str) -> Answer:
    what = shown_url(url)
    if response.not_modified:
        return Answer(None, response.headers, what, not_modified=True)
    if response.media_type == "text/html" or response.body.lstrip()[:1] == b"<":
        raise Rejected(
            f"{what} answered with a web page where data was asked for",
            hint="Check the address: it may be a log-in page, a proxy's, or another site's.",
        )
    try:
        data = json.loads(response.body, parse_constant=lambda name: None)
    except (ValueError, RecursionError) as error:
        raise BadContent(
            f"{what} answered with what is no JSON ({_reason(error)})",
            hint="The next run tries again. If it stays so, check the connection's address.",
        ) from error
    return Answer(data, response.headers, what)


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos:,}"
    return "nested too deeply" if isinstance(error, RecursionError) else "not in UTF-8"
