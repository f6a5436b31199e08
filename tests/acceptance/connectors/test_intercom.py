"""A workspace of Intercom's, synced: what is written, what is found, and by whom."""

from __future__ import annotations

from syncline.core.model import Mode
from syncline.testing.fakes.intercom import FakeIntercom
from tests.acceptance.connectors.conftest import OpenApi

_TOKEN = "lantern-token-4711"
_SECTION = "<h2>{0}</h2><p>" + "All there is to know about {0}, in some sentences. " * 12 + "</p>"


async def test_a_workspace_is_followed(open_api: OpenApi) -> None:
    """An edit writes one document and embeds one section; conversations are teammates' alone."""
    async with FakeIntercom() as server:
        server.let_in(_TOKEN)
        teammates = f"intercom:teammates:{server.workspace}"
        long = "".join(_SECTION.format(topic) for topic in ("harbours", "orchards", "glaciers"))
        one = server.create("Travelling", long, collection=server.collect("Guides"))
        server.translate(one, "de", "Reisen", "<p>Alles über das Reisen mit der Bahn.</p>")
        two = server.create("Lanterns", "<p>They are lit at dusk by their keepers.</p>")
        server.update(server.create("Later", "<p>Nobody's business yet.</p>"), state="draft")
        note = server.create_internal("Salaries", "<p>Only windmill keepers are paid.</p>")
        talk = server.talk("<p>Our kiln does not fire any more.</p>", subject="<p>Kiln</p>")
        server.assign(talk, server.me)
        read = ["articles", "internal-articles", "conversations"]
        options = {"url": server.url, "read": read}
        async with open_api(server, "intercom", options, {"token": _TOKEN}) as synced:
            first = await synced.run()
            assert (first.counts["created"], first.counts["filtered"]) == (5, 1)
            assert await synced.documents() == {
                f"article:{one}": "Travelling",
                f"article:{one}:de": "Reisen",
                f"article:{two}": "Lanterns",
                f"internal-article:{note}": "Salaries",
                f"conversation:{talk}": "Kiln",
            }
            assert await synced.found("our kiln does not fire") == []
            assert await synced.found("our kiln does not fire", teammates) == [
                f"conversation:{talk}"
            ]
            assert await synced.found("windmill keepers paid", "intercom:teammates:other") == [
                f"article:{two}"
            ]

            server.update(one, body=long.replace("orchards", "vineyards"))
            server.say(talk, "<p>Is the fuse still good?</p>", author=server.me)
            report = await synced.run()
            assert (report.counts["updated"], report.counts["created"]) == (2, 0)
            assert report.counts["chunks_kept"] == 2
            assert await synced.found("vineyards")
            assert await synced.found("fuse still good", teammates)

            server.delete(two)
            server.delete(talk)
            server.update(one, state="draft")
            report = await synced.run()
            assert (report.counts["gone"], set(await synced.documents())) == (
                1,
                {
                    f"article:{one}:de",
                    f"article:{two}",
                    f"internal-article:{note}",
                    f"conversation:{talk}",
                },
            )
            report = await synced.run(Mode.RECONCILE)
            assert report.counts["deleted"] == 2
            assert await synced.found("lanterns lit at dusk") == []
            assert await synced.found("our kiln does not fire", teammates) == []
            quiet = await synced.run()
            assert (quiet.counts["updated"], len(server.requests)) == (0, 4)

            server.scopes_lack = ("/conversations",)
            report = await synced.run()
            (warning,) = report.warnings
            assert "Conversations: " in warning
            assert "Give the app the permission" in warning
            assert (report.counts["gone"], report.exit_code) == (0, 3)
