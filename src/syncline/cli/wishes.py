"""The options that say what is wanted of a connection, for every command that takes them.

::

    @app.command()
    @takes_wishes
    def sync(source: Source, wishes: Wished, full: Full = False) -> int: ...
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from syncline.cli.options import (
    Author,
    Category,
    ClearFilter,
    ConnectorOption,
    Contains,
    GuardFraction,
    GuardMinimum,
    KeepDeleted,
    Name,
    NotContains,
    Property,
    Recheck,
    SecretGiven,
    Tag,
    UpdatedBefore,
    UpdatedSince,
    UpdatedWithin,
    wishes_of,
)

__all__ = ["takes_wishes"]

_OPTIONS: dict[str, tuple[Any, Any]] = {
    "name": (Name, None),
    "contains": (Contains, None),
    "not_contains": (NotContains, None),
    "category": (Category, None),
    "tag": (Tag, None),
    "author": (Author, None),
    "properties": (Property, None),
    "updated_since": (UpdatedSince, None),
    "updated_before": (UpdatedBefore, None),
    "updated_within": (UpdatedWithin, None),
    "clear_filter": (ClearFilter, False),
    "option": (ConnectorOption, None),
    "secret": (SecretGiven, None),
    "keep_deleted": (KeepDeleted, None),
    "guard_fraction": (GuardFraction, None),
    "guard_minimum": (GuardMinimum, None),
    "recheck": (Recheck, None),
}


def takes_wishes(command: Callable[..., int]) -> Callable[..., int]:
    """The command with these options in place of its parameter `wishes`, a `Wished`.

    An option that the command itself has is the command's.
    It raises `ConfigurationError` and `UsageError` for what cannot be meant.
    """
    signature = inspect.signature(command, eval_str=True)
    options = {
        name: option for name, option in _OPTIONS.items() if name not in signature.parameters
    }
    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        if parameter.name != "wishes":
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        parameters += [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
            )
            for name, (annotation, default) in options.items()
        ]

    @functools.wraps(command)
    def with_options(**given: Any) -> int:
        typed: dict[str, Any] = {
            name: given.pop(name) if name in options else None for name in _OPTIONS
        }
        wishes = wishes_of(
            categories=typed.pop("category"),
            tags=typed.pop("tag"),
            authors=typed.pop("author"),
            **typed,
        )
        return command(wishes=wishes, **given)

    with_options.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {
        parameter.name: parameter.annotation for parameter in parameters
    }
    return with_options
