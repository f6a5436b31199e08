"""How commands end when not all is well: exit codes, messages, and what is left behind."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from syncline.settings import Settings
from syncline.testing.fakes.intercom import FakeIntercom
from tests.support.commands import Commands, Finished
from tests.support.world import World


@pytest.fixture
def commands(server_settings: Settings, workspace_name: str) -> Commands:
    return Commands(server_settings, workspace_name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five documents, all different."""
    folder = tmp_path / "notes"
    folder.mkdir()
    for n in range(5):
        (folder / f"page{n}.md").write_text(f"# Page {n}\n\nwhat page number {n} says")
    return folder


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("sync", "./no-such-folder"), "There is no file or folder"),
        (("sync", "docs.example.com"), "https://docs.example.com"),
        (("sync", "https://user:secret-word@example.com/"), "without a user name or password"),
        (("sync", "{folder}", "--updated-since", "yesterdayish"), "--updated-since"),
        (("sync", "{folder}", "--option", "depth=3"), "no option 'depth'"),
        (("sync", "{folder}", "--option", "depth"), "NAME=VALUE"),
        (("sync", "{folder}", "--contains", " "), "an empty word"),
        (("sync", "{folder}", "--full", "--reconcile"), "Choose one"),
        (("sync",), "Say what to sync"),
        (("snyc",), "Did you mean 'sync'?"),
        (("search", "x", "--as", "ann", "--all"), "contradict"),
        (("connections", "remove", "nobody", "-w", "default"), "There is no connection 'nobody'"),
    ],
)
def test_what_is_wrong_is_said_in_a_line_and_changes_nothing(
    commands: Commands, folder: Path, words: tuple[str, ...], said: str
) -> None:
    """Exit code 2, a message with a hint, no traceback, no secret, and no connection."""
    finished = commands.run(*(word.format(folder=folder) for word in words))
    assert (finished.status, finished.output) == (2, "")
    assert said in finished.errors
    assert finished.errors.startswith("Error: ")
    assert len(finished.errors.splitlines()) in (2, 3)
    assert "Traceback" not in finished.errors
    assert "secret-word" not in finished.errors
    if words[0] == "sync" and words[1:]:
        listed = commands.run("connections", "--json", "--workspace", "default")
        assert listed.json == {"connections": []}


def test_failed_entries_are_named_and_give_3_until_they_are_dead_letters(
    commands: Commands, tmp_path: Path
) -> None:
    """Three runs end with 3; then the entry is given up and stays visible."""
    world = World(tmp_path / "world.json")
    world.put("good", "# Good\n\nit can be read")
    world.put("bad", "# Bad\n\nit cannot")
    world.fail_fetch("bad", "bad_content")
    commands.connect(world, kind="scripted-listing")
    first = commands.run("sync", "scripted")
    assert first.status == 3
    assert "bad: bad: the test asked for this failure" in first.errors
    assert "syncline runs" in first.errors
    for _ in range(2):
        report = commands.json("sync", "scripted", status=3)
    assert (report["failed"], report["exit_code"]) == (1, 3)
    last = commands.run("sync", "scripted")
    assert last.status == 0
    assert "given up" in last.errors
    (connection,) = commands.json("status")["connections"]
    assert (connection["failing"], connection["dead_letters"]) == (1, 1)
    assert "given up until they change" in commands.ok("status")
    (standing,) = commands.json("documents", "why", "bad")["standings"]
    assert standing["standing"] == "dead letter"
    run = commands.json("runs", str(report["run"]), "--kind", "failed")
    assert run["items"]["failed"]["shown"][0]["entry"] == "bad"


