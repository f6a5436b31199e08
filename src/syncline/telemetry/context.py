"""What a log line is about: the workspace, connection, run and job that a task works on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["bound", "context"]

_context: ContextVar[Mapping[str, object]] = ContextVar("syncline_context")


def context() -> Mapping[str, object]:
    """What this task has bound, by name."""
    return _context.get({})


@contextmanager
def bound(**values: object) -> Iterator[None]:
    """Inside, log lines of this task, and of those that it starts, carry these values as well."""
    token = _context.set({**context(), **values})
    try:
        yield
    finally:
        _context.reset(token)
