"""Where the bundled server is reached, and what is known about it."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

__all__ = ["DATABASE", "ROLES", "Role", "ServerAddress", "ServerInfo"]

Role = Literal["owner", "app"]

DATABASE: Final = "syncline"
ROLES: Final[dict[Role, str]] = {"owner": "syncline_owner", "app": "syncline_app"}


class ServerAddress(Struct, frozen=True):
    """How to connect. The password stays in its file: the address may be shown and logged."""

    host: str
    port: int
    database: str
    password_file: Path

    def parameters(self, role: Role = "app") -> dict[str, str]:
        """What libpq needs to log in as `role`, as keyword arguments of `psycopg.connect`."""
        return {
            "host": self.host,
            "port": str(self.port),
            "dbname": self.database,
            "user": ROLES[role],
            "passfile": str(self.password_file),
            # The connection never leaves the machine: asking for encryption only costs time.
            "sslmode": "disable",
            "gssencmode": "disable",
        }

    def conninfo(self, role: Role = "app") -> str:
        """The same as one connection string."""
        return " ".join(f"{key}={_quoted(value)}" for key, value in self.parameters(role).items())


class ServerInfo(Struct, frozen=True):
    """What runs, or lies, in a data folder.

    `version` is the cluster's major version, or the one that a new cluster would get.
    """

    version: str
    data_folder: Path
    size: int
    running: bool
    pid: int | None
    host: str | None
    port: int | None


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
