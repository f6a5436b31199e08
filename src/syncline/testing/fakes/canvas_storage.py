"""Where the files of a fake Canvas lie."""

from __future__ import annotations

from aiohttp import web

from syncline.testing.fake_server import FakeServer

__all__ = ["FakeStorage"]


class FakeStorage(FakeServer):
    """Where files really lie: another host, which wants no token of Canvas."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, bytes] = {}

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if "Authorization" in request.headers:
            return web.Response(status=400, text="Only one auth mechanism allowed")
        data = self.files.get(request.path)
        return web.Response(status=404) if data is None else web.Response(body=data)
