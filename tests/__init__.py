"""Tests. Support modules are imported as `tests.support…`, also by worker processes."""
