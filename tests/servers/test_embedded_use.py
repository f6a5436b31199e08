"""The bundled server in ordinary use: started, shared, looked at and stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
from pathlib import Path

import psycopg
import pytest

from syncline.core.errors import DatabaseUnavailable
from syncline.settings import Settings
from syncline.store.embedded import EmbeddedServer, ServerAddress, configuration, lifecycle
from syncline.store.embedded.address import Role
from tests.servers.conftest import Version
from tests.support.data_folders import (
    make_data_folder,
    remove_data_folder,
    settings_for,
    unprivileged_user,
)
from tests.support.database_client import DatabaseClient
from tests.support.waiting import wait_until

pytestmark = pytest.mark.server("postgresql")


def _ask(address: ServerAddress, statement: str, role: Role = "app") -> object:
    with psycopg.connect(address.conninfo(role), autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_the_first_use_makes_a_database_with_vectors(
    new_settings: Settings, version: Version
) -> None:
    """An empty data folder is all it takes."""
    async with EmbeddedServer(new_settings) as address:
        assert _ask(address, "SELECT '[3,4]'::vector <-> '[0,0]'") == 5
        assert _ask(address, "SHOW server_version").split(".")[0] == version  # type: ignore[attr-defined]
        assert _ask(address, "SHOW data_checksums") == "on"
        assert _ask(address, "SHOW server_encoding") == "UTF8"
        assert _ask(address, "SELECT 'Z' < 'a' AND 'a' < 'ä'") is True


async def test_only_the_owner_may_create_and_neither_role_is_a_superuser(
    settings: Settings,
) -> None:
    """The application's login cannot change the schema."""
    async with EmbeddedServer(settings) as address:
        _ask(address, "CREATE SCHEMA ours", "owner")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            _ask(address, "CREATE SCHEMA theirs")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            _ask(address, "CREATE TABLE public.theirs ()")
        _ask(address, "CREATE TEMPORARY TABLE passing ()")
        for role in ("owner", "app"):
            assert _ask(address, "SHOW is_superuser", role) == "off"


async def test_what_is_stored_is_there_the_next_time(settings: Settings) -> None:
    """Stopping and starting loses nothing."""
    server = EmbeddedServer(settings)
    async with server as address:
        _ask(address, "CREATE TABLE kept AS SELECT 7 AS n", "owner")
    assert not server.info().running
    async with server as address:
        assert _ask(address, "SELECT n FROM kept", "owner") == 7


async def test_the_last_use_to_end_stops_the_server(settings: Settings) -> None:
    """Uses are counted, in one process as among several."""
    first, second = EmbeddedServer(settings), EmbeddedServer(settings)
    address = await first.acquire()
    assert await first.acquire() == address
    assert await second.acquire() == address
    await first.release()
    await first.release()
    assert _ask(address, "SELECT 1") == 1
    await second.release()
    assert not second.info().running


async def test_stopping_asks_before_it_cuts_others_off(
    settings: Settings, version: Version
) -> None:
    """`stop` names who uses the server, and needs `force` to stop it all the same."""
    server = EmbeddedServer(settings)
    assert await server.stop()
    with DatabaseClient(settings.data_dir, version) as client:
        client.ask("acquire")
        assert server.users() == [client.pid]
        assert not await server.stop()
        assert server.info().running
        assert await server.stop(force=True)
        assert not server.info().running
        # The one who was cut off can go on: its next use starts the server again.
        client.ask("release")
        assert "pid" in client.ask("acquire")
        client.ask("release")


async def test_info_tells_what_runs_where(settings: Settings, version: Version) -> None:
    """Everything that `syncline db info` shows."""
    server = EmbeddedServer(settings)
    async with server as address:
        info = server.info()
        assert (info.version, info.running, info.host) == (version, True, address.host)
        assert info.data_folder == settings.data_dir
        assert info.size > 10_000_000
        assert info.pid is not None
        assert server.users() == [os.getpid()]
    assert (server.info().running, server.info().pid, server.users()) == (False, None, [])


async def test_a_cluster_keeps_its_version(settings: Settings, version: Version) -> None:
    """The setting is for new ones."""
    other = settings_for(settings.data_dir, "18" if version == "16" else "16")
    async with EmbeddedServer(other) as address:
        assert str(_ask(address, "SHOW server_version")).startswith(version)


async def test_servers_of_two_data_folders_run_side_by_side(
    settings: Settings, version: Version
) -> None:
    """Nothing is shared but the machine."""
    folder = make_data_folder(like=settings.data_dir)
    try:
        other = EmbeddedServer(settings_for(folder, version))
        async with EmbeddedServer(settings) as first, other as second:
            where = "SHOW cluster_name"
            assert _ask(first, where) != _ask(second, where)
    finally:
        await asyncio.to_thread(remove_data_folder, folder)


