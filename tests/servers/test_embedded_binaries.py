"""The bundled server's programs, where they lie out of its user's reach."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from syncline.settings import Settings
from syncline.store.embedded import EmbeddedServer
from syncline.store.embedded.binaries import VERSIONS, installed_binaries
from tests.servers.conftest import Version
from tests.support.data_folders import make_data_folder

pytestmark = [
    pytest.mark.server("postgresql"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user"),
]


@pytest.fixture
def private_installation(version: Version, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The wheel, installed where only root can enter, as below /root, and nowhere else."""
    package = installed_binaries(version).folder.parents[1]
    place = make_data_folder()
    shutil.copytree(package / VERSIONS[version], place / package.name / VERSIONS[version])
    (place / package.name / "__init__.py").touch()
    shutil.copytree(package.with_name(f"{package.name}.libs"), place / f"{package.name}.libs")
    place.chmod(0o700)
    monkeypatch.syspath_prepend(place)
    yield place
    shutil.rmtree(place)


async def test_the_server_runs_from_a_copy(settings: Settings, private_installation: Path) -> None:
    """Made once, in the data folder; the installation stays closed, old copies are removed."""
    copies = settings.data_dir / "binaries"
    server = EmbeddedServer(settings)
    async with server as address:
        program = Path(f"/proc/{server.info().pid}/exe").readlink()
        assert copies in program.parents
        with psycopg.connect(address.conninfo()) as connection:
            assert connection.execute("SELECT '[1]'::vector").fetchone() == ("[1]",)
    assert private_installation.stat().st_mode & 0o777 == 0o700
    made = program.stat().st_ctime_ns

    (copies / "16-old").mkdir()
    (copies / "new-interrupted").mkdir()
    async with server:
        assert program.stat().st_ctime_ns == made
    assert [path.name for path in copies.iterdir()] == [program.relative_to(copies).parts[0]]


async def test_an_update_of_the_wheel_makes_a_new_copy(
    settings: Settings, private_installation: Path
) -> None:
    """Otherwise the old programs would run for ever."""
    server = EmbeddedServer(settings)
    async with server:
        before = Path(f"/proc/{server.info().pid}/exe").readlink()
    for program in private_installation.glob("*/*/bin/postgres"):
        os.utime(program, (1, 1))
    async with server:
        assert Path(f"/proc/{server.info().pid}/exe").readlink() != before
    assert not before.exists()
