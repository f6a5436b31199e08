"""Every command and every Python snippet of the documentation works as it is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, Block, blocks_of, documents
from tests.docs.place import open_place

_RUNNABLE = [
    document
    for document in documents()
    if any(block.language in ("console", "python") for block in blocks_of(document))
]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("document", _RUNNABLE, ids=lambda path: str(path.relative_to(ROOT)))
async def test_a_page_can_be_followed_from_top_to_bottom(
    document: Path, tmp_path: Path, empty_folder: Callable[[str], Path]
) -> None:
    """Its blocks are run in order, in one place, as a reader would."""
    blocks = [block for block in blocks_of(document) if block.run]
    database = None if document == ROOT / "README.md" else empty_folder("18")
    async with open_place(tmp_path, database=database) as place:
        for block in blocks:
            if block.language == "python":
                status, output = await place.python(block.text)
                assert status == block.status, f"{block}\n{block.text}\n{output}"
            elif block.language == "console":
                await _follow(place.shell, block)


async def _follow(shell: object, block: Block) -> None:
    assert callable(shell)
    assert block.commands, f"{block} has no line that begins with '$ '"
    for command in block.commands:
        status, output = await shell(command)
        expected = block.status if command == block.commands[-1] else 0
        assert status == expected, f"{block}\n$ {command}\n{output}\nexit code {status}"


def test_few_blocks_are_left_out() -> None:
    """Only what needs the outside world is not run."""
    every = [block for document in _RUNNABLE for block in blocks_of(document)]
    blocks = [block for block in every if not block.excused]
    left_out = [str(block) for block in blocks if not block.run]
    assert len(left_out) <= len(blocks) // 6, left_out
