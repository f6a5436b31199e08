"""A fake API as the suite sees it, and a reader that follows it as runs do."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from syncline.core.capabilities import Absence, Changes
from syncline.core.errors import SourceError
from syncline.core.model import Checkpoint, Cursor, Entry, Failed, Gone
from syncline.core.ports import Connector, ConnectorSpec, Context, HttpTransport, Options, Secrets
from syncline.testing.fake_api import FakeApi
from syncline.testing.fakes.oauth import FakeTokens
from syncline.testing.world import SourceWorld
from syncline.transport.hosts import Shared
from syncline.transport.http import HttpSession
from syncline.transport.oauth import MemoryTokens, Renewal, TokenStore

__all__ = ["ApiWorld", "Killed", "Reader"]


class Killed(BaseException):
    """The process ends here: nothing catches it on the way."""


class ApiWorld(SourceWorld):
    """A source that is an API on a fake server."""

    budget = 1
    """The requests that an incremental run may take where nothing has changed."""
    settles_after = 600.0
    """Seconds after which the source's feed tells of a change for certain."""

    def __init__(
        self,
        spec: ConnectorSpec,
        options: Options,
        server: FakeApi,
        secrets: Secrets | None = None,
    ) -> None:
        super().__init__(spec, options, secrets)
        self.server = server
        self.warnings: list[str] = []
        self.shared: Shared | None = None
        """What sessions share about hosts; without it, they know of no quota."""
        self.since: datetime | None = None
        """Where a reading window begins."""
        self._tokens: TokenStore | None = None

    def open(self, *, requests: int | None = None) -> AbstractAsyncContextManager[Connector]:
        """A newly opened connector, whose process is killed after so many requests."""
        return self._open(requests)

    @asynccontextmanager
    async def _open(self, requests: int | None) -> AsyncIterator[Connector]:
        authenticate, oauth = self.spec.authenticate, self.spec.oauth
        grant = oauth(self.options, self.secrets) if oauth and self._tokens else None
        clock = self.server.clock
        async with HttpSession(
            allow_private_hosts=["127.0.0.1"],
            authentication=authenticate(self.options, self.secrets) if authenticate else None,
            explain=self.spec.explain,
            renewal=Renewal(grant, self._tokens) if grant and self._tokens else None,
            shared=self.shared,
            clock=clock,
            sleep=clock.sleep,
        ) as http:
            limited = http if requests is None else _Limited(http, requests)
            context = Context(
                http=limited, clock=clock, since=self.since, warn=self.warnings.append
            )
            async with self.spec.open(self.options, self.secrets, context) as connector:
                yield connector

    def use_oauth(self) -> FakeTokens:
        """From now on the API takes nothing but access tokens that expire; we have one."""
        assert self.spec.oauth is not None
        tokens = FakeTokens(self.server)
        values = tokens.give()
        self.secrets = self.spec.secrets.model_validate(values)
        grant = self.spec.oauth(self.options, self.secrets)
        assert grant is not None, "the spec takes OAuth secrets, but does not renew them"
        tokens.path = urlsplit(grant.token_url).path
        self.server.tokens, self.server.accepts = tokens, set()
        self._tokens = MemoryTokens(values)
        return tokens

    async def settle(self) -> None:
        self.server.clock.advance(self.settles_after)

    @abstractmethod
    async def restrict(self, name: str) -> None:
        """Let fewer people see the entry; nothing else about it changes. Where it has such."""

    def refuse_credentials(self) -> None:
        """From now on the source takes none of ours."""
        self.server.accepts = {"nobody's"}

    async def break_source(self) -> None:
        self.server.misbehave(_unplugged)


async def _unplugged(request: Any) -> Any:
    if request.transport is not None:
        request.transport.close()
    from aiohttp import web

    return web.Response()


class _Limited:
    """A transport whose process dies instead of sending one request too many."""

    def __init__(self, http: HttpTransport, requests: int) -> None:
        self._http = http
        self._left = requests

    def _spend(self) -> None:
        if self._left <= 0:
            raise Killed
        self._left -= 1

    async def get(self, url: str, **more: Any) -> Any:
        self._spend()
        return await self._http.get(url, **more)

    async def post(self, url: str, body: bytes, **more: Any) -> Any:
        self._spend()
        return await self._http.post(url, body, **more)

    def stream(self, url: str, **more: Any) -> Any:
        self._spend()
        return self._http.stream(url, **more)

    def pace(self, url: str, seconds: float) -> None:
        self._http.pace(url, seconds)


class Reader:
    """What one knows who has followed a source by runs: entries by id, and cursors."""

    def __init__(self, world: ApiWorld) -> None:
        self.state: dict[str, Entry] = {}
        self.cursors: dict[str, Cursor] = {}
        self._world = world

    async def run(self, *, requests: int | None = None) -> None:
        """An incremental run. Raises what ended it; what came before it counts."""
        seen: set[str] = set()
        trouble: SourceError | None = None
        async with self._world.open(requests=requests) as connector:
            await connector.check()
            for partition in await connector.partitions():
                cursor = self.cursors.get(partition.id)
                try:
                    async for change in connector.changes(partition, cursor):
                        if isinstance(change, Checkpoint):
                            self.cursors[partition.id] = change.cursor
                        else:
                            trouble = self._take(change, seen) or trouble
                except SourceError as error:
                    trouble = error
        if trouble is not None:
            raise trouble
        if self._world.spec.capabilities.changes is Changes.LISTING:
            await self._forget_all_but(seen)

    async def reconcile(self) -> None:
        """A full enumeration. Raises as `run` does, and then nothing is gone."""
        if self._world.spec.capabilities.absence is Absence.NOTHING:
            return
        seen: set[str] = set()
        trouble: SourceError | None = None
        async with self._world.open() as connector:
            for partition in await connector.partitions():
                async for each in connector.enumerate(partition):
                    trouble = self._take(each, seen) or trouble
        if trouble is not None:
            raise trouble
        await self._forget_all_but(seen)

    async def catch_up(self) -> None:
        """Time passes, and both kinds of run come."""
        await self._world.settle()
        await self.run()
        await self.reconcile()

    def versions(self) -> Mapping[str, str | None]:
        """The versions by id."""
        return {name: entry.version for name, entry in self.state.items()}

    def _take(self, change: Entry | Gone | Failed, seen: set[str]) -> SourceError | None:
        if isinstance(change, Failed):
            if change.id is not None:
                seen.add(change.id)
                return None
            return SourceError(change.message)
        if isinstance(change, Gone) or change.filtered is not None:
            self.state.pop(change.id, None)
        else:
            seen.add(change.id)
            self.state[change.id] = change
        return None

    async def _forget_all_but(self, seen: set[str]) -> None:
        """What was not listed is gone; where that must be confirmed, if fetching it says so."""
        absent = [entry for name, entry in self.state.items() if name not in seen]
        if absent and self._world.spec.capabilities.absence is Absence.CONFIRM:
            async with self._world.open() as connector:
                answers = [await connector.fetch(entry.locator, None) for entry in absent]
            absent = [
                entry
                for entry, answer in zip(absent, answers, strict=True)
                if isinstance(answer, Gone)
            ]
        for entry in absent:
            del self.state[entry.id]
