"""Processes that start at once: forked from one that has imported everything.

Most of what a test of the command line costs is imports. Where a test is about the process
itself, or the environment Python starts in, it starts a real `python -m syncline`; so do the
commands of the README.
"""

from __future__ import annotations

import inspect
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.fork_server import NEWS

__all__ = [
    "close_fork_server",
    "forked_command",
    "nursery_command",
    "put_command",
    "start_process",
]

_ROOT = Path(__file__).resolve().parents[2]
# As it was before any test changed it for itself.
_ENVIRONMENT = dict(os.environ)
_EXECUTE = inspect.signature(subprocess.Popen._execute_child)  # type: ignore[attr-defined]


def start_process(
    module: str,
    words: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    forked: bool = True,
    **how: Any,
) -> subprocess.Popen[Any]:
    """`python -m module word …`, forked where that is possible; `how` is for `Popen`.

    A process that Python is to start in another way (`PYTHONPATH`, `PYTHONWARNINGS`, …) is never
    forked: the one it would be a copy of has started in ours.
    """
    command = [sys.executable, "-m", module, *words]
    if not forked or sys.platform != "linux" or _of_python(env) != _of_python(_ENVIRONMENT):
        return subprocess.Popen(command, cwd=cwd, env=env, **how)
    return _Forked(command, cwd=cwd, env=env, **how)


def nursery_command() -> tuple[str, ...]:
    """What starts the nursery of a test's own syncs: forked, like the workers that it makes."""
    relay = Path(__file__).with_name("fork_relay.py")
    return sys.executable, "-I", "-S", str(relay), _fork_server(), "syncline.worker"


def put_command(folder: Path) -> None:
    """Put a `syncline` into a folder for the PATH, whose processes are forked."""
    folder.mkdir(exist_ok=True)
    command = folder / "syncline"
    quoted = " ".join(f"'{word}'" for word in forked_command("syncline"))
    command.write_text(f'#!/bin/sh\nexec {quoted} "$@"\n')
    command.chmod(0o755)


def forked_command(module: str) -> tuple[str, ...]:
    """What stands in for `python -m module`, whoever runs it."""
    relay = Path(__file__).with_name("fork_command.py")
    return sys.executable, "-I", "-S", str(relay), _fork_server(), module


def _of_python(env: Mapping[str, str]) -> dict[str, str]:
    """The variables that Python itself reads. Finding the tests changes nothing."""
    found = {name: value for name, value in env.items() if name.startswith("PYTHON")}
    if found.get("PYTHONPATH") == str(_ROOT):
        del found["PYTHONPATH"]
    return found


class _Forked(subprocess.Popen[Any]):
    """A child of the fork server's, with everything that `Popen` can do."""

    def _execute_child(self, *given: Any) -> None:
        with_names = _EXECUTE.bind(self, *given).arguments
        command = with_names["args"]
        order = {
            "module": command[2],
            "words": command[3:],
            "environment": dict(with_names["env"]),
            "folder": str(with_names["cwd"]),
            "new_session": with_names["start_new_session"],
        }
        ends = [with_names[name] for name in ("p2cread", "c2pwrite", "errwrite")]
        body = json.dumps(order).encode()
        self._server = socket.socket(socket.AF_UNIX)
        self._server.connect(_fork_server())
        socket.send_fds(
            self._server,
            [struct.pack(">I", len(body))],
            [number if end == -1 else end for number, end in enumerate(ends)],
        )
        self._server.sendall(body)
        (self.pid,) = NEWS.unpack(self._server.recv(NEWS.size))
        self._child_created = True
        self._close_pipe_fds(  # type: ignore[attr-defined]
            *(with_names[name] for name in _EXECUTE.parameters if name in _PIPES)
        )

    def _internal_poll(self, *_: object, **__: object) -> int | None:
        if self.returncode is None:
            self._ask(socket.MSG_DONTWAIT)
        return self.returncode

    def _try_wait(self, wait_flags: int) -> tuple[int, int]:
        self._ask(socket.MSG_DONTWAIT if wait_flags else 0)
        if self.returncode is None:
            return 0, 0
        code = self.returncode
        return self.pid, code << 8 if code >= 0 else -code

    def _ask(self, flags: int) -> None:
        """Hear whether it has ended."""
        try:
            news = self._server.recv(NEWS.size, flags)
        except BlockingIOError:
            return
        except OSError:  # closed: somebody has heard it
            return
        self._server.close()
        self.returncode = NEWS.unpack(news)[0] if news else -9


_PIPES = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")


@cache
def _fork_server() -> str:
    """The path to this test process's server, which ends with us."""
    folder = tempfile.mkdtemp(prefix="syncline-forks-")
    path = f"{folder}/socket"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(64)
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.support.fork_server", str(listening.fileno()), path],
            cwd=_ROOT,
            env=_ENVIRONMENT,
            stdin=subprocess.PIPE,
            pass_fds=(listening.fileno(),),
        )
    _kept.append((server, folder))
    return path


_kept: list[tuple[subprocess.Popen[bytes], str]] = []


def close_fork_server() -> None:
    """End it, if there is one."""
    while _kept:
        server, folder = _kept.pop()
        assert server.stdin is not None
        server.stdin.close()
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)
    _fork_server.cache_clear()
