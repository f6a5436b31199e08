"""How a database of an older Syncline becomes one of today's.

`HEAD` and `REVISIONS` are read at every start, so this module imports nothing; Alembic is
imported only when there is something to upgrade.
"""

from __future__ import annotations

__all__ = ["HEAD", "REVISIONS"]

REVISIONS = (
    *("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010", "0011"),
    "0012",
    "0013",
    "0014",
    "0015",
    "0016",
)
"""Every revision, oldest first; a test holds it to what lies in `versions/`."""
HEAD = REVISIONS[-1]
