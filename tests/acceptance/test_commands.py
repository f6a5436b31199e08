"""The commands of a first day: sync, search, look around; with what each prints, and `--json`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from syncline.settings import Settings
from tests.support.commands import Commands

_HANDBOOK = Path(__file__).resolve().parents[2] / "examples" / "handbook"
_COUNTS = {
    "listed",
    "created",
    "updated",
    "moved",
    "unchanged",
    "filtered",
    "alias",
    "absent",
    "repeated",
    "failed",
    "gone",
    "deleted",
    "held",
}


@pytest.fixture(scope="module")
def handbook(
    server_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Commands, Path]:
    """A workspace with the handbook, synced once; only to be looked at."""
    folder = tmp_path_factory.mktemp("synced") / "handbook"
    shutil.copytree(_HANDBOOK, folder)
    commands = Commands(server_settings, "commands-of-a-first-day")
    output = commands.ok("sync", str(folder))
    assert output.startswith("handbook: +")
    assert "syncline search" in output, "the first sync says what to try next"
    return commands, folder


def test_a_sync_with_nothing_to_do_says_so_in_one_line(handbook: tuple[Commands, Path]) -> None:
    """And prints neither hints nor anything about progress."""
    commands, folder = handbook
    finished = commands.run("sync", str(folder))
    assert (finished.status, finished.errors) == (0, "")
    assert finished.output.startswith("handbook: +0 ~0 -0, unchanged ")
    assert finished.output.count("\n") == 1
    assert "\x1b" not in finished.output


def test_a_quiet_sync_that_goes_well_prints_nothing(handbook: tuple[Commands, Path]) -> None:
    """The exit code says it all."""
    commands, folder = handbook
    finished = commands.run("sync", str(folder), "--quiet")
    assert (finished.status, finished.output, finished.errors) == (0, "", "")


def test_the_counts_of_a_sync_are_documented_fields(handbook: tuple[Commands, Path]) -> None:
    """The counts of invariant 1 by their names, always all of them, and they add up."""
    commands, folder = handbook
    report = commands.json("sync", str(folder))
    assert report.keys() >= _COUNTS | {"connection", "run", "mode", "state", "seconds", "error"}
    assert report["listed"] == report["unchanged"] + report["alias"] > 20
    assert (report["connection"], report["state"], report["exit_code"]) == ("handbook", "done", 0)


def test_a_connection_is_synced_again_by_its_name(handbook: tuple[Commands, Path]) -> None:
    """From any folder, and without making another connection."""
    commands, folder = handbook
    report = commands.json("sync", "handbook", cwd=Path("/"))
    assert report["created"] == 0
    found = commands.json("connections")["connections"]
    assert [each["name"] for each in found] == ["handbook"]
    assert found[0]["source"] == str(folder)


def test_search_prints_ranked_passages(handbook: tuple[Commands, Path]) -> None:
    """Title, source, passage and the reason; plain where nobody watches."""
    commands, _ = handbook
    finished = commands.run("search", "how do I rotate a key", "--limit", "2")
    assert finished.status == 0
    first = finished.output.splitlines()
    assert first[0].startswith(" 1. Rotating API keys")
    assert first[1].strip() == "handbook: engineering/api-keys.md"
    assert "words:" in first[3]
    assert "\x1b" not in finished.output


def test_search_on_a_terminal_highlights_unless_asked_not_to(
    handbook: tuple[Commands, Path],
) -> None:
    """`NO_COLOR` is heeded."""
    commands, _ = handbook
    assert "\x1b[1m" in commands.on_terminal("search", "rotate a key", "-n", "1").output
    plain = commands.on_terminal("search", "rotate a key", "-n", "1", environment={"NO_COLOR": "1"})
    assert "\x1b[1m" not in plain.output


def test_search_has_documented_fields(handbook: tuple[Commands, Path]) -> None:
    """For programs."""
    commands, _ = handbook
    page = commands.json("search", "rotate a key", "--limit", "1", "--tag", "keys")
    assert page.keys() == {"hits", "more", "seconds", "notes"}
    hit = page["hits"][0]
    assert hit["entry_id"] == "engineering/api-keys.md"
    assert hit.keys() >= {"rank", "score", "document", "connection", "snippet", "why", "url"}


def test_search_output_may_be_cut_off(handbook: tuple[Commands, Path]) -> None:
    """A reader that has seen enough, such as `head`, causes no complaint."""
    commands, _ = handbook
    process = commands.start("search", "rotate a key", "-n", "50")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) in (0, 1)
    assert errors.replace("There is more", "").count("Error") == 0
    assert "BrokenPipe" not in errors


def test_status_tells_counts_and_freshness(handbook: tuple[Commands, Path]) -> None:
    """By connection and in all, for people and for programs."""
    commands, _ = handbook
    text = commands.ok("status")
    assert "handbook" in text
    assert "documents" in text
    status = commands.json("status")
    (connection,) = status["connections"]
    assert connection["documents"] == status["totals"]["documents"] > 20
    assert connection["chunks"] >= connection["documents"]
    assert 0 <= connection["freshness_seconds"] < 3600
    assert connection["last_run"]["state"] == "done"
    assert (connection["failing"], connection["dead_letters"], connection["held"]) == (0, 0, 0)
    assert status["totals"]["database_bytes"] > 0


def test_runs_lists_what_there_was(handbook: tuple[Commands, Path]) -> None:
    """The newest first; and one with its counts."""
    commands, _ = handbook
    runs = commands.json("runs")["runs"]
    assert [run["id"] for run in runs] == sorted((run["id"] for run in runs), reverse=True)
    first = runs[-1]
    assert first["counts"]["created"] > 20
    assert f"Run {first['id']} of handbook" in commands.ok("runs", str(first["id"]))
    assert commands.json("runs", str(first["id"])).keys() >= {"id", "counts", "items", "error"}
    missing = commands.run("runs", "999999")
    assert (missing.status, missing.output) == (2, "")
    assert "There is no run 999999" in missing.errors


def test_documents_are_listed_in_pages(handbook: tuple[Commands, Path]) -> None:
    """`documents` alone lists them; options may follow at once."""
    commands, _ = handbook
    page = commands.json("documents", "--limit", "3", "--offset", "1")
    assert len(page["documents"]) == 3
    assert page["more"] is True
    tagged = commands.json("documents", "list", "--tag", "KEYS", "--connection", "handbook")
    assert {each["entry"] for each in tagged["documents"]} == {"engineering/api-keys.md"}
    assert commands.run("documents", "--state", "odd").status == 2


def test_a_document_is_shown_with_its_text_and_its_doubles(
    handbook: tuple[Commands, Path],
) -> None:
    """The handbook has one page twice; each names the other."""
    commands, _ = handbook
    page = commands.json("documents", "--limit", "100")
    ids = {each["entry"]: each["id"] for each in page["documents"]}
    view = commands.json("documents", "show", str(ids["engineering/on-call.md"]))
    assert "night" in view["text"]
    assert view["chunks"] >= 1
    assert [each["entry"] for each in view["same_content"]] == ["archive/on-call (copy).md"]
    assert commands.run("documents", "show", "999999").status == 2


def test_why_finds_an_entry_by_all_its_names(handbook: tuple[Commands, Path]) -> None:
    """Its number, its id, its path, its URL, the end of its id."""
    commands, folder = handbook
    path = folder / "engineering" / "api-keys.md"
    (by_path,) = commands.json("documents", "why", str(path))["standings"]
    assert (by_path["standing"], by_path["entry"]) == ("stored", "engineering/api-keys.md")
    for name in (str(by_path["document"]), path.as_uri(), "api-keys.md"):
        (found,) = commands.json("documents", "why", name)["standings"]
        assert found["document"] == by_path["document"], name
    assert "stored" in commands.ok("documents", "why", "engineering/api-keys.md")


def test_why_says_when_nobody_ever_listed_it(handbook: tuple[Commands, Path]) -> None:
    """With what was looked at, and what to do."""
    commands, _ = handbook
    (found,) = commands.json("documents", "why", "no/such/page.md")["standings"]
    assert found["standing"] == "never listed"
    assert "handbook (last read" in found["explanation"]
    assert found["advice"]


def test_a_plan_leaves_nothing_behind(handbook: tuple[Commands, Path], tmp_path: Path) -> None:
    """Neither documents nor a connection, nor a run; `--dry-run` is the same."""
    commands, _ = handbook
    (tmp_path / "new.md").write_text("# New\n\nsomething new")
    before = commands.json("status")
    plan = commands.json("plan", str(tmp_path))
    assert plan["created"] == 1
    assert plan["run"] is None
    assert plan["samples"]["created"] == ["new.md"]
    assert "+1 ~0 -0" in commands.ok("sync", str(tmp_path), "--dry-run")
    after = commands.json("status")
    assert [each["name"] for each in after["connections"]] == ["handbook"]
    assert after["totals"]["documents"] == before["totals"]["documents"]


def test_an_unknown_workspace_is_named(handbook: tuple[Commands, Path]) -> None:
    """With those that there are; the default one is just empty until something is in it."""
    commands, _ = handbook
    finished = commands.run("status", "--workspace", "nowhere")
    assert finished.status == 2
    assert "no workspace named 'nowhere'" in finished.errors
    assert commands.workspace in finished.errors


def test_doctor_looks_at_everything(handbook: tuple[Commands, Path]) -> None:
    """Each thing is ok or failed, and all are here."""
    commands, _ = handbook
    found = commands.json("doctor")
    assert found["ok"] is True
    names = {check["name"] for check in found["checks"] if check["ok"]}
    assert names >= {
        "python",
        "data folder",
        "disk space",
        "database",
        "schema",
        "role",
        "pgvector",
        "embedder",
        "connector files",
        "connector website",
    }


def test_version_and_help_need_no_database(handbook: tuple[Commands, Path]) -> None:
    """They answer at once, and name every command."""
    commands, _ = handbook
    assert commands.ok("version").startswith("syncline ")
    overview = commands.ok("--help")
    for name in ("sync", "plan", "search", "status", "runs", "documents", "deletions", "doctor"):
        assert f" {name} " in overview
    assert "--updated-since" in commands.ok("sync", "--help")


def _complete(commands: Commands, words: str, **environment: str) -> list[str]:
    """What bash, asking as its completion script does, offers for the last word."""
    asked = {
        "_SYNCLINE_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
        **environment,
    }
    finished = commands.run(environment=asked)
    assert (finished.status, finished.errors) == (0, "")
    return finished.output.split()


def test_completion_knows_commands_and_options(handbook: tuple[Commands, Path]) -> None:
    """As a shell asks for it, without a database; and makes none."""
    commands, _ = handbook
    nowhere = {"SYNCLINE_DATA_DIR": "/nonexistent"}
    assert _complete(commands, "syncline st", **nowhere) == ["status"]
    assert _complete(commands, "syncline sync --updated", **nowhere) == [
        "--updated-since",
        "--updated-before",
        "--updated-within",
    ]
    assert "restore" in _complete(commands, "syncline documents ", **nowhere)
    assert _complete(commands, "syncline sync ", **nowhere) == []


@pytest.mark.parametrize(
    "words",
    [
        "syncline sync ha",
        "syncline plan ",
        "syncline search question --connection ",
        "syncline runs -c ha",
        "syncline documents list --connection ",
        "syncline deletions approve ",
        "syncline connections remove h",
    ],
)
def test_completion_offers_the_connections_there_are(
    handbook: tuple[Commands, Path], words: str
) -> None:
    """Wherever one is asked for; what looks like a path is left to the shell."""
    commands, _ = handbook
    assert _complete(commands, words) == ["handbook"]


def test_completion_leaves_paths_to_the_shell(handbook: tuple[Commands, Path]) -> None:
    """Nothing is offered where no connection begins like what was typed."""
    commands, _ = handbook
    assert _complete(commands, "syncline sync ./ha") == []
    assert _complete(commands, "syncline sync elsewhere") == []


def test_the_guard_and_the_recheck_are_set_with_the_connection(
    handbook: tuple[Commands, Path], tmp_path: Path
) -> None:
    """They stay with it; what is not given stays as it is."""
    commands, _ = handbook
    (tmp_path / "guarded").mkdir()
    for n in range(4):
        (tmp_path / "guarded" / f"page{n}.md").write_text(f"# Page {n}\n\nits own text {n}")
    source = str(tmp_path / "guarded")
    commands.ok("sync", source, "--guard-fraction", "0.1", "--guard-minimum", "1")
    commands.ok("sync", source, "--recheck", "2h")
    (row,) = [
        each for each in commands.json("connections")["connections"] if each["name"] == "guarded"
    ]
    assert row["guard_fraction"] == pytest.approx(0.1)
    assert (row["guard_minimum"], row["recheck_seconds"]) == (1, 7200)
    (tmp_path / "guarded" / "page0.md").unlink()
    report = commands.json("sync", source, "--guard-fraction", "0.5", status=0)
    assert (report["deleted"], report["held"]) == (1, 0)
    (tmp_path / "guarded" / "page1.md").unlink()
    report = commands.json("sync", source, "--guard-fraction", "0.1", status=4)
    assert (report["deleted"], report["held"]) == (0, 1)
    refused = commands.run("sync", source, "--recheck", "soon")
    assert refused.status == 2
    assert "--recheck soon: not a time" in refused.errors
    commands.ok("connections", "remove", "guarded", "--yes")
