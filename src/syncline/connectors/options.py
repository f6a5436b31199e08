"""From what a person typed, or a row holds, to a connector's options.

Stored options carry the version they were written with: older ones are upgraded by their
connector, newer ones refused, so that a machine that still runs yesterday's code does not read
half of what today's wrote.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from syncline.core.errors import ConfigurationError
from syncline.core.model import Json
from syncline.core.ports import ConnectorSpec, Options

__all__ = ["parse_options", "with_defaults"]

_SHOWN = 80
_LISTS = (list, tuple, set, frozenset)


def parse_options(
    spec: ConnectorSpec, raw: Mapping[str, Json], stored_version: int | None = None
) -> Options:
    """The options that `raw` gives.

    Without `stored_version`, `raw` was typed or sent: strings become what the field asks for
    (`a, b` a list, `yes` a boolean, `5` a number). With it, `raw` was stored by that version
    of the connector and is upgraded first. Raises `ConfigurationError`, which names the option,
    its value and what is expected; the fields' own defaults fill the rest.
    """
    values = dict(raw)
    if stored_version is not None:
        values = _upgrade(spec, values, stored_version)
    fields = spec.options.model_fields
    for name, value in values.items():
        if isinstance(value, str) and name in fields and _wants_list(fields[name].annotation):
            values[name] = [part for part in map(str.strip, value.split(",")) if part]
    try:
        return spec.options.model_validate(values)
    except ValidationError as error:
        problems = [_describe(spec.options, each) for each in error.errors(include_url=False)]
        raise ConfigurationError(
            f"{spec.title}: {'; '.join(problems)}", hint=_hint(spec.options, error)
        ) from error


def with_defaults(spec: ConnectorSpec, parsed: Options, settings: Mapping[str, Json]) -> Options:
    """The options, in which the installation's settings stand for what was not given.

    `settings` by name, as in `ConnectorSpec.defaults_from`. Raises `ConfigurationError`.
    """
    given = {
        option: settings[setting]
        for option, setting in spec.defaults_from.items()
        if setting in settings and option not in parsed.model_fields_set
    }
    if not given:
        return parsed
    return parse_options(spec, {**parsed.model_dump(exclude_unset=True), **given})


def _upgrade(spec: ConnectorSpec, values: dict[str, Any], stored_version: int) -> dict[str, Any]:
    if stored_version == spec.options_version:
        return values
    if stored_version > spec.options_version:
        raise ConfigurationError(
            f"{spec.title}: these options were written by a newer version of the connector "
            f"({stored_version}; this one knows {spec.options_version})",
            hint="Upgrade Syncline, or the connector's package, on this machine.",
        )
    if spec.upgrade_options is None:
        raise ConfigurationError(
            f"{spec.title}: these options are of version {stored_version}, and the connector, "
            f"now at {spec.options_version}, does not say how to upgrade them",
            hint="Report this to the connector's author; or create the connection anew.",
        )
    return spec.upgrade_options(stored_version, values)


def _wants_list(annotation: Any) -> bool:
    """Whether a field takes a list and no plain string."""
    if get_origin(annotation) in {Union, types.UnionType}:
        alternatives = get_args(annotation)
        return str not in alternatives and any(map(_wants_list, alternatives))
    return annotation in _LISTS or get_origin(annotation) in _LISTS


def _describe(model: type[BaseModel], problem: ErrorDetails) -> str:
    location = ".".join(map(str, problem["loc"])) or "options"
    if problem["type"] == "extra_forbidden":
        return f"there is no option {location!r}"
    field = model.model_fields.get(str(problem["loc"][0])) if problem["loc"] else None
    meaning = f" ({field.description})" if field and field.description else ""
    if problem["type"] == "missing":
        return f"the option {location!r} is missing{meaning}"
    expected = problem["msg"].removeprefix("Value error, ")
    return f"{location} = {_shown(problem['input'])}: {expected}{meaning}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _hint(model: type[BaseModel], error: ValidationError) -> str | None:
    if any(each["type"] == "extra_forbidden" for each in error.errors(include_url=False)):
        return f"There are: {', '.join(sorted(model.model_fields))}."
    return None
