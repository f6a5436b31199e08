"""What is imported when: start-up is part of every command's time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from syncline.settings import Settings
from tests.support.commands import Commands

_HEAVY = {
    "aiohttp",
    "alembic",
    "numpy",
    "prometheus_client",
    "rich",
    "selectolax",
    "sqlalchemy",
    "structlog",
    "wordllama",
}


def _loaded_after(code: str, environment: dict[str, str] | None = None) -> set[str]:
    """The top-level modules that a process has after running `code`."""
    finished = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys, json\nprint(json.dumps(list(sys.modules)))"],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    modules = json.loads(finished.stdout.splitlines()[-1])
    return {name.partition(".")[0] for name in modules}


def test_importing_the_package_imports_next_to_nothing() -> None:
    """Neither Pydantic nor psycopg nor asyncio; what is exported comes when it is used."""
    loaded = _loaded_after("import syncline")
    assert not loaded & {"pydantic", "psycopg", "asyncio", "typer", *_HEAVY}
    assert "psycopg" in _loaded_after("import syncline; syncline.Syncline")


def test_importing_the_package_takes_under_30_milliseconds() -> None:
    """Of the processor, the best of five: other work on this machine is not its fault."""
    code = "import time; t = time.process_time(); import syncline; print(time.process_time() - t)"
    seconds = min(
        float(
            subprocess.run(
                [sys.executable, "-c", code], capture_output=True, check=True, timeout=60
            ).stdout
        )
        for _ in range(5)
    )
    assert seconds < 0.03


def test_everything_exported_is_there() -> None:
    """And nothing else is."""
    import syncline

    for name in syncline.__all__:
        assert getattr(syncline, name) is not None
        assert name in dir(syncline)
    with pytest.raises(AttributeError):
        syncline.nothing_of_the_kind  # noqa: B018


def test_a_sync_with_nothing_to_do_imports_nothing_heavy(
    server_settings: Settings, workspace_name: str, tmp_path: Path
) -> None:
    """Where nobody watches: no Rich, no model, no HTTP, no migrations."""
    (tmp_path / "page.md").write_text("# A page\n\nwith words")
    commands = Commands(server_settings, workspace_name)
    commands.ok("sync", str(tmp_path))
    code = (
        "import sys; from syncline.cli.main import main\n"
        f"sys.argv = ['syncline', 'sync', {str(tmp_path)!r}]\n"
        "try: main()\nexcept SystemExit as ended: assert ended.code == 0"
    )
    loaded = _loaded_after(code, commands.environment())
    assert not loaded & _HEAVY


def test_a_commands_help_imports_no_database() -> None:
    """Help and completion come at once."""
    code = (
        "import sys; from syncline.cli.main import main\n"
        "sys.argv = ['syncline', 'search', '--help']\n"
        "try: main()\nexcept SystemExit: pass"
    )
    assert not _loaded_after(code) & {"psycopg", "sqlalchemy", "numpy"}
