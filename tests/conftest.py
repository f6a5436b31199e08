"""What every test that needs a database shares: one server a test process."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

import syncline
from syncline.core import redaction
from syncline.settings import Settings
from syncline.store.database import Connection, Database
from syncline.store.embedded import EmbeddedServer
from syncline.sync import nursery
from tests.support.data_folders import make_data_folder, remove_data_folder, settings_for
from tests.support.forks import close_fork_server, nursery_command
from tests.support.thorough import THOROUGH

_numbers = count(1)
_servers: list[Settings] = []
"""Those that run now, for the tests that share them."""
_LARGE = 64_000_000
"""Bytes; an empty one has up to forty millions."""

# Others are tried in each run: what is rare is found over time. Where nothing is kept from an
# earlier run, the first text that is drawn takes seconds on a busy machine, which is no failure.
hypothesis_settings.register_profile(
    "syncline",
    max_examples=100 if THOROUGH else 40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
hypothesis_settings.load_profile("syncline")


def pytest_configure() -> None:
    """The commands that tests start have to be of the same code."""
    found, here = Path(syncline.__file__).resolve(), Path(__file__).resolve().parents[1]
    if here not in found.parents:
        pytest.exit(f"Syncline would be tested from {found}: `make .venv/.development` first.", 4)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Modules that say `POSTGRES = ("16", "18")` are run on each of these."""
    versions = getattr(metafunc.module, "POSTGRES", None)
    if versions and "server_settings" in metafunc.fixturenames:
        metafunc.parametrize("server_settings", versions, indirect=True, scope="session")


def pytest_unconfigure() -> None:
    """The last thing this process does."""
    close_fork_server()


@pytest.fixture(autouse=True)
def forget_secrets() -> Iterator[None]:
    """What one test called a secret is an ordinary word to the next."""
    known = set(redaction._known)
    yield
    redaction._known.clear()
    redaction._known.update(known)


@pytest.fixture(scope="module", autouse=True)
def emptied(request: pytest.FixtureRequest) -> Iterator[None]:
    """What one module has written by the thousand does not slow down those after it."""
    yield
    tests = [
        each for each in request.session.items if each.getparent(pytest.Module) is request.node
    ]
    if any("server_settings" in getattr(each, "fixturenames", ()) for each in tests):
        for settings in _servers:
            asyncio.run(_empty(settings))


async def _empty(settings: Settings) -> None:
    async with EmbeddedServer(settings) as address:
        with psycopg.connect(address.conninfo("owner"), autocommit=True) as owner:
            found = owner.execute("SELECT pg_database_size(current_database())").fetchone()
            if found is not None and found[0] > _LARGE:
                owner.execute(
                    "TRUNCATE syncline.workspaces, syncline.chunks, syncline.postings,"
                    " syncline.embeddings CASCADE"
                )


@pytest.fixture(scope="session")
def server_settings(request: pytest.FixtureRequest) -> Iterator[Settings]:
    """Settings of a running bundled server; SYNCLINE_TEST_POSTGRES says which version."""
    folder = make_data_folder()
    version = getattr(request, "param", os.environ.get("SYNCLINE_TEST_POSTGRES", "18"))
    settings = settings_for(folder, version, workers=2, embedder="hashing")
    server = EmbeddedServer(settings)
    asyncio.run(server.acquire())
    _servers.append(settings)
    yield settings
    _servers.remove(settings)
    asyncio.run(server.stop(force=True))
    remove_data_folder(folder)


@pytest.fixture(scope="session")
def empty_folder() -> Iterator[Callable[[str], Path]]:
    """Gives a stopped data folder of a version, with nothing in its database, to be copied."""
    made: dict[str, Path] = {}

    def give(version: str = "18") -> Path:
        if version not in made:
            made[version] = make_data_folder()
            with ThreadPoolExecutor(1) as thread:  # a test's loop may be running in this one
                thread.submit(asyncio.run, _make(settings_for(made[version], version))).result()
        return made[version]

    yield give
    for folder in made.values():
        remove_data_folder(folder)


async def _make(settings: Settings) -> None:
    async with Database(settings):
        pass


@pytest.fixture
def forked_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The workers of a test's own syncs need not import everything anew."""
    if sys.platform == "linux":
        monkeypatch.setattr(nursery, "_COMMAND", nursery_command())


@pytest.fixture
def workspace_name() -> str:
    """A workspace of the test's own: its wall."""
    return f"test-{os.getpid()}-{next(_numbers)}"


@pytest.fixture
async def database(server_settings: Settings) -> AsyncIterator[Database]:
    async with Database(server_settings) as database:
        yield database


@pytest.fixture
async def db(database: Database) -> AsyncIterator[Connection]:
    """A connection as the application's role."""
    async with database.connection() as connection:
        yield connection
