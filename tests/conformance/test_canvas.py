"""Courses of Canvas, through the conformance suite."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from syncline.connectors.canvas.spec import SPEC
from syncline.testing.connector_suite import ApiSuite, ApiWorld
from syncline.testing.fakes.canvas import FakeCanvas

TOKEN = "lantern-token-4711"
_KINDS = {"one": "page", "two": "assignment", "three": "announcement", "four": "discussion"}


class CanvasWorld(ApiWorld):
    """A course with one entry of each kind, some of them not published, and one of another's."""

    budget = 8
    """Who we are, the courses, and six lists a course."""
    settles_after = 15.0

    def __init__(self, server: FakeCanvas) -> None:
        super().__init__(
            SPEC,
            SPEC.options.model_validate({"url": server.url, "allow_private_hosts": ["127.0.0.1"]}),
            server,
            SPEC.secrets.model_validate({"token": TOKEN}),
        )
        self.canvas = server
        self.numbers: dict[str, int] = {}
        server.accepts = {f"Bearer {TOKEN}"}
        self.course = server.create_course("Botany")
        server.courses[self.course].syllabus = "<p>Bring a lens.</p>"
        for kind in ("page", "assignment", "discussion", "file"):
            server.publish(
                server.create(kind, self.course, "Not yet.txt", "Nobody's business."), False
            )
        module = server.create("module", self.course, "Week 1")
        server.add_item(module, "Read this")
        topic = server.create("discussion", self.course, "Which lens?", "Tell us.")
        server.answer_to(topic, "Bob", "The strong one.")
        server.create("file", self.course, "Photo.png", "no text")
        self.fixed = {
            f"syllabus:{self.course}": "Bring a lens.",
            f"module:{module}": "Read this",
            f"discussion:{topic}": "The strong one.",
        }

    async def add(self, name: str, text: str) -> str:
        if name in self.numbers:
            await self.edit(name, text)
        else:
            kind = _KINDS.get(name, "file")
            title = f"{name}.html" if kind == "file" else name
            self.numbers[name] = self.canvas.create(kind, self.course, title, f"<p>{text}</p>")
        return f"{self.canvas.things[self.numbers[name]].kind}:{self.numbers[name]}"

    async def edit(self, name: str, text: str) -> None:
        self.canvas.edit(self.numbers[name], f"<p>{text}</p>")

    async def rename(self, name: str) -> str:
        title = f"Renamed {name}" + (".html" if name not in _KINDS else "")
        self.canvas.rename(self.numbers[name], title)
        return title

    async def remove(self, name: str) -> None:
        self.canvas.delete(self.numbers.pop(name))

    async def readers(self, name: str) -> tuple[str, ...] | None:
        known = self.canvas.things[self.numbers[name]].more
        if known.get("sections"):
            return (f"canvas:section:{known['sections'][0]['id']}",)
        return (f"canvas:course:{self.course}",)

    async def restrict(self, name: str) -> None:
        self.canvas.restrict(self.numbers[name], 77)

    async def expected_texts(self) -> dict[str, str]:
        named = (self.canvas.things[number] for number in self.numbers.values())
        return self.fixed | {f"{each.kind}:{each.id}": each.text for each in named}


class TestCanvas(ApiSuite):
    @pytest.fixture
    async def world(self) -> AsyncIterator[ApiWorld]:
        async with FakeCanvas() as server:
            yield CanvasWorld(server)
