"""The bundled server among many processes that come and go."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from pathlib import Path

import pytest

from syncline.settings import Settings
from syncline.store.embedded import EmbeddedServer
from tests.servers.conftest import Version
from tests.support.database_client import DatabaseClient
from tests.support.thorough import of_all

pytestmark = pytest.mark.server("postgresql")


@pytest.fixture(params=of_all(["18"], ["16"]))
def version(request: pytest.FixtureRequest) -> Version:
    """How processes and files are dealt with hardly depends on it."""
    found: Version = request.param
    return found


_PROCESSES = 8
_ROUNDS = 12


def _clients(stack: ExitStack, settings: Settings, version: Version) -> list[DatabaseClient]:
    return [
        stack.enter_context(DatabaseClient(settings.data_dir, version)) for _ in range(_PROCESSES)
    ]


def test_the_server_is_never_stopped_under_a_user_nor_started_twice(
    settings: Settings, version: Version
) -> None:
    """Each use, at random times in eight processes, finds it running throughout."""
    with ExitStack() as stack:
        clients = _clients(stack, settings, version)
        for seed, client in enumerate(clients):
            client.tell(f"storm {_ROUNDS} {seed}")
        for client in clients:
            assert client.answer() == {"rounds": _ROUNDS}
    assert not EmbeddedServer(settings).info().running
    said = _log(settings).read_text()
    assert said.count("starting PostgreSQL") == said.count("database system is shut down")
    assert "already exists" not in said
    assert "not properly shut down" not in said


def test_all_may_come_first(new_settings: Settings, version: Version) -> None:
    """Eight processes on an empty data folder make one cluster and one server."""
    with ExitStack() as stack:
        clients = _clients(stack, new_settings, version)
        for client in clients:
            client.tell("acquire")
        assert len({client.answer()["pid"] for client in clients}) == 1
        for client in clients:
            client.ask("release")
    assert _log(new_settings).read_text().count("starting PostgreSQL") == 1


def test_some_are_killed_meanwhile(settings: Settings, version: Version) -> None:
    """The others notice nothing, and the last of them still stops the server."""
    with ExitStack() as stack:
        clients = _clients(stack, settings, version)
        killed, rest = clients[:4], clients[4:]
        for seed, client in enumerate(clients):
            client.tell(f"storm {_ROUNDS * (10 if client in killed else 1)} {seed}")
        for client in killed:
            client.signal(signal.SIGKILL)
        for client in rest:
            assert client.answer() == {"rounds": _ROUNDS}
    assert not EmbeddedServer(settings).info().running


def _log(settings: Settings) -> Path:
    return settings.data_dir / "log" / "postgres.log"
