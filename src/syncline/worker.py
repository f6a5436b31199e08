"""A worker process: `python -m syncline.worker`, started by `sync/pool.py`.

Reads requests from standard input and answers on standard output, one at a time, until its
input ends. It may die at any moment and lose nothing.
"""

from __future__ import annotations

import asyncio
import os
import signal
import struct
import sys
from typing import Any, BinaryIO

import psycopg

from syncline.bootstrap import embedder_loader, open_preparer
from syncline.core.errors import DatabaseUnavailable, Fenced, SynclineError
from syncline.settings import Settings
from syncline.store.explain import explain
from syncline.sync.pool import read_message, write_message
from syncline.sync.preparer import Preparer

__all__ = ["main"]

_head = struct.Struct(">I")


class _Worker:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._load_embedder = embedder_loader(settings)
        self._preparers: dict[int, Preparer] = {}

    async def answer(self, request: Any) -> tuple[Any, ...]:
        try:
            return await self._do(request)
        except Fenced as error:
            return "error", "fenced", str(error), error.hint
        except DatabaseUnavailable as error:
            return "error", "database", str(error), error.hint
        except psycopg.Error as error:
            told = explain(error)
            return "error", "database", str(told), told.hint
        except SynclineError as error:
            return "error", "failed", str(error), error.hint

    async def _do(self, request: Any) -> tuple[Any, ...]:
        kind, context_id = request[:2]
        if kind == "open":
            self._preparers[context_id] = await open_preparer(
                request[2], self._settings, os.environ, self._load_embedder
            )
            return ("opened",)
        if kind == "close":
            preparer = self._preparers.pop(context_id, None)
            if preparer is not None:
                await preparer.close()
            return ("closed",)
        return "done", await self._preparers[context_id].run(*request[2:])


def _limit_memory(megabytes: int) -> None:
    """Let a document that needs too much end this process rather than the machine."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    limit = megabytes * 1024 * 1024
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard in (resource.RLIM_INFINITY, -1) or limit <= hard:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def _serve(worker: _Worker, requests: BinaryIO, answers: BinaryIO) -> None:
    with asyncio.Runner() as runner:
        while True:
            head = requests.read(_head.size)
            if len(head) < _head.size:
                return
            body = requests.read(_head.unpack(head)[0])
            answer = runner.run(worker.answer(read_message(body)))
            answers.write(write_message(answer))
            answers.flush()


def main() -> None:
    """Serve until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # Whatever a library prints must not get between the answers.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    settings = Settings.from_environment()
    _limit_memory(settings.worker_memory_mb)
    try:
        _serve(_Worker(settings), sys.stdin.buffer, answers)
    except BrokenPipeError:
        pass  # the coordinator is gone


if __name__ == "__main__":
    main()
