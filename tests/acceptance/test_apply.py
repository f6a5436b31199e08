"""`syncline apply`: what a file says becomes so, once, all of it or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import syncline
from syncline.client import Syncline
from syncline.core.errors import ConfigurationError, Conflict, NotHere, UsageError
from syncline.settings import Settings
from syncline.sync.apply import ApplyPlan
from tests.support.commands import Commands

Declare = Any


@pytest.fixture
async def kb(server_settings: Settings, workspace_name: str) -> AsyncIterator[Syncline]:
    async with syncline.open(settings=server_settings, workspace=workspace_name) as kb:
        yield kb


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("docs", "notes"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.md").write_text(f"# {name}\n\nThe lantern of {name}.\n")
    return tmp_path


def write(folder: Path, name: str, **workspaces: Any) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({"workspaces": workspaces}))
    return path


async def apply(kb: Syncline, path: Path, *, prune: bool = False) -> ApplyPlan:
    plan = await kb.config.plan(path, prune=prune)
    await kb.config.apply(plan)
    return plan


def done(plan: ApplyPlan) -> list[tuple[str, str | None]]:
    return [(step.action, step.connection) for step in plan.todo]


async def test_a_file_makes_connections_and_applying_it_again_changes_nothing(
    kb: Syncline, folder: Path, workspace_name: str
) -> None:
    """Paths begin at the file, wherever it is applied from."""
    path = write(
        folder,
        workspace_name,
        **{
            workspace_name: {
                "connections": {
                    "docs": {
                        "source": "./docs",
                        "schedule": "every 15m",
                        "filter": {"updated_within": "32h", "tags": ["b", "a"]},
                        "options": {"exclude": ["drafts/"]},
                        "guard": {"fraction": 0.1},
                        "recheck": "90m",
                        "keep_deleted": True,
                        "paused": True,
                    },
                    "notes": {"source": "notes"},
                }
            }
        },
    )
    plan = await apply(kb, path)
    assert done(plan) == [("create", None), ("create", "docs"), ("create", "notes")]
    again = await kb.config.plan(path)
    assert done(again) == []
    assert [step.action for step in again.steps] == ["keep", "keep"]
    rows = {row.name: row for row in await kb.connections.list()}
    times = await kb.connections.times()
    assert rows["docs"].source == str(folder / "docs")
    assert rows["docs"].filter == {"updated_within": "32h", "tags": ["b", "a"]}
    assert (rows["docs"].recheck_seconds, rows["docs"].guard_minimum) == (5400, 3)
    assert rows["docs"].guard_fraction == pytest.approx(0.1)
    assert times[rows["docs"].id].paused
    assert times[rows["docs"].id].schedule == "every 15m"
    assert times[rows["notes"].id].schedule is None
    assert (await kb.sync(await kb.connections.find("notes"))).counts["created"] == 1


async def test_a_source_that_does_not_tell_its_kind_is_one_all_the_same(
    kb: Syncline, folder: Path, workspace_name: str
) -> None:
    """Beside a kind, as the source or as an option; the connection shows it."""
    path = write(
        folder,
        workspace_name,
        **{
            workspace_name: {
                "connections": {
                    "help": {"kind": "zendesk", "source": "https://help.acme.example"},
                    "other": {"kind": "zendesk", "options": {"url": "https://other.example"}},
                    "docs": {"kind": "files", "options": {"path": str(folder / "docs")}},
                }
            }
        },
    )
    await apply(kb, path)
    rows = {row.name: row for row in await kb.connections.list()}
    assert rows["help"].options["url"] == "https://help.acme.example"
    assert [rows[name].source for name in ("help", "other", "docs")] == [
        "https://help.acme.example/",
        "https://other.example/",
        str(folder / "docs"),
    ]
    assert done(await kb.config.plan(path)) == []


async def test_what_is_no_longer_written_is_as_for_a_new_connection(
    kb: Syncline, folder: Path, workspace_name: str
) -> None:
    """But a pause that a person made by hand stays."""
    full = {"source": "./docs", "schedule": "hourly", "filter": {"tags": ["x"]}, "recheck": "1h"}
    path = write(folder, "f", **{workspace_name: {"connections": {"docs": full}}})
    await apply(kb, path)
    await kb.connections.pause("docs")
    path = write(folder, "f", **{workspace_name: {"connections": {"docs": {"source": "./docs"}}}})
    plan = await apply(kb, path)
    (step,) = plan.todo
    assert {change.what for change in step.changes} == {
        "filter tags", "schedule", "recheck seconds",
    }  # fmt: skip
    (row,) = await kb.connections.list()
    times = (await kb.connections.times())[row.id]
    assert (row.filter, row.recheck_seconds, times.schedule) == ({}, 86400, None)
    assert times.paused


async def test_pruning_takes_what_the_file_had_described_and_nothing_else(
    kb: Syncline, folder: Path, workspace_name: str
) -> None:
    both = {"docs": {"source": "./docs"}, "notes": {"source": "./notes"}}
    path = write(folder, workspace_name, **{workspace_name: {"connections": both}})
    await apply(kb, path)
    await kb.sync(await kb.connections.find("docs"))
    (folder / "by-hand").mkdir()
    await kb.connections.add(folder / "by-hand")
    write(folder, workspace_name, **{workspace_name: {"connections": {"notes": both["notes"]}}})
    left = await kb.config.plan(path)
    assert done(left) == []
    assert left.left == (f"{workspace_name}/docs",)
    plan = await kb.config.plan(path, prune=True)
    assert [(step.connection, step.documents) for step in plan.todo] == [("docs", 1)]
    await kb.config.apply(plan)
    assert {row.name for row in await kb.connections.list()} == {"by-hand", "notes"}
    with pytest.raises(NotHere):
        await kb.connections.find("docs")
    write(folder, workspace_name, other={"connections": {}})
    assert (await kb.config.plan(path, prune=True)).todo[-1].connection == "notes"


async def test_a_connection_made_by_hand_is_taken_over_by_a_file_that_names_it(
    kb: Syncline, folder: Path, workspace_name: str
) -> None:
    """Its documents stay; another file may not take it after that."""
    await kb.sync(folder / "docs")
    declared = {workspace_name: {"connections": {"docs": {"source": "./docs"}}}}
    plan = await apply(kb, write(folder, "one", **declared))
    assert [change.what for change in plan.todo[0].changes] == ["described by"]
    assert (await kb.documents.list()).total == 1
    with pytest.raises(ConfigurationError, match="described by another file, 'one'"):
        await kb.config.plan(write(folder, "two", **declared))


async def test_nothing_is_done_when_something_has_changed_since_the_plan(
    kb: Syncline, folder: Path, workspace_name: str
) -> None:
    path = write(folder, "f", **{workspace_name: {"connections": {"docs": {"source": "./docs"}}}})
    await apply(kb, path)
    write(folder, "f", **{workspace_name: {"connections": {"docs": {"source": "./notes"}}}})
    plan = await kb.config.plan(path)
    await kb.connections.edit("docs", keep_deleted=True)
    with pytest.raises(Conflict):
        await kb.config.apply(plan)
    assert (await kb.connections.find("docs")).source == str(folder / "docs")


async def test_two_who_apply_at_once_do_it_once(
    server_settings: Settings, folder: Path, workspace_name: str
) -> None:
    path = write(folder, "f", **{workspace_name: {"connections": {"docs": {"source": "./docs"}}}})
    async with (
        syncline.open(settings=server_settings, workspace=workspace_name) as one,
        syncline.open(settings=server_settings, workspace=workspace_name) as two,
    ):
        plans = [await kb.config.plan(path) for kb in (one, two)]
        outcomes = await asyncio.gather(
            one.config.apply(plans[0]), two.config.apply(plans[1]), return_exceptions=True
        )
        assert sorted(type(each).__name__ for each in outcomes) == ["Conflict", "NoneType"]
        assert len(await one.connections.list()) == 1


async def test_a_failure_in_the_middle_leaves_nothing_behind(
    kb: Syncline, folder: Path, workspace_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = {"docs": {"source": "./docs"}, "notes": {"source": "./notes"}}
    plan = await kb.config.plan(write(folder, "f", **{workspace_name: {"connections": both}}))

    async def fails(*_: object, **__: object) -> None:
        raise Conflict("in the middle")

    monkeypatch.setattr("syncline.sync.apply.note_applied", fails)
    with pytest.raises(Conflict, match="in the middle"):
        await kb.config.apply(plan)
    with pytest.raises(NotHere):
        await kb.connections.list()


async def test_secrets_come_from_where_the_file_says(
    kb: Syncline, folder: Path, workspace_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are compared by value, shown by name, and left as they are where none are written."""
    site: dict[str, Any] = {"source": "https://docs.example.com/"}
    secrets = {"username": "env:READER", "password": "file:password"}
    path = write(
        folder, "f", **{workspace_name: {"connections": {"site": site | {"secrets": secrets}}}}
    )
    (folder / "password").write_text("lantern-7\n")
    with pytest.raises(ConfigurationError, match=r"f.yaml:\d+: site: .*READER is not set"):
        await kb.config.plan(path)
    monkeypatch.setenv("READER", "reader")
    first = await apply(kb, path)
    assert done(await kb.config.plan(path)) == []
    (folder / "password").write_text("lantern-8\n")
    plan = await apply(kb, path)
    (change,) = plan.todo[0].changes
    assert (change.what, change.before, change.after) == ("secret password", "set", "changed")
    assert "lantern" not in str(plan.as_json()) + repr(plan) + repr(first)
    write(folder, "f", **{workspace_name: {"connections": {"site": site}}})
    assert done(await kb.config.plan(path)) == []
    assert await kb.connections.secrets("site") == ["password", "username"]
    write(folder, "f", **{workspace_name: {"connections": {"site": site | {"secrets": {}}}}})
    await apply(kb, path)
    assert await kb.connections.secrets("site") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "workspaces:\n  a:\n    connections:\n      b: {sauce: ./docs}\n",
            "f.yaml:4: .*no such key",
        ),
        (
            "workspaces:\n  a:\n    connections:\n      b: {source: ./gone}\n",
            "f.yaml:4: b: There is no",
        ),
        ("workspaces:\n  a:\n    connections:\n      b: 3\n", "f.yaml:4: .*names with values"),
        ("workspaces:\n  a: {}\n  a: {}\n", "f.yaml:3: 'a' is there already, in line 2"),
        ("workspaces:\n  a: [\n", "f.yaml:3: "),
        ("- 1\n", "f.yaml: the file: names with values"),
        ("workspaces: {a: {connections: {b: {}}}}", "neither a source nor a kind"),
        ("workspaces: {a: {connections: {b: {kind: wkii}}}}", "no connector 'wkii'"),
        (
            "workspaces:\n a:\n  connections:\n   b:\n    source: ./docs\n    schedule: never\n",
            "f.yaml:6: b: ",
        ),
        (
            "workspaces: {a: {connections: {b: {source: ./docs, options: {concurrency: 1}}}}}",
            "there is no option 'concurrency'",
        ),
        (
            "workspaces: {a: {connections: {b: {source: ./docs, secrets: {t: 'hidden!'}}}}}",
            "a secret itself is not written here",
        ),
        ("&a [*a]", "f.yaml: "),
    ],
)
async def test_an_error_says_where_it_is(kb: Syncline, folder: Path, text: str, said: str) -> None:
    """And nothing is done; what may be a secret is not repeated."""
    path = folder / "f.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=said) as caught:
        await kb.config.plan(path)
    assert "hidden" not in caught.value.message


