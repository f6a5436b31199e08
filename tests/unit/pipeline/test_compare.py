"""Which sections changed, told from chunks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from syncline.pipeline.chunk import Chunking, chunk
from syncline.pipeline.compare import ChunkKey, SectionChanges, compare


def keys(text: str) -> list[ChunkKey]:
    return [ChunkKey(c.hash, c.headings) for c in chunk(text, "english", Chunking())]


def test_sections_are_named_by_their_path() -> None:
    """Added, removed and changed sections, and how many chunks are kept."""
    old = keys("intro\n\n# A\n\na\n\n## B\n\nb\n\n# C\n\nc")
    new = keys("intro!\n\n# A\n\na\n\n## B\n\nb2\n\n# D\n\nd")
    assert compare(old, new) == SectionChanges(
        added=("D",), removed=("C",), changed=("(top)", "A > B"), kept=1, new=3, dropped=3
    )


def test_nothing_changed_says_nothing() -> None:
    """Equal states keep every chunk."""
    same = keys("# A\n\na\n\n# B\n\nb")
    assert compare(same, same) == SectionChanges(kept=2)


def test_a_repeated_chunk_counts_as_often_as_it_occurs() -> None:
    """One of two equal chunks gone is a change."""
    twice = [ChunkKey(b"x", ("A",)), ChunkKey(b"x", ("A",))]
    assert compare(twice, twice[:1]) == SectionChanges(changed=("A",), kept=1, dropped=1)


chunk_keys = st.lists(
    st.builds(ChunkKey, st.sampled_from([b"1", b"2", b"3"]), st.sampled_from([(), ("A",), ("B",)]))
)


@given(chunk_keys, chunk_keys)
def test_the_counts_add_up(old: list[ChunkKey], new: list[ChunkKey]) -> None:
    """Kept and dropped make the old state, kept and new the new one; reversed, they swap."""
    there, back = compare(old, new), compare(new, old)
    assert there.kept + there.dropped == len(old)
    assert there.kept + there.new == len(new)
    assert (set(there.added), set(there.changed)) == (set(back.removed), set(back.changed))
