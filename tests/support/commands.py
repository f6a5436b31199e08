"""The command line as people use it: real processes, with a workspace of a test's own."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from syncline.settings import Settings
from syncline.store.connections import add_connection
from syncline.store.database import Database
from syncline.store.workspaces import make_workspace
from tests.support.forks import start_process
from tests.support.scripted import ENVIRONMENT
from tests.support.world import World

__all__ = ["Commands", "Finished"]

_ROOT = Path(__file__).resolve().parents[2]
_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended, and what it printed."""

    status: int
    output: str
    errors: str

    @property
    def json(self) -> Any:
        return json.loads(self.output)


@dataclass(frozen=True, slots=True)
class Commands:
    """Runs `syncline …` on the test server, in one workspace."""

    settings: Settings
    workspace: str

    def environment(self, **more: str) -> dict[str, str]:
        """What the processes are given; nothing of ours that would change their output."""
        ours = {
            name: value
            for name, value in os.environ.items()
            if name not in ("DATABASE_URL", "NO_COLOR", "TERM", "SYNCLINE_DEBUG")
        }
        return {
            **ours,
            **self.settings.to_environment(),
            **ENVIRONMENT,
            # What else the machine does is said by services in lines that tests do not wait for.
            "SYNCLINE_CPU_PERCENT": "100",
            "SYNCLINE_MEMORY_PERCENT": "100",
            "SYNCLINE_WORKSPACE": self.workspace,
            "PYTHONPATH": str(_ROOT),
            **more,
        }

    def start(
        self,
        *words: str,
        cwd: Path = _ROOT,
        environment: Mapping[str, str] | None = None,
        **how: Any,
    ) -> subprocess.Popen[str]:
        """Start a command."""
        pipes: dict[str, Any] = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
        }
        return start_process(
            "syncline",
            words,
            cwd=cwd,
            env=self.environment(**(environment or {})),
            text=True,
            **{**pipes, **how},
        )

    def run(
        self, *words: str, cwd: Path = _ROOT, environment: Mapping[str, str] | None = None
    ) -> Finished:
        """Run a command to its end."""
        return self.wait(self.start(*words, cwd=cwd, environment=environment))

    @staticmethod
    def wait(process: subprocess.Popen[str]) -> Finished:
        """Wait for a command's end."""
        with process:
            output, errors = process.communicate(timeout=_SECONDS)
        return Finished(process.returncode, output or "", errors or "")

    def ok(self, *words: str, cwd: Path = _ROOT) -> str:
        """Run a command that must end well; its output."""
        finished = self.run(*words, cwd=cwd)
        assert finished.status == 0, finished
        return finished.output

    def json(self, *words: str, status: int = 0, cwd: Path = _ROOT) -> Any:
        """Run a command with `--json`; the object that it prints."""
        finished = self.run(*words, "--json", cwd=cwd)
        assert finished.status == status, finished
        return finished.json

    def on_terminal(
        self, *words: str, answer: str = "", environment: Mapping[str, str] | None = None
    ) -> Finished:
        """Run a command whose output and errors go to a terminal; `output` has both.

        `answer` is typed when it asks.
        """
        ours, theirs = pty.openpty()
        process = self.start(
            *words,
            environment={"TERM": "xterm-256color", "COLUMNS": "100", **(environment or {})},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        printed = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            printed += piece
            if answer and printed.rstrip().endswith(b"[y/N]:"):
                os.write(ours, f"{answer}\n".encode())
                answer = ""
        os.close(ours)
        with process:
            process.wait(_SECONDS)
        return Finished(process.returncode, printed.decode(), "")

    def connect(self, world: World, name: str = "scripted", kind: str = "scripted") -> None:
        """Make a connection to a scripted world, which no path or URL leads to."""
        asyncio.run(self._connect(world, name, kind))

    async def _connect(self, world: World, name: str, kind: str) -> None:
        async with Database(self.settings) as database, database.connection() as db:
            await add_connection(
                db,
                await make_workspace(db, self.workspace),
                kind=kind,
                name=name,
                source=str(world.path),
                options=world.options,
                options_version=1,
            )