_connection = st.fixed_dictionaries(
    {"source": st.sampled_from(["./docs", "./notes", "https://docs.example.com/"])},
    optional={
        "schedule": st.sampled_from(["hourly", "every 20m", "daily 02:00", "spread", "manual"]),
        "paused": st.booleans(),
        "keep_deleted": st.booleans(),
        "recheck": st.sampled_from(["0", "1h", "7d"]),
        "filter": st.dictionaries(
            st.sampled_from(["tags", "contains", "authors"]), st.lists(st.sampled_from("xyz"))
        ),
        "guard": st.fixed_dictionaries({}, optional={"fraction": st.floats(0, 1, width=16)}),
    },
)
_files = st.lists(
    st.dictionaries(st.sampled_from("abc"), _connection, max_size=3), min_size=2, max_size=3
)


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(_files)
async def test_after_any_file_everything_is_as_it_says(
    kb: Syncline, folder: Path, workspace_name: str, files: list[dict[str, Any]]
) -> None:
    """Whatever was before; and what kept its kind kept its identity."""
    for connections in files:
        path = write(folder, "f", **{workspace_name: {"connections": connections}})
        try:
            before = {row.name: row.id for row in await kb.connections.list()}
        except NotHere:
            before = {}
        try:
            await apply(kb, path, prune=True)
        except ConfigurationError:  # a connection keeps its kind
            await apply(kb, write(folder, "f"), prune=True)
            before = {}
            write(folder, "f", **{workspace_name: {"connections": connections}})
            await apply(kb, path, prune=True)
        assert done(await kb.config.plan(path, prune=True)) == []
        rows = {row.name: row for row in await kb.connections.list()}
        assert rows.keys() == connections.keys()
        times = await kb.connections.times()
        for name, row in rows.items():
            assert before.get(name, row.id) == row.id
            assert row.keep_deleted is connections[name].get("keep_deleted", False)
            schedule = connections[name].get("schedule")
            assert (times[row.id].schedule is None) == (schedule is None)


