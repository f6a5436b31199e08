"""Whole syncs over fake APIs, in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from syncline.core.model import Json, Mode
from syncline.core.ports import Authentication, Explain
from syncline.embedders.hashing import HashingEmbedder
from syncline.settings import Settings
from syncline.store.database import Connection
from syncline.sync.documents import document_page
from syncline.sync.report import Report
from syncline.sync.search import SearchRequest, search
from syncline.sync.secrets import keep_secrets
from syncline.testing.fake_api import FakeApi
from syncline.transport.hosts import Shared
from syncline.transport.http import HttpSession
from syncline.transport.oauth import Renewal
from tests.support.syncs import Syncs, open_syncs


@dataclass(frozen=True, slots=True)
class _Api:
    """An API as a person describes it."""

    path: Path | str
    options: Mapping[str, Json]


@dataclass(slots=True)
class SyncedApi:
    """A fake API, its connection, and what a user sees of it."""

    server: FakeApi
    syncs: Syncs
    db: Connection

    async def run(self, mode: Mode = Mode.INCREMENTAL, **more: Any) -> Report:
        """Sync, some time later; every entry must be accounted for."""
        self.server.clock.advance(600)
        self.server.requests.clear()
        report = await self.syncs.run(mode, **more)
        assert report.error is None, report.error
        assert report.accounted_for, report.as_json()
        return report

    async def documents(self) -> dict[str, str | None]:
        """The titles of the live documents, by entry."""
        found = await document_page(self.db, self.syncs.row.workspace_id, limit=10_000)
        return {each.entry_id: each.title for each in found.documents}

    async def found(self, text: str, *principals: str) -> list[str]:
        """The entries that somebody finds who is all of these."""
        page = await search(
            self.db,
            self.syncs.row.workspace_id,
            SearchRequest(text, principals=principals),
            HashingEmbedder,
            HashingEmbedder.name,
        )
        return [hit.entry_id for hit in page.hits]


OpenApi: TypeAlias = Callable[..., AbstractAsyncContextManager[SyncedApi]]


@pytest.fixture
def open_api(server_settings: Settings, workspace_name: str) -> OpenApi:
    """`async with open_api(server, "zendesk", options, secrets) as synced`."""

    @asynccontextmanager
    async def open_it(
        server: FakeApi, kind: str, options: Mapping[str, Json], secrets: Mapping[str, str]
    ) -> AsyncIterator[SyncedApi]:
        def transport(
            options: Any,
            shared: Shared | None = None,
            authentication: Authentication | None = None,
            explain: Explain | None = None,
            renewal: Renewal | None = None,
        ) -> HttpSession:
            return HttpSession(
                shared=shared,
                authentication=authentication,
                explain=explain,
                renewal=renewal,
                allow_private_hosts=["127.0.0.1"],
                clock=server.clock,
                sleep=server.clock.sleep,
            )

        given = _Api(server.url, {"allow_private_hosts": ["127.0.0.1"], **options})
        async with (
            open_syncs(
                server_settings.model_copy(update={"workers": 1}),
                workspace_name,
                given,
                kind,
                open_transport=transport,
            ) as syncs,
            syncs.tools.database.connection() as db,
        ):
            row = syncs.row
            await keep_secrets(db, syncs.tools.vault, row.workspace_id, row.id, dict(secrets))
            yield SyncedApi(server, syncs, db)

    return open_it
