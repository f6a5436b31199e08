"""A help center and tickets, synced: what is written, what is found, and by whom."""

from __future__ import annotations

from datetime import timedelta

from aiohttp import web

from syncline.core.model import Mode
from syncline.testing.fakes.zendesk import FakeZendesk
from syncline.testing.fakes.zendesk_tickets import FakeZendeskTickets
from tests.acceptance.connectors.conftest import OpenApi
from tests.support.looking import configure

_SECRETS = {"email": "ann@example.com", "api_token": "lantern-token-4711"}
_SECTION = "<h2>{0}</h2><p>" + "All there is to know about {0}, in some sentences. " * 12 + "</p>"


async def test_a_help_center_is_followed(open_api: OpenApi) -> None:
    """An edit writes one document, and embeds only its own section anew; access is kept."""
    async with FakeZendesk() as server:
        server.let_in(*_SECRETS.values())
        long = "".join(_SECTION.format(topic) for topic in ("harbours", "orchards", "glaciers"))
        one = server.create("Travelling", long)
        server.translate(one, "de", "Reisen", "<p>Alles über das Reisen.</p>")
        secret = server.create("Salaries", "<p>Only windmill keepers read this.</p>", segment=77)
        server.create("Lanterns", "<p>They are lit at dusk.</p>")
        async with open_api(server, "zendesk", {"url": server.url}, _SECRETS) as synced:
            first = await synced.run()
            assert first.counts["created"] == 4
            assert await synced.documents() == {
                f"article:{one}:en-us": "Travelling",
                f"article:{one}:de": "Reisen",
                f"article:{secret}:en-us": "Salaries",
                f"article:{secret + 1}:en-us": "Lanterns",
            }
            assert await synced.found("windmill keepers") == []
            assert f"article:{secret}:en-us" in await synced.found(
                "windmill keepers", "zendesk:segment:77"
            )

            server.translate(one, "en-us", "Travelling", long.replace("orchards", "vineyards"))
            report = await synced.run()
            assert (report.counts["updated"], report.counts["created"]) == (1, 0)
            assert (report.counts["chunks_new"], report.counts["chunks_kept"]) == (1, 2)
            assert await synced.found("vineyards")

            server.archive(one)
            server.restrict(secret + 1, 77)
            assert (await synced.run()).counts["gone"] == 0
            report = await synced.run(Mode.RECONCILE)
            assert report.counts["deleted"] == 2
            assert await synced.found("lanterns at dusk") == []
            quiet = await synced.run()
            assert (quiet.counts["updated"], len(server.requests)) == (0, 2)


async def test_tickets_are_followed(open_api: OpenApi) -> None:
    """What agents say among themselves is a document that only they find."""
    async with FakeZendeskTickets() as server:
        server.let_in(*_SECRETS.values())
        ticket = server.create("Broken kiln", "It does not fire any more.", requester=501)
        server.comment(ticket, "Have you tried another fuse?")
        server.comment(ticket, "This customer always says so.", public=False)
        spam = server.create("Spam", "Buy now.", requester=502)
        async with open_api(server, "zendesk-tickets", {"url": server.url}, _SECRETS) as synced:
            first = await synced.run()
            assert first.counts["created"] == 3
            assert first.counts["absent"] == 1  # of the second ticket's internal notes
            assert len(server.requests) == 4  # who we are, the export, and each one's comments
            requester, agents = "zendesk:user:501", "zendesk:agents"
            assert f"ticket:{ticket}" in await synced.found("another fuse", requester)
            assert f"ticket:{ticket}:internal" not in await synced.found("customer", requester)
            found = await synced.found("customer always says", agents)
            assert found[0] == f"ticket:{ticket}:internal"
            assert await synced.found("another fuse") == []

            server.delete(spam)
            report = await synced.run()
            assert report.counts["deleted"] == 1
            assert set(await synced.documents()) == {
                f"ticket:{ticket}",
                f"ticket:{ticket}:internal",
            }


async def test_a_window_that_is_opened_wider_reads_what_it_had_left_out(open_api: OpenApi) -> None:
    """The first sync did not hear of old tickets, and the export would never tell of them."""
    async with FakeZendeskTickets() as server:
        server.let_in(*_SECRETS.values())
        server.cap = 2
        for number in range(7):
            server.create(f"Old {number}", "It does not fire any more.")
        server.clock.advance(365 * 86_400)
        since = server.clock.now() - timedelta(days=30)
        server.create("New", "It fires again.")
        options = {"url": server.url, "internal_comments": False}
        async with open_api(server, "zendesk-tickets", options, _SECRETS) as synced:
            window = {"updated_since": since.isoformat()}
            await configure(synced.syncs, filter=window)
            first = await synced.run()
            assert (first.listed, len(server.requests)) == (1, 3)
            await configure(synced.syncs, filter=window)
            assert (await synced.run()).listed == 0
            await configure(synced.syncs, filter={})
            assert (await synced.run()).counts["created"] == 7
            report = await synced.run(Mode.BACKFILL, since=since)
            assert (report.counts["unchanged"], report.listed, len(server.requests)) == (1, 1, 3)
            await configure(synced.syncs, filter={"updated_since": server.clock.now().isoformat()})
            assert (await synced.run()).counts["deleted"] == 0
            assert len(await synced.documents()) == 8


async def test_a_window_that_is_opened_while_a_sync_reads_is_not_passed_over(
    open_api: OpenApi,
) -> None:
    """The sync's cursor would leave behind what the sync itself was told to leave out."""
    async with FakeZendeskTickets() as server:
        server.let_in(*_SECRETS.values())
        server.create("Old", "It does not fire any more.")
        server.clock.advance(365 * 86_400)
        since = server.clock.now() - timedelta(days=30)
        server.create("New", "It fires again.")
        options = {"url": server.url, "internal_comments": False}
        async with open_api(server, "zendesk-tickets", options, _SECRETS) as synced:

            async def edited_meanwhile(request: web.BaseRequest) -> web.StreamResponse:
                await configure(synced.syncs, filter={})
                return await server.answer(request)

            await configure(synced.syncs, filter={"updated_since": since.isoformat()})
            server.misbehave(edited_meanwhile, times=1, after=1)
            assert (await synced.run()).listed == 1
            assert (await synced.run()).counts["created"] == 1
            assert (await synced.run()).listed == 0
