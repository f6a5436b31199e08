"""From what a file says of a connection to what is stored of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from syncline.connectors.registry import Registry
from syncline.core.errors import ConfigurationError, UsageError
from syncline.core.model import Json
from syncline.core.ports import ConnectorSpec
from syncline.pipeline.filter import parse_age
from syncline.scheduling.text import describe, parse
from syncline.sync.declared import Declaration, DeclaredConnection
from syncline.sync.places import read_place
from syncline.sync.sources import canonical_source

__all__ = ["Desired", "desired_connection"]


_BASE = "Check the spelling; a relative path starts at the file's own folder."


@dataclass(frozen=True, slots=True, repr=False)
class Desired:
    """A connection as a file wants it. Holds secrets, so it is never printed."""

    spec: ConnectorSpec
    source: str
    options: Mapping[str, Json]
    filter: Mapping[str, Json]
    keep_deleted: bool
    guard_fraction: float
    guard_minimum: int
    recheck_seconds: int
    schedule: str | None
    paused: bool | None
    """None: as it is."""
    secrets: Mapping[str, str] | None
    """None: as they are."""


def desired_connection(
    declaration: Declaration, workspace: str, name: str, registry: Registry
) -> Desired:
    """What the file wants of this connection.

    Raises `ConfigurationError` with file and line.
    """
    keys = ("workspaces", workspace, "connections", name)
    declared = declaration.workspaces[workspace].connections[name]
    inner = ""
    try:
        inner = "source"
        spec, source, given = _source(declaration, declared, registry)
        inner = "options"
        options = registry.parse_options(spec, {**given, **declared.options})
        inner = "schedule"
        schedule = None if declared.schedule is None else describe(parse(declared.schedule))
        inner = "recheck"
        recheck = _recheck(declared.recheck)
        inner = "secrets"
        secrets = _secrets(declaration, declared)
    except UsageError as error:
        raise ConfigurationError(
            f"{declaration.where(*keys, inner)}: {name}: {error.message.removesuffix('.')}.",
            hint=_BASE if inner == "source" else error.hint,
        ) from error
    return Desired(
        spec=spec,
        source=source,
        options=options.model_dump(mode="json", exclude_unset=True),
        filter=declared.filter.model_dump(mode="json", exclude_unset=True),
        keep_deleted=declared.keep_deleted,
        guard_fraction=declared.guard.fraction,
        guard_minimum=declared.guard.minimum,
        recheck_seconds=recheck,
        schedule=schedule,
        paused=declared.paused,
        secrets=secrets,
    )


def _source(
    declaration: Declaration, declared: DeclaredConnection, registry: Registry
) -> tuple[ConnectorSpec, str, dict[str, Any]]:
    text = declared.source
    if text is not None and "://" not in text:
        text = str((declaration.path.absolute().parent / text).expanduser())
    if declared.kind is None:
        if text is None:
            raise UsageError("it has neither a source nor a kind", hint="Write `source: ./docs`.")
        spec, given = registry.for_source(text)
        return spec, canonical_source(text, given), given
    spec = registry.get(declared.kind)
    if text is None:
        named = declared.options
        where = named.get("url") or named.get("path") or spec.kind
        return spec, canonical_source(str(where), named), {}
    given = (spec.from_source(text) if spec.from_source else None) or {}
    if not given and "://" in text and "url" in spec.options.model_fields:
        given = {"url": text}  # at a domain of one's own, which does not tell the kind
    if spec.from_source and not given:
        raise UsageError(f"the connector {spec.kind} does not understand {text!r}")
    return spec, canonical_source(text, given), given


def _recheck(text: str) -> int:
    if text.strip() == "0":
        return 0
    try:
        return round(parse_age(text).total_seconds())
    except ValueError as error:
        raise UsageError(str(error)) from error


def _secrets(declaration: Declaration, declared: DeclaredConnection) -> dict[str, str] | None:
    if declared.secrets is None:
        return None
    base = declaration.path.absolute().parent
    return {name: read_place(place, name, base=base) for name, place in declared.secrets.items()}
