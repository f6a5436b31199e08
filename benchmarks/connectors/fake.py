"""A fake API in a process of its own: its time and its memory are not what is measured.

The other side sends lines, `edit` or `tell`, and gets a line of JSON back.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from benchmarks.connectors.sources import METERED, SOURCES, Source
from syncline.testing.fake_api import FakeApi

__all__ = ["Asked", "RunningFake", "running"]

_ADDED = "<h2>News</h2><p>The lanterns are lit at dusk, and put out at dawn.</p>"


@dataclass(frozen=True, slots=True)
class Asked:
    """What came in since it was told last."""

    requests: int
    refused: int
    """Of these, for being too many."""
    seconds: float
    """From the first request to the end of the last."""
    idle: float
    """Of these, with no request under way: what is waited for is the quota, or our own work."""


class RunningFake:
    """The fake, as the side sees it that measures."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.url = url
        self._process = process

    def tell(self) -> Asked:
        """What came in, counted anew from now on."""
        return Asked(**self._order("tell"))

    def edit(self) -> None:
        """Add a section to one entry."""
        self._order("edit")

    def _order(self, order: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{order}\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@contextmanager
def running(source: Source, count: int, *, brief: bool = False) -> Iterator[RunningFake]:
    """A fake with so many entries, until the end of the block."""
    group = "metered" if source in METERED else "sources"
    command = [sys.executable, "-m", "benchmarks.connectors.fake", group, source.name]
    command += [str(count), "brief" if brief else "full"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                sys.exit(f"The fake of {source.name} did not start.")
            yield RunningFake(process, json.loads(line)["url"])
        finally:
            process.terminate()


class _Watched:
    """When requests are under way."""

    def __init__(self, server: FakeApi) -> None:
        self._server = server
        self._handle = server._handle  # noqa: SLF001 - the outermost place of all
        self._refused = 0
        self._under_way = 0
        self._clear()
        server._handle = self.handle  # type: ignore[method-assign]  # noqa: SLF001

    def _clear(self) -> None:
        self._first = self._last = 0.0
        self._count = 0
        self._idle = 0.0
        self._refused = self._server.windows.refused
        self._server.requests.clear()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        now = time.monotonic()
        self._first = self._first or now
        if not self._under_way and self._last:
            self._idle += now - self._last
        self._under_way += 1
        self._count += 1
        try:
            return await self._handle(request)
        finally:
            self._under_way -= 1
            self._last = time.monotonic()

    def tell(self) -> dict[str, Any]:
        told = {
            "requests": self._count,
            "refused": self._server.windows.refused - self._refused,
            "seconds": self._last - self._first,
            "idle": self._idle,
        }
        self._clear()
        return told


async def _serve(source: Source, count: int, *, brief: bool) -> None:
    server = source.world(count, brief=brief)
    watched = _Watched(server)
    async with server:
        print(json.dumps({"url": server.url}), flush=True)
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            answer: dict[str, Any] = {}
            if line.strip() == "edit":
                source.edit(server, _ADDED)
            else:
                answer = watched.tell()
            print(json.dumps(answer), flush=True)


def _main(arguments: Sequence[str]) -> None:
    group, name, count, length = arguments
    chosen = METERED if group == "metered" else SOURCES
    source = next(each for each in chosen if each.name == name)
    asyncio.run(_serve(source, int(count), brief=length == "brief"))


if __name__ == "__main__":
    _main(sys.argv[1:])
