"""The port that a service is watched by: `/metrics`, `/healthz` and `/readyz`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from syncline.core.errors import ConfigurationError

__all__ = ["open_endpoint"]

_TEXT = "text/plain; version=0.0.4; charset=utf-8"


@asynccontextmanager
async def open_endpoint(
    host: str,
    port: int,
    *,
    metrics: Callable[[], Awaitable[bytes]],
    trouble: Callable[[], Awaitable[str | None]],
) -> AsyncIterator[str]:
    """Serve while it is open; answers the address. Port 0: any that is free.

    `metrics` makes the text of a scrape; `trouble` says why work cannot be done now, or None.
    Raises `ConfigurationError` where the port cannot be had.
    """

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405)
        match request.path:
            case "/metrics":
                return web.Response(body=await metrics(), headers={"Content-Type": _TEXT})
            case "/healthz":
                return web.Response(text="alive\n")
            case "/readyz":
                why = await trouble()
                return web.Response(text=f"{why or 'ready'}\n", status=503 if why else 200)
        return web.Response(status=404, text="/metrics, /healthz, /readyz\n")

    runner = web.ServerRunner(web.Server(answer, access_log=None))
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            raise ConfigurationError(
                f"SYNCLINE_METRICS_PORT: {host}:{port} cannot be listened on: {error.strerror}.",
                hint="Each service on a machine needs a port of its own; unset it to have none.",
            ) from error
        bound: tuple[str, int] = runner.addresses[0][:2]
        yield f"http://{bound[0]}:{bound[1]}"
    finally:
        await runner.cleanup()