async def test_the_command_shows_asks_and_tells(
    server_settings: Settings, folder: Path, workspace_name: str
) -> None:
    commands = Commands(server_settings, workspace_name)
    path = write(folder, "f", **{workspace_name: {"connections": {"docs": {"source": "./docs"}}}})
    refused = commands.run("apply", str(path))
    assert refused.status == 2
    assert f"+ {workspace_name}/docs" in refused.output
    assert "--yes" in refused.errors
    assert commands.json("apply", str(path), "--dry-run")["applied"] is False
    assert commands.json("apply", str(path), "--yes")["applied"] is True
    assert "Nothing to do" in commands.ok("apply", str(path))


async def test_who_is_asked_at_a_terminal_decides(
    server_settings: Settings, folder: Path, workspace_name: str
) -> None:
    """No, and nothing is done; yes, and it is as the file says. `--prune` says what is lost."""
    commands = Commands(server_settings, workspace_name)
    both = {"docs": {"source": "./docs"}, "notes": {"source": "./notes"}}
    path = write(folder, workspace_name, **{workspace_name: {"connections": both}})
    refused = commands.on_terminal("apply", str(path), answer="n")
    assert "Make these 3 changes?" in refused.output
    assert refused.status != 0
    assert "There is no workspace" in commands.run("connections").errors
    agreed = commands.on_terminal("apply", str(path), answer="y")
    assert (agreed.status, "Done." in agreed.output) == (0, True)
    names = [each["name"] for each in commands.json("connections")["connections"]]
    assert names == ["docs", "notes"]
    commands.ok("sync", "notes")
    del both["notes"]
    write(folder, workspace_name, **{workspace_name: {"connections": both}})
    assert "left alone" in commands.run("apply", str(path)).errors
    pruned = commands.on_terminal("apply", str(path), "--prune", answer="y")
    assert "Make this change, and remove 1 document?" in pruned.output
    assert pruned.status == 0
    (connection,) = commands.json("connections")["connections"]
    assert (connection["name"], commands.json("status")["totals"]["documents"]) == ("docs", 0)
