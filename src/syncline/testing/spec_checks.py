"""Checks of what is known of a connector before it is opened."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, SecretStr

from syncline.core.capabilities import Changes
from syncline.core.ports import Options, Secrets
from syncline.testing.world import Check, SourceWorld, round_trip

__all__ = ["SPEC_CHECKS"]

_HEAVY = (
    "aiohttp",
    "alembic",
    "boto3",
    "google",
    "httpx",
    "numpy",
    "pandas",
    "psycopg",
    "requests",
    "rich",
    "selectolax",
    "sqlalchemy",
    "typer",
)


async def the_spec_is_complete(world: SourceWorld) -> None:
    """Kind, title and description are there, and every option and secret says what it is for."""
    spec = world.spec
    assert re.fullmatch(r"[a-z][a-z0-9-]*", spec.kind), f"kind {spec.kind!r} is not a plain name"
    assert spec.title.strip(), "the spec has no title"
    assert spec.description.strip(), "the spec has no description"
    assert issubclass(spec.options, Options), "options must derive from ports.Options"
    assert issubclass(spec.secrets, Secrets), "secrets must derive from ports.Secrets"
    for model in (spec.options, spec.secrets):
        assert model.model_config.get("frozen"), f"{model.__name__} is not frozen"
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name} has no description"
    assert spec.options_version == 1 or spec.upgrade_options, (
        "options that have had other versions need upgrade_options"
    )
    feed = spec.capabilities.changes is Changes.FEED
    assert feed or not spec.capabilities.deletions_in_feed, "a listing has no deletions in it"


async def secrets_are_declared_as_secrets(world: SourceWorld) -> None:
    """Every field of the secrets is a `SecretStr`, so that printing them shows stars."""
    for name, field in world.spec.secrets.model_fields.items():
        kinds = {_bare(each) for each in get_args(field.annotation) if each is not type(None)}
        assert (kinds or {field.annotation}) == {SecretStr}, (
            f"{world.spec.secrets.__name__}.{name} is no SecretStr"
        )


def _bare(annotation: Any) -> Any:
    """Without validators."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


async def options_survive_storage(world: SourceWorld) -> None:
    """Options that went through JSON are the same options; a connection always has a name."""
    stored = round_trip(world.options.model_dump(mode="json"))
    assert world.spec.options.model_validate(stored) == world.options, (
        f"these options change when they are stored: {stored}"
    )
    if world.spec.default_name is not None:
        assert world.spec.default_name(world.options).strip(), "the default name is empty"


async def importing_the_spec_is_cheap(world: SourceWorld) -> None:
    """A list of connectors, or `--help`, must not wait for clients that are not used."""
    loaded = await asyncio.to_thread(_loaded_by, _module_of(world.spec.options))
    heavy = sorted(loaded & set(_HEAVY))
    assert not heavy, f"importing the spec imports {', '.join(heavy)}; import them in open()"


def _module_of(model: type[BaseModel]) -> str:
    return model.__module__


def _loaded_by(module: str) -> set[str]:
    """Which top-level packages importing `module` loads, in a process of its own."""
    program = (
        f"import sys; sys.path[:] = {sys.path!r}; import {module}; "
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter, with a program of our own
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, f"{module} cannot be imported on its own: {done.stderr}"
    return set(done.stdout.split())


SPEC_CHECKS: tuple[Check, ...] = (
    the_spec_is_complete,
    secrets_are_declared_as_secrets,
    options_survive_storage,
    importing_the_spec_is_cheap,
)
