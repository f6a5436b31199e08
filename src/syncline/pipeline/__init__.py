"""From a source's bytes to searchable pieces: filter, extract, fingerprint, chunk, compare.

Pure and synchronous: it runs in worker processes. Importing this package is cheap; the
modules bring their own dependencies.
"""
