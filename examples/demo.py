"""What `make demo` runs: sync the example handbook, ask it things, change a page, sync again.

Every step is an ordinary `syncline` command, which is shown before it runs. The demo has a data
folder and a copy of the handbook of its own; running it again goes on with both.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

HANDBOOK = Path(__file__).resolve().parent / "handbook"
CHANGED_PAGE = "support/refunds.md"
OLD = "a voucher of the same value, which is valid for two years"
NEW = "a voucher of twice the value, which is valid for three years"
ASK = "how do I get started"
BEFORE = ("how do I rotate a key", "Wie viele Urlaubstage habe ich?")
AFTER = "how long is a refund voucher valid"


def main() -> int:
    started = time.monotonic()
    home = demo_folder()
    handbook = home / "handbook"
    restore(handbook)
    shell = Shell(home)
    say(
        "Syncline keeps a searchable knowledge base in step with its sources. This demo syncs a "
        f"small handbook, and keeps everything it makes in {home}."
    )

    heading("1. Sync a folder")
    if not shell.has_data:
        shell.run("sync", "handbook")
    elif not shell.try_to("sync", "handbook"):
        say("What an earlier demo left does not serve any more. It is removed; once more:")
        shell.forget()
        shell.run("sync", "handbook")

    heading("2. Ask it something")
    for question in BEFORE:
        shell.run("search", question, "--limit", "1")

    heading("3. Change a page, and sync again")
    say(f"One sentence of handbook/{CHANGED_PAGE} changes. Of all pages only that one is written.")
    page = handbook / CHANGED_PAGE
    page.write_text(page.read_text("utf-8").replace(OLD, NEW), "utf-8")
    shell.run("sync", "handbook")
    shell.run("search", AFTER, "--limit", "1")

    documents = os.environ.get("DOCS", "").strip()
    if documents:
        heading("4. Your own pages")
        folder = str(Path(documents).expanduser().resolve())
        shell.run("sync", folder)
        shell.run("search", os.environ.get("ASK", "").strip() or ASK, "--limit", "3")

    heading("How everything stands")
    shell.run("status")
    farewell(home, shell, seconds=time.monotonic() - started, own=bool(documents))
    return 0


def demo_folder() -> Path:
    """A folder that is ours, and that root's database user can reach too."""
    temporary = Path(tempfile.gettempdir()).resolve()
    if os.geteuid() == 0 and not all(
        folder.stat().st_mode & stat.S_IXOTH for folder in (temporary, *temporary.parents)
    ):
        temporary = Path("/var/tmp")
    folder = temporary / f"syncline-demo-{os.getuid()}"
    folder.mkdir(mode=0o711, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        sys.exit(f"{folder} belongs to someone else. Set TMPDIR to another folder.")
    folder.chmod(0o711)
    return folder


def restore(handbook: Path) -> None:
    """Make `handbook` equal to the shipped one, touching only what differs."""
    shipped = {path.relative_to(HANDBOOK) for path in HANDBOOK.rglob("*") if path.is_file()}
    for path in [path for path in handbook.rglob("*") if path.is_file()]:
        if path.relative_to(handbook) not in shipped:
            path.unlink()
    for name in sorted(shipped):
        target = handbook / name
        data = (HANDBOOK / name).read_bytes()
        if not target.is_file() or target.read_bytes() != data:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)


class Shell:
    """Runs `syncline` in the demo's folder, and shows what it runs."""

    def __init__(self, home: Path) -> None:
        self.home = home
        beside = Path(sys.executable).with_name("syncline")
        self.program = str(beside) if beside.exists() else shutil.which("syncline") or "syncline"
        self.environment = {
            **os.environ,
            "SYNCLINE_DATA_DIR": str(home / "data"),
            "PYTHONUNBUFFERED": "1",
        }
        self.environment.pop("DATABASE_URL", None)

    @property
    def has_data(self) -> bool:
        """Whether an earlier demo has left its data folder."""
        return (self.home / "data").exists()

    def forget(self) -> None:
        """Remove the data folder."""
        self._call("down", "--force")
        shutil.rmtree(self.home / "data")

    def run(self, *arguments: str) -> None:
        """Run a command; the demo ends if that fails."""
        status = self._show(*arguments)
        if status:
            print(f"\nThe demo stops here: exit code {status}.", file=sys.stderr)
            print(f"Its folder is {self.home}; remove it to start anew.", file=sys.stderr)
            sys.exit(status)

    def try_to(self, *arguments: str) -> bool:
        """Run a command, and tell whether that went well."""
        return self._show(*arguments) == 0

    def _show(self, *arguments: str) -> int:
        shown = " ".join(f'"{each}"' if " " in each else each for each in arguments)
        print(f"\n{bold(f'$ syncline {shown}')}", flush=True)
        return self._call(*arguments)

    def _call(self, *arguments: str) -> int:
        return subprocess.run(
            [self.program, *arguments], cwd=self.home, env=self.environment, check=False
        ).returncode


def farewell(home: Path, shell: Shell, *, seconds: float, own: bool) -> None:
    heading("What to try next")
    environment = Path(shell.program).with_name("activate")
    lines = [f"cd {home}", f"export SYNCLINE_DATA_DIR={home}/data"]
    if environment.exists():
        lines.insert(0, f". {environment}")
    lines += [
        'syncline search "refund after 30 days"',
        f"rm handbook/{CHANGED_PAGE} && syncline plan handbook && syncline sync handbook",
        "syncline documents list --state deleted",
        "syncline runs",
        "syncline --help",
    ]
    print()
    for line in lines:
        print(f"  {line}")
    if not own:
        print()
        say('Your own pages: make demo DOCS=~/notes ASK="a question they answer"')
    print(f"\nThat took {seconds:.1f} seconds. To forget it all: rm -r {home}")


def heading(text: str) -> None:
    print(f"\n{bold(text)}\n{bold('─' * len(text))}", flush=True)


def say(text: str) -> None:
    for line in textwrap.wrap(text, min(shutil.get_terminal_size().columns, 100)):
        print(line, flush=True)


def bold(text: str) -> str:
    return f"\033[1m{text}\033[0m" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else text


if __name__ == "__main__":
    sys.exit(main())
