"""What there is to read of an item: a text, a discussion with its replies, or a file."""

from __future__ import annotations

from syncline.connectors.canvas.entries import Place, html_of_replies, media_type
from syncline.connectors.canvas.listing import path_to, whole
from syncline.connectors.canvas.wire import Course, File, Item, Module, Reply, Topic, User
from syncline.connectors.contents import complete_file
from syncline.connectors.json_api import JsonApi
from syncline.connectors.wire import rows
from syncline.core.errors import BadContent, Forbidden, NotFound, Rejected, Unauthorized
from syncline.core.model import Content, Fetched, Gone
from syncline.core.ports import HttpTransport

__all__ = ["Contents"]


class Contents:
    """Reads the contents of one Canvas, while it is open."""

    def __init__(self, api: JsonApi, http: HttpTransport) -> None:
        self._api = api
        self._http = http

    async def of(self, kind: str, item: Item, place: Place, name: str) -> Fetched:
        """What an item says; `name` is its entry's. Raises a `SourceError`."""
        entry = place.entry(kind, item, content=True)
        if entry.filtered is not None:
            return Gone(name, entry.filtered)
        if entry.content is not None:
            return entry.content
        if isinstance(item, Topic):
            replies = await self._replies(item, place.course)
            return place.content(kind, item, replies.encode())
        if isinstance(item, File):
            return await self._download(kind, item, place)
        if isinstance(item, Module):
            return await self.of(kind, await whole(self._api, item, place.course), place, name)
        raise BadContent(f"{name} comes without its text")

    async def _replies(self, topic: Topic, course: Course) -> str:
        path = path_to(course.id, "discussion_topics", topic.id, "view")
        answer = await self._api.get(path, {"include_new_entries": 1})
        data = answer.object()
        names = {
            user.id: user.display_name or user.name
            for user in rows(User, {"participants": [], **data}, "participants", answer.what)
            if isinstance(user, User)
        }
        kept = [*rows(Reply, data, "view", answer.what)]
        newer = [*rows(Reply, {"new_entries": [], **data}, "new_entries", answer.what)]
        return html_of_replies(
            topic,
            [each for each in kept if isinstance(each, Reply)],
            [each for each in newer if isinstance(each, Reply)],
            names,
        )

    async def _download(self, kind: str, file: File, place: Place) -> Content:
        if not file.url:
            raise Forbidden(
                f"file {file.id} cannot be downloaded by the token's user",
                hint="Use the token of somebody who may.",
            )
        try:
            # The address lives for minutes, and leads to another host, without our token.
            response = await self._http.get(file.url, max_bytes=place.max_bytes)
        except (BadContent, NotFound, Rejected, Forbidden, Unauthorized) as error:
            # That host's word: it says nothing about the file in Canvas, nor about our token.
            again = "The next run asks for another address."
            raise BadContent(
                f"the data of file {file.id} cannot be had: {error}",
                hint=error.hint if isinstance(error, BadContent) else again,
            ) from error
        data = complete_file(response.body, file.size, f"file {file.id}")
        told = media_type(file) or "text/plain"
        return place.content(kind, file, data, told, response.charset)