async def test_a_data_folder_may_lie_deep(settings: Settings, version: Version) -> None:
    """A path too long for a socket, with a space, a quote and an umlaut in it."""
    deep = settings.data_dir / ("so'me wäy " * 9) / "down"
    server = EmbeddedServer(settings_for(deep, version))
    async with server as address:
        assert _ask(address, "SELECT 1") == 1
        assert not address.host.startswith(str(settings.data_dir))
        assert _mode(Path(address.host)) == 0o700
    Path(address.host).rmdir()


async def test_a_folder_for_the_socket_that_is_not_private_is_refused(
    settings: Settings, version: Version
) -> None:
    """Whoever prepared it might be listening in it."""
    deep = settings_for(settings.data_dir / ("x" * 100), version)
    async with EmbeddedServer(deep) as address:
        place = Path(address.host)
    place.chmod(0o755)
    try:
        with pytest.raises(DatabaseUnavailable, match="private") as caught:
            await EmbeddedServer(deep).acquire()
        assert str(place) in str(caught.value.hint)
    finally:
        place.rmdir()


async def test_nobody_else_gets_in(settings: Settings) -> None:
    """A private socket, random passwords, and no way in for the superuser."""
    async with EmbeddedServer(settings) as address:
        assert _mode(Path(address.host)) == 0o700
        assert _mode(settings.data_dir / "postgres") == 0o700
        assert _mode(address.password_file) == 0o600
        assert address.password_file.stat().st_uid == os.geteuid()
        assert "passfile" in address.conninfo()
        known = address.parameters() | {"passfile": os.devnull}
        for change in (
            {"password": "guessed"},
            {"user": "postgres", "password": "postgres"},
            {"dbname": "postgres", "passfile": str(address.password_file)},
        ):
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(**(known | change))  # type: ignore[arg-type]
        assert _ask(address, "SHOW listen_addresses") == ""


async def test_lost_passwords_are_replaced(settings: Settings) -> None:
    """Without their file the database would be lost, though nothing else is."""
    server = EmbeddedServer(settings)
    (settings.data_dir / "credentials").unlink()
    async with server as address:
        assert _ask(address, "SELECT 1") == 1
        address.password_file.unlink()
        with pytest.raises(DatabaseUnavailable, match="passwords") as caught:
            await EmbeddedServer(settings).acquire()
        assert "syncline down" in str(caught.value.hint)
    async with server as address:
        assert _ask(address, "SELECT 1", "owner") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
async def test_as_root_the_server_runs_as_an_unprivileged_user(settings: Settings) -> None:
    """It gets a folder of its own, and no folder is opened up for it."""
    before = [_mode(p) for p in (settings.data_dir, *settings.data_dir.parents)]
    server = EmbeddedServer(settings)
    async with server:
        process = Path(f"/proc/{server.info().pid}")
        assert process.stat().st_uid == 65_534
        status = (process / "status").read_text()
        assert "Groups:\t \n" in status or "Groups:\t\n" in status
        assert (settings.data_dir / "postgres").stat().st_uid == 65_534
    assert [_mode(p) for p in (settings.data_dir, *settings.data_dir.parents)] == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
async def test_an_ordinary_user_runs_it_as_themselves(
    new_settings: Settings, version: Version
) -> None:
    """No rights are needed beyond the data folder's."""
    uid = unprivileged_user()
    home = new_settings.data_dir / "home"
    home.mkdir(mode=0o700)
    os.chown(home, uid, uid)
    with DatabaseClient(home / "data", version, uid=uid) as client:
        assert "error" not in client.ask("acquire")
        assert client.ask("query SELECT 1") == {"found": "1"}
        assert (home / "data").stat().st_uid == uid
        assert (home / "data" / "postgres").stat().st_uid == uid
        client.ask("release")
        with pytest.raises(DatabaseUnavailable, match="belongs to") as caught:
            await EmbeddedServer(settings_for(home / "data", version)).acquire()
        assert "SYNCLINE_DATA_DIR" in str(caught.value.hint)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_a_user_without_a_name_is_told_so(new_settings: Settings, version: Version) -> None:
    """As in containers that are run with any uid: PostgreSQL refuses those."""
    home = new_settings.data_dir / "home"
    home.mkdir(mode=0o700)
    os.chown(home, 64_321, 64_321)
    with DatabaseClient(home / "data", version, uid=64_321) as client:
        answer = client.ask("acquire")
    assert "user does not exist" in answer["error"]
    assert "/etc/passwd" in answer["hint"]


