"""`syncline up` over one connection of each API, described by a file, while everything changes.

The sources are the fakes that the connectors' own tests read. After a while of edits and faults
they are left in peace: then the service must come by itself to know exactly what there is, the
texts and who may see them. Nobody helps: its schedules and its upkeep have to do it.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.conformance.test_canvas import CanvasWorld
from tests.conformance.test_confluence import ConfluenceWorld
from tests.conformance.test_intercom import IntercomWorld
from tests.conformance.test_zendesk import ArticlesWorld, TicketsWorld
from tests.support.commands import Commands
from tests.support.data_folders import make_data_folder, remove_data_folder, settings_for
from tests.support.state import assert_consistent

from syncline.connectors.intercom.spec import Kind
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.testing.api_world import ApiWorld
from syncline.testing.fake_server import answers, cut_off, rate_limits
from syncline.testing.fakes.canvas import FakeCanvas
from syncline.testing.fakes.confluence import FakeConfluence
from syncline.testing.fakes.intercom import FakeIntercom
from syncline.testing.fakes.zendesk import FakeZendesk
from syncline.testing.fakes.zendesk_tickets import FakeZendeskTickets
from syncline.testing.world import populate

_SECONDS = int(os.environ.get("SYNCLINE_STORM_SECONDS", "600")) / 3
_SEED = int(os.environ.get("SYNCLINE_STORM_SEED", "1"))
_FASTER = 20
"""The sources' clocks run so many times as fast as ours: what they tell late comes soon."""
_TAG = re.compile(r"<[^>]+>")
_PATIENCE = 420.0
"""Seconds for schedules of a minute, retries after faults, and upkeep that comes each minute."""
_FAULTS = (answers(503), rate_limits("1"), cut_off(b'{"id": '), answers(200, "<html>log in</html>"))


@pytest.fixture
def settings() -> Iterator[Settings]:
    folder = make_data_folder()
    yield settings_for(folder, workers=1, embedder="hashing")
    remove_data_folder(folder)


@pytest.fixture
async def worlds() -> AsyncIterator[Mapping[str, ApiWorld]]:
    async with AsyncExitStack() as stack:
        found: dict[str, ApiWorld] = {
            "articles": ArticlesWorld(await stack.enter_async_context(FakeZendesk())),
            "tickets": TicketsWorld(await stack.enter_async_context(FakeZendeskTickets())),
            "intercom": IntercomWorld(await stack.enter_async_context(FakeIntercom()), *Kind),
            "confluence": ConfluenceWorld(
                await stack.enter_async_context(FakeConfluence(context="/confluence"))
            ),
            "canvas": CanvasWorld(await stack.enter_async_context(FakeCanvas())),
        }
        yield found


def _declare(path: Path, worlds: Mapping[str, ApiWorld]) -> dict[str, str]:
    """Write the file; the secrets that it names, for the environment."""
    environment: dict[str, str] = {}
    connections: dict[str, Any] = {}
    for name, world in worlds.items():
        secrets = {}
        for field in type(world.secrets).model_fields:
            value = getattr(world.secrets, field)
            if value is not None:
                variable = f"{name}_{field}".upper()
                environment[variable] = value.get_secret_value()
                secrets[field] = f"env:{variable}"
        connections[name] = {
            "kind": world.spec.kind,
            "options": world.options.model_dump(mode="json", exclude_unset=True),
            "secrets": secrets,
            "schedule": "every 1m",
            "recheck": "30m",
            "guard": {"fraction": 1.0, "minimum": 100_000},
        }
    path.write_text(yaml.safe_dump({"workspaces": {"default": {"connections": connections}}}))
    return environment


async def _clocks(worlds: Mapping[str, ApiWorld]) -> None:
    while True:
        await asyncio.sleep(0.25)
        for world in worlds.values():
            world.server.clock.advance(0.25 * _FASTER)