def test_an_emptied_folder_is_held_and_a_person_decides(commands: Commands, folder: Path) -> None:
    """Exit code 4; approve some, reject others; deleted ones can be restored, and stay."""
    commands.ok("sync", str(folder))
    for page in folder.iterdir():
        page.unlink()
    held = commands.run("sync", "notes")
    assert held.status == 4
    assert "syncline deletions approve notes" in held.errors
    (group,) = commands.json("deletions")["held"]
    assert (group["connection"], group["held"]) == ("notes", 5)
    assert group["reasons"] == {"no longer listed by the source": 5}
    ids = {each["entry"]: str(each["id"]) for each in group["documents"]}
    (standing,) = commands.json("documents", "why", ids["page0.md"])["standings"]
    assert standing["standing"] == "held"
    decided = commands.json("deletions", "approve", ids["page0.md"], ids["page1.md"])
    assert decided == {"decided": 2, "not_held": 0}
    assert "Kept 3 documents" in commands.ok("deletions", "reject", "notes")
    assert "Nothing is held" in commands.ok("deletions")
    assert "is back" in commands.ok("documents", "restore", ids["page0.md"])
    assert commands.run("documents", "restore", ids["page0.md"]).status == 2
    report = commands.json("sync", "notes")
    assert (report["deleted"], report["held"]) == (0, 0)
    left = commands.json("documents", "--state", "all")["documents"]
    assert {each["entry"]: each["state"] for each in left} == {
        "page0.md": "live",
        "page1.md": "deleted",
        "page2.md": "live",
        "page3.md": "live",
        "page4.md": "live",
    }
    (gone,) = commands.json("documents", "why", "page1.md")["standings"]
    assert gone["standing"] == "deleted"
    assert "documents restore" in gone["advice"]


def test_what_was_kept_goes_on_when_it_is_listed_again(commands: Commands, folder: Path) -> None:
    """An approved deletion whose file comes back is a document again, under its old number."""
    commands.ok("sync", str(folder))
    before = commands.json("documents")["documents"]
    texts = {page.name: page.read_text() for page in folder.iterdir()}
    for page in folder.iterdir():
        page.unlink()
    assert commands.run("sync", "notes").status == 4
    commands.ok("deletions", "approve", "notes")
    for name, text in texts.items():
        (folder / name).write_text(text)
    assert commands.json("sync", "notes")["created"] == 5
    after = commands.json("documents")["documents"]
    assert [each["id"] for each in after] == [each["id"] for each in before]


def test_a_source_that_fails_is_said_and_gives_1(commands: Commands, folder: Path) -> None:
    """The run fails; the report has the cause, and nothing is lost."""
    commands.ok("sync", str(folder))
    folder.rename(folder.with_name("elsewhere"))
    finished = commands.run("sync", "notes")
    assert finished.status == 1
    assert finished.errors.startswith("Error: notes: ")
    status = commands.json("status")
    assert status["totals"]["documents"] == 5
    assert status["connections"][0]["last_run"]["error"]["message"]
    assert "the last run failed" in commands.ok("status")


def test_filters_stay_with_the_connection_until_they_are_cleared(
    commands: Commands, folder: Path
) -> None:
    """Only what is given changes; what is left out says why."""
    report = commands.json("sync", str(folder), "--contains", "number 3")
    assert (report["created"], report["filtered"]) == (1, 4)
    report = commands.json("sync", "notes", "--option", "exclude=page4.md")
    assert (report["unchanged"], report["filtered"]) == (1, 4)
    (connection,) = commands.json("connections")["connections"]
    assert connection["filter"] == {"contains": ["number 3"]}
    assert connection["options"] == {"path": str(folder), "exclude": ["page4.md"]}
    (standing,) = commands.json("documents", "why", str(folder / "page1.md"))["standings"]
    assert (standing["standing"], "number 3" in standing["explanation"]) == ("filtered", True)
    assert commands.json("sync", "notes", "--clear-filter")["created"] == 3


