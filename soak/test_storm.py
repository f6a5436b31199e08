"""The crash tests over thousands of entries: SYNCLINE_STORM_ENTRIES, which `make soak` sets."""

from tests.conftest import server_settings, workspace_name
from tests.faults.test_kill_anywhere import (
    expected,
    test_a_kill_at_this_place_leaves_no_trace,
    tools,
    undisturbed,
    worlds,
)

__all__ = [
    "expected",
    "server_settings",
    "test_a_kill_at_this_place_leaves_no_trace",
    "tools",
    "undisturbed",
    "workspace_name",
    "worlds",
]
