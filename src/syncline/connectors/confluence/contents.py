"""What there is to read of a content: its text as a page of HTML, or what is attached."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from syncline.connectors.confluence.refusals import NotPermitted
from syncline.connectors.confluence.storage import to_html, user_keys
from syncline.connectors.confluence.wire import Piece
from syncline.connectors.contents import complete_file
from syncline.connectors.json_api import JsonApi
from syncline.connectors.wire import clean
from syncline.core.errors import BadContent, Forbidden, NotFound
from syncline.core.media import media_type_of
from syncline.core.model import Content, Entry
from syncline.core.ports import HttpTransport

__all__ = ["Contents", "page_of"]

_MOST_NAMES = 20_000
_HEAD = '<html><head><meta charset="utf-8"><meta name="generator" content="Syncline"></head>'


class Contents:
    """Reads the contents of one source, while it is open."""

    def __init__(self, api: JsonApi, http: HttpTransport, *, basic: bool, most_bytes: int) -> None:
        """`basic` says that we log in with a password; `most_bytes` bounds what is attached."""
        self._api = api
        self._http = http
        self._basic = basic
        self._most_bytes = most_bytes
        self._names: dict[str, str] = {}

    async def of(self, piece: Piece, entry: Entry, principals: tuple[str, ...] | None) -> Content:
        """What there is to read of an entry. Raises a `SourceError`."""
        attached = piece.type == "attachment"
        kind = media_type_of(piece.title) if attached else "text/html"
        text = piece.storage
        if attached and kind is not None:
            data = await self._download(piece)
        elif kind is not None and isinstance(text, str):
            data = page_of(clean(text), await self._names_in(text))
        else:
            raise BadContent(f"Confluence does not say what is in {piece.name}")
        return Content(
            data=data,
            media_type=kind,
            charset=None if attached else "utf-8",
            metadata=entry.metadata,
            principals=principals,
            version=entry.version,
        )

    async def _download(self, piece: Piece) -> bytes:
        if not piece.download:
            raise BadContent(f"Confluence does not say where {piece.title!r} can be read")
        how = {"os_authType": "basic"} if self._basic else {}
        url = self._api.url(self._api.own(piece.download), how)
        response = await self._http.get(url, max_bytes=self._most_bytes)
        if urlsplit(response.url).path.endswith("/login.action"):
            raise Forbidden(
                f"Confluence wants a log-in for {piece.title!r}",
                hint="The token serves the API, but not downloads: give username and password.",
            )
        return complete_file(response.body, piece.size, repr(piece.title))

    async def _names_in(self, storage: str) -> Mapping[str, str]:
        """What the users are called that a text links to by their keys."""
        for key in sorted(user_keys(storage) - self._names.keys()):
            if len(self._names) >= _MOST_NAMES:
                self._names.clear()
            try:
                answer = await self._api.get("/rest/api/user", {"key": key})
                name = answer.object().get("displayName")
            except (NotPermitted, NotFound):
                name = None
            self._names[key] = name if isinstance(name, str) else ""
        return self._names


def page_of(storage: str, names: Mapping[str, str]) -> bytes:
    """A text in storage format as an HTML page, all of which is text."""
    return f"{_HEAD}<body>{to_html(storage, names)}</body></html>".encode("utf-8", "replace")