async def test_a_terminals_interrupt_does_not_reach_the_server(
    settings: Settings, version: Version
) -> None:
    """The server is in a session of its own, and holds nothing of its starter's."""
    server = EmbeddedServer(settings)
    with DatabaseClient(settings.data_dir, version) as client:
        pid = client.ask("acquire")["pid"]
        assert os.getsid(pid) == pid
        assert Path(f"/proc/{pid}/fd/0").readlink() == Path(os.devnull)
        assert Path(f"/proc/{pid}/fd/2").readlink() == settings.data_dir / "log" / "postgres.log"
        client.signal(signal.SIGINT)
        client.wait()
    async with server:
        assert server.info().pid == pid


@pytest.mark.parametrize("where", ["beginning", "middle"])
async def test_a_cancelled_start_leaves_nothing_that_blocks(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Whoever comes next starts the server as if nothing had been."""
    started = asyncio.Event()
    pause = lifecycle.Lifecycle._pause

    async def slow(self: lifecycle.Lifecycle, doing: str) -> None:
        started.set()
        await pause(self, doing)
        if where == "middle":
            await asyncio.Event().wait()

    server = EmbeddedServer(settings)
    with monkeypatch.context() as patch:
        patch.setattr(lifecycle.Lifecycle, "_pause", slow)
        task = asyncio.create_task(server.acquire())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert server.users() == []
    async with server as address:
        assert _ask(address, "SELECT 1") == 1


async def test_a_cancelled_first_start_leaves_nothing(
    new_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a cluster is thrown away with the programs that were making it."""
    server = EmbeddedServer(new_settings)
    task = asyncio.create_task(server.acquire())
    unfinished = new_settings.data_dir.glob
    await asyncio.to_thread(wait_until, lambda: any(unfinished("postgres.new-*/global")))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not any(unfinished("postgres*/"))
    async with server as address:
        assert _ask(address, "SELECT 1") == 1


async def test_without_sockets_it_listens_on_the_loopback_address(
    settings: Settings, version: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows: a free port, another one if it is taken meanwhile, and the passwords."""
    monkeypatch.setattr(configuration, "uses_loopback", lambda: True)
    server = EmbeddedServer(settings)
    async with server as taken:
        assert taken.host == "127.0.0.1"
        assert _ask(taken, "SELECT 1") == 1
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(**(taken.parameters() | {"passfile": os.devnull}))  # type: ignore[arg-type]

        folder = make_data_folder(like=settings.data_dir)
        try:
            (folder / "postgresql.local.conf").write_text(f"port = {taken.port}\n")
            (folder / "postgresql.local.conf").chmod(0o644)
            with pytest.raises(DatabaseUnavailable, match="Address already in use") as caught:
                await EmbeddedServer(settings_for(folder, version)).acquire()
            assert "Something else listens" in str(caught.value.hint)
        finally:
            await asyncio.to_thread(remove_data_folder, folder)


async def test_settings_of_the_users_own_win(settings: Settings) -> None:
    """They are kept in a file beside ours; a wrong one is named."""
    own = settings.data_dir / "postgresql.local.conf"
    own.write_text("work_mem = '21MB'\n")
    own.chmod(0o644)
    server = EmbeddedServer(settings)
    async with server as address:
        assert _ask(address, "SHOW work_mem") == "21MB"
    own.write_text("work_memory = '21MB'\n")
    with pytest.raises(DatabaseUnavailable, match="work_memory") as caught:
        await server.acquire()
    assert str(own) in str(caught.value.hint)


async def test_the_log_stays_small_and_free_of_content(settings: Settings) -> None:
    """Failing statements and their values are not logged; a large log makes room."""
    log = settings.data_dir / "log" / "postgres.log"
    log.write_bytes(b"x" * (2 << 20))
    async with EmbeddedServer(settings) as address:
        _ask(address, "CREATE TABLE once (secret text PRIMARY KEY)", "owner")
        _ask(address, "INSERT INTO once VALUES ('hush')", "owner")
        with pytest.raises(psycopg.errors.UniqueViolation):
            _ask(address, "INSERT INTO once VALUES ('hush')", "owner")
    assert log.stat().st_size < 100_000
    assert "hush" not in log.read_text()
    assert log.with_name("postgres.log.1").stat().st_size == 2 << 20


async def test_connecting_takes_no_time_to_speak_of(settings: Settings) -> None:
    """The server is there within a moment: nothing polls slowly on the way."""
    async with EmbeddedServer(settings):
        pass
    with DatabaseClient(settings.data_dir, settings.postgres_version) as client:
        assert client.ask("acquire")["seconds"] < 2
        client.ask("release")
        wait_until(lambda: not EmbeddedServer(settings).info().running)
