"""Texts that are attached to articles."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import quote

from syncline.connectors.json_api import JsonApi
from syncline.connectors.wire import read
from syncline.connectors.zendesk.entries import principals_of
from syncline.connectors.zendesk.wire import Article, Attachment
from syncline.core.errors import NotFound
from syncline.core.media import media_type_of
from syncline.core.model import Content, Entry, Fetched, Gone, Locator, Metadata
from syncline.core.ports import HttpTransport

__all__ = ["attachment_entry", "fetch_attachment"]

_ROOT = "/api/v2/help_center/articles"
_MOST = 10 * 1024 * 1024


def attachment_entry(row: Attachment, article: Article) -> Entry:
    """An attachment as an entry; one whose type cannot be read is filtered."""
    kind = media_type_of(row.file_name)
    hidden = article.draft is not False
    reason = "its article is a draft" if hidden else None
    if kind is None:
        reason = f"files like {row.file_name!r} cannot be read"
    elif row.size is not None and row.size > _MOST:
        reason = f"it is larger than {_MOST // 1024 // 1024} MB"
    segments = ",".join((article.user_segment_id or "", *article.user_segment_ids))
    stamp = row.updated_at or row.created_at
    return Entry(
        id=f"attachment:{row.id}",
        version=f"{stamp.isoformat() if stamp else ''}/{row.size or 0}/{segments}/{hidden}",
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


async def fetch_attachment(
    api: JsonApi,
    http: HttpTransport,
    locator: Locator,
    article_of: Callable[[str], Awaitable[Article]],
) -> Fetched:
    """The attached file, with its article's access list."""
    name = f"attachment:{locator['attachment']}"
    try:
        article = await article_of(str(locator["article"]))
        answer = await api.get(f"{_ROOT}/attachments/{quote(str(locator['attachment']))}")
        row = read(Attachment, answer.object().get("article_attachment"), answer.what)
        response = await http.get(f"{api.base}{api.own(row.content_url)}", max_bytes=_MOST)
    except NotFound:
        return Gone(name, "there is no such attachment any more")
    if article.draft is not False:
        return Gone(name, "its article is a draft")
    entry = attachment_entry(row, article)
    return Content(
        data=response.body,
        media_type=media_type_of(row.file_name) or "text/plain",
        metadata=entry.metadata,
        principals=principals_of(article),
        version=entry.version,
    )
