"""Secrets: given once, used by runs, sealed in the database, and shown nowhere."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from psycopg import sql
from pydantic import SecretStr

import syncline
from syncline.client import Syncline
from syncline.core.errors import ConfigurationError, Unauthorized
from syncline.security.keys import FILE_NAME, Key
from syncline.settings import Settings
from syncline.store.database import Connection
from syncline.store.workspaces import make_workspace
from syncline.testing.fake_site import FakeSite
from tests.support.commands import Commands
from tests.support.external import external_server

CANARY = "c4n4ry-lantern-harbour"


class LockedSite(FakeSite):
    """A site that answers whom it knows."""

    proof = ""

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get("Authorization") != self.proof:
            return web.Response(status=401)
        return await super().answer(request)

    def lock(self, password: str) -> None:
        self.proof = f"Basic {b64encode(f'reader:{password}'.encode()).decode()}"


@pytest.fixture
async def site() -> AsyncIterator[LockedSite]:
    async with LockedSite() as site:
        site.put("/a", "The lantern is kept in the harbour.")
        site.lock(CANARY)
        yield site


@pytest.fixture
async def kb(server_settings: Settings, workspace_name: str) -> AsyncIterator[Syncline]:
    async with syncline.open(settings=server_settings, workspace=workspace_name) as kb:
        async with kb.database.connection() as db:
            await make_workspace(db, workspace_name)
        yield kb


def known(password: str = CANARY) -> dict[str, str | None]:
    return {"username": "reader", "password": password}


@pytest.fixture
def commands(server_settings: Settings, workspace_name: str) -> Commands:
    return Commands(server_settings, workspace_name)


@pytest.fixture
def external_url() -> Iterator[str]:
    with external_server("18") as url:
        yield url


async def test_a_site_is_read_with_the_secrets_it_was_given(kb: Syncline, site: LockedSite) -> None:
    """By later runs too; what is wrong or missing is told, and mended."""
    refused = await kb.sync(site.url)
    assert (refused.error or {})["code"] == "unauthorized"
    assert "connections edit" in (refused.error or {})["hint"]
    (row,) = await kb.connections.list()
    with pytest.raises(Unauthorized):
        await kb.connections.check(row.name)
    await kb.connections.edit(row.name, secrets=known("wrong"))
    assert (await kb.sync(row)).exit_code == 1
    await kb.connections.edit(row.name, secrets={"password": CANARY})
    assert (await kb.connections.check(row.name)).account == f"{site.url}/"
    assert (await kb.sync(row)).counts["created"] == 1
    site.put("/b", "The orchard is behind the wall.")
    assert (await kb.sync(row.name)).counts["created"] == 1
    assert await kb.connections.secrets(row.name) == ["password", "username"]


async def test_a_plan_uses_secrets_and_keeps_none(kb: Syncline, site: LockedSite) -> None:
    report = await kb.plan(site.url, secrets=known())
    assert report.counts["created"] == 1
    assert await kb.connections.list() == []


async def test_secrets_that_do_not_fit_are_refused_before_anything_is_made(
    kb: Syncline, site: LockedSite, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match="there is no secret 'tokn'") as caught:
        await kb.connections.add(site.url, secrets={"tokn": CANARY})
    assert CANARY not in str(caught.value) + str(caught.value.hint)
    with pytest.raises(ConfigurationError, match="username and password belong together") as caught:
        await kb.connections.add(site.url, secrets={"username": CANARY})
    assert CANARY not in str(caught.value) + str(caught.value.hint)
    with pytest.raises(ConfigurationError, match="there is no secret 'token'"):
        await kb.connections.add(tmp_path, secrets={"token": CANARY})
    assert await kb.connections.list() == []


async def test_a_secret_can_be_forgotten(kb: Syncline, site: LockedSite, db: Connection) -> None:
    row = await kb.connections.add(site.url, secrets=known())
    await kb.connections.edit(row.name, secrets={"username": None, "password": None})
    assert await kb.connections.secrets(row.name) == []
    assert await _sealed(db, row.workspace_id) == []


async def test_a_rotation_leaves_every_secret_readable(
    kb: Syncline, site: LockedSite, db: Connection, server_settings: Settings
) -> None:
    """Also by what has run since before it; the old key goes only when it is told to."""
    row = await kb.connections.add(site.url, secrets=known())
    before = await _sealed(db, row.workspace_id)
    async with syncline.open(settings=server_settings, workspace=kb.workspace) as other:
        assert await other.connections.secrets(row.name)
        done = await kb.keys.rotate()
        assert done.made
        assert done.kept
        assert not done.dropped
        after = await _sealed(db, row.workspace_id)
        assert before[0][1] in done.kept
        assert (after[0][1], after != before) == (done.key_id, True)
        last = await kb.keys.rotate(drop_old=True)
        assert {done.key_id, before[0][1]} <= set(last.dropped)
        assert (await other.connections.check(row.name)).account == f"{site.url}/"
        assert [key.id for key in await other.keys.list()] == [last.key_id]


async def test_keys_of_the_environment_are_rotated_by_whoever_sets_it(
    kb: Syncline, site: LockedSite, server_settings: Settings, tmp_path: Path
) -> None:
    """The file is not looked at then, and another machine's keys are not made up."""
    row = await kb.connections.add(site.url, secrets=known())
    file = server_settings.data_dir / FILE_NAME
    old = Key(next(line for line in file.read_text().splitlines() if line[0] != "#"))
    new = Key.generate()
    given = server_settings.model_copy(update={"secret_keys": SecretStr(f"{new.text},{old.text}")})
    async with syncline.open(settings=given, workspace=kb.workspace) as other:
        done = await other.keys.rotate()
        assert (done.key_id, done.made) == (new.id, False)
        assert old.id in done.kept
        assert await other.connections.secrets(row.name)
        assert old.text in file.read_text()
    with pytest.raises(ConfigurationError, match=f"the key {new.id}, which is not in"):
        await kb.connections.secrets(row.name)
    async with syncline.open(settings=given, workspace=kb.workspace) as other:
        # Back to the file's key, as an operator who gives up on the environment would.
        given = server_settings.model_copy(
            update={"secret_keys": SecretStr(f"{old.text},{new.text}")}
        )
        async with syncline.open(settings=given, workspace=kb.workspace) as back:
            await back.keys.rotate()
    assert await kb.connections.secrets(row.name)


