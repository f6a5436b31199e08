"""Syncline keeps a searchable knowledge base in step with the tools where the content lives.

What is exported here is imported when it is first used, so that `import syncline` costs nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers know it; importing `typing` would cost more than the rest
if TYPE_CHECKING:
    from typing import Any

    from syncline.background import Blocking, blocking
    from syncline.client import Syncline, open  # noqa: A004 - `syncline.open()`
    from syncline.core.errors import (
        ConfigurationError,
        DatabaseUnavailable,
        NotHere,
        RunInProgress,
        SourceError,
        SynclineError,
        UsageError,
    )
    from syncline.settings import Settings
    from syncline.sync.report import Progress, Report
    from syncline.sync.search import SearchRequest

    __version__: str

__all__ = [
    "Blocking",
    "ConfigurationError",
    "DatabaseUnavailable",
    "NotHere",
    "Progress",
    "Report",
    "RunInProgress",
    "SearchRequest",
    "Settings",
    "SourceError",
    "Syncline",
    "SynclineError",
    "UsageError",
    "__version__",
    "blocking",
    "open",
]

_HOMES = {
    "Blocking": "background",
    "Progress": "sync.report",
    "Report": "sync.report",
    "SearchRequest": "sync.search",
    "Settings": "settings",
    "Syncline": "client",
    "blocking": "background",
    "open": "client",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("syncline")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'core.errors')}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
