"""Texts that are attached to articles."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import quote

from syncline.connectors.contents import complete_file
from syncline.connectors.json_api import JsonApi
from syncline.connectors.paging import rows_of
from syncline.connectors.wire import read
from syncline.connectors.zendesk.lists import ROOT, by_cursor
from syncline.connectors.zendesk.wire import Article, Attachment
from syncline.core.errors import NotFound
from syncline.core.media import media_type_of
from syncline.core.model import Content, Entry, Failed, Fetched, Gone, Locator, Metadata
from syncline.core.ports import HttpTransport

__all__ = ["attachment_entry", "attachments_of", "fetch_attachment"]

_MOST = 10 * 1024 * 1024


def attachment_entry(
    row: Attachment, article: Article, principals: tuple[str, ...] | None, *, hidden: bool = False
) -> Entry:
    """An attachment as an entry; filtered where its article is published in no language, or its
    type cannot be read."""
    kind = media_type_of(row.file_name)
    reason = "its article is a draft" if hidden else None
    if kind is None:
        reason = f"files like {row.file_name!r} cannot be read"
    elif row.size is not None and row.size > _MOST:
        reason = f"it is larger than {_MOST // 1024 // 1024} MB"
    readers = ",".join(principals or ())
    stamp = row.updated_at or row.created_at
    return Entry(
        id=f"attachment:{row.id}",
        version=f"{stamp.isoformat() if stamp else ''}/{row.size or 0}/{readers}",
        locator={"attachment": row.id, "article": article.id},
        parent=f"article:{article.id}",
        metadata=Metadata(
            title=row.file_name or None,
            url=row.content_url or None,
            created_at=row.created_at,
            updated_at=stamp,
        ),
        size=row.size,
        filtered=reason,
    )


async def attachments_of(
    api: JsonApi, article: Article, principals: tuple[str, ...] | None, *, hidden: bool = False
) -> AsyncIterator[Entry | Failed]:
    """What hangs on an article. Raises `NotFound` where it was archived."""
    pages = by_cursor(api, f"{ROOT}/articles/{quote(article.id)}/attachments")
    async for row in rows_of(pages, Attachment, "article_attachments"):
        if isinstance(row, Failed):
            yield row
        else:
            yield attachment_entry(row, article, principals, hidden=hidden)


async def fetch_attachment(
    api: JsonApi,
    http: HttpTransport,
    locator: Locator,
    article_of: Callable[[str], Awaitable[Article]],
    readers_of: Callable[[Article], tuple[str, ...] | None],
) -> Fetched:
    """The attached file, with its article's access list. `article_of` gives published ones only;
    it raises `NotFound`."""
    name = f"attachment:{locator['attachment']}"
    try:
        article = await article_of(str(locator["article"]))
        answer = await api.get(f"{ROOT}/articles/attachments/{quote(str(locator['attachment']))}")
        row = read(Attachment, answer.object().get("article_attachment"), answer.what)
        response = await http.get(f"{api.base}{api.own(row.content_url)}", max_bytes=_MOST)
    except NotFound:
        return Gone(name, "there is no such attachment, or no such article, any more")
    principals = readers_of(article)
    entry = attachment_entry(row, article, principals)
    return Content(
        data=complete_file(response.body, row.size, repr(row.file_name)),
        media_type=media_type_of(row.file_name) or "text/plain",
        metadata=entry.metadata,
        principals=principals,
        version=entry.version,
    )
