"""The data folder: what lies where, and whether we and the server's user may work in it.

::

    <data>/                    ours; the server's user only passes through it
      postgres/                the cluster; the server's user's, closed to everyone else
      postgres.old-16/         one that an upgrade has replaced, until somebody removes it
      upgrade/                 a data folder like this one, while an upgrade fills it
      socket/                  the same, unless its path is too long for a socket
      postgresql.conf          written at each start; postgresql.local.conf may add to it
      pg_hba.conf, credentials who may log in, and with which passwords
      log/postgres.log         what the server had to say
      locks/                   start, server, users/<pid>-<n>
      binaries/                a copy, where the installed ones are out of its user's reach
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
from pathlib import Path

from msgspec import Struct

from syncline.core.errors import DatabaseUnavailable
from syncline.store.embedded.account import Account

__all__ = ["UNFINISHED", "DataFolder"]

UNFINISHED = "postgres.new-"
# The shortest limit of the systems we run on (macOS 104 bytes with the final zero, Linux 108).
_LONGEST_SOCKET_PATH = 103
_SOCKET_NAME = ".s.PGSQL.5432"
_ELSEWHERE = "Set SYNCLINE_DATA_DIR to another folder, such as SYNCLINE_DATA_DIR=/var/lib/syncline."


class DataFolder(Struct, frozen=True):
    """The paths in one data folder. `path` is absolute and free of links."""

    path: Path

    @classmethod
    def at(cls, data_dir: Path) -> DataFolder:
        """The data folder of a setting."""
        return cls(Path(os.path.realpath(data_dir.expanduser())))

    @property
    def cluster(self) -> Path:
        return self.path / "postgres"

    @property
    def upgraded(self) -> Path:
        """A complete cluster that is about to take the other's place: see `exchange.py`."""
        return self.path / "postgres.upgraded"

    def unfinished(self) -> list[Path]:
        """Clusters that were being made when something ended it."""
        return list(self.path.glob(f"{UNFINISHED}*"))

    @property
    def configuration(self) -> Path:
        return self.path / "postgresql.conf"

    @property
    def own_configuration(self) -> Path:
        return self.path / "postgresql.local.conf"

    @property
    def access_rules(self) -> Path:
        return self.path / "pg_hba.conf"

    @property
    def credentials(self) -> Path:
        return self.path / "credentials"

    @property
    def log(self) -> Path:
        return self.path / "log" / "postgres.log"

    @property
    def binaries(self) -> Path:
        return self.path / "binaries"

    @property
    def start_lock(self) -> Path:
        return self.path / "locks" / "start"

    @property
    def server_lock(self) -> Path:
        return self.path / "locks" / "server"

    @property
    def users(self) -> Path:
        return self.path / "locks" / "users"

    @property
    def mark(self) -> str:
        """The cluster's name, which shows in the titles of its processes."""
        return f"syncline-{hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]}"

    def cluster_version(self) -> str | None:
        """The major version that the cluster was made by; None without a cluster."""
        try:
            return (self.cluster / "PG_VERSION").read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise DatabaseUnavailable(
                f"Cannot read the version of the database in {self.cluster}: {error}",
                hint=_whose(self.path),
            ) from error

    def prepare(self, account: Account) -> None:
        """Make the folder and those in it that are ours, and see that everyone may work there.

        Parents that exist stay as they are; a data folder of ours that is still empty is
        made passable (not readable) for the server's user.
        Raises `DatabaseUnavailable`, naming the folder that stands in the way.
        """
        try:
            self._make(account)
        except (FileExistsError, NotADirectoryError) as error:
            raise DatabaseUnavailable(
                f"The data folder {self.path} cannot be made: "
                f"{error.filename or self.path} is not a folder",
                hint=_ELSEWHERE,
            ) from error
        except OSError as error:
            raise DatabaseUnavailable(
                f"The data folder {self.path} cannot be used: {error.strerror}", hint=_ELSEWHERE
            ) from error
        self.check_owner(account)

    def _make(self, account: Account) -> None:
        missing = [p for p in (*reversed(self.path.parents), self.path) if not p.exists()]
        for folder in missing:
            folder.mkdir(mode=0o700, exist_ok=True)
        if self.path.stat().st_uid == _own_uid() and account.switched:
            for folder in missing or self._if_new():
                folder.chmod(folder.stat().st_mode | stat.S_IXOTH | stat.S_IXGRP)
        for folder in (self.start_lock.parent, self.users, self.log.parent):
            folder.mkdir(mode=0o700, exist_ok=True)
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise PermissionError(13, "Permission denied", str(self.path))

    def _if_new(self) -> list[Path]:
        return [] if any(self.path.iterdir()) else [self.path]

    def check_owner(self, account: Account) -> None:
        """Raise `DatabaseUnavailable` unless folder and cluster are whose they should be."""
        if sys.platform == "win32":
            return
        owner = self.path.stat().st_uid
        if owner != _own_uid():
            raise DatabaseUnavailable(
                f"The data folder {self.path} belongs to {_user_name(owner)}, "
                f"and this is {_user_name(_own_uid())}",
                hint=_whose(self.path),
            )
        if self.cluster.exists() and self.cluster.stat().st_uid != account.uid:
            name = _user_name(self.cluster.stat().st_uid)
            raise DatabaseUnavailable(
                f"The database in {self.cluster} belongs to {name}, "
                f"but would be run by {_user_name(account.uid)}",
                hint=f"Set SYNCLINE_DB_USER={name}, or give it over with "
                f"`chown -R {_user_name(account.uid)} {self.cluster}`.",
            )

    def unreachable(self, account: Account, barrier: Path) -> DatabaseUnavailable:
        """The error for a data folder that the server's user cannot get to."""
        return DatabaseUnavailable(
            f"The database runs as {account.name}, and that user cannot enter {barrier}, "
            f"so it cannot reach the data folder {self.path}",
            hint="Set SYNCLINE_DATA_DIR to a folder that it can reach, such as "
            "SYNCLINE_DATA_DIR=/var/lib/syncline, or SYNCLINE_DB_USER to a user who can enter "
            f"{barrier}.",
        )

    def socket_folder(self, account: Account) -> Path:
        """A folder for the server's socket that only its user can enter, made if need be.

        Where the data folder's path is too long, it is a short one that its name depends on.
        """
        inside = self.path / "socket"
        if len(os.fsencode(inside / _SOCKET_NAME)) <= _LONGEST_SOCKET_PATH:
            return _private(inside, account)
        return _private(_runtime_folder(account) / self.mark, account)


