"""Keeping connections' secrets, opening them for a run, changing the key that seals them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec import Struct

from syncline.connectors.secrets import parse_secrets
from syncline.core.errors import ConfigurationError
from syncline.core.model import ConnectionId, WorkspaceId
from syncline.core.ports import ConnectorSpec, NoSecrets
from syncline.security.keys import Key
from syncline.security.vault import Sealed, Vault
from syncline.store.database import Connection
from syncline.store.sealing import keys_in_use, sealed_with_others
from syncline.store.secrets import (
    forget_secrets,
    hold_keys,
    owner_of,
    read_secrets,
    write_secrets,
)

__all__ = [
    "Credentials",
    "KeyUse",
    "Rotated",
    "keep_secrets",
    "key_uses",
    "merged_secrets",
    "open_or_forget",
    "open_secrets",
    "rotate_keys",
    "secrets_for",
]


async def open_secrets(
    db: Connection, vault: Vault, workspace: WorkspaceId, connection: ConnectionId
) -> dict[str, str]:
    """A connection's secrets, by name; none where it has none. Raises `ConfigurationError`."""
    sealed = await read_secrets(db, workspace, connection)
    return {} if sealed is None else vault.unseal(owner_of(workspace, connection), sealed)


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """A connection's secrets, for as long as its connector is open."""

    values: Mapping[str, str]
    credential: str | None = None
    """Tells them from others: who has the same ones shares a quota."""


async def secrets_for(
    db: Connection,
    vault: Vault,
    spec: ConnectorSpec,
    workspace: WorkspaceId,
    connection: ConnectionId,
) -> Credentials:
    """What a connector of this kind is opened with: nothing is asked where it needs none.

    Raises `ConfigurationError` where they cannot be opened.
    """
    sealed = None
    if spec.secrets is not NoSecrets:
        sealed = await read_secrets(db, workspace, connection)
    if sealed is None:
        return Credentials({})
    return Credentials(vault.unseal(owner_of(workspace, connection), sealed), sealed.credential)


async def open_or_forget(
    db: Connection, vault: Vault, workspace: WorkspaceId, connection: ConnectionId
) -> dict[str, str]:
    """As `open_secrets`; none where they cannot be opened any more, so that others may be given."""
    try:
        return await open_secrets(db, vault, workspace, connection)
    except ConfigurationError:
        return {}


def merged_secrets(
    spec: ConnectorSpec, known: Mapping[str, str], wished: Mapping[str, str | None]
) -> dict[str, str]:
    """The secrets a connection then has. Raises `ConfigurationError` if they do not validate."""
    values = {name: value for name, value in {**known, **wished}.items() if value is not None}
    parse_secrets(spec, values)
    return values


async def keep_secrets(
    db: Connection,
    vault: Vault,
    workspace: WorkspaceId,
    connection: ConnectionId,
    values: Mapping[str, str],
) -> None:
    """Seal these in place of what the connection had; call it within a transaction.

    The first secret of a database makes a key, where there is none. Raises `ConfigurationError`.
    """
    await hold_keys(db)
    if not values:
        await forget_secrets(db, workspace, connection)
        return
    if not vault.ring.held():
        if used := await keys_in_use(db):
            raise ConfigurationError(
                f"Other secrets are sealed with the key {', '.join(used)}, and there is no "
                f"{vault.ring.place} here.",
                hint="Copy that file from where it is, or give its keys in SYNCLINE_KEYS.",
            )
        vault.ring.make_first()
    sealed = vault.seal(owner_of(workspace, connection), values)
    await write_secrets(db, workspace, connection, sealed)


class KeyUse(Struct, frozen=True):
    """A key, as far as it may be shown."""

    id: str
    here: bool
    """Whether this machine has it."""
    seals: bool
    """Whether new secrets are sealed with it."""
    connections: int
    """How many connections' secrets it has sealed."""


async def key_uses(db: Connection, vault: Vault) -> list[KeyUse]:
    """Every key that is here, or that has sealed something: the newest first."""
    used = await keys_in_use(db)
    here = [key.id for key in vault.ring.held()]
    return [
        KeyUse(name, name in here, name in here[:1], used.get(name, 0))
        for name in dict.fromkeys([*here, *used])
    ]


class Rotated(Struct, frozen=True):
    """What a rotation did."""

    key_id: str
    """The key that seals now."""
    made: bool
    """Whether it is new."""
    connections: int
    """How many connections' secrets have been sealed anew."""
    kept: tuple[str, ...]
    """Older keys that are still here, for backups."""
    dropped: tuple[str, ...]


async def rotate_keys(db: Connection, vault: Vault, *, drop_old: bool = False) -> Rotated:
    """Seal everything with the newest key; where a file has the keys, with a new one.

    A crash at any point leaves every secret readable with the keys that are there. Raises
    `ConfigurationError`, before anything has changed, where a secret cannot be opened.
    """
    ring = vault.ring
    async with db.transaction():
        await hold_keys(db, alone=True)
        old = ring.held()
        made = not ring.from_environment
        newest = Key.generate() if made else old[0]
        count = await _seal_anew(db, vault, newest)
        if made:
            # The new key is on the disk before a row that needs it is in the database.
            ring.replace([newest, *old])
    kept = [key for key in old if key.id != newest.id]
    dropped: list[Key] = []
    if drop_old and made:
        async with db.transaction():
            await hold_keys(db, alone=True)
            used = await keys_in_use(db)
            dropped = [key for key in kept if key.id not in used]
            kept = [key for key in kept if key.id in used]
            ring.replace([key for key in ring.held() if key not in dropped])
    return Rotated(
        newest.id,
        made,
        count,
        tuple(key.id for key in kept),
        tuple(key.id for key in dropped),
    )


async def _seal_anew(db: Connection, vault: Vault, newest: Key) -> int:
    count, after = 0, (0, 0)
    while rows := await sealed_with_others(db, newest.id, after):
        for row in rows:
            owner = owner_of(row.workspace_id, row.connection_id)
            try:
                values = vault.unseal(owner, Sealed(row.sealed, row.key_id, row.credential))
            except ConfigurationError as error:
                raise ConfigurationError(f"{row.name}: {error.message}", hint=error.hint) from error
            sealed = vault.seal(owner, values, with_key=newest)
            await write_secrets(db, row.workspace_id, row.connection_id, sealed)
        count += len(rows)
        after = (rows[-1].workspace_id, rows[-1].connection_id)
    return count
