"""Making workspaces and connections what a file says: first a plan, then one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from syncline.connectors.registry import Registry
from syncline.core.errors import ConfigurationError, Conflict, SynclineError
from syncline.core.model import Json
from syncline.core.ports import NoSecrets
from syncline.core.urls import shown_url
from syncline.security.vault import Vault
from syncline.store.applied import (
    Applied,
    WorkspaceState,
    applied_connections,
    hold_apply,
    note_applied,
    workspaces_named,
)
from syncline.store.connections import (
    ConnectionRow,
    add_connection,
    remove_connection,
    replace_connection,
    row_by_id,
)
from syncline.store.database import Connection
from syncline.store.timetable import pause, resume, set_active, set_schedule
from syncline.store.workspaces import make_workspace
from syncline.sync.declared import Declaration
from syncline.sync.desired import Desired, desired_connection
from syncline.sync.secrets import keep_secrets, merged_secrets, open_or_forget

__all__ = ["ApplyPlan", "Change", "Step", "carry_out", "plan_apply"]


class Change(Struct, frozen=True):
    """One thing that becomes another; a secret's value is never in it."""

    what: str
    before: Json
    after: Json


@dataclass(frozen=True, slots=True)
class Step:
    """What is done to a workspace, or to one of its connections."""

    action: str
    """`create`, `change`, `keep`, `remove`."""
    workspace: str
    connection: str | None
    """None for the workspace itself."""
    changes: tuple[Change, ...] = ()
    documents: int = 0
    """Of a connection that is removed."""
    desired: Desired | None = field(default=None, compare=False, repr=False)


class ApplyPlan(Struct, frozen=True):
    """What has to be done so that everything is as the file says."""

    declaration: Declaration
    prune: bool
    steps: tuple[Step, ...]
    left: tuple[str, ...]
    """Connections that the file described once and does not any more: `prune` removes them."""

    @property
    def todo(self) -> tuple[Step, ...]:
        """The steps that change something."""
        return tuple(step for step in self.steps if step.action != "keep")

    def as_json(self) -> dict[str, Json]:
        """The documented fields."""
        return {
            "file": self.declaration.name,
            "steps": [
                {
                    "action": step.action,
                    "workspace": step.workspace,
                    "connection": step.connection,
                    "changes": [
                        {"what": each.what, "before": each.before, "after": each.after}
                        for each in step.changes
                    ],
                    **({"documents": step.documents} if step.action == "remove" else {}),
                }
                for step in self.steps
            ],
            "left": list(self.left),
        }


async def plan_apply(
    db: Connection, registry: Registry, vault: Vault, declaration: Declaration, *, prune: bool
) -> ApplyPlan:
    """What would be done. Nothing is written. Raises `ConfigurationError` with file and line."""
    wanted = {
        (workspace, name): desired_connection(declaration, workspace, name, registry)
        for workspace, declared in declaration.workspaces.items()
        for name in declared.connections
    }
    workspaces = await workspaces_named(db, list(declaration.workspaces))
    known = {
        (each.workspace, each.name): each
        for each in await applied_connections(
            db, [each.id for each in workspaces.values()], declaration.name
        )
    }
    steps = list(_workspace_steps(declaration, workspaces))
    for key, desired in wanted.items():
        found = known.get(key)
        if found is None:
            _check_secrets(declaration, key, desired, {})
            steps.append(Step("create", *key, tuple(_first(desired)), desired=desired))
            continue
        _check_owner(declaration, key, found)
        row = await row_by_id(db, found.workspace_id, found.id)
        assert row is not None
        secrets = await open_or_forget(db, vault, row.workspace_id, row.id)
        _check_secrets(declaration, key, desired, secrets)
        changes = tuple(_changes(declaration, registry, desired, row, found, secrets))
        action = "change" if changes else "keep"
        steps.append(Step(action, *key, changes, desired=desired))
    ours = [each for key, each in known.items() if key not in wanted]
    ours = [each for each in ours if each.applied == declaration.name]
    if prune:
        steps += [
            Step("remove", each.workspace, each.name, documents=each.documents) for each in ours
        ]
    left = () if prune else tuple(f"{each.workspace}/{each.name}" for each in ours)
    return ApplyPlan(declaration, prune, tuple(steps), left)


