"""A connector of the test's own folder, and a clock."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from syncline.connectors.files.connector import FilesConnector
from syncline.connectors.files.spec import SPEC, FilesOptions
from syncline.connectors.options import parse_options
from syncline.core.ports import Context
from tests.unit.connectors.files.looking import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def connect(tmp_path: Path, clock: Clock) -> Callable[..., FilesConnector]:
    """A connector of the test's folder, or of `path`, with these options."""

    def connect(path: Path = tmp_path, **raw: Any) -> FilesConnector:
        options = parse_options(SPEC, {"path": str(path), **raw})
        assert isinstance(options, FilesOptions)
        context = Context(http=None, clock=clock)  # type: ignore[arg-type]
        return FilesConnector(options, context)

    return connect
