"""Who gets a webhook's messages, and fails when it is told to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from aiohttp import web

__all__ = ["Receiver"]


class Receiver:
    """Open it with `async with`; its address is then in `url`."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[tuple[Mapping[str, str], bytes]] = []
        """All that came, also what was answered with a failure."""
        self._failures: list[int] = []
        self._runner: web.ServerRunner | None = None

    def fail(self, *statuses: int) -> None:
        """Answer the next requests with these."""
        self._failures += statuses

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The bodies."""
        return [json.loads(body) for _, body in self.requests]

    async def __aenter__(self) -> Self:
        self._runner = web.ServerRunner(web.Server(self._answer, access_log=None))
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/alerts"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append((dict(request.headers), await request.read()))
        status = self._failures.pop(0) if self._failures else 204
        headers = {"Location": "/elsewhere"} if status == 302 else {}
        return web.Response(status=status, headers=headers)
