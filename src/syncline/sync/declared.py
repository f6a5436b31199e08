"""`syncline.yaml`: what a file says that workspaces and connections are.

Read with the line of every value, so that an error says where to look.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from syncline.core.errors import ConfigurationError, UsageError
from syncline.core.model import Json
from syncline.pipeline.filter import Filter

__all__ = ["Declaration", "DeclaredConnection", "DeclaredWorkspace", "read_declaration"]

_MOST_BYTES = 16 * 1024 * 1024


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DeclaredGuard(_Declared):
    fraction: float = Field(default=0.3, ge=0, le=1)
    minimum: int = Field(default=3, ge=1)


class DeclaredConnection(_Declared):
    """What is not written is as for a new connection; `paused` and `secrets` stay as they are."""

    source: str | None = Field(default=None, description="a path (from the file's folder) or a URL")
    kind: str | None = Field(default=None, description="which connector; without it, as it fits")
    options: dict[str, Json] = Field(default_factory=dict)
    filter: Filter = Field(default_factory=Filter)
    secrets: dict[str, str] | None = Field(
        default=None, description="by name, `env:VARIABLE` or `file:PATH`"
    )
    schedule: str | None = Field(default=None, description="such as `every 15m`")
    paused: bool | None = Field(default=None)
    keep_deleted: bool = Field(default=False)
    guard: DeclaredGuard = Field(default_factory=DeclaredGuard)
    recheck: str = Field(default="24h", description="how long a hint is believed")


class DeclaredWorkspace(_Declared):
    active: bool | None = Field(default=None, description="whether its connections run")
    connections: dict[str, DeclaredConnection] = Field(default_factory=dict)


class _File(_Declared):
    name: str | None = Field(default=None, min_length=1)
    workspaces: dict[str, DeclaredWorkspace] = Field(default_factory=dict)


class Declaration(Struct, frozen=True):
    """A file that has been read."""

    name: str
    """By which the connections it describes are known to be its own."""
    path: Path
    workspaces: Mapping[str, DeclaredWorkspace]
    lines: Mapping[tuple[str, ...], int]
    """Where each key stands, from 1."""

    def where(self, *keys: str) -> str:
        """`syncline.yaml:12`, of the innermost of these keys that is there."""
        for length in range(len(keys), 0, -1):
            if keys[:length] in self.lines:
                return f"{self.path.name}:{self.lines[keys[:length]]}"
        return self.path.name


def read_declaration(path: Path) -> Declaration:
    """Read and check a file. Raises `UsageError`, `ConfigurationError` with file and line."""
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(
            f"{path}: {error.strerror}.", hint="Give the path of a syncline.yaml."
        ) from error
    if len(data) > _MOST_BYTES:
        raise ConfigurationError(f"{path} is larger than {_MOST_BYTES // 2**20} MB.")
    value, lines = _load(data, path.name)
    try:
        file_ = _File.model_validate({} if value is None else value)
    except ValidationError as error:
        raise _explained(error, path, lines) from error
    _check_names(file_, path, lines)
    return Declaration(file_.name or path.stem, path, file_.workspaces, lines)


def _check_names(file: _File, path: Path, lines: Mapping[tuple[str, ...], int]) -> None:
    for workspace, declared in file.workspaces.items():
        for keys in [("workspaces", workspace)] + [
            ("workspaces", workspace, "connections", name) for name in declared.connections
        ]:
            if not keys[-1].strip():
                raise ConfigurationError(f"{path.name}:{lines.get(keys, 1)}: a name is empty.")


def _load(data: bytes, name: str) -> tuple[Any, dict[tuple[str, ...], int]]:
    import yaml

    lines: dict[tuple[str, ...], int] = {}
    try:
        node = yaml.compose(data, Loader=yaml.SafeLoader)
        if node is None:
            return None, lines
        _note_lines(node, (), lines, name, set())
        return yaml.safe_load(data), lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = name if mark is None else f"{name}:{mark.line + 1}"
        raise ConfigurationError(f"{where}: {error.problem or error.context}.") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ConfigurationError(f"{name}: this is not YAML: {error}") from error


def _note_lines(
    node: Any,
    keys: tuple[str, ...],
    lines: dict[tuple[str, ...], int],
    name: str,
    above: set[int],
) -> None:
    import yaml

    if not isinstance(node, yaml.MappingNode) or id(node) in above:
        return
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
            continue
        inner = (*keys, str(key.value))
        line = key.start_mark.line + 1
        if inner in lines:
            raise ConfigurationError(
                f"{name}:{line}: {key.value!r} is there already, in line {lines[inner]}.",
                hint="Remove one of the two.",
            )
        lines[inner] = line
        _note_lines(value, inner, lines, name, above | {id(node)})


def _explained(
    error: ValidationError, path: Path, lines: Mapping[tuple[str, ...], int]
) -> ConfigurationError:
    first = error.errors(include_url=False, include_input=False)[0]
    keys = tuple(str(part) for part in first["loc"] if part != "[key]")
    known = next((keys[:n] for n in range(len(keys), 0, -1) if keys[:n] in lines), ())
    where = f"{path.name}:{lines[known]}" if known else path.name
    said = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        said = "there is no such key here"
    elif first["type"] in ("model_type", "dict_type"):
        said = "names with values should stand here"
    return ConfigurationError(
        f"{where}: {'.'.join(keys) or 'the file'}: {said}.",
        hint="docs/howto/apply.md shows what a file may say.",
    )
