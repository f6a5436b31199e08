"""A folder in step: what a person does to files, and what the knowledge base makes of it."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from syncline.core.model import Mode
from syncline.settings import Settings
from syncline.sync.plan import plan_connection
from syncline.sync.run import RunRequest
from tests.support.looking import configure, documents, items, manifest, query
from tests.support.syncs import Syncs, open_syncs

_HANDBOOK = Path(__file__).resolve().parents[2] / "examples" / "handbook"


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder as a source."""

    path: Path

    @property
    def options(self) -> dict[str, str]:
        return {"path": str(self.path)}

    def write(self, name: str, text: str) -> None:
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder of ten pages in two parts."""
    folder = Folder(tmp_path / "docs")
    for part in ("guide", "reference"):
        for n in range(5):
            folder.write(f"{part}/page{n}.md", f"# {part} {n}\n\nThe {part}'s own text {n}.\n")
    return folder


@pytest.fixture
async def syncs(
    server_settings: Settings, workspace_name: str, folder: Folder
) -> AsyncIterator[Syncs]:
    async with open_syncs(server_settings, workspace_name, folder, "files") as syncs:
        yield syncs


async def test_the_handbook_matches_its_folder(
    server_settings: Settings, workspace_name: str, tmp_path: Path
) -> None:
    """Every readable file is a document, with its title; a copy shares its content."""
    shutil.copytree(_HANDBOOK, tmp_path / "handbook")
    folder = Folder(tmp_path / "handbook")
    async with open_syncs(server_settings, workspace_name, folder, "files") as syncs:
        report = await syncs.run()
        names = {str(p.relative_to(folder.path)) for p in folder.path.rglob("*") if p.is_file()}
        assert set(await documents(syncs)) == names
        assert report.counts["created"] == len(names)
        contents = await query(syncs, "SELECT count(*) FROM contents WHERE workspace_id = %s")
        assert contents[0][0] == len(names) - 1
        untitled = await query(
            syncs, "SELECT entry_id FROM documents WHERE workspace_id = %s AND title IS NULL"
        )
        assert untitled == []
        again = await syncs.run()
        assert again.counts["unchanged_by_version"] == len(names)


async def test_a_touched_file_is_unchanged(syncs: Syncs, folder: Folder) -> None:
    """Its time moves, its content does not: nothing is written but the time."""
    await syncs.run()
    os.utime(folder.path / "guide/page1.md", (1_800_000_000, 1_800_000_000))
    report = await syncs.run()
    assert (report.counts["unchanged"], report.counts["updated"]) == (10, 0)
    rows = await query(
        syncs,
        "SELECT extract(epoch FROM source_updated)::bigint FROM documents"
        " WHERE workspace_id = %s AND entry_id = 'guide/page1.md'",
    )
    assert rows == [(1_800_000_000,)]


async def test_a_renamed_folder_keeps_its_documents(syncs: Syncs, folder: Folder) -> None:
    """Moved as a whole: the same documents at new places, nothing embedded again, no question."""
    await syncs.run()
    before = await query(syncs, "SELECT id FROM documents WHERE workspace_id = %s ORDER BY id")
    (folder.path / "guide").rename(folder.path / "handbook")
    report = await syncs.run()
    assert (report.counts["moved"], report.counts["gone"], report.exit_code) == (5, 5, 0)
    after = await query(syncs, "SELECT id FROM documents WHERE workspace_id = %s ORDER BY id")
    assert after == before
    assert "handbook/page1.md" in await documents(syncs)


async def test_an_emptied_folder_is_held_and_an_unmounted_one_fails(
    syncs: Syncs, folder: Folder, tmp_path: Path
) -> None:
    """An empty mount point holds everything; a missing one ends the run; nothing is lost."""
    await syncs.run()
    folder.path.rename(tmp_path / "elsewhere")
    missing = await syncs.run()
    assert missing.exit_code == 1
    assert missing.error is not None
    assert str(folder.path) in missing.error["message"]
    assert missing.error["hint"]
    folder.path.mkdir()
    emptied = await syncs.run()
    assert (emptied.counts["held"], emptied.exit_code) == (10, 4)
    folder.path.rmdir()
    (tmp_path / "elsewhere").rename(folder.path)
    back = await syncs.run()
    assert (back.exit_code, back.counts["gone"]) == (0, 0)
    assert len(await documents(syncs)) == 10


async def test_an_oversized_file_is_left_out_by_its_size_alone(
    syncs: Syncs, folder: Folder
) -> None:
    """A file of 2 GB is never opened: it is filtered, with the reason."""
    with (folder.path / "huge.md").open("wb") as file:
        file.truncate(2_000_000_000)
    report = await syncs.run()
    assert (report.counts["filtered"], report.counts["created"]) == (1, 10)
    assert "max_mb = 50" in (await items(syncs, report.run, "filtered"))["huge.md"]


async def test_a_binary_file_fails_alone(syncs: Syncs, folder: Folder) -> None:
    """Its extension promised text: that entry fails, the rest is stored."""
    (folder.path / "picture.md").write_bytes(bytes(range(256)) * 50)
    report = await syncs.run()
    assert (report.counts["failed"], report.counts["created"], report.exit_code) == (1, 10, 3)


async def test_hostile_names_are_stored_and_found(syncs: Syncs, folder: Folder) -> None:
    """Newlines, dashes, percent signs and bytes that are no UTF-8 are names like others."""
    for name in ("-rf.md", "new\nline.md", "100%.md", "a b#c?.md"):
        folder.write(name, f"# {len(name)}\n\n{name!r}")
    Path(os.fsdecode(os.fsencode(folder.path) + b"/\xff\xfe.md")).write_text("# Bytes\n\nbytes")
    report = await syncs.run()
    assert (report.counts["created"], report.exit_code) == (15, 0)


async def test_an_edited_filter_removes_what_no_longer_belongs(
    syncs: Syncs, folder: Folder
) -> None:
    """Options and filters may be edited between runs; the reasons are in the report."""
    await syncs.run()
    await configure(syncs, filter={"not_contains": ["guide's own text 2"]})
    report = await syncs.run()
    assert (report.counts["filtered"], report.counts["deleted"]) == (1, 1)
    assert (await manifest(syncs, "guide/page2.md"))["state"] == "filtered"


async def test_a_plan_predicts_and_leaves_nothing_behind(syncs: Syncs, folder: Folder) -> None:
    """The counts of a plan are those of the sync that follows; no table has a row more."""
    await syncs.run()
    folder.write("guide/page0.md", "# guide 0\n\nEdited.\n")
    folder.write("guide/new.md", "# New\n\nNew.\n")
    (folder.path / "guide/page1.md").unlink()
    (folder.path / "guide/page2.md").rename(folder.path / "reference/renamed.md")
    counts = "SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM run_seen),"
    counts += " (SELECT count(*) FROM manifest), (SELECT count(*) FROM documents),"
    counts += " (SELECT count(*) FROM contents), (SELECT max(revision) FROM manifest) WHERE %s > 0"
    before = await query(syncs, counts)
    plan = await plan_connection(syncs.tools, RunRequest(syncs.row, Mode.PLAN))
    assert await query(syncs, counts) == before
    report = await syncs.run()
    names = ("listed", "created", "updated", "moved", "unchanged", "deleted", "held", "gone")
    assert {n: plan.counts[n] for n in names} == {n: report.counts[n] for n in names}
    assert plan.counts["chunks_to_embed"] == 2
    assert plan.samples["created"] == ["guide/new.md", "reference/renamed.md"]
    assert plan.samples["deleted"] == ["guide/page1.md"]


async def test_a_full_run_reads_everything_and_changes_nothing(
    syncs: Syncs, folder: Folder
) -> None:
    """It trusts no version; equal contents stay as they are."""
    await syncs.run()
    report = await syncs.run(Mode.FULL)
    assert report.counts["unchanged_by_content"] == 10


async def test_a_file_that_changes_while_it_is_read_fails_alone_and_is_read_when_it_rests(
    syncs: Syncs, folder: Folder
) -> None:
    """No half of it is stored; its neighbours are; the next run reads what it has become."""
    folder.write("log.md", "# The log\n" + "\n" * 20_000_000)
    log = folder.path / "log.md"
    rests = threading.Event()

    def keep_writing() -> None:
        for moment in count(1_700_000_000_000_000_000):
            os.utime(log, ns=(moment, moment))
            if rests.is_set():
                return

    writer = threading.Thread(target=keep_writing)
    writer.start()
    try:
        report = await syncs.run()
    finally:
        rests.set()
        writer.join()
    assert (report.counts["created"], report.counts["failed"], report.exit_code) == (10, 1, 3)
    failed = await items(syncs, report.run, "failed")
    assert list(failed) == ["log.md"]
    assert "changes while it is being read" in failed["log.md"]
    assert "log.md" not in await documents(syncs)
    log.write_text("# The log\n\nit is complete\n")
    again = await syncs.run()
    assert (again.counts["created"], again.counts["unchanged"], again.exit_code) == (1, 10, 0)
    assert "log.md" in await documents(syncs)
