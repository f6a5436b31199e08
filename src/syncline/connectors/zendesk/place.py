"""How far a help center was read: what its connector's cursor holds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from msgspec import Struct, field
from msgspec.structs import replace

from syncline.connectors.marks import cursor_value
from syncline.core.model import Cursor

__all__ = ["Place"]

_VERSION = 1
_MOST_REMEMBERED = 2_000


class Place(Struct, frozen=True):
    """`since` is where the next export begins. With a `locale`, the first listing is under way."""

    since: datetime | None = None
    locale: str | None = None
    after: str | None = None
    recent: Mapping[str, str] = field(default_factory=dict)
    """When articles that the next export will name once more had last changed, by id."""

    @classmethod
    def of(cls, cursor: Cursor | None) -> Place:
        """The place of a stored cursor. Raises `Rejected` for a newer version's."""
        if cursor is None:
            return cls()
        value = cursor_value(cursor, _VERSION, dict)
        since = value.get("since")
        return cls(
            None if since is None else datetime.fromtimestamp(since, UTC),
            value.get("locale"),
            value.get("after"),
            value.get("recent") or {},
        )

    def remembering(self, stamps: Mapping[str, str]) -> Place:
        """With those of the articles that are not older than where the next export begins."""
        assert self.since is not None
        kept = {
            name: stamp
            for name, stamp in stamps.items()
            if datetime.fromisoformat(stamp) >= self.since.replace(microsecond=0)
        }
        newest = sorted(kept.items(), key=lambda item: item[1])[-_MOST_REMEMBERED:]
        return replace(self, recent=dict(newest))

    @property
    def cursor(self) -> Cursor:
        """As it is stored."""
        value = {
            "since": None if self.since is None else self.since.timestamp(),
            "locale": self.locale,
            "after": self.after,
            "recent": dict(self.recent),
        }
        return Cursor(_VERSION, {name: each for name, each in value.items() if each})
