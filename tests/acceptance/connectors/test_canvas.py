"""Courses, synced: what is written, what is found, by whom, and what it costs."""

from __future__ import annotations

from syncline.testing.fakes.canvas import FakeCanvas
from syncline.testing.fakes.oauth import FakeTokens
from tests.acceptance.connectors.conftest import OpenApi

_TOKEN = "lantern-token-4711"
_SECTION = "<h2>{0}</h2><p>" + "All there is to know about {0}, in some sentences. " * 12 + "</p>"


async def test_courses_are_followed(open_api: OpenApi) -> None:
    """An edit writes one document, and embeds only its own section anew; access is kept."""
    async with FakeCanvas() as canvas:
        canvas.accepts = {f"Bearer {_TOKEN}"}
        course = canvas.create_course("Botany")
        canvas.courses[course].syllabus = "<p>Bring a magnifying lens.</p>"
        public = canvas.create_course("Open days", is_public=True)
        long = "".join(_SECTION.format(topic) for topic in ("mosses", "ferns", "conifers"))
        page = canvas.create("page", course, "Plants", long)
        gone = canvas.create("assignment", course, "Essay", "<p>Write about liverworts.</p>")
        exam = canvas.create("announcement", course, "Exam", "<p>It begins at nine.</p>")
        topic = canvas.create("discussion", course, "Lenses", "<p>Which one is best?</p>")
        canvas.answer_to(topic, "Bob", "<p>The strongest triplet.</p>")
        module = canvas.create("module", course, "Week 1")
        canvas.add_item(module, "Collecting spores")
        file = canvas.create("file", course, "notes.md", "# Herbarium\n\nPress them dry.")
        canvas.create("file", course, "photo.png", "no text")
        canvas.create("page", public, "Opening hours", "<p>On Sundays from ten.</p>")
        options = {"url": canvas.url}
        async with open_api(canvas, "canvas", options, {"token": _TOKEN}) as synced:
            first = await synced.run()
            assert (first.counts["created"], first.counts["filtered"]) == (8, 1)
            member = f"canvas:course:{course}"
            assert await synced.found("magnifying lens") == []
            assert (await synced.found("magnifying lens", member))[0] == f"syllabus:{course}"
            assert (await synced.found("strongest triplet", member))[0] == f"discussion:{topic}"
            assert (await synced.found("press herbarium dry", member))[0] == f"file:{file}"
            assert (await synced.found("collecting spores", member))[0] == f"module:{module}"
            assert len(await synced.found("Sundays from ten")) == 1

            canvas.edit(page, long.replace("ferns", "horsetails"))
            report = await synced.run()
            assert (report.counts["updated"], report.counts["unchanged"]) == (1, 7)
            assert (report.counts["chunks_new"], report.counts["chunks_kept"]) == (1, 2)
            assert len(canvas.requests) == 2 + 2 * 6 + 1

            canvas.delete(gone)
            canvas.publish(page, False)
            canvas.restrict(exam, 77)
            report = await synced.run()
            assert (report.counts["deleted"], report.counts["updated"]) == (2, 1)
            assert await synced.found("begins at nine", member) == []
            assert await synced.found("begins at nine", "canvas:section:77")

            quiet = await synced.run()
            assert (quiet.counts["updated"], quiet.counts["unchanged"]) == (0, 6)
            assert len(canvas.requests) == 2 + 2 * 6


async def test_what_cannot_be_read_deletes_nothing(open_api: OpenApi) -> None:
    """Neither a part that is refused or switched off, nor a course; an app's access serves."""
    async with FakeCanvas() as canvas:
        canvas.accepts, canvas.tokens = set(), FakeTokens(canvas, "/login/oauth2/token")
        client, secret = canvas.tokens.client
        access = {"client_id": client, "client_secret": secret}
        access["refresh_token"] = canvas.tokens.refresh
        course = canvas.create_course("Botany")
        canvas.create("page", course, "Plants", "<p>Mosses.</p>")
        canvas.create("assignment", course, "Essay", "<p>Write about liverworts.</p>")
        options = {"url": canvas.url, "courses": [str(course)]}
        async with open_api(canvas, "canvas", options, access) as synced:
            await synced.run()
            canvas.refusals.forbidden = {"page"}
            report = await synced.run()
            assert (report.counts["gone"], report.counts["incomplete"]) == (0, 1)
            assert any("pages of Botany" in each for each in report.warnings)
            canvas.refusals.forbidden, canvas.refusals.disabled = set(), {"page"}
            report = await synced.run()
            assert (report.counts["gone"], report.warnings) == (0, [])
            assert len(await synced.documents()) == 2
            canvas.courses[course].enrolled = False
            report = await synced.syncs.run()
            assert report.error is not None
            assert "no course" in report.error["message"]
            assert len(await synced.documents()) == 2
