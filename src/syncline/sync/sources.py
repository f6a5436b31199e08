"""From what a person types (a path, a URL, a connection's name) to a connection."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace
from pydantic import ValidationError

from syncline.connectors.registry import Registry
from syncline.core.errors import ConfigurationError, NotHere, UsageError
from syncline.core.model import ConnectionId, Json, WorkspaceId
from syncline.core.ports import ConnectorSpec, NoSecrets
from syncline.core.urls import normalise_url
from syncline.pipeline.filter import Filter
from syncline.security.vault import Vault
from syncline.store.connections import (
    ConnectionRow,
    add_connection,
    list_connections,
    rename_connection,
    replace_connection,
)
from syncline.store.database import Connection
from syncline.store.workspaces import make_workspace
from syncline.sync.secrets import keep_secrets, merged_secrets, open_or_forget

__all__ = [
    "Wishes",
    "canonical_source",
    "connect_source",
    "edit_connection",
    "find_named",
    "plan_source",
]


class Wishes(Struct, frozen=True):
    """What is wanted of a connection besides its source. What is not given stays as it is."""

    name: str | None = None
    options: Mapping[str, Json] = field(default_factory=dict)
    filter: Mapping[str, Json] = field(default_factory=dict)
    """Fields of a `Filter`; each replaces the connection's own."""
    clear_filter: bool = False
    """Forget the connection's filter first."""
    keep_deleted: bool | None = None
    guard_fraction: float | None = None
    guard_minimum: int | None = None
    recheck_seconds: int | None = None
    secrets: Mapping[str, str | None] = field(default_factory=dict)
    """Each replaces the connection's own of this name; None forgets it."""


async def connect_source(
    db: Connection, workspace: str, registry: Registry, vault: Vault, text: str, wishes: Wishes
) -> tuple[ConnectionRow, bool]:
    """The connection that `text` means, changed as wished; made, with its workspace, if need be.

    The second value says whether it was made. Raises `UsageError` for a path that does not
    exist, or a name that means two things, and `ConfigurationError` for options, filters and
    secrets that do not validate: then nothing was written.
    """
    async with db.transaction():
        workspace_id = await make_workspace(db, workspace)
        found = await _find(db, workspace_id, registry, text, wishes.name)
        made = isinstance(found, _New)
        if isinstance(found, _New):
            options = _options(registry, found.spec, found.given, wishes)
            row = await add_connection(
                db,
                workspace_id,
                kind=found.spec.kind,
                name=found.name,
                source=found.source,
                options=options,
                options_version=found.spec.options_version,
            )
            wishes = replace(wishes, options={})
        else:
            row = found
        return await _change(db, registry, vault, row, wishes, made=made), made


async def edit_connection(
    db: Connection, registry: Registry, vault: Vault, row: ConnectionRow, wishes: Wishes
) -> ConnectionRow:
    """The connection, changed as wished; `wishes.name` is its new name.

    Raises `UsageError` if that is taken, and `ConfigurationError`: then nothing was written.
    """
    async with db.transaction():
        if wishes.name is not None and wishes.name != row.name:
            row = await rename_connection(db, row.workspace_id, row.id, _proper(wishes.name))
        return await _change(db, registry, vault, row, wishes, made=False)


async def _change(
    db: Connection,
    registry: Registry,
    vault: Vault,
    row: ConnectionRow,
    wishes: Wishes,
    *,
    made: bool,
) -> ConnectionRow:
    changed = _changed(registry, row, wishes)
    if changed != row:
        row = await replace_connection(db, changed)
    spec = registry.get(row.kind)
    if wishes.secrets or (made and spec.secrets is not NoSecrets):
        known = {} if made else await open_or_forget(db, vault, row.workspace_id, row.id)
        values = merged_secrets(spec, known, wishes.secrets)
        if values != known:
            await keep_secrets(db, vault, row.workspace_id, row.id, values)
    return row


async def plan_source(
    db: Connection, workspace: WorkspaceId, registry: Registry, text: str, wishes: Wishes
) -> ConnectionRow:
    """The connection as `connect_source` would leave it, but for its secrets. Nothing is written.

    One that is not there yet has the id 0. Raises as `connect_source` does.
    """
    found = await _find(db, workspace, registry, text, wishes.name)
    if isinstance(found, _New):
        row = ConnectionRow(
            workspace_id=workspace,
            id=ConnectionId(0),
            kind=found.spec.kind,
            name=found.name,
            source=found.source,
            options=_options(registry, found.spec, found.given, wishes),
            options_version=found.spec.options_version,
            filter={},
            keep_deleted=False,
            guard_fraction=0.3,
            guard_minimum=3,
            recheck_seconds=86400,
            created_at=datetime.now(UTC),
        )
        return _changed(registry, row, replace(wishes, options={}))
    return _changed(registry, found, wishes)


class _New(Struct, frozen=True):
    """A source that no connection of this name has."""

    spec: ConnectorSpec
    given: dict[str, Any]
    name: str
    source: str


async def _find(
    db: Connection, workspace: WorkspaceId, registry: Registry, text: str, name: str | None
) -> ConnectionRow | _New:
    name = None if name is None else _proper(name)
    rows = await list_connections(db, workspace)
    named = next((row for row in rows if row.name == text), None)
    if named is not None and name in (None, named.name) and not _looks_like_a_source(text):
        _refuse_ambiguous(named)
        return named
    try:
        spec, given = registry.for_source(text)
    except UsageError as error:
        raise _with_names(error, rows) from error
    source = canonical_source(text, given)
    same = [row for row in rows if row.source == source and row.kind == spec.kind]
    if name is None:
        if same:
            return min(same, key=lambda row: row.id)
        name = _free_name(_default_name(registry, spec, given), {row.name for row in rows})
        return _New(spec, given, name, source)
    taken = next((row for row in rows if row.name == name), None)
    if taken is None:
        return _New(spec, given, name, source)
    if taken not in same:
        raise UsageError(
            f"There is already a connection named {name!r}, to {taken.source}.",
            hint="Choose another --name.",
        )
    return taken


def _proper(name: str) -> str:
    if not name.strip():
        raise UsageError("A connection's name must not be empty.", hint="Choose another --name.")
    return name


def _looks_like_a_source(text: str) -> bool:
    return "://" in text or text.startswith(("/", ".", "~"))


def _refuse_ambiguous(named: ConnectionRow) -> None:
    """A connection's name that is also the name of some other file or folder here."""
    here = Path(named.name)
    if here.exists() and str(here.resolve()) != named.source:
        raise UsageError(
            f"{named.name!r} is the connection to {named.source}, and also the name of "
            "something else in this folder.",
            hint=f"Write ./{named.name} for what is here, or go elsewhere for the connection.",
        )


def _with_names(error: UsageError, rows: list[ConnectionRow]) -> UsageError:
    """The error of a source that is not understood; it may have been meant as a name."""
    if not rows:
        return error
    names = ", ".join(row.name for row in rows[:10])
    return type(error)(error.message, hint=f"{error.hint or ''} Connections: {names}.".strip())


def canonical_source(text: str, given: Mapping[str, Any]) -> str:
    """One spelling of a source, by which it is recognised the next time."""
    try:
        return normalise_url(text)
    except ValueError:
        return str(given.get("path", text.strip()))


def _default_name(registry: Registry, spec: ConnectorSpec, given: Mapping[str, Json]) -> str:
    if spec.default_name is None:
        return spec.kind
    return spec.default_name(registry.parse_options(spec, given)).strip() or spec.kind


def _free_name(name: str, taken: set[str]) -> str:
    number = 1
    free = name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free


def _options(
    registry: Registry, spec: ConnectorSpec, given: Mapping[str, Json], wishes: Wishes
) -> dict[str, Json]:
    """What is stored: what was given, and not today's defaults."""
    parsed = registry.parse_options(spec, {**given, **wishes.options})
    return parsed.model_dump(mode="json", exclude_unset=True)


def _changed(registry: Registry, row: ConnectionRow, wishes: Wishes) -> ConnectionRow:
    """The connection as it is wished for."""
    options, version = row.options, row.options_version
    if wishes.options:
        spec = registry.get(row.kind)
        known = registry.parse_options(spec, row.options, row.options_version)
        stored = known.model_dump(mode="json", exclude_unset=True)
        options, version = _options(registry, spec, stored, wishes), spec.options_version
    return replace(
        row,
        options=options,
        options_version=version,
        filter=_filter(row, wishes),
        keep_deleted=_or(wishes.keep_deleted, row.keep_deleted),
        guard_fraction=_fraction(_or(wishes.guard_fraction, row.guard_fraction)),
        guard_minimum=_or(wishes.guard_minimum, row.guard_minimum),
        recheck_seconds=_or(wishes.recheck_seconds, row.recheck_seconds),
    )


def _or(wished: Any, current: Any) -> Any:
    return current if wished is None else wished


def _fraction(value: float) -> float:
    if not 0 <= value <= 1:
        raise ConfigurationError(
            f"A guard's fraction is between 0 and 1, not {value}.", hint="0.3 means 30 %."
        )
    return value


def _filter(row: ConnectionRow, wishes: Wishes) -> Mapping[str, Json]:
    if not wishes.filter and not wishes.clear_filter:
        return row.filter
    before = {} if wishes.clear_filter else dict(row.filter)
    try:
        wanted = Filter.model_validate({**before, **wishes.filter})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field_name = ".".join(map(str, first["loc"][:1])) or "filter"
        raise ConfigurationError(
            f"The filter {field_name}: {first['msg'].removeprefix('Value error, ')}",
            hint="See `syncline sync --help` for the filters.",
        ) from error
    return wanted.model_dump(mode="json", exclude_unset=True)


async def find_named(db: Connection, workspace: WorkspaceId, name: str) -> ConnectionRow:
    """The connection of this name, or to this source as it is written in `connections list`."""
    rows = await list_connections(db, workspace)
    for matches in (
        [row for row in rows if row.name == name],
        [row for row in rows if row.source == canonical_source(name, {"path": _absolute(name)})],
        [row for row in rows if str(row.id) == name],
    ):
        if len(matches) == 1:
            return matches[0]
        if matches:
            names = ", ".join(row.name for row in matches)
            raise UsageError(
                f"Several connections read {name!r}: {names}.", hint="Give one of these names."
            )
    names = ", ".join(row.name for row in rows)
    raise NotHere(
        f"There is no connection {name!r} in this workspace.",
        hint=f"There are: {names}." if rows else "`syncline sync SOURCE` makes one.",
    )


def _absolute(text: str) -> str:
    return str(Path(text).expanduser().resolve())
