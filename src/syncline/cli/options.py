"""The options that several commands share, and what was typed made into what is meant."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from syncline.cli.completion import connection_names
from syncline.core.durations import parse_duration
from syncline.core.errors import UsageError

if TYPE_CHECKING:
    from syncline.parts.wished import Wished

__all__ = [
    "AllWorkspaces",
    "AsJson",
    "Author",
    "Category",
    "ClearFilter",
    "ConnectorOption",
    "Contains",
    "DataDir",
    "GuardFraction",
    "GuardMinimum",
    "KeepDeleted",
    "Name",
    "NotContains",
    "OneConnection",
    "OptionalSource",
    "Property",
    "Quiet",
    "Recheck",
    "SecretGiven",
    "Source",
    "Tag",
    "UpdatedBefore",
    "UpdatedSince",
    "UpdatedWithin",
    "Workspace",
    "filter_of",
    "options_of",
    "pairs",
    "parse_date",
    "seconds_of",
    "wishes_of",
]

_FILTERS = "Filters (kept with the connection)"
_SOURCE = "The connection"

Workspace = Annotated[
    str,
    typer.Option("--workspace", "-w", envvar="SYNCLINE_WORKSPACE", help="The workspace to use."),
]
AllWorkspaces = Annotated[
    bool, typer.Option("--all-workspaces", help="Of all workspaces, not only of one.")
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        metavar="FOLDER",
        help="Use the bundled database in this folder (rather than SYNCLINE_DATA_DIR or "
        "DATABASE_URL).",
        file_okay=False,
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object with the documented fields.")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="No progress, and nothing that went well.")
]
Source = Annotated[
    str,
    typer.Argument(
        help="A folder's or file's path, a website's or sitemap's URL, or a connection's name.",
        metavar="SOURCE",
        autocompletion=connection_names,
    ),
]
OptionalSource = Annotated[
    str | None,
    typer.Argument(
        help="A folder's or file's path, a website's or sitemap's URL, or a connection's name.",
        metavar="SOURCE",
        autocompletion=connection_names,
    ),
]
OneConnection = Annotated[
    str | None,
    typer.Option(
        "--connection", "-c", help="Only this connection's.", autocompletion=connection_names
    ),
]
Name = Annotated[
    str | None,
    typer.Option(
        "--name",
        help="The connection's name; another name for the same source makes another connection.",
        rich_help_panel=_SOURCE,
    ),
]
ConnectorOption = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        "-o",
        metavar="NAME=VALUE",
        help="An option of the connector, such as exclude=drafts/ (again for more).",
        rich_help_panel=_SOURCE,
    ),
]
SecretGiven = Annotated[
    list[str] | None,
    typer.Option(
        "--secret",
        metavar="NAME[=PLACE]",
        help="A secret of the source's, such as token (again for more): asked for, or read from "
        "env:VARIABLE or file:PATH; none forgets it.",
        rich_help_panel=_SOURCE,
    ),
]
KeepDeleted = Annotated[
    bool | None,
    typer.Option(
        "--keep-deleted/--no-keep-deleted",
        help="Never delete documents that the source no longer has.",
        rich_help_panel=_SOURCE,
    ),
]
GuardFraction = Annotated[
    float | None,
    typer.Option(
        "--guard-fraction",
        metavar="FRACTION",
        min=0,
        max=1,
        help="Hold deletions for a person when more than this part of all documents would go "
        "(at first 0.3).",
        rich_help_panel=_SOURCE,
    ),
]
GuardMinimum = Annotated[
    int | None,
    typer.Option(
        "--guard-minimum",
        metavar="NUMBER",
        min=1,
        help="Hold none while fewer than so many would go, unless it is all (at first 3).",
        rich_help_panel=_SOURCE,
    ),
]
Recheck = Annotated[
    str | None,
    typer.Option(
        "--recheck",
        metavar="TIME",
        help="How long to believe a source's hint that an entry is the same: 24h (at first), "
        "30m, 0 for never.",
        rich_help_panel=_SOURCE,
    ),
]
Contains = Annotated[
    list[str] | None,
    typer.Option(metavar="TEXT", help="Only documents with this text.", rich_help_panel=_FILTERS),
]
NotContains = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TEXT", help="Only documents without this text.", rich_help_panel=_FILTERS
    ),
]
Category = Annotated[
    list[str] | None, typer.Option(help="Only these categories.", rich_help_panel=_FILTERS)
]
Tag = Annotated[list[str] | None, typer.Option(help="Only these tags.", rich_help_panel=_FILTERS)]
Author = Annotated[
    list[str] | None, typer.Option(help="Only these authors.", rich_help_panel=_FILTERS)
]
Property = Annotated[
    list[str] | None,
    typer.Option(
        "--property",
        metavar="NAME=VALUE",
        help="Only with this property.",
        rich_help_panel=_FILTERS,
    ),
]
UpdatedSince = Annotated[
    str | None,
    typer.Option(
        metavar="DATE",
        help="Read only what was updated since: 2025-01-31, 7d, 32h.",
        rich_help_panel=_FILTERS,
    ),
]
UpdatedBefore = Annotated[
    str | None,
    typer.Option(
        metavar="DATE", help="Read only what was updated before.", rich_help_panel=_FILTERS
    ),
]
UpdatedWithin = Annotated[
    str | None,
    typer.Option(
        metavar="AGE",
        help="Read only what was updated so lately, at each sync anew: 32h, 7d.",
        rich_help_panel=_FILTERS,
    ),
]
ClearFilter = Annotated[
    bool,
    typer.Option(
        "--clear-filter", help="Forget the connection's filters.", rich_help_panel=_FILTERS
    ),
]


def wishes_of(
    *,
    name: str | None,
    clear_filter: bool,
    option: Sequence[str] | None,
    keep_deleted: bool | None,
    guard_fraction: float | None,
    guard_minimum: int | None,
    recheck: str | None,
    secret: Sequence[str] | None = None,
    **filters: Any,
) -> Wished:
    """What was typed of a connection; `filters` as for `filter_of`.

    Raises `ConfigurationError`, `UsageError`.
    """
    return {
        "name": name,
        "filter": filter_of(**filters),
        "clear_filter": clear_filter,
        "options": options_of(option),
        "keep_deleted": keep_deleted,
        "guard_fraction": guard_fraction,
        "guard_minimum": guard_minimum,
        "secrets": secrets_of(secret),
        "recheck_seconds": None if recheck is None else seconds_of(recheck, "--recheck"),
    }


def filter_of(
    *,
    updated_since: str | None,
    updated_before: str | None,
    properties: Sequence[str] | None,
    updated_within: str | None = None,
    **words: Sequence[str] | None,
) -> dict[str, Any]:
    """The fields of a filter that were given. Raises `ConfigurationError`, `UsageError`."""
    wanted: dict[str, Any] = {name: list(values) for name, values in words.items() if values}
    if properties:
        wanted["properties"] = {
            name: _plain(value) for name, value in pairs(properties, "--property").items()
        }
    if updated_within is not None:
        wanted["updated_within"] = updated_within
    for name, text in (("updated_since", updated_since), ("updated_before", updated_before)):
        if text is not None:
            wanted[name] = parse_date(text, f"--{name.replace('_', '-')}").isoformat()
    return wanted


def seconds_of(text: str, option: str) -> int:
    """A duration: `90s`, `30m`, `24h`, `7d`; a number alone is seconds. Raises `UsageError`."""
    try:
        return round(parse_duration(text))
    except ValueError as error:
        raise UsageError(
            f"{option} {text}: not a time.".replace("  ", " "), hint="Write 90s, 30m, 24h or 7d."
        ) from error


def parse_date(text: str, option: str) -> datetime:
    """A date or an age. Raises `ConfigurationError`, naming the option."""
    from syncline.core.errors import ConfigurationError
    from syncline.pipeline.filter import parse_filter_date

    try:
        return parse_filter_date(text, datetime.now(UTC))
    except ConfigurationError as error:
        raise ConfigurationError(f"{option}: {error.message}", hint=error.hint) from error


def _plain(value: str) -> Any:
    """A property's value: `true` and numbers are what JSON says, all else is text."""
    import json

    try:
        found = json.loads(value)
    except ValueError:
        return value
    return value if isinstance(found, dict | list) else found


