"""A Confluence, synced: what is written, what is found, and by whom."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import unquote

from syncline.core.model import Mode
from syncline.testing.fakes.confluence import FakeConfluence
from tests.acceptance.connectors.conftest import OpenApi
from tests.support.looking import query

_TOKEN = "NDc1MTQ4OTU2-lantern"
_SECTION = "<h2>{0}</h2><p>" + "All there is to know about {0}, in some sentences. " * 12 + "</p>"
_CODE = (
    '<ac:structured-macro ac:name="code"><ac:plain-text-body><![CDATA[kiln --fire <b>]]>'
    "</ac:plain-text-body></ac:structured-macro>"
)


async def test_a_space_is_followed(open_api: OpenApi) -> None:
    """An edit writes one document, and embeds only its own section anew; access is kept."""
    async with FakeConfluence() as server:
        server.let_in(_TOKEN)
        server.add_space("DOCS", "Documentation", viewers=[("anonymous", "")])
        long = "".join(_SECTION.format(topic) for topic in ("harbours", "orchards", "glaciers"))
        page = server.create("DOCS", "Travelling", long)
        pay = server.create("DOCS", "Salaries", "<p>Windmill keepers earn most.</p>")
        server.create("DOCS", "Of 2026", "<p>Windmills were raised.</p>", parent=pay)
        server.restrict(pay, groups=["staff"])
        kiln = server.create("DOCS", "Kilns", f"<p>So they are lit:</p>{_CODE}", kind="blogpost")
        said = server.create(
            "DOCS", "Re: Kilns", "<p>Mine cracked.</p>", kind="comment", parent=kiln
        )
        file = server.create("DOCS", "glaze.md", "# Celadon", kind="attachment", parent=kiln)
        server.create("DOCS", "kiln.png", kind="attachment", parent=kiln)
        options = {"url": server.url, "spaces": ["DOCS"]}
        async with open_api(server, "confluence", options, {"token": _TOKEN}) as synced:
            first = await synced.run()
            assert (first.counts["created"], first.counts["filtered"]) == (6, 1)
            everything = await synced.documents()
            assert everything[f"comment:{said}"] == "Re: Kilns"
            assert everything[f"attachment:{file}"] == "glaze.md"
            assert f"blogpost:{kiln}" in await synced.found("kiln --fire <b>")
            assert f"attachment:{file}" in await synced.found("celadon")
            assert await synced.found("windmill") == []
            assert len(await synced.found("windmill", "confluence:group:staff")) == 2

            again = await synced.run()
            assert (again.counts["created"], again.counts["updated"]) == (0, 0)
            assert len(server.requests) == 3

            server.update(page, long.replace("harbours", "seaports"))
            edited = await synced.run()
            assert (edited.counts["updated"], edited.counts["created"]) == (1, 0)
            assert (edited.counts["chunks_new"], edited.counts["chunks_kept"]) == (1, 2)

            server.clock.advance(3 * 86_400)
            await synced.run()
            server.restrict(pay, users=["jane"])
            server.trash(page)
            quiet = await synced.run()
            assert (quiet.counts["updated"], quiet.counts["deleted"]) == (0, 0)
            report = await synced.run(Mode.RECONCILE)
            assert (report.counts["updated"], report.counts["deleted"]) == (2, 1)
            assert f"page:{page}" not in await synced.documents()
            assert await synced.found("windmill", "confluence:group:staff") == []
            assert len(await synced.found("windmill", "confluence:user:jane")) == 2

            server.tells_permissions = False  # somebody took our account's right away
            await synced.run(Mode.RECONCILE)
            assert await synced.found("celadon") == []
            assert f"attachment:{file}" in await synced.found("celadon", "confluence:space:DOCS")


async def test_a_space_is_read_again_from_a_time_on(open_api: OpenApi) -> None:
    """Of one space alone, what was modified since, whatever is known of it; no cursor moves."""
    async with FakeConfluence() as server:
        server.let_in(_TOKEN)
        for key in ("DOCS", "HR"):
            server.add_space(key, viewers=[("anonymous", "")])
        old = server.create("DOCS", "Old", "<p>Lanterns.</p>")
        server.clock.advance(30 * 86_400)
        new = server.create("DOCS", "New", "<p>Harbours.</p>")
        other = server.create("HR", "Other", "<p>Orchards.</p>")
        options = {"url": server.url, "spaces": ["DOCS", "HR"]}
        async with open_api(server, "confluence", options, {"token": _TOKEN}) as synced:
            assert (await synced.run()).counts["created"] == 3
            cursors = "SELECT partition, value FROM cursors WHERE workspace_id = %s ORDER BY 1"
            before = await query(synced.syncs, cursors)
            for page in (old, new, other):  # what the source tells nobody
                server.contents[page].body = "<p>Windmills.</p>"
            week = server.now() - timedelta(days=7)
            report = await synced.run(Mode.BACKFILL, partitions=["DOCS"], since=week)
            assert (report.counts["listed"], report.counts["updated"]) == (1, 1)
            assert await synced.found("windmills") == [f"page:{new}"]
            asked = [unquote(seen.path) for seen in server.requests if "cql=" in seen.path]
            assert asked
            assert all("DOCS" in each and "lastmodified" in each for each in asked), asked
            assert await query(synced.syncs, cursors) == before


async def test_a_space_out_of_sight_deletes_nothing(open_api: OpenApi) -> None:
    """Whether it is gone, or only not for this account, the run fails and says which."""
    async with FakeConfluence() as server:
        server.let_in(_TOKEN)
        for key in ("DOCS", "HR"):
            server.add_space(key)
            server.create(key, f"Of {key}", "<p>Lanterns.</p>")
        options = {"url": server.url, "spaces": ["DOCS", "HR"]}
        async with open_api(server, "confluence", options, {"token": _TOKEN}) as synced:
            await synced.run()
            before = await synced.documents()
            hidden = server.spaces.pop("HR")
            server.clock.advance(600)
            report = await synced.syncs.run(Mode.RECONCILE)
            assert "no space 'HR'" in str(report.error)
            assert await synced.documents() == before
            server.spaces["HR"] = hidden
            assert (await synced.run(Mode.RECONCILE)).counts["unchanged"] == 2
