"""The entries that articles become, one for each language."""

from __future__ import annotations

from collections.abc import Mapping

from syncline.connectors.contents import html
from syncline.connectors.marks import digest
from syncline.connectors.zendesk.wire import Article, Category, Section, Translation
from syncline.core.model import Entry, Metadata

__all__ = ["entry_of", "paths_of", "principals_of"]


def entry_of(
    article: Article,
    text: Translation,
    locale: str,
    path: tuple[str, ...],
    *,
    public: bool,
    content: bool,
) -> Entry:
    """An article in one language; `path` are the names of what it lies in."""
    published = text.draft is False
    labels = tuple(sorted(article.label_names))
    principals = None if public else principals_of(article)
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


def principals_of(article: Article) -> tuple[str, ...] | None:
    """Who may see an article; None is everyone."""
    segments = {*article.user_segment_ids, *filter(None, [article.user_segment_id])}
    if article.user_segment_id is None and not segments:
        return None
    return tuple(sorted(f"zendesk:segment:{each}" for each in segments))


def paths_of(categories: list[Category], sections: list[Section]) -> Mapping[str, tuple[str, ...]]:
    """The names of each section's category, of the sections around it, and its own."""
    named = {each.id: each.name for each in categories}
    known = {each.id: each for each in sections}
    return {each: _path(each, known, named) for each in known}


def _path(
    section: str, sections: Mapping[str, Section], categories: Mapping[str, str]
) -> tuple[str, ...]:
    names: list[str] = []
    each = sections.get(section)
    category = ""
    while each is not None and len(names) < 20:
        names.append(each.name)
        category = category or each.category_id
        each = sections.get(each.parent_section_id)
    return tuple(filter(None, [categories.get(category, ""), *reversed(names)]))


def _language(locale: str) -> str:
    language, _, region = locale.partition("-")
    return f"{language}-{region.upper() if len(region) == 2 else region}" if region else language
