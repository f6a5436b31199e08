"""What doctor tells about the bundled server."""

from __future__ import annotations

import os

import pytest

from syncline.settings import Settings
from syncline.store.embedded import EmbeddedServer
from syncline.store.embedded.doctor import Check, check
from tests.servers.conftest import Version
from tests.support.data_folders import settings_for

pytestmark = pytest.mark.server("postgresql")


async def _checks(settings: Settings) -> dict[str, Check]:
    return {found.name: found for found in await check(settings)}


async def test_all_is_well_before_the_first_start(new_settings: Settings, version: Version) -> None:
    """And looking changes nothing."""
    checks = await _checks(new_settings)
    assert all(found.ok for found in checks.values())
    assert f"PostgreSQL) {version}." in checks["database programs"].detail
    assert "no database yet" in checks["data folder"].detail
    assert "stopped" in checks["database server"].detail
    assert list(new_settings.data_dir.iterdir()) == []


async def test_a_running_server_is_told_with_its_users(
    settings: Settings, version: Version
) -> None:
    """Who uses it is what `syncline down` would ask about."""
    async with EmbeddedServer(settings):
        checks = await _checks(settings)
    assert all(found.ok for found in checks.values())
    assert f"used by {os.getpid()}" in checks["database server"].detail
    assert f"PostgreSQL {version}" in checks["data folder"].detail


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
async def test_what_is_wrong_comes_with_a_hint(settings: Settings) -> None:
    """Each check for itself: one that fails does not hide the others."""
    other = settings.model_copy(update={"database_user": "no-such-user"})
    checks = await _checks(other)
    assert not checks["database user"].ok
    assert "SYNCLINE_DB_USER" in str(checks["database user"].hint)
    assert checks["disk space"].ok

    closed = settings.data_dir / "closed"
    (closed / "data" / "x").mkdir(parents=True)
    closed.chmod(0o700)
    found = (await _checks(settings_for(closed / "data")))["data folder"]
    assert not found.ok
    assert str(closed) in found.detail
