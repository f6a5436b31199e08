"""The keys that secrets are sealed with: from the environment, or from a file of our own.

One key a line, the newest first: it seals, and all of them open. The file is made when the first
secret is kept, readable by its owner only. Whoever has both it and the database has the secrets.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from syncline.core.errors import ConfigurationError
from syncline.settings import Settings

__all__ = ["FILE_NAME", "Key", "KeyRing"]

FILE_NAME = "secret-keys"
_HEADER = "# The keys of Syncline's secrets, the newest first. Keep them apart from the backups.\n"


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """A Fernet key (32 bytes in URL-safe base64), and the name it goes by."""

    text: str

    @property
    def id(self) -> str:
        """Eight hexadecimal digits, from which nothing of the key follows."""
        return hashlib.sha256(b"syncline key " + self.text.encode()).hexdigest()[:8]

    def __repr__(self) -> str:
        return f"Key({self.id})"

    @classmethod
    def generate(cls) -> Key:
        """A new one."""
        from cryptography.fernet import Fernet

        return cls(Fernet.generate_key().decode())


class KeyRing:
    """This machine's keys. Reads the file again when it has changed."""

    def __init__(self, settings: Settings) -> None:
        given = settings.secret_keys
        self._given = None if given is None else _parse(given.get_secret_value(), "SYNCLINE_KEYS")
        self.path = settings.data_dir / FILE_NAME
        """Where the file is, or would be. Not used where the environment gives the keys."""
        self._read: tuple[tuple[int, int, int], tuple[Key, ...]] | None = None

    @property
    def from_environment(self) -> bool:
        """Whether SYNCLINE_KEYS gives the keys; then no file is read or written."""
        return self._given is not None

    @property
    def place(self) -> str:
        """Where the keys are, in words."""
        return "SYNCLINE_KEYS" if self.from_environment else str(self.path)

    def held(self) -> tuple[Key, ...]:
        """The newest first; none where there is no file yet. Raises `ConfigurationError`."""
        if self._given is not None:
            return self._given
        try:
            found = self.path.stat()
            stamp = (found.st_mtime_ns, found.st_ino, found.st_size)
            if self._read is None or self._read[0] != stamp:
                text = self.path.read_text(encoding="utf-8")
                self._read = (stamp, _parse(text, str(self.path)))
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise ConfigurationError(
                f"The keys of the secrets cannot be read: {self.path}: {error.strerror}.",
                hint="Run as the file's owner, or give the keys in SYNCLINE_KEYS.",
            ) from error
        return self._read[1]

    def make_first(self) -> Key:
        """A key in a new file; the file's own, where another process was faster."""
        key = Key.generate()
        new = self._written([key])
        try:
            os.link(new, self.path)
        except FileExistsError:
            return self.held()[0]
        finally:
            new.unlink()
        return key

    def replace(self, keys: Sequence[Key]) -> None:
        """Write the file anew: all of it, or nothing."""
        self._written(keys).replace(self.path)

    def _written(self, keys: Sequence[Key]) -> Path:
        """A file with these keys under a name of its own, on the disk."""
        new = self.path.with_name(f".{FILE_NAME}.{token_hex(4)}")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(_HEADER + "".join(f"{key.text}\n" for key in keys))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            with suppress(OSError):
                new.unlink()
            raise ConfigurationError(
                f"The keys of the secrets cannot be written: {self.path}: {error.strerror}.",
                hint="Make its folder writable, or give the keys in SYNCLINE_KEYS.",
            ) from error
        return new


def _parse(text: str, place: str) -> tuple[Key, ...]:
    """Keys from lines, or from what commas separate."""
    from cryptography.fernet import Fernet

    keys: list[Key] = []
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            continue
        for number, part in enumerate(filter(None, map(str.strip, line.split(",")))):
            try:
                Fernet(part)
            except ValueError as error:
                raise ConfigurationError(
                    f"{place}: the key number {len(keys) + number + 1} is none.",
                    hint="A key is 32 bytes in URL-safe base64; `syncline keys new` makes one.",
                ) from error
            keys.append(Key(part))
    if not keys:
        raise ConfigurationError(
            f"{place} holds no key.", hint="`syncline keys new` makes one; or remove it."
        )
    return tuple(keys)
