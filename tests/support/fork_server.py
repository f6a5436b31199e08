"""A process that has imported everything once, and forks those that the tests start.

`python -m tests.support.fork_server FD PATH` serves the listening socket FD, which PATH leads to,
until its standard input ends. Each caller sends one order (see `send_order`) and gets back the
process's id and, when it has ended, how.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import random
import runpy
import selectors
import signal
import socket
import struct
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import syncline
from syncline.cli import up
from syncline.core import failpoints
from syncline.sync import nursery

__all__ = ["NEWS", "main"]

NEWS = struct.Struct(">i")
"""The process's id, and after it its exit status, negative for a signal."""
_LENGTH = struct.Struct(">I")
_DESCRIPTORS = 8
_MOST_DESCRIPTORS = 4096
# What only Alembic may import, what only a fake server needs, and what is run, not imported.
_LEFT_OUT = (
    "syncline.store.migrations",
    "syncline.testing",
    "syncline.worker",
    "syncline.__main__",
)


@dataclass(slots=True)
class _Order:
    """What a forked process is to be, and the descriptors it is given: 0, 1, 2 and others."""

    module: str
    words: list[str]
    environment: Mapping[str, str]
    folder: str
    new_session: bool
    descriptors: list[int]

    def run(self) -> None:
        """Become it."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if self.new_session:
            os.setsid()
        for number, given in enumerate(self.descriptors[:3]):
            os.dup2(given, number)
        kept = sorted(self.descriptors[3:])
        begin = 3
        for descriptor in (*kept, _MOST_DESCRIPTORS):
            os.closerange(begin, descriptor)
            begin = descriptor + 1
        os.environ.clear()
        os.environ.update(self.environment)
        os.chdir(self.folder)
        sys.argv[:] = [self.module, *self.words, *map(str, kept)]
        sys.stdin = os.fdopen(0, closefd=False)
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
        random.seed()
        failpoints.arm(self.environment.get(failpoints.ENVIRONMENT_VARIABLE, ""))
        sys.path[0] = self.folder
        runpy.run_module(self.module, run_name="__main__", alter_sys=True)


def main() -> None:
    """Serve, or be what was ordered."""
    listening = socket.socket(fileno=int(sys.argv[1]))
    # What is started here has its nurseries, and what it leaves in the background, forked too.
    relay = Path(__file__).with_name("fork_relay.py")
    forked = (sys.executable, "-I", "-S", str(relay), sys.argv[2])
    nursery._COMMAND = (*forked, "syncline.worker")
    up._COMMAND = (*forked, "syncline")
    for module in pkgutil.walk_packages(syncline.__path__, "syncline."):
        if not module.name.startswith(_LEFT_OUT):
            importlib.import_module(module.name)
    importlib.import_module("tests.support.scripted")
    importlib.import_module("tests.support.stuck")
    importlib.import_module("alembic.command")
    gc.collect()
    gc.freeze()
    order = _serve(listening)
    if order is not None:
        status = 0
        try:
            order.run()
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else 1
        # As Python ends, but for taking apart all that was imported.
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _serve(listening: socket.socket) -> _Order | None:
    """Fork until the standard input ends; the order to follow, in a fork."""
    looking, woken = socket.socketpair()
    looking.setblocking(False)
    woken.setblocking(False)
    signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    callers: dict[int, socket.socket] = {}
    with selectors.DefaultSelector() as selector:
        for source in (listening, looking, sys.stdin):
            selector.register(source, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if sys.stdin in ready:
                return None
            if listening in ready:
                caller, _ = listening.accept()
                order = _receive(caller)
                pid = os.fork()
                if pid == 0:
                    return order
                for descriptor in order.descriptors:
                    os.close(descriptor)
                callers[pid] = caller
                _tell(caller, pid)
            if looking in ready:
                with suppress(BlockingIOError):
                    looking.recv(4096)
                _tell_ends(callers)


def _tell_ends(callers: dict[int, socket.socket]) -> None:
    with suppress(ChildProcessError):  # there are none
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            with callers.pop(pid) as caller:
                _tell(caller, os.waitstatus_to_exitcode(status))


def _tell(caller: socket.socket, number: int) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):  # it has gone, or was killed
        caller.sendall(NEWS.pack(number))


def _receive(caller: socket.socket) -> _Order:
    head, descriptors, _, _ = socket.recv_fds(caller, _LENGTH.size, _DESCRIPTORS)
    (length,) = _LENGTH.unpack(head)
    body = b""
    while len(body) < length:
        body += caller.recv(length - len(body))
    given: dict[str, Any] = json.loads(body)
    for descriptor in descriptors[3:]:
        os.set_inheritable(descriptor, True)
    return _Order(**given, descriptors=list(descriptors))


if __name__ == "__main__":
    main()
