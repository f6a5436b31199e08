"""Specs that are wrong in one way each, and the list of all mutants."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

from msgspec.structs import replace
from pydantic import Field

from syncline.core.ports import Options, Secrets
from syncline.testing.connector_suite import SourceWorld
from tests.conformance.worlds import ScriptedWorld
from tests.support.scripted import SPEC, ScriptedOptions

__all__ = ["MUTANTS", "spec_mutant"]

_Build = Callable[[Path], SourceWorld]
MUTANTS: list[tuple[str, str, _Build]] = []
"""Name of the check that must fail, what is wrong, and how to build a world that is wrong so."""


def spec_mutant(check: str, wrong: str, **fields: Any) -> None:
    """A spec with other fields, before the same source."""
    MUTANTS.append(
        (check, wrong, lambda path: ScriptedWorld(path / "w.json", replace(SPEC, **fields)))
    )


class _Undescribed(Options):
    path: Path
    checkpoint_every: int = Field(10, description="…")


class _Thawed(ScriptedOptions):
    model_config: ClassVar[Any] = {"frozen": False}


class _Open(Secrets):
    token: str = Field("t", description="A token")


class _Forgetful(ScriptedOptions):
    moment: int = Field(default_factory=count().__next__, description="…", exclude=True)


spec_mutant("the_spec_is_complete", "no title", title=" ")
spec_mutant("the_spec_is_complete", "capital letters", kind="Scripted")
spec_mutant("the_spec_is_complete", "options without descriptions", options=_Undescribed)
spec_mutant("the_spec_is_complete", "options that can change", options=_Thawed)
spec_mutant("the_spec_is_complete", "versions without upgrades", options_version=2)
spec_mutant("secrets_are_declared_as_secrets", "a secret that prints", secrets=_Open)
spec_mutant("options_survive_storage", "no name", default_name=lambda options: " ")


def _forgetful(path: Path) -> SourceWorld:
    world = ScriptedWorld(path / "w.json", replace(SPEC, options=_Forgetful))
    world.options = _Forgetful.model_validate({"path": path / "w.json"})
    return world


def _heavy(path: Path) -> SourceWorld:
    """Its options live in a module that imports what only an open connector needs."""
    source = "import numpy\nfrom syncline.core.ports import Options\nclass Heavy(Options): pass\n"
    (path / "heavy_connector.py").write_text(source, "utf-8")
    heavy: dict[str, Any] = {"__name__": "heavy_connector"}
    exec(source, heavy)
    return ScriptedWorld(path / "w.json", replace(SPEC, options=heavy["Heavy"]))


MUTANTS.append(("options_survive_storage", "an option that is not stored", _forgetful))
MUTANTS.append(("importing_the_spec_is_cheap", "a heavy import", _heavy))
