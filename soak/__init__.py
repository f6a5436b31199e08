"""Long storms; `make soak`."""
