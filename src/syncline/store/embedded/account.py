"""The operating system's user that the server runs as.

PostgreSQL refuses to run as root; as root, an unprivileged user is taken on by the
child process itself. Anyone else runs the server as themselves.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import Any

from msgspec import Struct

from syncline.core.errors import DatabaseUnavailable

__all__ = ["Account", "server_account"]


class Account(Struct, frozen=True):
    """Who the server runs as, and whether that is another user than ours."""

    uid: int
    gid: int
    name: str
    switched: bool

    def popen_arguments(self) -> dict[str, Any]:
        """What makes a child process run as this user."""
        if not self.switched:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def take(self, path: Path) -> None:
        """Give a file or folder that we have just made to this user."""
        if self.switched:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def blocked_at(self, path: Path) -> Path | None:
        """The first folder on the way to `path`, itself included, that bars this user."""
        for folder in (*reversed(path.parents), path):
            details = folder.stat()
            if details.st_uid == self.uid:
                bit = stat.S_IXUSR
            elif details.st_gid == self.gid:
                bit = stat.S_IXGRP
            else:
                bit = stat.S_IXOTH
            if not details.st_mode & bit:
                return folder
        return None


def server_account(database_user: str) -> Account:
    """The user that the server runs as when this process starts it.

    Raises `DatabaseUnavailable` when `database_user` does not exist or is root.
    """
    if sys.platform == "win32":
        return Account(0, 0, "", switched=False)
    import pwd

    uid = os.geteuid()
    if uid != 0:
        return Account(uid, os.getegid(), f"uid {uid}", switched=False)
    try:
        entry = pwd.getpwnam(database_user)
    except KeyError as error:
        raise DatabaseUnavailable(
            f"The bundled database cannot run as root, and there is no user {database_user!r}",
            hint="Set SYNCLINE_DB_USER to an existing unprivileged user, "
            "such as SYNCLINE_DB_USER=nobody.",
        ) from error
    if entry.pw_uid == 0:
        raise DatabaseUnavailable(
            f"The bundled database cannot run as root, and {database_user!r} is root",
            hint="Set SYNCLINE_DB_USER to an unprivileged user, such as SYNCLINE_DB_USER=nobody.",
        )
    return Account(entry.pw_uid, entry.pw_gid, entry.pw_name, switched=True)
