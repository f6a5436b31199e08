"""One entry's bytes, read and judged: its text, a reason to leave it out, or whose it is."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from syncline.core.model import Content, Metadata
from syncline.core.prepared import Extracted
from syncline.core.urls import normalise_url, same_origin
from syncline.pipeline.extract import extract
from syncline.pipeline.filter import Filter, Rejection, decide

__all__ = ["Alias", "read"]

_NOINDEX = Rejection("membership", "the page asks not to be indexed (noindex)")


class Alias(Struct, frozen=True):
    """This entry's document is another entry's."""

    target: str
    """The id of that entry."""


def read(
    content: Content,
    listed: Metadata,
    filter: Filter,  # noqa: A002  (the field's word)
    *,
    canonical_links: bool,
    entry_id: str,
    follow_canonical: bool = True,
) -> Extracted | Rejection | Alias:
    """Extract `content`, and decide whether and under which id it belongs.

    `canonical_links` says that the connector's ids are URLs, so that a page's canonical
    address names an entry. Addresses of another origin are ignored: a page cannot make
    another site's document of itself. Raises `BadContent`.
    """
    if follow_canonical and content.alias_of is not None and content.alias_of != entry_id:
        return Alias(content.alias_of)
    if asks_not_to_be_indexed(content.directives):
        return _NOINDEX
    extracted = extract(content, listed)
    if asks_not_to_be_indexed(extracted.directives):
        return _NOINDEX
    if canonical_links and follow_canonical and extracted.canonical is not None:
        target = _canonical_entry(extracted.canonical, entry_id)
        if target is not None:
            return Alias(target)
    return decide(filter, extracted.metadata, extracted.text) or extracted


def asks_not_to_be_indexed(directives: Iterable[str]) -> bool:
    """Whether robots directives say `noindex`, or `none`, which includes it."""
    return any(
        word.strip().lower() in ("noindex", "none")
        for directive in directives
        for word in directive.split(",")
    )


def _canonical_entry(canonical: str, entry_id: str) -> str | None:
    try:
        target = normalise_url(canonical, entry_id)
        if target == normalise_url(entry_id) or not same_origin(target, entry_id):
            return None
    except ValueError:
        # The page's address, or the entry's id, is no web address.
        return None
    return target
