"""The entries that articles become, one for each language."""

from __future__ import annotations

from syncline.connectors.contents import html
from syncline.connectors.marks import digest
from syncline.connectors.zendesk.wire import Article, Translation
from syncline.core.model import Entry, Metadata

__all__ = ["entry_of", "principals_of"]


def entry_of(
    article: Article,
    text: Translation,
    locale: str,
    path: tuple[str, ...],
    principals: tuple[str, ...] | None,
    *,
    content: bool,
) -> Entry:
    """An article in one language; `path` are the names of what it lies in."""
    published = text.draft is False
    labels = tuple(sorted(article.label_names))
    version = digest(text.title, text.body, published, path, labels, principals)
    metadata = Metadata(
        title=text.title or None,
        url=text.html_url or None,
        language=_language(locale),
        categories=path,
        tags=labels,
        created_at=text.created_at or article.created_at,
        updated_at=text.updated_at or article.updated_at,
        properties={"promoted": article.promoted} if article.promoted else {},
    )
    return Entry(
        id=f"article:{article.id}:{locale}",
        version=version,
        locator={"article": article.id, "locale": locale},
        metadata=metadata,
        filtered=None if published else "it is a draft",
        content=html(text.body, metadata, principals, version) if content and published else None,
    )


def principals_of(article: Article, readers: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Who may see an article; `readers` where no segment restricts it, of whom None is everyone."""
    segments = {*article.user_segment_ids, *filter(None, [article.user_segment_id])}
    if article.user_segment_id is None and not segments:
        return readers
    return tuple(sorted(f"zendesk:segment:{each}" for each in segments))


def _language(locale: str) -> str:
    language, _, region = locale.partition("-")
    return f"{language}-{region.upper() if len(region) == 2 else region}" if region else language
