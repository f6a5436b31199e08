"""What the `files` connector can be told, and what it can do."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

from pydantic import Field, field_validator

from syncline.connectors.files.globs import Glob
from syncline.connectors.opening import opens
from syncline.core.capabilities import Absence, Capabilities, Changes, Versions
from syncline.core.errors import UsageError
from syncline.core.media import EXTENSIONS
from syncline.core.notes import Notes
from syncline.core.ports import ConnectorSpec, Options

__all__ = ["SPEC", "FilesOptions"]

_FILE_URL = re.compile(r"file://(?:localhost)?(?=/)", re.IGNORECASE)
_OTHER_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class FilesOptions(Options):
    """Which files of a folder are read."""

    path: Path = Field(description="The folder, or the one file, to read: an absolute path")
    include: tuple[str, ...] = Field(
        default=(),
        description="Only paths that match one of these patterns, such as guides/**/*.md",
    )
    exclude: tuple[str, ...] = Field(
        default=(), description="No paths that match one of these, such as drafts/"
    )
    extensions: tuple[str, ...] = Field(
        default=tuple(sorted(EXTENSIONS)), description="Only files whose names end so"
    )
    max_mb: int = Field(
        default=50, ge=1, le=2000, description="No files larger than this, in megabytes"
    )
    hidden: bool = Field(
        default=False, description="Also files and folders whose names begin with a dot"
    )

    @field_validator("path")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        if not path.is_absolute() or "\0" in str(path):
            raise ValueError("must be an absolute path")
        return path

    @field_validator("include", "exclude")
    @classmethod
    def _patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            Glob.compile(pattern)
        return patterns

    @field_validator("extensions")
    @classmethod
    def _extensions(cls, extensions: tuple[str, ...]) -> tuple[str, ...]:
        normalised = tuple(
            dict.fromkeys(f".{each.strip().removeprefix('*').lstrip('.')}" for each in extensions)
        )
        if not normalised or "." in normalised:
            raise ValueError("must name at least one extension, such as .md")
        return tuple(each.lower() for each in normalised)


def _from_source(text: str) -> dict[str, Any] | None:
    """Options for an existing path, absolute, with links resolved."""
    as_url = _FILE_URL.match(text)
    if as_url:
        path = Path(os.fsdecode(unquote_to_bytes(text[as_url.end() :])))
    elif _OTHER_SCHEME.match(text) or "\0" in text:
        return None
    else:
        path = _expand(text)
    if not path.exists():
        if not as_url and not text.startswith(("/", ".", "~")):
            return None
        raise UsageError(
            f"There is no file or folder {str(path.absolute())!r}",
            hint="Check the spelling; a relative path starts at the current folder.",
        )
    resolved = path.resolve()
    try:
        str(resolved).encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"The name of {str(resolved)!r} is not valid UTF-8",
            hint="Rename it, or sync the folder that it lies in.",
        ) from error
    return {"path": str(resolved)}


def _expand(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:  # no such user
        return Path(text)


def _default_name(options: FilesOptions) -> str:
    return options.path.name or "files"


SPEC = ConnectorSpec(
    kind="files",
    defaults_from={"max_mb": "max_file_size_mb", "extensions": "supported_extensions"},
    title="Files and folders",
    description="Markdown, HTML and text files of this machine: a path, or a file:// URL",
    options=FilesOptions,
    capabilities=Capabilities(
        changes=Changes.LISTING,
        absence=Absence.PROOF,
        versions=Versions.EXACT,
        local=True,
    ),
    open=opens("syncline.connectors.files.connector:FilesConnector"),
    notes=Notes(reads="Markdown, HTML and plain text, by the names of the files."),
    from_source=_from_source,
    default_name=_default_name,
)