async def carry_out(db: Connection, registry: Registry, vault: Vault, plan: ApplyPlan) -> None:
    """Do what the plan says: all of it, or nothing.

    Raises `Conflict` if something has changed since the plan was made.
    """
    async with db.transaction():
        await hold_apply(db)
        now = await plan_apply(db, registry, vault, plan.declaration, prune=plan.prune)
        if now.steps != plan.steps:
            raise Conflict(
                "Something has changed since the plan was shown; nothing was done.",
                hint="Run it again, and look at the new plan.",
            )
        for step in now.todo:
            await _carry_out(db, vault, plan.declaration, step)


async def _carry_out(db: Connection, vault: Vault, declaration: Declaration, step: Step) -> None:
    workspace = await make_workspace(db, step.workspace)
    if step.connection is None:
        active = declaration.workspaces[step.workspace].active
        if active is not None:
            await set_active(db, workspace, active=active)
        return
    known_ones = await applied_connections(db, [workspace], declaration.name)
    found = next(
        (e for e in known_ones if (e.workspace_id, e.name) == (workspace, step.connection)), None
    )
    if step.action == "remove":
        if found is not None:
            await remove_connection(db, workspace, found.id)
        return
    desired = step.desired
    assert desired is not None
    if found is None:
        row = await add_connection(
            db,
            workspace,
            kind=desired.spec.kind,
            name=step.connection,
            source=desired.source,
            options=desired.options,
            options_version=desired.spec.options_version,
        )
        before = None
    else:
        before = found
        known = await row_by_id(db, workspace, found.id)
        assert known is not None
        row = known
    await _make_so(db, vault, declaration, row, before, desired)


async def _make_so(
    db: Connection,
    vault: Vault,
    declaration: Declaration,
    row: ConnectionRow,
    before: Applied | None,
    desired: Desired,
) -> None:
    row = await replace_connection(
        db,
        replace(
            row,
            source=desired.source,
            options=desired.options,
            options_version=desired.spec.options_version,
            filter=desired.filter,
            keep_deleted=desired.keep_deleted,
            guard_fraction=desired.guard_fraction,
            guard_minimum=desired.guard_minimum,
            recheck_seconds=desired.recheck_seconds,
        ),
    )
    if desired.schedule != (before.schedule if before else None):
        await set_schedule(db, row.workspace_id, row.id, desired.schedule)
    if desired.paused is not None and desired.paused != (before.paused if before else False):
        await (pause if desired.paused else resume)(db, row.workspace_id, row.id)
    if desired.secrets is not None:
        known = await open_or_forget(db, vault, row.workspace_id, row.id)
        if known != desired.secrets:
            await keep_secrets(db, vault, row.workspace_id, row.id, desired.secrets)
    await note_applied(db, row.workspace_id, row.id, declaration.name)


def _workspace_steps(
    declaration: Declaration, known: Mapping[str, WorkspaceState]
) -> Iterator[Step]:
    for name, declared in declaration.workspaces.items():
        state = known.get(name)
        before = None if state is None else state.active
        after = declared.active if declared.active is not None else before
        change = (Change("active", before, after),) if after not in (before, None) else ()
        if state is None:
            yield Step("create", name, None, change)
        elif change:
            yield Step("change", name, None, change)


def _check_owner(declaration: Declaration, key: tuple[str, str], found: Applied) -> None:
    if found.applied not in (None, declaration.name):
        workspace, name = key
        raise ConfigurationError(
            f"{declaration.where('workspaces', workspace, 'connections', name)}: {name} is "
            f"described by another file, {found.applied!r}.",
            hint="Take it out of one of the two; or give both files the same `name`.",
        )


