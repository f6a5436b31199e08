"""Whether a peer of the benchmarks has done the work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.corpus import MARK, Edits
from benchmarks.peers.environments import NotMeasured, version_of
from benchmarks.peers.run import PEERS
from benchmarks.peers.scripts.pages import OVERLAP, SIZE, passages
from benchmarks.peers.stored import Stored, check, expected_of, find_differences

EDITS = Edits(edited=frozenset({"tea.html"}), deleted=frozenset({"mugs.html"}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A page that was edited, one that was not, and one without text."""
    (tmp_path / "tea.html").write_text(f"<p>Three minutes.<b>{MARK} 0.</b></p>")
    (tmp_path / "milk.html").write_text("<p>" + "Cold is fine. " * 300 + "</p>")
    (tmp_path / "empty.html").write_text("<body></body>")
    return tmp_path


def test_a_store_that_is_what_the_folder_has_passes(folder: Path) -> None:
    """Nothing is said of it; a page without text needs no row."""
    expected = expected_of(folder)
    assert set(expected.pages) == {"tea.html", "milk.html"}
    assert expected.chunks > 4
    check(expected, expected, EDITS)


def test_skipped_work_is_seen(folder: Path) -> None:
    """A page left out, one too many, a lost passage, an unread edit, a deletion not made."""
    expected = expected_of(folder)
    pages = dict(expected.pages)
    for said, broken in (
        ("missing", {"tea.html": pages["tea.html"]}),
        ("too many", {**pages, "cups.html": ["Red."]}),
        ("with other text", {**pages, "milk.html": pages["milk.html"][1:]}),
        ("edited without saying so", {**pages, "tea.html": ["Three minutes."]}),
        ("deleted but still there", {**pages, "mugs.html": ["The blue one is mine."]}),
    ):
        stored = Stored(broken)
        assert any(said in line for line in find_differences(stored, expected, EDITS)), said
        with pytest.raises(NotMeasured, match=said):
            check(stored, expected, EDITS)


def test_passages_without_vectors_are_seen(folder: Path) -> None:
    """Storing texts alone is less work."""
    expected = expected_of(folder)
    with pytest.raises(NotMeasured, match="7 passages without a vector"):
        check(replace(expected, bare=7), expected)


def test_passages_cover_a_text_and_overlap() -> None:
    """Each has at most the size, begins within the last one, and nothing is left out."""
    text = " ".join(f"word{n}" for n in range(2_000)) + " " + "x" * 3_000
    found = passages(text)
    assert max(map(len, found)) <= SIZE
    end = 0
    for passage in found:
        start = text.index(passage, max(0, end - OVERLAP))
        assert start <= end
        end = start + len(passage)
    assert end == len(text)
    assert passages("") == []


def test_every_peer_is_pinned() -> None:
    """The version that a table names is the one that is installed."""
    assert all(version_of(peer) for peer in PEERS)
