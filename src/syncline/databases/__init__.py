"""The database as a whole: what is in it, and how it is kept, brought back and moved.

::

    from syncline import Settings
    from syncline.databases import backup

    made = await backup(Settings.from_environment(), Path("/backups"))

What is imported here is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from syncline.databases.backing_up import Backup, backup
    from syncline.databases.moving import Moved, move
    from syncline.databases.overview import DatabaseInfo, read_info
    from syncline.databases.restoring import Restored, restore
    from syncline.databases.upgrading import Upgraded, remove_old, upgrade

__all__ = [
    "Backup",
    "DatabaseInfo",
    "Moved",
    "Restored",
    "Upgraded",
    "backup",
    "move",
    "read_info",
    "remove_old",
    "restore",
    "upgrade",
]

_HOMES = {
    "Backup": "backing_up",
    "DatabaseInfo": "overview",
    "Moved": "moving",
    "Restored": "restoring",
    "Upgraded": "upgrading",
    "backup": "backing_up",
    "move": "moving",
    "read_info": "overview",
    "remove_old": "upgrading",
    "restore": "restoring",
    "upgrade": "upgrading",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
