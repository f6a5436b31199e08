"""Chunks: bounded, local to their section, and nothing of the text is lost."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncline.core.prepared import Chunk
from syncline.pipeline.chunk import Chunking, chunk

SMALL = Chunking(size=60, overlap=20)


def cut(text: str, chunking: Chunking = SMALL) -> list[Chunk]:
    return chunk(text, "english", chunking)


def test_an_empty_text_has_no_chunks() -> None:
    """Nor has one of white space."""
    assert cut("") == []
    assert cut("\n \n") == []


def test_a_chunk_stands_under_its_headings_and_does_not_repeat_them() -> None:
    """The path is in `headings` and in what is embedded and indexed."""
    chunks = cut("Intro.\n\n# Install\n\n## On Linux\n\nRun it.\n\n# Use\n\nClick.")
    assert [(c.text, c.headings) for c in chunks] == [
        ("Intro.", ()),
        ("Run it.", ("Install", "On Linux")),
        ("Click.", ("Use",)),
    ]
    assert chunks[1].embedding_text == "Install > On Linux\nRun it."
    assert Counter(chunks[1].terms) == {"run": 1, "it": 1, "instal": 1, "on": 1, "linux": 1}
    assert chunks[1].length == 5
    assert [c.n for c in chunks] == [0, 1, 2]


def test_headings_alone_are_one_chunk() -> None:
    """An outline can be found."""
    [only] = cut("# A\n\n## B\n\n# C")
    assert only.text == "# A\n\n## B\n\n# C"
    assert only.headings == ()


def test_a_heading_that_nothing_stands_under_is_not_lost() -> None:
    """It becomes a chunk of text under its parents."""
    chunks = cut("# A\n\n## Empty\n\n## Also\n\n## Full\n\ntext")
    assert [(c.text, c.headings) for c in chunks] == [
        ("## Empty\n\n## Also", ("A",)),
        ("text", ("A", "Full")),
    ]


def test_a_hash_in_code_is_no_heading() -> None:
    """Comments of a shell script do not make sections."""
    chunks = cut("# A\n\n```\n# comment\nls\n```")
    assert [c.headings for c in chunks] == [("A",)]
    assert "# comment" in chunks[0].text


def test_an_edit_moves_only_its_own_section() -> None:
    """Chunks of other sections keep their hash, though their place changed."""
    sections = [f"# S{n}\n\n" + f"Sentence {n} says something. " * 6 for n in range(4)]
    before = cut("\n\n".join(sections))
    sections[1] = sections[1].replace("something", "quite another thing")
    after = cut("\n\n".join(sections))
    moved = {c.headings for c in after if c.hash not in {b.hash for b in before}}
    assert moved == {("S1",)}


def test_chunks_end_at_paragraphs_then_sentences_then_words() -> None:
    """The best boundary within reach is taken."""
    a, b = "a" * 40, "b" * 40
    assert cut(f"{a}\n\n{b}", Chunking(60, 0))[0].text == a
    sentences = cut("One two three four five six. " * 5, Chunking(60, 0))
    assert all(c.text.endswith(".") for c in sentences)
    words = cut("word " * 40, Chunking(60, 0))
    assert all(set(c.text.split()) == {"word"} for c in words)
    assert [len(c.text) for c in cut("x" * 150, Chunking(60, 0))] == [60, 60, 30]


def test_neighbours_of_a_section_overlap_and_sections_do_not() -> None:
    """The overlap stays below its bound and never crosses a heading."""
    text = "# A\n\n" + "alpha beta gamma delta " * 12 + "\n\n# B\n\nomega"
    chunks = cut(text)
    same = [c for c in chunks if c.headings == ("A",)]
    for left, right in pairwise(same):
        assert 0 < left.start + len(left.text) - right.start <= SMALL.overlap
    assert chunks[-1].text == "omega"


def test_a_code_block_that_fits_is_left_whole() -> None:
    """The chunk before it ends early instead."""
    code = "```\n" + "line of code\n\n" * 3 + "```"
    chunks = cut("Some words before it come here.\n\n" + code + "\n\nAfter.")
    assert any(code in c.text for c in chunks)


def test_a_table_row_that_fits_is_left_whole() -> None:
    """Rows are cut between, not within."""
    rows = [f"| row {n} | with some words |" for n in range(12)]
    for each in cut("\n".join(rows)):
        assert set(each.text.split("\n")) <= set(rows)


@pytest.mark.parametrize("values", [(10, 0), (1000, 501), (1000, -1), (1_000_000, 0)])
def test_impossible_sizes_are_refused(values: tuple[int, int]) -> None:
    """A chunk has a size, and overlaps by half of it at most."""
    with pytest.raises(ValueError, match="chunk"):
        Chunking(*values)


def test_equal_chunks_share_a_hash_and_headings_make_them_differ() -> None:
    """The hash is of what is embedded."""
    one, two, other = (cut(text)[0].hash for text in ("# A\n\nx", "# A\n\nx\n", "# B\n\nx"))
    assert one == two != other
    assert len(one) == 16


lines = st.sampled_from(
    ["", "# H", "## Sub heading", "```", "    code  x", "word " * 9, "| a | b |", "- item",
     "Sentence one. Sentence two! Three?", "é" * 70, "> quote", "# " + "long " * 80, "````"]
)  # fmt: skip


@settings(max_examples=200)
@given(st.lists(lines, max_size=40), st.sampled_from([SMALL, Chunking(60, 0), Chunking(51, 25)]))
def test_no_text_is_lost_and_none_is_too_large(parts: list[str], chunking: Chunking) -> None:
    """Chunks are slices of the text, bounded, in order, and cover all but headings' lines."""
    text = "\n".join(parts)
    chunks = cut(text, chunking)
    covered = bytearray(len(text))
    last = -1
    for each in chunks:
        end = each.start + len(each.text)
        assert text[each.start : end] == each.text
        assert 0 < len(each.text) <= chunking.size
        assert each.text.strip()
        assert each.start > last
        last = each.start
        covered[each.start : end] = b"\1" * len(each.text)
    said = " ".join(heading for each in chunks for heading in each.headings)
    left = "".join(" " if done else char for char, done in zip(text, covered, strict=True))
    for rest in filter(str.strip, left.split("\n")):
        assert re.match(r"#{1,6} ", rest.strip())
        assert rest.strip().lstrip("# ") in said


@given(st.text(max_size=400))
def test_any_text_can_be_cut(text: str) -> None:
    """No input fails; what is visible stays."""
    chunks = cut(text, Chunking(50, 10))
    if text.strip():
        assert chunks
