"""What a format's reader found, and how it becomes an `Extracted`."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from syncline.core.model import Content, Json, Metadata
from syncline.core.prepared import Extracted
from syncline.pipeline.extract.normalise import one_line
from syncline.pipeline.fingerprint import content_hash
from syncline.pipeline.terms import stemming_of

__all__ = ["Reading", "complete"]


class Reading(Struct, frozen=True):
    """A text, normalised, and what it says about itself."""

    text: str
    metadata: Metadata = field(default_factory=Metadata)
    canonical: str | None = None
    directives: tuple[str, ...] = ()


def complete(content: Content, listed: Metadata, reading: Reading) -> Extracted:
    """Let the listing's word win over the answer's, and that over the text's own."""
    metadata = _over(listed, _over(content.metadata, _clean(reading.metadata)))
    stemming = stemming_of(metadata.language)
    return Extracted(
        text=reading.text,
        hash=content_hash(reading.text, stemming),
        stemming=stemming,
        metadata=metadata,
        canonical=reading.canonical,
        directives=tuple(dict.fromkeys((*content.directives, *reading.directives))),
    )


def _over(surer: Metadata, other: Metadata) -> Metadata:
    """`surer`, with its unknown fields taken from `other`."""
    known = {
        name: value
        for name in _FIELDS
        if (value := getattr(surer, name)) is not None and value != ()
    }
    return replace(other, **known, properties={**other.properties, **surer.properties})


_FIELDS = [name for name in Metadata.__struct_fields__ if name != "properties"]


def _clean(metadata: Metadata) -> Metadata:
    """Texts may say anything about themselves; what is kept is short and on one line."""
    return replace(
        metadata,
        title=_line(metadata.title, 500),
        language=_line(metadata.language, 35),
        authors=_lines(metadata.authors),
        categories=_lines(metadata.categories),
        tags=_lines(metadata.tags),
        properties=_properties(metadata.properties),
    )


def _line(text: str | None, most: int) -> str | None:
    return (one_line(text)[:most].rstrip() or None) if text else None


def _lines(texts: tuple[str, ...]) -> tuple[str, ...]:
    lines = (_line(text, 200) for text in texts[:100])
    return tuple(dict.fromkeys(line for line in lines if line))


def _properties(properties: Mapping[str, Json]) -> dict[str, Json]:
    return {
        name: (one_line(value)[:2000] if isinstance(value, str) else value)
        for name, value in properties.items()
    }
