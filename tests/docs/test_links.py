"""The documentation's links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, documents

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"^ *(```+).*?^ *\1\s*$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_FENCED = re.compile(r"^ *(```+).*?^ *\1\s*$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_pages_resolve(document: Path) -> None:
    """Each names a file that is there, and a heading that it has."""
    for link in _LINK.findall(_CODE.sub("", document.read_text("utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (document.parent / name).resolve() if name else document
        assert target.is_relative_to(ROOT), f"{link} leads out of the repository"
        assert target.exists(), f"{link} leads nowhere"
        if anchor:
            assert anchor in _anchors(target), f"{link}: {target.name} has no such heading"


def test_every_page_is_reached_from_the_readme() -> None:
    """No page is an island."""
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        seen.add(page)
        for link in _LINK.findall(_CODE.sub("", page.read_text("utf-8"))):
            target = (page.parent / link.partition("#")[0]).resolve()
            if target.is_dir():
                target /= "README.md"
            if target.suffix == ".md" and target.exists() and target not in seen:
                waiting.append(target)
    assert sorted(str(page) for page in set(documents()) - seen) == []


def _anchors(page: Path) -> set[str]:
    text = re.sub(
        r"^ *(```+).*?^ *\1\s*$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in _HEADING.findall(text)
    }
