"""A connection's OAuth tokens among its sealed secrets, under the lock of their row."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

import psycopg

from syncline.core.model import ConnectionId, WorkspaceId
from syncline.security.vault import Vault
from syncline.store.database import Connection
from syncline.store.explain import explain
from syncline.store.secrets import hold_keys, lock_secrets, owner_of, replace_sealed
from syncline.transport.oauth import HeldTokens

__all__ = ["StoredTokens"]


@dataclass(slots=True)
class _Held:
    """Implements `transport.oauth.HeldTokens`."""

    db: Connection
    vault: Vault
    owner: tuple[WorkspaceId, ConnectionId]
    values: Mapping[str, str] = field(default_factory=dict)

    async def save(self, values: Mapping[str, str]) -> None:
        merged = {**self.values, **values}
        sealed = self.vault.seal(
            owner_of(*self.owner), {name: value for name, value in merged.items() if value}
        )
        await replace_sealed(self.db, *self.owner, sealed)
        self.values = merged


class StoredTokens:
    """Implements `transport.oauth.TokenStore`."""

    def __init__(
        self,
        session: Callable[[], AbstractAsyncContextManager[Connection]],
        vault: Vault,
        workspace: WorkspaceId,
        connection: ConnectionId,
    ) -> None:
        """`session` lends a database connection."""
        self._session = session
        self._vault = vault
        self._owner = (workspace, connection)

    @asynccontextmanager
    async def held(self) -> AsyncIterator[HeldTokens]:
        """Within a transaction, which a crash undoes: then the old tokens are tried again."""
        owner = self._owner
        try:
            async with self._session() as db, db.transaction():
                await hold_keys(db)
                sealed = await lock_secrets(db, *owner)
                values = {} if sealed is None else self._vault.unseal(owner_of(*owner), sealed)
                yield _Held(db, self._vault, owner, values)
        except psycopg.Error as error:
            raise explain(error) from error
