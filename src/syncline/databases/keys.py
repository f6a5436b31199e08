"""The keys that stored secrets are encrypted with: a file beside the database, not in it."""

from __future__ import annotations

import os
from pathlib import Path

from syncline.security.keys import FILE_NAME
from syncline.settings import Settings

__all__ = ["key_file", "read_keys", "write_keys"]


def key_file(settings: Settings) -> Path:
    """Where the keys are, if there are any."""
    return settings.data_dir / FILE_NAME


def read_keys(settings: Settings) -> bytes | None:
    """The keys; None where no secret has been stored."""
    try:
        return key_file(settings).read_bytes()
    except FileNotFoundError:
        return None


def write_keys(settings: Settings, keys: bytes) -> Path:
    """Put keys in their place, readable by us alone, and answer where they are.

    Other keys that are there stay: those that came are put beside them, and a person decides.
    """
    place = key_file(settings)
    there = read_keys(settings)
    if there == keys:
        return place
    if there is not None:
        place = place.with_name(f"{place.name}.restored")
    place.parent.mkdir(parents=True, exist_ok=True)
    new = place.with_name(f"{place.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(keys)
        file.flush()
        os.fsync(file.fileno())
    new.replace(place)
    return place
