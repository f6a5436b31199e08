"""The Python API: asynchronous, and blocking by one generic wrapper."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import syncline
from syncline.settings import Settings
from tests.support.commands import Commands


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    for n in range(3):
        (folder / f"page{n}.md").write_text(f"# Page {n}\n\nwhat page number {n} says")
    return folder


async def test_a_folder_is_synced_searched_and_looked_at(
    server_settings: Settings, workspace_name: str, folder: Path
) -> None:
    """Everything that the command line does."""
    async with syncline.open(settings=server_settings, workspace=workspace_name) as kb:
        seen: list[int] = []
        plan = await kb.plan(folder)
        assert (plan.counts["created"], plan.run) == (3, None)
        with pytest.raises(syncline.NotHere):  # not even the workspace has been made
            await kb.connections.list()
        report = await kb.sync(
            folder, name="mine", on_progress=lambda progress: seen.append(progress.listed)
        )
        assert isinstance(report, syncline.Report)
        assert (report.counts["created"], report.exit_code, max(seen)) == (3, 0, 3)
        page = await kb.search("what does page number 1 say")
        assert page.hits[0].entry_id == "page1.md"
        status = await kb.status()
        assert status.connections[0].documents == 3
        (run,) = await kb.runs(connection="mine")
        assert (await kb.run(run.row.id)).row.counts["created"] == 3
        documents = await kb.documents.list()
        view = await kb.documents.show(documents.documents[0].id)
        assert "page number 0" in view.text
        assert (await kb.documents.why("page2.md"))[0].standing == "stored"
        assert await kb.deletions.list() == []
        assert await kb.connections.remove("mine") == 3


async def test_opening_by_await_and_closing(server_settings: Settings, workspace_name: str) -> None:
    """For those who cannot use a context manager; an unknown workspace is refused on reading."""
    kb = await syncline.open(settings=server_settings, workspace=workspace_name)
    with pytest.raises(syncline.NotHere, match="no workspace named"):
        await kb.status()
    await kb.close()


async def test_wishes_change_only_what_they_name(
    server_settings: Settings, workspace_name: str, folder: Path
) -> None:
    """A connection's settings may be changed without syncing."""
    async with syncline.open(settings=server_settings, workspace=workspace_name) as kb:
        row = await kb.connections.add(folder, filter={"tags": ["a"]}, guard_minimum=7)
        row = await kb.connections.add("notes", keep_deleted=True, filter={"authors": ["b"]})
        assert row.filter == {"tags": ["a"], "authors": ["b"]}
        assert (row.keep_deleted, row.guard_minimum) == (True, 7)
        row = await kb.connections.add("notes", clear_filter=True)
        assert (row.filter, row.keep_deleted) == ({}, True)
        with pytest.raises(syncline.ConfigurationError, match="between 0 and 1"):
            await kb.connections.add("notes", guard_fraction=30.0)


async def test_calls_may_run_side_by_side(
    server_settings: Settings, workspace_name: str, folder: Path
) -> None:
    """Two syncs of one connection exclude each other; questions never wait."""
    async with syncline.open(settings=server_settings, workspace=workspace_name) as kb:
        await kb.sync(folder)
        both = await asyncio.gather(
            kb.sync(folder, wait=True), kb.sync(folder, wait=True), kb.status(), kb.status()
        )
        assert both[0].counts["unchanged"] == both[1].counts["unchanged"] == 3


def test_the_blocking_wrapper_has_every_method(
    server_settings: Settings, workspace_name: str, folder: Path
) -> None:
    """Parts included; `call` keeps a method's types; errors arrive as they are."""
    with syncline.blocking(settings=server_settings, workspace=workspace_name) as kb:
        report = kb.call(syncline.Syncline.sync, folder)
        assert report.counts["created"] == 3
        assert kb.search("page number 2").hits[0].entry_id == "page2.md"
        assert [row.entry_id for row in kb.documents.list().documents] == [
            "page0.md",
            "page1.md",
            "page2.md",
        ]
        assert kb.workspace == workspace_name
        with pytest.raises(syncline.UsageError):
            kb.sync(folder / "nothing-there")
        with ThreadPoolExecutor(4) as threads:
            states = list(threads.map(lambda _: kb.status().documents, range(8)))
        assert states == [3] * 8
    kb.close()
    with pytest.raises(RuntimeError, match="not open"):
        kb.status()


def test_a_script_needs_no_main_guard(
    server_settings: Settings, workspace_name: str, folder: Path, tmp_path: Path
) -> None:
    """The workers are not forks of the script: it runs once."""
    script = tmp_path / "script.py"
    script.write_text(
        "import syncline\n"
        "print('once')\n"
        f"with syncline.blocking(workspace={workspace_name!r}) as kb:\n"
        f"    print(kb.sync({str(folder)!r}).counts['created'])\n"
    )
    finished = subprocess.run(
        [sys.executable, "-W", "error", script],
        env=Commands(server_settings, workspace_name).environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (finished.stdout, finished.returncode) == ("once\n3\n", 0), finished.stderr


def test_contradicting_arguments_are_refused(server_settings: Settings) -> None:
    """Settings say it all, or a folder does, or an address."""
    with pytest.raises(syncline.ConfigurationError, match="either"):
        syncline.open(settings=server_settings, data_dir="/tmp/elsewhere")
    with pytest.raises(syncline.UsageError, match="workspace"):
        syncline.open(settings=server_settings, workspace=" ")