async def _disturb(
    worlds: Mapping[str, ApiWorld],
    ids: dict[str, dict[str, str]],
    titles: dict[str, str],
    chance: random.Random,
) -> dict[str, int]:
    """Edit everywhere, and let the sources misbehave now and then. `ids` grows by what is added,
    `titles`, by entry, by what is renamed."""
    ends = time.monotonic() + _SECONDS
    numbers = count()
    added: dict[str, list[str]] = {name: [] for name in worlds}
    done = {"edit": 0, "add": 0, "remove": 0, "rename": 0, "restrict": 0, "fault": 0}
    while time.monotonic() < ends:
        await asyncio.sleep(chance.uniform(0.1, 1.0))
        name, world = chance.choice(list(worlds.items()))
        deed = chance.choices(list(done), weights=[5, 4, 2, 1, 1, 2])[0]
        if deed == "edit":
            await world.edit(chance.choice(["one", "two", *added[name]]), f"Edit {next(numbers)}.")
        elif deed == "add":
            added[name].append(f"more-{next(numbers)}")
            text = f"Text {next(numbers)} tells of lanterns."
            ids[name][added[name][-1]] = await world.add(added[name][-1], text)
        elif deed == "remove" and added[name]:
            gone = added[name].pop(chance.randrange(len(added[name])))
            await world.remove(gone)
            del ids[name][gone]
        elif deed == "rename":
            renamed = chance.choice(["one", "two", *added[name]])
            titles[f"{name} {ids[name][renamed]}"] = await world.rename(renamed)
        elif deed == "restrict" and world.access_changes:
            await world.restrict("three")
        else:
            world.server.misbehave(chance.choice(_FAULTS), times=chance.randrange(1, 6))
        done[deed] += 1
    for name, world in worlds.items():
        world.server.behave()
        await world.remove("five")  # which has long been read, and no feed of all tells of
        del ids[name]["five"]
        if world.access_changes:
            await world.restrict("three")
    return done


async def _an_hour_later(database: Database) -> None:
    """For the service's upkeep: its last complete lists are older than they may be."""
    async with database.connection() as db:
        await db.execute("UPDATE runs SET started_at = started_at - interval '1 hour'")


async def _amiss(
    database: Database,
    worlds: Mapping[str, ApiWorld],
    ids: Mapping[str, Mapping[str, str]],
    titles: Mapping[str, str],
) -> list[str]:
    """What the documents have that is not as it is at the sources."""
    async with database.connection() as db:
        rows = await (
            await db.execute(
                "SELECT c.name, d.entry_id, t.text, d.principals, d.title FROM documents d"
                " JOIN connections c ON c.workspace_id = d.workspace_id AND c.id = d.connection_id"
                " JOIN contents t ON t.workspace_id = d.workspace_id AND t.id = d.content_id"
                " WHERE d.state = 'live'"
            )
        ).fetchall()
    wrong = [
        f"{each}: {entry} is called {title!r}"
        for each, entry, _, _, title in rows
        if title != titles.get(f"{each} {entry}", title)
    ]
    for name, world in worlds.items():
        found = {entry: (text, who) for each, entry, text, who, _ in rows if each == name}
        texts = await world.expected_texts()
        wrong += [f"{name}: {entry} is there or not" for entry in set(found) ^ set(texts)]
        for entry, body in texts.items():
            words = _TAG.sub("", body)
            if entry in found and words not in found[entry][0]:
                wrong.append(f"{name}: {entry} has not {words!r}, but {found[entry][0]!r}")
        if not world.spec.capabilities.access_lists:
            continue
        for named, entry in ids[name].items():
            may = await world.readers(named)
            if entry in found and found[entry][1] != (None if may is None else list(may)):
                wrong.append(f"{name}: {entry} is for {found[entry][1]}, not for {may}")
    return wrong


async def _amiss_in_the_end(*looked_at: Any) -> list[str]:
    """What is still amiss when the service, another process, has had the time that it needs."""
    began = time.monotonic()
    while wrong := await _amiss(*looked_at):
        if time.monotonic() > began + _PATIENCE:
            return wrong
        await asyncio.sleep(1)
    print(f"right after {time.monotonic() - began:.0f} s")
    return []


@pytest.mark.timeout(int(_SECONDS) + 900)
async def test_the_service_knows_in_the_end_what_there_is(
    settings: Settings, worlds: Mapping[str, ApiWorld], tmp_path: Path
) -> None:
    path = tmp_path / "syncline.yaml"
    environment = _declare(path, worlds)
    ids = {name: await populate(world) for name, world in worlds.items()}
    titles: dict[str, str] = {}
    commands = Commands(settings, "default")
    applied = await asyncio.to_thread(
        commands.run, "apply", str(path), "--yes", environment=environment
    )
    assert applied.status == 0, applied
    clocks = asyncio.create_task(_clocks(worlds))
    with (tmp_path / "up.log").open("w") as log:
        service = commands.start("up", stdout=log, stderr=log)
        try:
            print(await _disturb(worlds, ids, titles, random.Random(_SEED)))
            await asyncio.sleep(600 / _FASTER + 1)  # until the sources have told of everything
            async with Database(settings) as database:
                await _an_hour_later(database)
                wrong = await _amiss_in_the_end(database, worlds, ids, titles)
                assert not wrong, (wrong, (tmp_path / "up.log").read_text()[-4000:])
        finally:
            service.send_signal(15)
            await asyncio.to_thread(_ended, service)
            clocks.cancel()
    async with Database(settings) as database, database.connection() as db:
        await assert_consistent(db, "default")


def _ended(service: subprocess.Popen[str]) -> None:
    assert service.wait(60) == 0
