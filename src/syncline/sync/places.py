"""Where a secret is to be read from: `env:VARIABLE` or `file:PATH`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from syncline.core.errors import UsageError
from syncline.core.redaction import remember_secret

__all__ = ["read_place"]

_MOST_BYTES = 64 * 1024


def read_place(
    place: str,
    name: str,
    *,
    called: str = "the secret",
    base: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> str:
    """The secret of this name that lies there; `base` is where paths begin.

    Raises `UsageError`. A secret's value is in none of them: whoever typed one in place of a
    place finds it neither on the screen nor in a log.
    """
    what = f"{called} {name}"
    kind, colon, where = place.partition(":")
    if colon and kind == "env" and where:
        value = environ.get(where)
        if not value:
            raise UsageError(
                f"{what}: the environment variable {where} is not set.", hint=f"Set {where} first."
            )
        remember_secret(value, name)
        return value
    if colon and kind == "file" and where:
        path = (base or Path()) / Path(where).expanduser()
        try:
            with path.open("rb") as file:
                data = file.read(_MOST_BYTES + 1)
            if len(data) > _MOST_BYTES:
                raise UsageError(f"{what}: {path} is too large for a secret.")
            text = data.decode().rstrip("\r\n")
        except OSError as error:
            raise UsageError(
                f"{what}: {path}: {error.strerror}.", hint="Check the path."
            ) from error
        except UnicodeDecodeError:
            raise UsageError(f"{what}: {path} is not text in UTF-8.") from None
        if not text:
            raise UsageError(f"{what}: {path} is empty.")
        remember_secret(text, name)
        return text
    raise UsageError(
        f"{what}: a secret itself is not written here, where others can read it.",
        hint="Write env:VARIABLE or file:PATH, which say where it is.",
    )
