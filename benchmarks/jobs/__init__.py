"""Jobs a second and the wait before a job starts, beside other queues; and the planner's ticks."""
