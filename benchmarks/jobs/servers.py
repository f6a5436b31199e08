"""The servers that the queues need, each started for one measurement, with files on the disk."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from psycopg.conninfo import make_conninfo

from benchmarks.measure import data_folder
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.embedded import EmbeddedServer

__all__ = ["postgres", "redis"]


@contextmanager
def postgres(**environment: str) -> Iterator[Mapping[str, str]]:
    """The bundled server as Syncline sets it up, with its schema, and one beside it for a peer."""
    with data_folder() as data:
        settings = Settings(data_dir=data)

        async def make() -> None:
            async with Database(settings):
                pass

        with asyncio.Runner() as runner:
            server = EmbeddedServer(settings)
            address = runner.run(server.acquire())
            try:
                runner.run(make())
                peer = address.parameters("owner") | {"options": "-c search_path=procrastinate"}
                yield {
                    **environment,
                    "SYNCLINE_DATA_DIR": str(data),
                    "PEER_DATABASE": make_conninfo(**peer),
                }
            finally:
                runner.run(server.release())


@contextmanager
def redis(fsync: str) -> Iterator[Mapping[str, str]]:
    """Redis with an append-only file, written through `always` or `everysec`, on a socket."""
    program = shutil.which("redis-server")
    if program is None:
        sys.exit("This needs Redis: apt-get install redis-server, then run it again.")
    home = Path(tempfile.mkdtemp(prefix="redis-benchmark-", dir="/var/tmp"))
    socket = home / "socket"
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "dir": str(home),
        "save": "",
        "appendonly": "yes",
        "appendfsync": fsync,
    }
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    with subprocess.Popen([program, *words], stdout=subprocess.DEVNULL) as server:
        try:
            deadline = time.monotonic() + 10
            while not socket.exists():
                if server.poll() is not None or time.monotonic() > deadline:
                    sys.exit("Redis did not start.")
                time.sleep(0.02)
            yield {"REDIS_SOCKET": str(socket)}
        finally:
            server.terminate()
    shutil.rmtree(home)
