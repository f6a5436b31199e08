"""The source behind a connector under test, and how the checks look at it."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

from pydantic import SecretStr

from syncline.core.clock import SystemClock
from syncline.core.model import Change, Cursor, Entry, Failed, Gone, Json, Partition, Validators
from syncline.core.ports import (
    Connector,
    ConnectorSpec,
    Context,
    HttpResponse,
    Options,
    Secrets,
)

__all__ = [
    "TEXTS",
    "Check",
    "SourceWorld",
    "apply",
    "entries_of",
    "enumerated",
    "only_live",
    "populate",
    "read_changes",
    "round_trip",
    "secret_values",
]

TEXTS = {
    "one": "The first text tells of lanterns.",
    "two": "The second text tells of harbours.",
    "three": "The third text tells of orchards.",
    "four": "The fourth text tells of glaciers.",
    "five": "The fifth text tells of windmills.",
}
"""What every check begins with, by name."""


class SourceWorld(ABC):
    """A source that the suite may change: a folder, a fake server with its site.

    `name` is the suite's own word for an entry, of letters, digits and dashes; the world decides
    which id that becomes.
    """

    def __init__(self, spec: ConnectorSpec, options: Options, secrets: Secrets | None = None):
        self.spec = spec
        self.options = options
        self.secrets = spec.secrets() if secrets is None else secrets

    def context(self) -> Context:
        """What the connector is opened with; by default one that reaches no network."""
        return Context(http=_NoNetwork(), clock=SystemClock())

    def open(self) -> AbstractAsyncContextManager[Connector]:
        """A newly opened connector, which remembers nothing of those before it."""
        return self.spec.open(self.options, self.secrets, self.context())

    @abstractmethod
    async def add(self, name: str, text: str) -> str:
        """Let an entry with this text come into being. Returns its id."""

    @abstractmethod
    async def edit(self, name: str, text: str) -> None:
        """Give the entry another text."""

    @abstractmethod
    async def remove(self, name: str) -> None:
        """Delete the entry at the source, properly."""

    @abstractmethod
    async def expected_ids(self) -> set[str]:
        """The ids of everything that lives and that the options do not leave out."""

    async def settle(self) -> None:  # noqa: B027 - most sources tell at once
        """Let so much time pass that the source tells of everything that has happened."""

    @abstractmethod
    async def break_source(self) -> None:
        """Let the source be out of reach from now on: unplugged, moved away, refusing."""


Check: TypeAlias = Callable[[SourceWorld], Awaitable[None]]
"""One property of a connector. Raises `AssertionError`, which says what is not as it must be."""


async def populate(world: SourceWorld) -> dict[str, str]:
    """Add `TEXTS`, and let the source tell of them. Returns the ids by name."""
    ids = {name: await world.add(name, text) for name, text in TEXTS.items()}
    await world.settle()
    return ids


async def read_changes(
    connector: Connector, cursors: Mapping[str, Cursor] | None = None
) -> list[tuple[Partition, Change]]:
    """The change streams of all partitions, from `cursors` (by partition id) on."""
    return [
        (partition, change)
        for partition in await connector.partitions()
        async for change in connector.changes(partition, (cursors or {}).get(partition.id))
    ]


async def enumerated(connector: Connector) -> list[Entry]:
    """Every entry that is enumerated and not left out. Fails if anything could not be listed."""
    found = [
        each
        for partition in await connector.partitions()
        async for each in connector.enumerate(partition)
    ]
    failed = [each for each in found if isinstance(each, Failed)]
    assert not failed, f"nothing should fail to be enumerated, but: {failed}"
    return only_live(found)


def only_live(changes: list[Entry | Failed] | list[Change]) -> list[Entry]:
    """The entries among `changes` that the connector does not leave out."""
    return [each for each in changes if isinstance(each, Entry) and each.filtered is None]


def entries_of(changes: list[tuple[Partition, Change]]) -> list[Entry]:
    return only_live([change for _, change in changes])


def apply(state: dict[str, Entry], changes: list[Change]) -> None:
    """What a reader knows after these changes. Fails if anything could not be listed."""
    for change in changes:
        assert not isinstance(change, Failed), f"nothing should fail to be listed, but: {change}"
        if isinstance(change, Gone) or (isinstance(change, Entry) and change.filtered):
            state.pop(change.id, None)
        elif isinstance(change, Entry):
            state[change.id] = change


def round_trip(value: Json) -> Json:
    """`value` as it comes back from storage."""
    return json.loads(json.dumps(value))


def secret_values(secrets: Secrets) -> list[str]:
    """The values that must not be found anywhere."""
    values = (getattr(secrets, name) for name in type(secrets).model_fields)
    return [
        each.get_secret_value()
        for each in values
        if isinstance(each, SecretStr) and each.get_secret_value()
    ]


class _NoNetwork:
    """For sources that are reached in another way."""

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        validators: Validators | None = None,
        max_bytes: int | None = None,
    ) -> HttpResponse:
        raise AssertionError(f"this world has no network, but {url} was asked for")

    async def post(
        self,
        url: str,
        body: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        max_bytes: int | None = None,
    ) -> HttpResponse:
        raise AssertionError(f"this world has no network, but {url} was asked")

    def stream(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        max_bytes: int | None = None,
        keep: float | None = None,
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        raise AssertionError(f"this world has no network, but {url} was asked for")

    def pace(self, url: str, seconds: float) -> None:
        raise AssertionError(f"this world has no network, but {url} was to be paced")
