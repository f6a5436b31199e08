"""A source behind a limit, on loopback: 50 ms an answer, one of twenty fails, so many a second.

`python -m benchmarks.jobs.scripts.metered_source LIMIT` serves it until its input ends; it prints
its port, and then what it was asked, as JSON. `SPEC` is the connector for it.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import blake2b

from aiohttp import web
from pydantic import Field, SecretStr

from syncline.core.capabilities import Absence, Capabilities, Changes, Versions
from syncline.core.model import (
    Change,
    Content,
    Cursor,
    Entry,
    Failed,
    Fetched,
    Identity,
    Locator,
    Partition,
    Validators,
)
from syncline.core.ports import (
    Authentication,
    Connector,
    ConnectorSpec,
    Context,
    MeteredOptions,
    Secrets,
)
from syncline.core.urls import origin_of

__all__ = ["PAGES", "SPEC"]

PAGES = 5
_ANSWER_SECONDS = 0.05
_FAILING = 20
_WINDOW_SECONDS = 1.0
_LENGTH = 200
_WORDS = [
    "".join(random.Random(n).choices("abcdefghijklmnoprstuvw", k=n % 8 + 3)) for n in range(5_000)
]
"""Of which all pages consist, as those of a language do."""


class MeteredSourceOptions(MeteredOptions):
    """Which of its lists is read."""

    url: str
    number: int
    allow_private_hosts: list[str] = Field(default_factory=list)


class MeteredSourceSecrets(Secrets):
    """One account for all of them."""

    token: SecretStr


class _Source:
    def __init__(self, options: MeteredSourceOptions, context: Context) -> None:
        self._options = options
        self._http = context.http

    async def check(self) -> Identity:
        return Identity("metered")

    async def partitions(self) -> Sequence[Partition]:
        return [Partition("")]

    async def changes(self, partition: Partition, cursor: Cursor | None) -> AsyncIterator[Change]:
        async for entry in self.enumerate(partition):
            yield entry

    async def enumerate(self, partition: Partition) -> AsyncIterator[Entry | Failed]:
        answer = await self._http.get(f"{self._options.url}/{self._options.number}")
        for name in json.loads(answer.body):
            yield Entry(name, "1", {"name": name})

    async def fetch(self, locator: Locator, validators: Validators | None) -> Fetched:
        answer = await self._http.get(f"{self._options.url}/{locator['name']}")
        return Content(answer.body, "text/markdown")


@asynccontextmanager
async def _open(
    options: MeteredSourceOptions, secrets: MeteredSourceSecrets, context: Context
) -> AsyncIterator[Connector]:
    yield _Source(options, context)


def _authenticate(options: MeteredSourceOptions, secrets: MeteredSourceSecrets) -> Authentication:
    token = secrets.token.get_secret_value()
    return Authentication(frozenset({origin_of(options.url)}), {"Authorization": f"Bearer {token}"})


SPEC = ConnectorSpec(
    kind="metered",
    title="Metered source",
    description="Lists of pages behind a limit",
    options=MeteredSourceOptions,
    capabilities=Capabilities(Changes.LISTING, Absence.PROOF, Versions.EXACT),
    open=_open,
    secrets=MeteredSourceSecrets,
    authenticate=_authenticate,
)


class _Server:
    """Counts, refuses what is too much in any second, and fails one of twenty the first time."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._window: deque[float] = deque()
        self._failed: set[str] = set()
        self._first = self._last = 0.0
        self._counts = {"answered": 0, "failed": 0, "refused": 0}

    async def answer(self, request: web.Request) -> web.Response:
        now = time.monotonic()
        while self._window and self._window[0] <= now - _WINDOW_SECONDS:
            self._window.popleft()
        if len(self._window) >= self._limit:
            self._counts["refused"] += 1
            return web.Response(status=429, headers={"Retry-After": "1"})
        self._window.append(now)
        self._first = self._first or now
        await asyncio.sleep(_ANSWER_SECONDS)
        self._last = time.monotonic()
        path = request.path.lstrip("/")
        if self._fails(path):
            self._counts["failed"] += 1
            return web.Response(status=503)
        self._counts["answered"] += 1
        if "-" not in path:
            return web.json_response([f"{path}-{n}" for n in range(PAGES)])
        text = " ".join(random.Random(path).choices(_WORDS, k=_LENGTH))
        return web.Response(text=f"# Page {path}\n\n{text}\n")

    def _fails(self, path: str) -> bool:
        if path in self._failed or blake2b(path.encode()).digest()[0] % _FAILING:
            return False
        self._failed.add(path)
        return True

    def told(self) -> str:
        return json.dumps({**self._counts, "seconds": self._last - self._first})


async def _serve(limit: int) -> None:
    server = _Server(limit)
    runner = web.ServerRunner(web.Server(server.answer))  # type: ignore[arg-type]  # a narrower request
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert runner.addresses
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()
    print(server.told(), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
