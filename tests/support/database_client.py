"""A process of its own that uses the bundled server and does as it is told, line by line."""

from __future__ import annotations

import asyncio
import concurrent.futures.thread  # noqa: F401  # loaded while we may read the standard library
import json
import os
import pwd  # noqa: F401  # the same
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

from syncline.core.errors import SynclineError
from syncline.store.embedded import EmbeddedServer
from tests.support.data_folders import settings_for

__all__ = ["DatabaseClient"]


class DatabaseClient:
    """The test's side: starts the process, tells it what to do, reads what came of it."""

    def __init__(self, data_folder: Path, version: str, *, uid: int | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(data_folder), version, str(uid or "")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self.signal(signal.SIGKILL)
        self.wait()

    def tell(self, command: str) -> None:
        """Send a command without waiting for its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """The answer to the oldest command that has not been answered."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the client ended with {self._process.wait()}"
        found = json.loads(line)
        assert isinstance(found, dict)
        return found

    def ask(self, command: str) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        self.tell(command)
        return self.answer()

    def signal(self, number: signal.Signals) -> None:
        """To the process and its group, as a terminal does with Ctrl-C."""
        os.killpg(self.pid, number)

    def wait(self) -> int:
        """Until it has ended, which it does for want of commands; gives its return code."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        with self._process as process:
            return process.wait(timeout=30)


async def _acquire(server: EmbeddedServer, arguments: list[str]) -> dict[str, Any]:
    began = time.perf_counter()
    address = await server.acquire()
    seconds = time.perf_counter() - began
    return {"host": address.host, "pid": server.info().pid, "seconds": seconds}


async def _release(server: EmbeddedServer, arguments: list[str]) -> dict[str, Any]:
    await server.release()
    return {}


async def _query(server: EmbeddedServer, arguments: list[str]) -> dict[str, Any]:
    address = await server.acquire()
    with psycopg.connect(address.conninfo(), autocommit=True) as connection:
        found = connection.execute(" ".join(arguments).encode()).fetchone()
    return {"found": str(found[0]) if found else None}


async def _storm(server: EmbeddedServer, arguments: list[str]) -> dict[str, Any]:
    """Use it many times over, at random: each use must see one and the same server."""
    rounds, seed = map(int, arguments)
    chance = random.Random(seed)
    for _ in range(rounds):
        async with server as address:
            with psycopg.connect(address.conninfo(), autocommit=True) as connection:
                for _ in range(chance.randrange(1, 6)):
                    connection.execute("SELECT 1")
                    await asyncio.sleep(chance.random() / 200)
        await asyncio.sleep(chance.random() / 200)
    return {"rounds": rounds}


_COMMANDS = {"acquire": _acquire, "release": _release, "query": _query, "storm": _storm}


async def _obey(server: EmbeddedServer) -> None:
    for line in sys.stdin:
        name, *arguments = line.split()
        try:
            answer = await _COMMANDS[name](server, arguments)
        except SynclineError as error:
            answer = {"error": error.message, "hint": error.hint}
        except psycopg.Error as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


def _main() -> None:
    data_folder, version, uid = sys.argv[1:]
    settings = settings_for(Path(data_folder), version)
    if uid and os.geteuid() == 0:
        os.setgroups([])
        os.setgid(int(uid))
        os.setuid(int(uid))
    asyncio.run(_obey(EmbeddedServer(settings)))


if __name__ == "__main__":
    _main()