def pairs(given: Sequence[str], option: str) -> dict[str, str]:
    """`["a=1", "b=2"]` as a dictionary. Raises `UsageError`."""
    found = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name.strip():
            raise UsageError(
                f"{option} {each}: not of the form NAME=VALUE.",
                hint=f"Write it as {option} {name.strip() or 'name'}=value.",
            )
        found[name.strip()] = value
    return found


def options_of(given: Sequence[str] | None) -> dict[str, str]:
    """The connector options that were typed; several values of one become its list."""
    found: dict[str, str] = {}
    for each in given or ():
        for name, value in pairs([each], "--option").items():
            found[name] = f"{found[name]},{value}" if name in found else value
    return found


def secrets_of(given: Sequence[str] | None) -> dict[str, str | None]:
    """The secrets that were named, read from where they are. Raises `UsageError`."""
    if not given:
        return {}
    from syncline.cli.secrets import secret_named

    return dict(secret_named(each) for each in given)


def environment_with(data_dir: Path | None) -> Mapping[str, str]:
    """The environment, in which a typed data folder wins."""
    environ = dict(os.environ)
    if data_dir is not None:
        environ["SYNCLINE_DATA_DIR"] = str(data_dir.absolute())
        environ.pop("DATABASE_URL", None)
    return environ
