"""Making a cluster: built beside its place and moved there when complete, so that a crash
in the middle leaves only something to throw away."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from syncline.core.errors import DatabaseUnavailable
from syncline.store.embedded import process
from syncline.store.embedded.account import Account
from syncline.store.embedded.address import DATABASE, ROLES
from syncline.store.embedded.binaries import Binaries
from syncline.store.embedded.failures import failure
from syncline.store.embedded.folder import UNFINISHED, DataFolder

__all__ = ["create_cluster", "discard_unfinished", "renew_passwords"]

_SUPERUSER = "postgres"
# Stretching helps passwords that can be guessed; these are 256 random bits, and each
# round costs time at every connect.
_SCRAM_ROUNDS = 16


def _option(name: str, value: str) -> tuple[str, str]:
    return "-c", f"{name}={value}"


async def create_cluster(
    folder: DataFolder, binaries: Binaries, account: Account, *, pass_fds: tuple[int, ...]
) -> None:
    """Make the cluster with its database, roles and extension, and write its credentials.

    Programs that it runs are given `pass_fds`, so that what these lock stays locked until
    they end. Nothing is in the cluster's place unless all of it succeeded.
    Raises `DatabaseUnavailable`.
    """
    building = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=folder.path))
    try:
        account.take(building)
        session = _Programs(folder, building, binaries, account, pass_fds)
        await session.run("initdb", *_initdb_options(binaries.version, building))
        passwords = _new_passwords()
        await session.execute(
            _SUPERUSER, [*_create_roles(passwords), *_CREATE_DATABASE], *_DISPOSABLE
        )
        await session.execute(DATABASE, _IN_DATABASE, *_DISPOSABLE)
        # Up to here nothing waited for the disk; once for everything is much faster.
        await session.run("initdb", "--sync-only", "-D", str(building))
        _write_credentials(folder, passwords)
        _move_into_place(building, folder.cluster)
    except OSError as error:
        raise failure(
            "The database could not be created",
            f"{error.filename or folder.path}: {error.strerror or error}",
            log=folder.log,
            data=folder.path,
        ) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)


async def renew_passwords(
    folder: DataFolder, binaries: Binaries, account: Account, *, pass_fds: tuple[int, ...]
) -> None:
    """Give the roles new passwords, for when the file with the old ones is lost."""
    passwords = _new_passwords()
    session = _Programs(folder, folder.cluster, binaries, account, pass_fds)
    await session.execute(
        _SUPERUSER, [f"ALTER ROLE {role} PASSWORD '{word}'" for role, word in passwords.items()]
    )
    _write_credentials(folder, passwords)


def discard_unfinished(folder: DataFolder) -> None:
    """Remove what interrupted creations left, and end what still works on it.

    Must be called under the start lock.
    """
    for path in folder.unfinished():
        for pid in process.cluster_processes(path, folder.mark):
            process.end_session(pid)
        shutil.rmtree(path, ignore_errors=True)


class _Programs:
    """Runs the server's programs on one cluster, and turns their failures into errors."""

    def __init__(
        self,
        folder: DataFolder,
        cluster: Path,
        binaries: Binaries,
        account: Account,
        pass_fds: tuple[int, ...],
    ) -> None:
        self._folder = folder
        self._cluster = cluster
        self._binaries = binaries
        self._account = account
        self._pass_fds = pass_fds

    async def run(self, name: str, *arguments: str, stdin: str = "") -> None:
        finished = await process.run(
            [self._binaries.program(name), *arguments],
            self._account,
            folder=self._cluster,
            stdin=stdin,
            pass_fds=self._pass_fds,
        )
        if finished.returncode != 0:
            with self._folder.log.open("a", encoding="utf-8") as log:
                log.write(finished.output)
            raise failure(
                f"The database could not be created: {name} failed",
                finished.output or f"it ended with {finished.returncode}",
                log=self._folder.log,
                data=self._folder.path,
            )

    async def execute(self, database: str, statements: list[str], *options: str) -> None:
        """Run SQL as the superuser without a server; the first error ends it."""
        await self.run(
            "postgres",
            "--single",
            "-j",  # a statement ends with a semicolon and an empty line
            "-D",
            str(self._cluster),
            *_option("exit_on_error", "on"),
            *_option("scram_iterations", str(_SCRAM_ROUNDS)),
            *_option("log_min_error_statement", "panic"),  # they hold passwords
            *options,
            *_option("log_checkpoints", "off"),
            database,
            stdin="".join(f"{statement};\n\n" for statement in statements),
        )


# For a cluster that is thrown away if anything goes wrong: nothing waits for the disk, and
# shared memory is in files of the cluster's, so that it goes with it.
_MEMORY_IN_FILES = _option("dynamic_shared_memory_type", "mmap")
_DISPOSABLE = (*_option("fsync", "off"), *_MEMORY_IN_FILES)


def _initdb_options(version: str, cluster: Path) -> list[str]:
    # Byte order for sorting either way: the same on every machine, and the fastest.
    locale = ["--locale=C"]
    if int(version) >= 17:
        locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return [
        "-D",
        str(cluster),
        "--username",
        _SUPERUSER,
        "--encoding=UTF8",
        *locale,
        "--data-checksums",
        "--no-sync",
        "--no-instructions",
        *_MEMORY_IN_FILES,
        "--auth=reject",  # our own rules are in a file of ours, not in the cluster
    ]


_CREATE_DATABASE = [
    f"CREATE DATABASE {DATABASE} OWNER {ROLES['owner']} TEMPLATE template0",
    f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC",
    f"GRANT CONNECT, TEMPORARY ON DATABASE {DATABASE} TO {ROLES['app']}",
]
_IN_DATABASE = [
    "CREATE EXTENSION vector SCHEMA public",
    "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
]


def _create_roles(passwords: dict[str, str]) -> list[str]:
    return [
        f"CREATE ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '{word}'"
        for role, word in passwords.items()
    ]


def _new_passwords() -> dict[str, str]:
    return {role: secrets.token_urlsafe(32) for role in ROLES.values()}


def _write_credentials(folder: DataFolder, passwords: dict[str, str]) -> None:
    """In the format of libpq's password files, readable by us alone."""
    text = "".join(f"*:*:{DATABASE}:{role}:{word}\n" for role, word in passwords.items())
    descriptor, name = tempfile.mkstemp(prefix="credentials-", dir=folder.path)
    new = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(folder.credentials)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def _move_into_place(building: Path, cluster: Path) -> None:
    try:
        building.rename(cluster)
    except OSError as error:
        raise DatabaseUnavailable(
            f"{cluster} exists, but holds no database",
            hint=f"Move {cluster} away and try again.",
        ) from error
    if sys.platform != "win32":
        descriptor = os.open(cluster.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
