"""Where the documentation's commands are run: as on a reader's machine, but out of harm's way.

There is a folder `docs` (the example handbook), a data folder with a running database, and a
website, which stands in for `https://docs.example.com`.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from syncline.testing.fake_site import FakeSite
from tests.docs.blocks import ROOT
from tests.support.data_folders import make_data_folder, remove_data_folder
from tests.support.forks import forked_command, put_command

__all__ = ["Place", "open_place"]

SITE = "https://docs.example.com"
_MAKE = re.compile(r"^make\b")


@dataclass(frozen=True, slots=True)
class Place:
    """A reader's working folder."""

    folder: Path
    environment: dict[str, str]
    site: FakeSite
    forked: bool

    async def shell(self, command: str) -> tuple[int, str]:
        """Run a line of shell; answer its exit code and all its output.

        What it sets and where it goes is kept for the next one. `make` only says what it
        would do: its targets are run by people and by continuous integration. Temporary folders
        are where all the tests' are.
        """
        command = command.replace(SITE, self.site.url)
        command = command.replace(" /tmp/", f" {tempfile.gettempdir()}/")
        command = _MAKE.sub(f"make -C '{ROOT}' --dry-run", command)
        kept = self.folder.parent / "environment.sh"
        script = (
            f"set -a\n[ ! -f '{kept}' ] || . '{kept}'\n{command}\nstatus=$?\n"
            f"{{ export -p; printf 'cd %q\\n' \"$PWD\"; }} > '{kept}'; exit $status\n"
        )
        return await self._run("bash", "-c", script)

    async def python(self, text: str) -> tuple[int, str]:
        """Run a Python script; warnings are errors."""
        text = text.replace(SITE, self.site.url)
        if not self.forked:
            return await self._run(sys.executable, "-W", "error", "-c", text)
        file = self.folder.parent / "snippet.py"
        file.write_text(text, "utf-8")
        return await self._run(*forked_command("tests.support.snippet"), str(file))

    async def _run(self, *command: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=self.folder,
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return process.returncode or 0, output.decode()


@asynccontextmanager
async def open_place(folder: Path, *, database: Path | None) -> AsyncIterator[Place]:
    """A new place beneath `folder`, with a database that is held up while it is open.

    The database is a copy of the one in the data folder `database`, and commands are forked from
    a process that has imported everything; or all is as on a new machine.
    """
    data = make_data_folder(like=database)
    programs = str(Path(sys.executable).parent)
    forked = database is not None and sys.platform == "linux"
    if forked:
        put_command(folder / "bin")
        programs = f"{folder / 'bin'}:{programs}"
    work = folder / "work"
    shutil.copytree(ROOT / "examples", work / "examples")
    shutil.copytree(ROOT / "examples" / "handbook", work / "docs")
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SYNCLINE_", "MAKE")) and name != "DATABASE_URL"
    } | {
        "HOME": str(work),
        "PATH": f"{programs}:{os.environ['PATH']}",
        "SYNCLINE_DATA_DIR": str(data),
        "SYNCLINE_WORKERS": "1",
        "SYNCLINE_DEBUG": "1",
        # Nothing runs between two commands of a page, but what it has scheduled itself.
        "SYNCLINE_SCHEDULE": "manual",
    }
    try:
        async with _site() as site:
            place = Place(work, environment, site, forked)
            # Each command is quicker so; a page that stops the database goes on without.
            status, output = await place.shell("syncline up --detach")
            assert status == 0, output
            yield place
    finally:
        await asyncio.to_thread(remove_data_folder, data)


@asynccontextmanager
async def _site() -> AsyncIterator[FakeSite]:
    async with FakeSite() as site:
        pages = ["", "docs/", "docs/install", "docs/keys", "docs/api/tokens", "blog/hello"]
        for name in pages + [f"docs/chapter-{n}" for n in range(1, 9)]:
            site.put(
                f"/{name}",
                f"All there is to know of {name or 'this site'}, in a sentence or two that are "
                "long enough to be worth reading, and that differ from page to page.",
                title=(name or "Home").strip("/").replace("/", " "),
            )
        yield site
