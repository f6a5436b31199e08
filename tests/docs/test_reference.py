"""The reference is what the code says."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from syncline.core.errors import SourceError
from syncline.sync.report import Report
from tests.docs.blocks import ROOT
from tests.docs.place import Place, open_place

REFERENCE = ROOT / "docs" / "reference"


def _pages() -> dict[str, str]:
    spec = importlib.util.spec_from_file_location("generate", REFERENCE / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[str, str] = module.pages()
    return found


@pytest.mark.parametrize("name", ["commands.md", "settings.md", "connectors.md", "filters.md"])
def test_the_generated_pages_are_up_to_date(name: str) -> None:
    """`make reference` would change nothing."""
    written = (REFERENCE / name).read_text("utf-8")
    assert written == _pages()[name], f"docs/reference/{name} is behind: run `make reference`"


def test_every_count_of_a_report_is_explained() -> None:
    """Those that are always there, and those that the code counts besides."""
    named = _counts()
    always = set(Report("x", "incremental").counts)
    assert always <= named
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py"))
    counted = set(re.findall(r"tally\[\"(\w+)\"\]", source))
    counted |= set(re.findall(r"\"(unchanged_by_\w+|chunks_\w+)\"", source))
    assert counted <= named, counted - named


def test_every_code_of_a_source_error_is_explained() -> None:
    """What a failed entry's `code` can be."""
    text = (REFERENCE / "report.md").read_text("utf-8")
    kinds: list[type[SourceError]] = [SourceError, *SourceError.__subclasses__()]
    codes = {kind.code for kind in kinds}
    assert {code for code in codes if f"`{code}`" not in text} == set()


EDITS = "s/extension 200/extension 250/; s/Five random/Four random/; s/next day/same week/"
COMMANDS = {
    "sync": ["syncline sync docs --json"],
    "plan": ["syncline plan docs --json"],
    "search": ["syncline search 'rotate a key' --json"],
    "status": ["syncline status --json"],
    "health": ["syncline health --json"],
    "events": [
        "rm -rf held && cp -r docs held && syncline sync held -q",
        "rm -r held/* && syncline sync held -q || true",
        "syncline events --json",
    ],
    "alerts list": ["syncline alerts --json"],
    "alerts test": ["syncline connections remove held --yes", "syncline alerts test --json"],
    "runs": ["syncline runs --json"],
    "runs ID": ["syncline runs 1 --json"],
    "documents list": ["syncline documents list --json"],
    "documents show": ["syncline documents show 1 --json"],
    "documents why": ["syncline documents why docs/welcome.md --json"],
    "duplicates list": [
        f"sed '{EDITS}' docs/security/passwords.md > docs/security/passwords-new.md",
        "syncline sync docs -q",
        "syncline duplicates --json",
    ],
    "duplicates show": ["syncline duplicates show 1 2 --json"],
    "duplicates same": ["syncline duplicates same 1 2 --json"],
    "duplicates forget": ["syncline duplicates forget 1 2 --json"],
    "embeddings list": ["syncline embeddings --json"],
    "embeddings update": ["syncline embeddings update --json"],
    "duplicates clusters": ["syncline duplicates clusters --json"],
    "deletions list": [
        "rm -r docs/*",
        "syncline sync docs -q || true",
        "syncline deletions --json",
    ],
    "deletions reject": ["syncline deletions reject docs --json"],
    "connections list": ["syncline connections --json"],
    "connections add": ["mkdir more", "syncline connections add more --json"],
    "connections show": ["syncline connections show docs --json"],
    "connections edit": ["syncline connections edit docs --option exclude=x/ --json"],
    "connections check": ["syncline connections check docs --json"],
    "connectors list": ["syncline connectors --json"],
    "connectors show": ["syncline connectors show website --json"],
    "apply": [
        "cp examples/syncline.yaml .",
        "export WIKI_TOKEN=lantern-7",
        "syncline apply --yes --json",
    ],
    "keys list": ["syncline keys --json"],
    "keys rotate": ["syncline keys rotate --json"],
    "workspaces list": ["syncline workspaces --json"],
    "workspaces add": ["syncline workspaces add another --json"],
    "hours": ["syncline hours --json"],
    "dead-letters list": [
        "mkdir bad && head -c 4000 /dev/zero > bad/page.md && echo '# A page' > bad/good.md",
        "for n in 1 2 3; do syncline sync bad -q || true; done",
        "syncline dead-letters --json",
    ],
    "dead-letters show": ["syncline dead-letters show page.md --json"],
    "dead-letters retry": ["syncline dead-letters retry page.md --json"],
    "dead-letters discard": ["syncline dead-letters discard --all --json"],
    "connections schedule": ["syncline connections schedule docs 'every 15m' --json"],
    "connections freshness": ["syncline connections freshness docs 2h --json"],
    "connections pause": ["syncline connections pause docs --json"],
    "connections resume": ["syncline connections resume docs --json"],
    "connections remove": ["syncline connections remove docs --json"],
    "jobs list": [
        "mkdir -p gone && echo '# A page' > gone/page.md",
        "syncline connections add gone",
        "rm -r gone",
        "syncline connections schedule gone hourly",
        "echo 'until syncline jobs --json | grep -q message; do :; done' > wait.sh",
        "timeout 60 bash wait.sh",
        """JOB=$(syncline jobs --json | grep -m1 -o '"id": [0-9]*' | grep -o '[0-9]*')""",
        "syncline jobs --json",
    ],
    "jobs show": ["syncline jobs show $JOB --json"],
    "jobs cancel": ["syncline jobs cancel $JOB --json"],
    "jobs retry": ["syncline jobs retry $JOB --json"],
    "db info": ["syncline db --json"],
    "db backup": ["syncline db backup all.backup --json"],
    "db restore": [
        "OTHER=$(mktemp -d /tmp/syncline-XXXXXX) && chmod 711 $OTHER",
        "syncline db restore all.backup --data-dir $OTHER --json",
    ],
    "db move": [
        "MOVED=$(mktemp -d /tmp/syncline-XXXXXX) && chmod 711 $MOVED",
        "syncline db move $MOVED --data-dir $OTHER --json",
    ],
    "db upgrade": ["syncline db upgrade --data-dir $MOVED --json"],
    "doctor": ["rm -r $OTHER $MOVED", "syncline doctor --json"],
}