def _check_secrets(
    declaration: Declaration, key: tuple[str, str], desired: Desired, known: Mapping[str, str]
) -> None:
    if desired.spec.secrets is NoSecrets and not desired.secrets:
        return
    workspace, name = key
    try:
        merged_secrets(desired.spec, known if desired.secrets is None else desired.secrets, {})
    except ConfigurationError as error:
        where = declaration.where("workspaces", workspace, "connections", name, "secrets")
        raise ConfigurationError(f"{where}: {name}: {error.message}", hint=error.hint) from error


def _first(desired: Desired) -> Iterator[Change]:
    """What a person wants to know of a connection that is made."""
    yield Change("kind", None, desired.spec.kind)
    yield Change("source", None, shown_url(desired.source))
    for name, value in desired.filter.items():
        yield Change(f"filter {name}", None, value)
    if desired.keep_deleted:
        yield Change("keep_deleted", None, True)
    if desired.schedule is not None:
        yield Change("schedule", None, desired.schedule)
    if desired.paused:
        yield Change("paused", None, True)
    for name in sorted(desired.secrets or ()):
        yield Change(f"secret {name}", None, "set")


def _changes(
    declaration: Declaration,
    registry: Registry,
    desired: Desired,
    row: ConnectionRow,
    found: Applied,
    secrets: Mapping[str, str],
) -> Iterator[Change]:
    where = declaration.where("workspaces", found.workspace, "connections", found.name)
    if row.kind != desired.spec.kind:
        raise ConfigurationError(
            f"{where}: {row.name} reads a source of the kind {row.kind}, and a connection "
            f"keeps its kind; the file wants {desired.spec.kind}.",
            hint="Give the new one another name, or remove the old one first.",
        )
    if found.applied is None:
        yield Change("described by", None, declaration.name)
    options = _stored_options(registry, row, where)
    before = {
        "source": shown_url(row.source),
        **{f"option {name}": value for name, value in options.items()},
        **{f"filter {name}": value for name, value in row.filter.items()},
        "keep_deleted": row.keep_deleted,
        "guard fraction": round(row.guard_fraction, 6),
        "guard minimum": row.guard_minimum,
        "recheck seconds": row.recheck_seconds,
        "schedule": found.schedule,
        "paused": found.paused,
    }
    after = {
        "source": shown_url(desired.source),
        **{f"option {name}": value for name, value in desired.options.items()},
        **{f"filter {name}": value for name, value in desired.filter.items()},
        "keep_deleted": desired.keep_deleted,
        "guard fraction": round(desired.guard_fraction, 6),
        "guard minimum": desired.guard_minimum,
        "recheck seconds": desired.recheck_seconds,
        "schedule": desired.schedule,
        "paused": found.paused if desired.paused is None else desired.paused,
    }
    for what in [*before, *(name for name in after if name not in before)]:
        if before.get(what) != after.get(what):
            yield Change(what, before.get(what), after.get(what))
    if row.source != desired.source and shown_url(row.source) == shown_url(desired.source):
        yield Change("source", "another address", shown_url(desired.source))
    if desired.secrets is not None:
        for name in sorted({*secrets, *desired.secrets}):
            if secrets.get(name) != desired.secrets.get(name):
                old, new = name in secrets, name in desired.secrets
                word = "changed" if old and new else "set" if new else None
                yield Change(f"secret {name}", "set" if old else None, word)


def _stored_options(registry: Registry, row: ConnectionRow, where: str) -> dict[str, Any]:
    spec = registry.get(row.kind)
    try:
        known = registry.parse_options(spec, row.options, row.options_version)
    except SynclineError:
        return dict(row.options)  # they do not validate any more: then they are replaced
    return known.model_dump(mode="json", exclude_unset=True)
