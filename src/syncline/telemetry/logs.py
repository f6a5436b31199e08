"""The log of a service: readable lines for people, JSON lines for machines, no secrets in either.

Whoever has something to tell logs it with the standard library's `logging`, below the logger
`syncline`; values for machines go into `extra`, what it is about into `context.bound`. Commands
that end by themselves have no log.
"""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from datetime import datetime
from typing import Any, Literal, TextIO

import structlog

from syncline.core.redaction import redact, redact_values
from syncline.telemetry.context import context

__all__ = ["open_log"]

Event = MutableMapping[str, Any]


def open_log(stream: TextIO, *, style: Literal["text", "json"], level: str) -> None:
    """Let everything that is logged go to this stream, from this level on.

    Of other libraries only warnings.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.ExtraAdder(),
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                _add_context,
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _without_secrets,
                _as_json if style == "json" else _as_line,
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("syncline").setLevel(level.upper())


def _add_context(logger: Any, method: str, event: Event) -> Event:
    for name, value in context().items():
        event.setdefault(name, value)
    return event


def _without_secrets(logger: Any, method: str, event: Event) -> Event:
    return {name: redact_values(value, name) for name, value in event.items()}


def _now() -> datetime:
    return datetime.now().astimezone()


_json = structlog.processors.JSONRenderer(ensure_ascii=False, default=str)


def _as_json(logger: Any, method: str, event: Event) -> str:
    message = event.pop("event")
    line = {"time": _now().isoformat(timespec="milliseconds"), "level": event.pop("level")}
    return str(_json(logger, method, {**line, "message": message, **event}))


def _as_line(logger: Any, method: str, event: Event) -> str:
    trace = event.get("exception")
    line = f"{_now():%Y-%m-%d %H:%M:%S} {_one_line(str(event['event']))}"
    return line if trace is None else f"{line}\n{redact(str(trace))}"


def _one_line(text: str) -> str:
    """Unable to move the cursor, or to look like another line."""
    line = " ".join(text.split())
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
