"""`kb.keys`: of the whole database, whichever workspace is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncline.parts import Part

if TYPE_CHECKING:
    from syncline.sync.secrets import KeyUse, Rotated

__all__ = ["Keys"]


class Keys(Part):
    """The keys that secrets are sealed with."""

    @property
    def place(self) -> str:
        """Where this machine has them: a file, or SYNCLINE_KEYS."""
        return self._client.load_tools().vault.ring.place

    async def list(self) -> list[KeyUse]:
        """Every key that is here, or has sealed something: by its id, never itself."""
        from syncline.sync.secrets import key_uses

        async with self._client.database.connection() as db:
            return await key_uses(db, self._client.load_tools().vault)

    async def rotate(self, *, drop_old: bool = False) -> Rotated:
        """Seal every secret anew, with a new key. Raises `ConfigurationError`: nothing changed."""
        from syncline.sync.secrets import rotate_keys

        async with self._client.database.connection() as db:
            return await rotate_keys(db, self._client.load_tools().vault, drop_old=drop_old)
