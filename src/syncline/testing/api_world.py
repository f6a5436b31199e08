"""A fake API as the suite sees it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from syncline.core.ports import Connector, ConnectorSpec, Context, HttpTransport, Options, Secrets
from syncline.testing.fake_api import FakeApi
from syncline.testing.fakes.oauth import FakeTokens
from syncline.testing.world import SourceWorld
from syncline.transport.hosts import Shared
from syncline.transport.http import HttpSession
from syncline.transport.oauth import MemoryTokens, Renewal, TokenStore

__all__ = ["ApiWorld", "Killed"]


class Killed(BaseException):
    """The process ends here: nothing catches it on the way."""


class ApiWorld(SourceWorld):
    """A source that is an API on a fake server."""

    budget = 1
    """The requests that an incremental run may take where nothing has changed."""
    access_changes = True
    """Whether who may see an entry can change while nothing else about it does."""
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

    @abstractmethod
    async def expected_texts(self) -> Mapping[str, str]:
        """By id, of everything that lives and that the options do not leave out: words that its
        text must have now, such as those of the last edit."""

    async def expected_ids(self) -> set[str]:
        return set(await self.expected_texts())

    async def settle(self) -> None:
        self.server.clock.advance(self.settles_after)

    @abstractmethod
    async def rename(self, name: str) -> str:
        """Give the entry another title and no other text. Returns the title that it has then."""

    async def readers(self, name: str) -> tuple[str, ...] | None:
        """Who may see the entry now, as the connector has to put it; None is everyone."""
        return None

    async def restrict(self, name: str) -> None:
        """Let others see the entry than before; nothing else about it changes. Where there are
        access lists, and `access_changes`."""
        raise NotImplementedError("this world's access lists do not change")

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
