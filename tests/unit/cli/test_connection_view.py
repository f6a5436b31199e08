"""What is shown of a connection that needs a person."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec import convert

from syncline.cli.connection_view import ConnectionView, print_view, times_as_json, when
from syncline.core.model import ConnectionId, WorkspaceId
from syncline.store.connections import ConnectionRow
from syncline.store.status_read import ConnectionState
from syncline.store.timetable import Times

_COUNTS = ("documents", "chunks", "deleted", "failing", "dead_letters", "held")
_RUN = ("state", "mode", "started", "age", "counts", "error", "progress")
_UNKNOWN = ("freshness", "run", *(f"run_{each}" for each in _RUN))
_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
_WHY = {"code": "forbidden", "message": "403: no scope", "hint": "Add the scope."}


def _view(*, stands_still: bool) -> ConnectionView:
    id_, source = ConnectionId(7), "https://docs.example.com/"
    due = None if stands_still else _AT
    return ConnectionView(
        ConnectionRow(
            WorkspaceId(1), id_, "website", "docs", source, {}, 1, {}, False, 0.3, 3, 0, _AT
        ),
        Times(id_, "every 15m", False, _WHY, stands_still, due, None),
        convert(
            {"id": 7, "name": "docs", "kind": "website", "source": source}
            | dict.fromkeys(_COUNTS, 0)
            | dict.fromkeys(_UNKNOWN),
            ConnectionState,
        ),
        (),
        None,
    )


@pytest.mark.parametrize(("stands_still", "says"), [(True, "stands still"), (False, "next 2026-")])
def test_whether_it_runs_on_is_shown_with_what_is_lacking(
    capsys: pytest.CaptureFixture[str], stands_still: bool, says: str
) -> None:
    """And what to do; a list says that it needs attention, whichever it is."""
    view = _view(stands_still=stands_still)
    print_view(view)
    shown = capsys.readouterr().out
    assert f"runs       every 15m; {says}" in shown
    assert "403: no scope" in shown
    assert "Add the scope." in shown
    assert when(view.times) == ("every 15m", "needs attention")
    assert times_as_json(view.times)["stands_still"] is stands_still