def _runtime_folder(account: Account) -> Path:
    if account.switched:
        candidates = [Path("/run"), Path("/var/run")]
    else:
        candidates = [Path(f"/run/user/{account.uid}")]
    for folder in candidates:
        if folder.is_dir() and folder.stat().st_uid == _own_uid() and os.access(folder, os.W_OK):
            return folder
    short = Path("/tmp")  # noqa: S108  # what is made in it is checked to be ours alone
    return short if short.is_dir() else Path(tempfile.gettempdir())


def _private(folder: Path, account: Account) -> Path:
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        pass
    else:
        account.take(folder)
    details = folder.lstat()
    if (
        not stat.S_ISDIR(details.st_mode)
        or details.st_uid != account.uid
        or details.st_mode & 0o777 != 0o700
    ):
        raise DatabaseUnavailable(
            f"{folder}, where the database's socket belongs, is not a private folder "
            f"of {_user_name(account.uid)}",
            hint=f"Remove {folder} and try again.",
        )
    return folder


def _own_uid() -> int:
    return os.geteuid() if sys.platform != "win32" else 0


def _whose(path: Path) -> str:
    return f"Run Syncline as the user who owns {path}, or set SYNCLINE_DATA_DIR to another folder."


def _user_name(uid: int) -> str:
    if sys.platform == "win32":
        return str(uid)
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
