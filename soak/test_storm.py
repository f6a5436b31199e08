"""The crash tests over thousands of entries: SYNCLINE_STORM_ENTRIES, which `make soak` sets."""

from tests.conftest import database, server_settings, workspace_name
from tests.faults.test_kill_anywhere import (
    expected,
    test_a_kill_at_this_place_leaves_no_trace,
    undisturbed,
    worlds,
)

__all__ = [
    "database",
    "expected",
    "server_settings",
    "test_a_kill_at_this_place_leaves_no_trace",
    "undisturbed",
    "workspace_name",
    "worlds",
]
