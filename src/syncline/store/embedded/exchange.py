"""Putting another cluster in the place of the one that is there, as an upgrade does.

A crash at any place leaves one of them usable. The new cluster, complete, first lies beside as
`postgres.upgraded`; then the old one steps aside, and the new one takes its place. Whoever starts
the server finds out how far that came: without a cluster in its place, the one beside it is the
right one; with one, it is a left-over, because the old one may have been used since.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from syncline.core.failpoints import Failpoint, hit
from syncline.store.embedded.folder import DataFolder

__all__ = ["complete_exchange", "exchange", "old_cluster", "old_clusters", "workshop"]


def workshop(folder: DataFolder) -> DataFolder:
    """A data folder inside of this one, where a new cluster is made and filled."""
    return DataFolder(folder.path / "upgrade")


def old_cluster(folder: DataFolder) -> Path:
    """Where the folder's cluster goes when it steps aside."""
    return folder.path / f"postgres.old-{folder.cluster_version()}"


def old_clusters(folder: DataFolder) -> list[Path]:
    """Those that have stepped aside."""
    return sorted(folder.path.glob("postgres.old-*"))


def exchange(folder: DataFolder) -> Path:
    """Put the workshop's cluster in the place of the folder's, and answer where that is now.

    Must be called under the start lock, while neither server runs.
    """
    old = old_cluster(folder)
    workshop(folder).cluster.rename(folder.upgraded)
    _sync(folder)
    hit(Failpoint.UPGRADE_COPIED)
    folder.cluster.rename(old)
    _sync(folder)
    hit(Failpoint.UPGRADE_OLD_MOVED)
    complete_exchange(folder)
    return old


def complete_exchange(folder: DataFolder) -> None:
    """Do what a crash has left to be done of an exchange, or throw away what it has left.

    Must be called under the start lock, while no server runs.
    """
    if not folder.upgraded.exists():
        return
    if folder.cluster.exists():
        shutil.rmtree(folder.upgraded, ignore_errors=True)
        return
    # Those of the old cluster. The next start gives the new one's roles passwords again.
    folder.credentials.unlink(missing_ok=True)
    folder.upgraded.rename(folder.cluster)
    _sync(folder)


def _sync(folder: DataFolder) -> None:
    if sys.platform != "win32":
        descriptor = os.open(folder.path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
