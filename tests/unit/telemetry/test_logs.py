"""The log of a service: lines for people and for machines."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest

from syncline.telemetry.context import bound
from syncline.telemetry.logs import open_log

log = logging.getLogger("syncline.test")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Logging is everybody's."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("syncline").setLevel(logging.NOTSET)


def _lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_lines_have_what_they_are_about() -> None:
    """Time, level and message; values given with it; what the task works on."""
    stream = io.StringIO()
    open_log(stream, style="json", level="info")
    with bound(workspace="w", connection="docs"), bound(job=7):
        log.warning("%s failed", "it", extra={"counts": {"listed": 3}})
    log.info("done")
    first, second = _lines(stream)
    assert first.pop("time").startswith("20")
    assert first == {
        "level": "warning",
        "message": "it failed",
        "logger": "syncline.test",
        "workspace": "w",
        "connection": "docs",
        "job": 7,
        "counts": {"listed": 3},
    }
    assert set(second) == {"time", "level", "message", "logger"}


def test_lines_for_people_are_one_line_each() -> None:
    """Whatever a source has put into them."""
    stream = io.StringIO()
    open_log(stream, style="text", level="info")
    log.info("a name\nwith \x1b[31mred")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d a name with .\[31mred\n", stream.getvalue()
    )


def test_the_level_is_ours_and_warnings_are_everybodys() -> None:
    """Debugging shows what we do, and not what every library does."""
    stream = io.StringIO()
    open_log(stream, style="json", level="debug")
    log.debug("ours")
    logging.getLogger("asyncio").debug("theirs")
    logging.getLogger("asyncio").warning("their trouble")
    assert [line["message"] for line in _lines(stream)] == ["ours", "their trouble"]
    open_log(stream := io.StringIO(), style="json", level="error")
    log.warning("not now")
    assert stream.getvalue() == ""


@pytest.mark.parametrize("style", ["text", "json"])
def test_no_secret_is_written(style: Any) -> None:
    """In the message, its values, the context, or the trace of an error."""
    stream = io.StringIO()
    open_log(stream, style=style, level="info")
    canary = "c4n4ry-c4n4ry"
    with bound(source=f"https://me:{canary}@x.example/"):
        log.info("to https://x.example/?token=%s", canary, extra={"password": canary})
        log.info("with", extra={"headers": {"Authorization": f"Bearer {canary}"}})
        try:
            raise ValueError(f"postgresql://me:{canary}@db/x")
        except ValueError:
            log.exception("it broke")
    assert "it broke" in stream.getvalue()
    assert "ValueError" in stream.getvalue()
    assert canary not in stream.getvalue()