async def test_a_machine_without_the_keys_makes_none_of_its_own(
    kb: Syncline, site: LockedSite, tmp_path: Path, external_url: str
) -> None:
    """A second key file would leave half of the secrets unreadable on each machine."""
    settings = [
        Settings(database_url=external_url, data_dir=tmp_path / name, embedder="hashing")
        for name in ("here", "there")
    ]
    async with syncline.open(settings=settings[0], workspace=kb.workspace) as here:
        await here.connections.add(site.url, secrets=known())
    async with syncline.open(settings=settings[1], workspace=kb.workspace) as there:
        with pytest.raises(ConfigurationError, match="Other secrets are sealed with the key"):
            await there.connections.add(site.url, name="again", secrets=known())
        assert [row.name for row in await there.connections.list()] == ["127.0.0.1"]
    assert not (tmp_path / "there" / FILE_NAME).exists()


async def test_a_secret_is_in_no_row_and_on_no_screen(
    kb: Syncline, site: LockedSite, db: Connection, commands: Commands
) -> None:
    """Whichever command prints, whether it goes well or not."""
    words = ("--secret", "username=env:READER", "--secret", "password=env:CANARY")
    environment = {"READER": "reader", "CANARY": CANARY}
    printed = []
    for command in (
        ("sync", site.url, *words),
        ("connections", "show", "127.0.0.1"),
        ("connections", "show", "127.0.0.1", "--json"),
        ("connections", "check", "127.0.0.1", "--json"),
        ("connections", "list", "--json"),
        ("keys", "list", "--json"),
        ("sync", site.url, "--secret", f"password={CANARY}"),
        ("runs", "--json"),
        ("status", "--json"),
    ):
        finished = await asyncio.to_thread(commands.run, *command, environment=environment)
        printed.append(finished.output + finished.errors)
    site.lock("changed")
    for command in (("sync", "127.0.0.1"), ("runs", "--json"), ("status", "--json")):
        finished = await asyncio.to_thread(commands.run, *command, environment=environment)
        printed.append(finished.output + finished.errors)
    shown = "".join(printed)
    assert CANARY not in shown
    assert b64encode(CANARY.encode()).decode()[:12] not in shown
    for table, text in await _everything(db):
        assert CANARY not in text, table


async def _sealed(db: Connection, workspace: int) -> list[tuple[Any, ...]]:
    found = await db.execute(
        "SELECT sealed, key_id FROM secrets WHERE workspace_id = %s", (workspace,)
    )
    return await found.fetchall()


async def _everything(db: Connection) -> list[tuple[str, str]]:
    """Every row of every table, as text."""
    found = await db.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'r'"
        " AND relnamespace = 'syncline'::regnamespace"
    )
    rows = []
    for (table,) in await found.fetchall():
        statement = sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(table))
        rows += [(table, row[0]) for row in await (await db.execute(statement)).fetchall()]
    return rows