def test_names_tell_two_connections_to_one_source_apart(commands: Commands, folder: Path) -> None:
    """Another name makes another connection; a taken one is refused; equal folders get numbers."""
    assert commands.json("sync", str(folder))["connection"] == "notes"
    assert commands.json("sync", str(folder), "--name", "mine")["connection"] == "mine"
    assert commands.json("sync", str(folder), "--name", "mine")["created"] == 0
    other = folder.with_name("other") / "notes"
    other.mkdir(parents=True)
    (other / "page.md").write_text("# Another\n\nfolder of the same name")
    assert commands.json("sync", str(other))["connection"] == "notes-2"
    assert commands.run("sync", str(other), "--name", "mine").status == 2
    ambiguous = commands.run("sync", "notes", cwd=other.parent)
    assert (ambiguous.status, "./notes" in ambiguous.errors) == (2, True)


def test_a_removed_connection_takes_its_documents_with_it(commands: Commands, folder: Path) -> None:
    """A mistyped source need not stay for ever."""
    commands.ok("sync", str(folder))
    assert commands.json("connections", "remove", "notes") == {"removed": "notes", "documents": 5}
    assert commands.json("connections") == {"connections": []}
    totals = commands.json("status")["totals"]
    assert (totals["documents"], totals["chunks"]) == (0, 0)


def test_hostile_names_cannot_reach_the_terminal(commands: Commands, folder: Path) -> None:
    """Control characters of a source's titles are shown as such, not obeyed."""
    (folder / "evil.md").write_text("# Evil \x1b[2J\x07 title\n\nunusualword here")
    commands.ok("sync", str(folder))
    printed = commands.on_terminal("search", "unusualword").output
    assert "\x1b[2J" not in printed
    assert "\x07" not in printed


def test_an_unexpected_error_is_one_line_unless_debugging(commands: Commands, folder: Path) -> None:
    """SYNCLINE_DEBUG=1 brings the traceback."""
    broken = {"DATABASE_URL": "postgresql://nobody:hidden-word@127.0.0.1:1/none"}
    finished = commands.run("status", environment=broken)
    assert finished.status == 1
    assert "cannot be reached" in finished.errors
    assert "doctor" in finished.errors
    assert "Traceback" not in finished.errors
    debugged = commands.run("status", environment={**broken, "SYNCLINE_DEBUG": "1"})
    assert "Traceback" in debugged.errors
    assert "hidden-word" not in finished.errors + debugged.errors


async def test_a_check_tells_what_of_a_source_may_be_read(commands: Commands) -> None:
    """Each kind of thing, and what to do about what may not; the exit code is 1 then, in JSON too.
    A hint is there also where nothing may be read."""
    async with FakeIntercom() as server:
        server.let_in("lantern-4711")
        server.scopes_lack = ("/conversations",)
        options = {"url": server.url, "allow_private_hosts": "127.0.0.1"}
        options["read"] = "articles,conversations"
        words = [word for name in options for word in ("--option", f"{name}={options[name]}")]

        async def run(*words: str) -> Finished:
            environment = {"INTERCOM_TOKEN": "lantern-4711"}
            return await asyncio.to_thread(commands.run, *words, environment=environment)

        token = ("--secret", "token=env:INTERCOM_TOKEN")
        made = await run("connections", "add", "intercom://us", "--name", "help", *words, *token)
        assert made.status == 0, made
        told = await run("connections", "check", "help")
        _, articles, conversations, hint, *_ = told.output.splitlines()
        assert articles.split() == ["articles", "yes"]
        assert conversations.startswith("  conversations  no: ")
        assert hint.lstrip().startswith("Give the app the permission")
        asked = await run("connections", "check", "help", "--json")
        assert (told.status, asked.status, asked.json["ok"]) == (1, 1, False)
        assert asked.json["code"] == "forbidden"
        reads = {each["what"]: each for each in asked.json["reads"]}
        assert reads["articles"] == {"what": "articles", "ok": True}
        assert reads["conversations"]["hint"] == asked.json["hint"] == hint.strip()
        server.accepts = set()
        refused = (await run("connections", "check", "help", "--json")).json
        assert (refused["code"], "--secret token" in refused["hint"]) == ("unauthorized", True)
