"""Finds connectors by name, and by what a person typed.

Ours are known without looking around. Others come from the entry point group
`syncline.connectors` of the installed packages and, for tests and private connectors, from
`SYNCLINE_CONNECTORS="kind=module:SPEC,…"`, which wins. A connector's module is imported when it
is first asked for, so that a broken package harms nobody who does not use it.
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from syncline.connectors.options import parse_options
from syncline.core.errors import ConfigurationError, UsageError
from syncline.core.model import Json
from syncline.core.ports import ConnectorSpec, Options

__all__ = ["ENVIRONMENT_VARIABLE", "GROUP", "Registry"]

GROUP = "syncline.connectors"
ENVIRONMENT_VARIABLE = "SYNCLINE_CONNECTORS"

_BUILT_IN = {
    "canvas": "syncline.connectors.canvas.spec:SPEC",
    "confluence": "syncline.connectors.confluence.spec:SPEC",
    "files": "syncline.connectors.files.spec:SPEC",
    "intercom": "syncline.connectors.intercom.spec:SPEC",
    "website": "syncline.connectors.website.spec:SPEC",
    "zendesk": "syncline.connectors.zendesk.spec:SPEC",
    "zendesk-tickets": "syncline.connectors.zendesk_tickets.spec:SPEC",
}
_GENERAL = ("website",)
"""Asked last: they take any URL, also one that a more particular connector knows."""
_HOST = re.compile(r"[\w-]+(\.[\w-]+)*\.[a-z]{2,}(:\d+)?(/.*)?", re.IGNORECASE)


class _Place(Struct, frozen=True):
    """Where a spec is to be imported from, and who put it there."""

    kind: str
    target: str
    origin: str


class Registry:
    """The connectors of this installation."""

    def __init__(self, extra: Mapping[str, str] | None = None) -> None:
        """`extra` maps kinds to import paths, `{"wiki": "acme.wiki:SPEC"}`; they win."""
        self._places = {
            kind: _Place(kind, target, "Syncline") for kind, target in _BUILT_IN.items()
        }
        for kind, target in (extra or {}).items():
            self._places[kind] = _Place(kind, target, ENVIRONMENT_VARIABLE)
        self._ambiguous: dict[str, list[str]] = {}
        self._scanned = False
        self._specs: dict[str, ConnectorSpec] = {}

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Registry:
        """With the connectors that `SYNCLINE_CONNECTORS` names.

        Raises `ConfigurationError` if it cannot be read.
        """
        extra = {}
        for part in filter(None, map(str.strip, environ.get(ENVIRONMENT_VARIABLE, "").split(","))):
            kind, equals, target = part.partition("=")
            if not equals or not kind or ":" not in target:
                raise ConfigurationError(
                    f"{ENVIRONMENT_VARIABLE}: {part!r} is not of the form kind=module:SPEC",
                    hint=f"Correct or unset {ENVIRONMENT_VARIABLE}.",
                )
            extra[kind.strip()] = target.strip()
        return cls(extra)

    def kinds(self) -> tuple[str, ...]:
        """The names of all connectors, sorted. Imports none of them."""
        self._scan()
        return tuple(sorted(self._places))

    def get(self, kind: str) -> ConnectorSpec:
        """The spec of this kind.

        Raises `ConfigurationError` if there is none, or if its package is broken.
        """
        known = self._specs.get(kind)
        if known is not None:
            return known
        if kind not in self._places:
            self._scan()
        place = self._places.get(kind)
        if place is None:
            raise ConfigurationError(
                f"There is no connector {kind!r}",
                hint=f"There are: {', '.join(self.kinds())}. "
                "Others come as packages; install one and try again.",
            )
        if kind in self._ambiguous:
            packages = ", ".join(sorted(self._ambiguous[kind]))
            raise ConfigurationError(
                f"Several packages bring a connector {kind!r}: {packages}",
                hint="Uninstall all but one of them.",
            )
        spec = self._specs[kind] = _load(place)
        return spec

    def for_source(self, text: str) -> tuple[ConnectorSpec, dict[str, Any]]:
        """The connector for a path or URL that a person typed, and the options it gives.

        Raises `UsageError` if a path does not exist, or if nothing understands the text.
        """
        text = text.strip()
        if not text:
            raise UsageError("No source was given", hint="Give a folder's path or a URL.")
        broken = []
        for kind in self._asking_order(text):
            try:
                spec = self.get(kind)
            except ConfigurationError as error:
                broken.append(error.message)
                continue
            options = spec.from_source(text) if spec.from_source else None
            if options is not None:
                return spec, options
        raise UsageError(_nothing_fits(text), hint=" ".join([self._understood(text), *broken]))

    def parse_options(
        self, spec: ConnectorSpec, raw: Mapping[str, Json], stored_version: int | None = None
    ) -> Options:
        """See `syncline.connectors.options.parse_options`."""
        return parse_options(spec, raw, stored_version)

    def _asking_order(self, text: str) -> Iterator[str]:
        """Paths are settled without looking around for other packages."""
        yield "files"
        yield from (kind for kind in self.kinds() if kind not in {"files", *_GENERAL})
        yield from _GENERAL

    def _scan(self) -> None:
        """Learn which kinds the installed packages bring. Once: it reads many small files."""
        if self._scanned:
            return
        self._scanned = True
        from importlib.metadata import entry_points

        for found in entry_points(group=GROUP):
            origin = f"package {found.dist.name}" if found.dist else "an unknown package"
            present = self._places.get(found.name)
            if present is None:
                self._places[found.name] = _Place(found.name, found.value, origin)
            elif present.origin.startswith("package") and present.target != found.value:
                self._ambiguous.setdefault(found.name, [present.origin]).append(origin)

    def _understood(self, text: str) -> str:
        if _HOST.fullmatch(text):
            return f"If it is a website, write https://{text}."
        lines = []
        for kind in self.kinds():
            try:
                spec = self.get(kind)
            except ConfigurationError:
                continue
            if spec.from_source:
                lines.append(f"{spec.title} ({kind})")
        return (
            f"Understood are: {'; '.join(lines)}. "
            "`syncline connectors` shows how a source of each is written."
        )


def _load(place: _Place) -> ConnectorSpec:
    module_name, _, attribute = place.target.partition(":")
    try:
        spec = getattr(importlib.import_module(module_name), attribute)
    except Exception as error:  # somebody else's module may raise anything
        raise ConfigurationError(
            f"The connector {place.kind!r} of {place.origin} cannot be loaded from "
            f"{place.target}: {type(error).__name__}: {error}",
            hint=f"Reinstall or remove {place.origin}.",
        ) from error
    if not isinstance(spec, ConnectorSpec) or spec.kind != place.kind:
        found = f"kind {spec.kind!r}" if isinstance(spec, ConnectorSpec) else type(spec).__name__
        raise ConfigurationError(
            f"The connector {place.kind!r} of {place.origin} cannot be used: {place.target} "
            f"is not a ConnectorSpec of that kind but {found}",
            hint=f"Reinstall or remove {place.origin}.",
        )
    return spec


def _nothing_fits(text: str) -> str:
    if "://" in text:
        return f"No connector understands {text!r}"
    return f"{text!r} is neither a file or folder that exists nor a URL"
