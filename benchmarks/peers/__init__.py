"""What runs in an environment of a peer's own: scripts that read and write JSON and arrays."""
