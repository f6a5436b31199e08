"""The spellings that are tried for a word."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from syncline.sync.search_spelling import near_words


@given(st.text("abcdeé", min_size=1, max_size=8), st.text("abcdeé", min_size=1, max_size=8))
def test_they_are_the_words_at_one_edits_distance(one: str, other: str) -> None:
    near = near_words(one, ["english"])
    assert len(near) == len(set(near))
    if set(other) <= set(one) | set("abcde"):
        assert (other in near) is (_distance(one, other) == 1)


def test_a_languages_own_letters_are_tried() -> None:
    assert "schlüssel" in near_words("schlussel", ["german"])
    assert "schlüssel" not in near_words("schlussel", ["english"])


def _distance(one: str, other: str) -> int:
    """Edits between two words; changing two neighbours over is one (optimal alignment)."""
    rows = [[i + j if not i * j else 0 for j in range(len(other) + 1)] for i in range(len(one) + 1)]
    for i, a in enumerate(one, 1):
        for j, b in enumerate(other, 1):
            rows[i][j] = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                rows[i][j] = min(rows[i][j], rows[i - 2][j - 2] + 1)
    return rows[-1][-1]
