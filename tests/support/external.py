"""A PostgreSQL as an administrator would run it: not the bundled server's set-up."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from syncline.store.embedded.binaries import installed_binaries
from tests.support.data_folders import unprivileged_user

__all__ = ["external_server"]


@contextmanager
def external_server(version: str) -> Iterator[str]:
    """The address of a new server's administrator, on a socket in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="syncline-external-"))
    binaries = installed_binaries(version)
    user = unprivileged_user()
    identity: dict[str, Any] = {}
    if os.geteuid() == 0:
        os.chown(folder, user, user)
        identity = {"user": user, "group": user}

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [binaries.program(program), *arguments],
            check=True,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            extra_groups=[],
            **identity,
        )

    cluster = str(folder / "cluster")
    run("initdb", "-D", cluster, "-U", "admin", "-A", "trust", "--no-sync", "-E", "UTF8")
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    run("pg_ctl", "-D", cluster, "-o", options, "-l", str(folder / "log"), "-w", "start")
    try:
        yield f"postgresql://admin@/postgres?host={quote(str(folder), safe='')}"
    finally:
        run("pg_ctl", "-D", cluster, "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder)
