"""Folders of this machine, through the conformance suite."""

from pathlib import Path

import pytest

from syncline.testing.connector_suite import ConnectorSuite, SourceWorld
from tests.conformance.worlds import FilesWorld


class TestFiles(ConnectorSuite):
    @pytest.fixture
    def world(self, tmp_path: Path) -> SourceWorld:
        return FilesWorld(tmp_path / "folder")
