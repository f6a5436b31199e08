"""One folder a source; `registry` knows them by name."""
