"""When a connection is next due: pure functions of its schedule, its past and the time."""
