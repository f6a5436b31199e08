"""From what the server's programs say to what the user can do about it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from syncline.core.errors import DatabaseUnavailable

__all__ = ["failure", "log_size", "log_tail"]

_LINES_SHOWN = 8
_SEGMENT = 16 << 20
"""Bytes. The server writes ahead in files of this size, and ends where none can be made."""
_CORRUPTED = (
    "The database's files are damaged. Move the folder {cluster} away; then restore a backup "
    "(`syncline db restore FILE`), or sync anew, as everything in it comes from its sources."
)
_TOO_LITTLE_MEMORY = (
    "The machine, or the container, has too little memory for the database: give it more "
    "(docker: --memory, --shm-size), or set a smaller shared_buffers in {own_configuration}."
)
_DISK_FULL = (
    "The disk is full. Free some space, or set SYNCLINE_DATA_DIR to a folder on another disk."
)
_READ_ONLY = "The disk is read-only. Set SYNCLINE_DATA_DIR to a folder that can be written to."
_PORT_TAKEN = "Something else listens there. Try again: another port is chosen each time."
_OTHER_VERSION = "The database was made by another PostgreSQL. Use the Syncline that made it."
_WRONG_SETTING = "Correct {own_configuration}, or remove it."
_RUNS_ELSEWHERE = (
    "Another server already runs in this folder, perhaps in another container. Stop it there first."
)
_NO_RIGHTS = (
    "Give the folder back to the user who runs Syncline, or set SYNCLINE_DATA_DIR to another "
    "folder, or SYNCLINE_DB_USER to a user who can work in this one."
)
_NO_SWITCH = (
    "Root may not become another user here. Run Syncline as an ordinary user, "
    "or set DATABASE_URL to a PostgreSQL server of your own."
)
_NAMELESS = (
    "PostgreSQL needs its user to have a name. Add this uid to /etc/passwd, run Syncline as a "
    "user who is there, or set DATABASE_URL to a PostgreSQL server of your own."
)
_WRONG_MACHINE = (
    "This machine cannot run the bundled PostgreSQL. Set DATABASE_URL to one of your own."
)

# The first pattern that is found decides; the text is always English (LC_ALL=C).
_HINTS = {
    r"shared memory segment.*: No space|could not resize shared memory"
    r"|could not (?:open|create) shared memory|could not map anonymous shared memory"
    r"|[Cc]annot allocate memory": _TOO_LITTLE_MEMORY,
    r"No space left on device|Check free disk space|[Dd]isk quota exceeded": _DISK_FULL,
    r"Read-only file system": _READ_ONLY,
    r"[Aa]ddress already in use|could not create any TCP/IP sockets": _PORT_TAKEN,
    r"not compatible with this version": _OTHER_VERSION,
    r"unrecognized configuration parameter|invalid value for parameter"
    r"|configuration file \"[^\"]*\" contains errors|syntax error in file": _WRONG_SETTING,
    r"pre-existing shared memory|lock file .* already exists": _RUNS_ELSEWHERE,
    r"checkpoint record|invalid data in|not a valid data directory|is corrupt"
    r"|invalid page|page verification failed|incorrect checksum|does not match stored checksum"
    r"|incompatible with server"
    r"|could not (?:find the database|read file|access status of transaction)"
    r"|could not open (?:file|directory) \"[^\"]*(?:global|base|pg_)[^\"]*\": No such file"
    r"|database system identifier|control file": _CORRUPTED,
    r"could not look up effective user": _NAMELESS,
    r"Operation not permitted": _NO_SWITCH,
    r"Permission denied": _NO_RIGHTS,
    r"error while loading shared libraries|Exec format error|not found \(required by": (
        _WRONG_MACHINE
    ),
}


def failure(what: str, said: str, *, log: Path, data: Path) -> DatabaseUnavailable:
    """The error for a program of the server's that failed and `said` why."""
    places = {
        "cluster": data / "postgres",
        "own_configuration": data / "postgresql.local.conf",
    }
    hint = f"See {log}."
    if _free(data) < _SEGMENT:  # so the log may not have been written either
        hint = _DISK_FULL
    for pattern, text in _HINTS.items():
        if re.search(pattern, said):
            hint = text.format(**places)
            break
    lines = [line for line in said.splitlines() if line.strip()][-_LINES_SHOWN:]
    shown = "".join(f"\n  {line}" for line in lines)
    return DatabaseUnavailable(f"{what} ({log}){shown}", hint=hint)


def _free(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return _SEGMENT


def log_size(log: Path) -> int:
    """How long the log is now."""
    try:
        return log.stat().st_size
    except FileNotFoundError:
        return 0


def log_tail(log: Path, since: int) -> str:
    """What was logged after the log had the size `since`, at most the last 16 KB of it."""
    try:
        with log.open("rb") as file:
            file.seek(max(since, log_size(log) - 16_384))
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
