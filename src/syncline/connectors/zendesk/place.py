"""How far a help center was read: what its connector's cursor holds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from msgspec import Struct, field
from msgspec.structs import replace

from syncline.connectors.marks import cursor_value
from syncline.connectors.zendesk.wire import Article
from syncline.core.model import Cursor, Failed

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

    def knows(self, row: Article | Failed) -> bool:
        """Whether an earlier run has told of the article as it is."""
        if isinstance(row, Failed) or row.updated_at is None:
            return False
        return self.recent.get(row.id) == row.updated_at.isoformat()

    def remembering(self, changed: Mapping[str, datetime | None], now: datetime) -> Place:
        """With those articles, by when they had changed, that the next run will meet once more
        although they cannot have changed again within the same second."""
        assert self.since is not None
        first, last = self.since.replace(microsecond=0), now - timedelta(minutes=1)
        told = {name: stamp for name, stamp in changed.items() if stamp and first <= stamp <= last}
        newest = sorted(told.items(), key=lambda item: item[1])[-_MOST_REMEMBERED:]
        return replace(self, recent={name: stamp.isoformat() for name, stamp in newest})

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
