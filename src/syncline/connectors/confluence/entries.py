"""The entries that contents become."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import asdict

from syncline.connectors.confluence.wire import Piece
from syncline.connectors.marks import digest
from syncline.connectors.wire import clean
from syncline.core.errors import BadContent
from syncline.core.media import media_type_of
from syncline.core.model import Entry, Metadata

__all__ = ["Wiki", "entry_of"]


class Wiki(Struct, frozen=True):
    """What the entries of one connection have in common."""

    base: str
    most_mb: float

    @property
    def most_bytes(self) -> int:
        return int(self.most_mb * 1024 * 1024)


def entry_of(piece: Piece, page: Piece, principals: tuple[str, ...] | None, wiki: Wiki) -> Entry:
    """An entry without its content. `page` is where it stands; a page stands for itself."""
    number = piece.number
    if number is None or not piece.type:
        raise BadContent(f"Confluence does not say which version of {piece.name} this is")
    titles = [clean(str(each.get("title") or "")) for each in page.above]
    below = piece is not page
    path = [*titles, page.title] if below else titles
    people = (piece.author, piece.editor)
    title = piece.title or (f"Re: {page.title}" if piece.type == "comment" else "")
    properties = {"type": piece.type, "space": page.space_key}
    metadata = Metadata(
        title=title or None,
        url=_address(piece, page, wiki.base),
        authors=tuple(dict.fromkeys(filter(None, people))),
        categories=tuple(filter(None, [page.space_name, *path])),
        tags=piece.labels,
        created_at=piece.created_at,
        updated_at=piece.updated_at,
        properties={name: value for name, value in properties.items() if value},
    )
    parent = page.name if below else None
    if page.above and not below:
        parent = f"page:{clean(str(page.above[-1].get('id')))}"
    locator = {"id": piece.id, "type": piece.type, "space": page.space_key}
    size = piece.size if piece.type == "attachment" else None
    return Entry(
        id=piece.name,
        # Moves also with what changes without a new version: labels, places, names, access.
        version=f"{number}/{digest(asdict(metadata), principals, parent)}",
        locator=locator,
        parent=parent,
        metadata=metadata,
        size=size,
        filtered=_unreadable(piece, size, wiki) if piece.type == "attachment" else None,
    )


def _address(piece: Piece, page: Piece, base: str) -> str:
    if piece.webui.startswith("/"):
        return f"{base}{piece.webui}"
    return f"{base}/pages/viewpage.action?pageId={page.id}"


def _unreadable(piece: Piece, size: int | None, wiki: Wiki) -> str | None:
    if media_type_of(piece.title) is None:
        said = piece.media_type or piece.extension_type
        return f"files like {piece.title[-60:]!r} ({said or 'unknown type'}) cannot be read"
    if size is not None and size > wiki.most_bytes:
        return f"it is larger than {wiki.most_mb:g} MB"
    return None
