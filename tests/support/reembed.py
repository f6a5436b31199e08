"""`syncline embeddings update` in a process of its own, which may be killed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import syncline
from syncline.core.failpoints import ENVIRONMENT_VARIABLE
from syncline.settings import Settings
from syncline.sync.maintenance import embeddings
from tests.support.forks import start_process

__all__ = ["reembed"]

_ROOT = Path(__file__).resolve().parents[2]


def reembed(settings: Settings, workspace: str, *, failpoints: str = "") -> int:
    """Run it to its end, four passages at a time; its exit status."""
    with start_process(
        "tests.support.reembed",
        [workspace],
        cwd=_ROOT,
        env={**os.environ, **settings.to_environment(), ENVIRONMENT_VARIABLE: failpoints},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.communicate(timeout=60)
    return process.returncode


async def _main() -> None:
    embeddings._AT_ONCE = 4
    async with syncline.open(settings=Settings.from_environment(), workspace=sys.argv[1]) as kb:
        await kb.embeddings.update()


if __name__ == "__main__":
    asyncio.run(_main())
