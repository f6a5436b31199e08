"""What keeps other people's data in its place."""
