"""Access tokens that expire are renewed once for all who share them, and never lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from syncline.core.errors import Unauthorized
from syncline.core.ports import OAuthGrant
from syncline.sync.secrets import open_secrets
from syncline.sync.tokens import StoredTokens
from syncline.testing.fakes.oauth import FakeTokens
from syncline.testing.fakes.zendesk import FakeZendesk
from syncline.transport.http import HttpSession
from syncline.transport.oauth import Renewal
from tests.acceptance.connectors.conftest import OpenApi, SyncedApi

_CLIENT = {"client_id": "client-of-ours", "client_secret": "client-secret-4711"}
_SECRETS = {**_CLIENT, "refresh_token": "refresh-token-0000"}


@pytest.fixture
async def server() -> AsyncIterator[FakeZendesk]:
    async with FakeZendesk() as server:
        server.anonymous = False
        server.tokens = FakeTokens(server)
        server.create("Lanterns", "<p>They are lit at dusk.</p>", segment=7)
        yield server


async def _secrets(synced: SyncedApi) -> dict[str, str]:
    row = synced.syncs.row
    return await open_secrets(synced.db, synced.syncs.tools.vault, row.workspace_id, row.id)


async def test_a_sync_renews_what_has_expired(server: FakeZendesk, open_api: OpenApi) -> None:
    """Before its time is over, and when it is refused all the same; the new tokens are kept."""
    assert server.tokens is not None
    async with open_api(server, "zendesk", {"url": server.url}, _SECRETS) as synced:
        first = await synced.run()
        assert first.counts["created"] == 1
        assert server.tokens.asked == 1
        assert first.counts["requests"] == len(server.requests), "the renewal is one of them"
        assert first.counts["received_bytes"] == server.sent_bytes, "its answer, too"
        await synced.run()
        assert server.tokens.asked == 1
        assert (await _secrets(synced))["access_token"] == "access-token-0001"
        server.clock.advance(3600)
        await synced.run()
        assert server.tokens.asked == 2
        server.tokens.expire()
        await synced.run()
        assert (server.tokens.asked, server.tokens.stolen) == (3, False)
        kept = await _secrets(synced)
        assert kept["refresh_token"] == server.tokens.refresh
        assert kept["client_id"] == _CLIENT["client_id"]


async def test_many_who_are_refused_at_once_renew_once(
    server: FakeZendesk, open_api: OpenApi
) -> None:
    """Whoever comes later finds the new token, and asks for none."""
    assert server.tokens is not None
    async with open_api(server, "zendesk", {"url": server.url}, _SECRETS) as synced:
        tools, row = synced.syncs.tools, synced.syncs.row
        secret = server.tokens.client[1]
        from pydantic import SecretStr

        grant = OAuthGrant(f"{server.url}/oauth/tokens", server.tokens.client[0], SecretStr(secret))

        async def ask() -> int:
            store = StoredTokens(tools.database.connection, tools.vault, row.workspace_id, row.id)
            spec = tools.opener.spec("zendesk")
            assert spec.authenticate is not None
            options = spec.options.model_validate({"url": server.url})
            proof = spec.authenticate(options, spec.secrets.model_validate(_SECRETS))
            async with HttpSession(
                allow_private_hosts=["127.0.0.1"],
                authentication=proof,
                renewal=Renewal(grant, store),
                clock=server.clock,
            ) as http:
                response = await http.get(f"{server.url}/api/v2/help_center/locales")
                return response.status

        for expected in (1, 2):
            assert await asyncio.gather(*(ask() for _ in range(6))) == [200] * 6
            assert (server.tokens.asked, server.tokens.stolen) == (expected, False)
            server.tokens.expire()


async def test_access_that_was_withdrawn_needs_a_person(
    server: FakeZendesk, open_api: OpenApi
) -> None:
    """The error says what to do, and shows no token; what was read stays."""
    assert server.tokens is not None
    async with open_api(server, "zendesk", {"url": server.url}, _SECRETS) as synced:
        await synced.run()
        server.tokens.refresh = "another-refresh-token"
        server.tokens.expire()
        server.clock.advance(600)
        report = await synced.syncs.run()
        assert report.error is not None
        assert report.error["code"] == Unauthorized.code
        assert "--secret refresh_token" in report.error["hint"]
        assert "refresh-token-0" not in str(report.error)
        assert len(await synced.documents()) == 1
        kept = await _secrets(synced)
        assert kept["refresh_token"] == "refresh-token-0001"
