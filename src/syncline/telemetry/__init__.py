"""What a service tells of itself while it runs: logs and metrics."""