async def test_every_field_of_the_json_output_is_documented(
    tmp_path: Path, empty_folder: Callable[[str], Path]
) -> None:
    """Each command's fields, of its objects' objects too, are in its section, and no others."""
    sections = _sections((REFERENCE / "json.md").read_text("utf-8"))
    counts = _counts()
    async with open_place(tmp_path, database=empty_folder("18")) as place:
        for name, lines in COMMANDS.items():
            found = _fields(await _output(place, lines))
            documented = sections[name] | (counts if name in ("sync", "plan") else set())
            assert found - documented == set(), f"{name}: not documented"
    assert set(sections) == set(COMMANDS)


async def _output(place: Place, lines: list[str]) -> Any:
    output = ""
    for line in lines:
        status, output = await place.shell(line)
        assert status == 0, f"$ {line}\n{output}"
    return json.loads(output)


def _counts() -> set[str]:
    text = (REFERENCE / "report.md").read_text("utf-8")
    return set(re.findall(r"^\| `(\w+)`", text, re.MULTILINE))


def _fields(value: Any) -> set[str]:
    """The names of an object's fields, at every depth; keys that are data are not names."""
    if isinstance(value, list):
        return set().union(*map(_fields, value)) if value else set()
    if not isinstance(value, dict):
        return set()
    found = set()
    for name, inner in value.items():
        found.add(name)
        if name not in _DATA:
            found |= _fields(inner)
    return found


_DATA = {
    "counts",
    "options",
    "filter",
    "reasons",
    "properties",
    "samples",
    "items",
    "detail",
    "details",
}
"""Fields whose value's keys are not fixed, or are explained elsewhere."""


def _sections(text: str) -> dict[str, set[str]]:
    """The fields that each section names in code marks."""
    parts = re.split(r"^## `syncline (.+)`$", text, flags=re.MULTILINE)[1:]
    return {
        name: set(re.findall(r"`(\w+)`", body))
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }
