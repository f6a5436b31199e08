"""The bundled server after kill -9, of its users, of itself, and of a first start."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from syncline.settings import Settings
from syncline.store.embedded import EmbeddedServer, ServerAddress
from syncline.store.embedded.folder import DataFolder
from syncline.store.embedded.lifecycle import State, observe
from syncline.store.embedded.process import cluster_processes
from tests.servers.conftest import Version
from tests.support.database_client import DatabaseClient
from tests.support.thorough import of_all
from tests.support.waiting import wait_until

pytestmark = pytest.mark.server("postgresql")


@pytest.fixture(params=of_all(["18"], ["16"]))
def version(request: pytest.FixtureRequest) -> Version:
    """How processes and files are dealt with hardly depends on it."""
    found: Version = request.param
    return found


def _processes(settings: Settings) -> list[int]:
    folder = DataFolder.at(settings.data_dir)
    return cluster_processes(folder.cluster, folder.mark)


async def _usable(server: EmbeddedServer) -> bool:
    """Whether a query works now, within a time in which a person would not despair."""
    address = await asyncio.wait_for(server.acquire(), 10)
    try:
        with psycopg.connect(address.conninfo()) as connection:
            return connection.execute("SELECT '[1]'::vector").fetchone() == ("[1]",)
    finally:
        await server.release()


def _queries(address: ServerAddress) -> int:
    with psycopg.connect(address.conninfo()) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE query LIKE '%generate_series%' AND pid <> pg_backend_pid()"
        ).fetchone()
        assert found is not None
        return int(found[0])


async def test_after_a_killed_user_the_next_goes_on_with_the_running_server(
    settings: Settings, version: Version
) -> None:
    """A dead process does not count, and the last living one still stops the server."""
    server = EmbeddedServer(settings)
    with DatabaseClient(settings.data_dir, version) as client:
        pid = client.ask("acquire")["pid"]
        client.signal(signal.SIGKILL)
        client.wait()
    assert server.users() == []
    async with server:
        assert server.info().pid == pid
    assert not server.info().running
    assert list((settings.data_dir / "locks" / "users").iterdir()) == []


@pytest.mark.parametrize("work", ["nothing", "a query that notices nothing"])
async def test_a_killed_server_is_started_again_at_once(
    settings: Settings, version: Version, work: str
) -> None:
    """Also while its children still live: they are waited for, then ended; nothing is lost."""
    server = EmbeddedServer(settings)
    address = await server.acquire()
    with psycopg.connect(address.conninfo("owner"), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
        pid = server.info().pid
        assert pid is not None
        with DatabaseClient(settings.data_dir, version) as client:
            if work != "nothing":
                client.tell("query SELECT count(*) FROM generate_series(1, 1000000000000)")
                wait_until(lambda: _queries(address) == 1)
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not server.info().running)
            other = EmbeddedServer(settings)
            address = await asyncio.wait_for(other.acquire(), 10)
    assert other.info().pid != pid
    with psycopg.connect(address.conninfo("owner")) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (7,)
    await other.release()
    await server.release()
    assert _processes(settings) == []


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with it, and ends when its input does."""
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE) as process:
        yield process


@pytest.mark.parametrize("whose", ["nobody's", "somebody else's"])
async def test_a_stale_pid_file_fools_nobody(
    settings: Settings, whose: str, bystander: subprocess.Popen[bytes]
) -> None:
    """Its pid may be free, or may be another process's by now, which is left alone."""
    server = EmbeddedServer(settings)
    async with server as address:
        pid_file = settings.data_dir / "postgres" / "postmaster.pid"
        socket_lock = Path(address.host) / ".s.PGSQL.5432.lock"
        kept = pid_file.read_text().splitlines(), socket_lock.read_text().splitlines()
    pid = bystander.pid if whose == "somebody else's" else 4_194_303
    for path, lines in zip((pid_file, socket_lock), kept, strict=True):
        path.write_text("\n".join([str(pid), *lines[1:]]) + "\n")
    assert not server.info().running
    assert await server.stop(force=True)
    assert await _usable(server)
    assert bystander.poll() is None


_PHASES: dict[str, Callable[[Path], bool]] = {
    "the folder is there": lambda _: True,
    "initdb has begun": lambda new: (new / "global").exists(),
    "the catalogue is being filled": lambda new: (new / "base" / "1" / "1259").exists(),
    "the database is being made": lambda new: (
        (new / "base" / "5").exists() and not (new / "postmaster.pid").exists()
    ),
    "SQL is being run": lambda new: (
        (new / "base" / "5").exists() and (new / "postmaster.pid").exists()
    ),
}


@pytest.mark.parametrize(
    ("phase", "number"),
    [
        *((phase, signal.SIGKILL) for phase in _PHASES),
        ("initdb has begun", signal.SIGTERM),
        ("initdb has begun", signal.SIGINT),
    ],
)
async def test_a_first_start_may_be_killed_anywhere(
    new_settings: Settings, version: Version, phase: str, number: signal.Signals
) -> None:
    """The next one throws half a cluster away, and whatever still works on it."""

    def reached() -> bool:
        return (
            any(map(_PHASES[phase], new_settings.data_dir.glob("postgres.new-*")))
            or (new_settings.data_dir / "postgres").exists()
        )

    with DatabaseClient(new_settings.data_dir, version) as client:
        client.tell("acquire")
        wait_until(reached)
        client.signal(number)
        client.wait()
    assert await _usable(EmbeddedServer(new_settings))
    assert list(new_settings.data_dir.glob("postgres.new-*")) == []
    assert _processes(new_settings) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
async def test_a_later_start_may_be_killed_anywhere(
    settings: Settings, version: Version, number: signal.Signals
) -> None:
    """A server that nobody waits for any more is waited for by the next."""
    log = settings.data_dir / "log" / "postgres.log"
    log.unlink()
    with DatabaseClient(settings.data_dir, version) as client:
        client.tell("acquire")
        wait_until(log.exists)
        client.signal(number)
        client.wait()
    assert await _usable(EmbeddedServer(settings))
    assert _processes(settings) == []


async def test_a_socket_that_was_cleaned_away_is_made_anew(settings: Settings) -> None:
    """Cleaners of temporary folders do that to servers that run for long."""
    server = EmbeddedServer(settings)
    async with server as address:
        (Path(address.host) / ".s.PGSQL.5432").unlink()
        assert await _usable(EmbeddedServer(settings))


async def test_a_server_that_was_just_told_to_stop_is_waited_for(settings: Settings) -> None:
    """Its end is not mistaken for a failure to start."""
    server = EmbeddedServer(settings)
    await server.acquire()
    pid = server.info().pid
    assert pid is not None
    os.kill(pid, signal.SIGTERM)  # smart: waits for who is connected
    os.kill(pid, signal.SIGINT)  # fast
    folder = DataFolder.at(settings.data_dir)
    wait_until(lambda: observe(folder).state is not State.READY)  # it has taken notice
    assert await _usable(EmbeddedServer(settings))
    await server.release()
