"""Include and exclude patterns mean what their documentation says."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.connectors.files.globs import Glob, first_match

_NAME = st.text("ab.", min_size=1, max_size=3).filter(lambda name: name.strip("."))
_PATH = st.lists(_NAME, min_size=1, max_size=5)


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*.md", "a.md", True),
        ("*.md", "deep/er/a.md", True),
        ("*.md", "a.mdx", False),
        ("*.md", "A.MD", False),
        ("/*.md", "a.md", True),
        ("/*.md", "deep/a.md", False),
        ("guides/*.md", "guides/a.md", True),
        ("guides/*.md", "guides/deep/a.md", False),
        ("guides/*.md", "old/guides/a.md", False),
        ("guides/**/*.md", "guides/a.md", True),
        ("guides/**/*.md", "guides/x/y/a.md", True),
        ("**/guides/*.md", "x/guides/a.md", True),
        ("**/guides/*.md", "guides/a.md", True),
        ("guides", "guides/x/a.md", True),
        ("guides", "x/guides", True),
        ("guides/", "guides/a.md", True),
        ("guides/", "x/guides/a.md", True),
        ("guides/", "guides", False),
        ("guides/**", "guides/x/a.md", True),
        ("guides/**", "guides", False),
        ("**", "a/b", True),
        ("/**", "a/b", True),
        ("?.md", "a.md", True),
        ("?.md", "ab.md", False),
        ("[ab].md", "b.md", True),
        ("[!ab].md", "b.md", False),
        ("a[*]b", "a*b", True),
        ("a[*]b", "axb", False),
        ("line*", "line\nbreak", True),
        ("*.md", "caf\udce9.md", True),
    ],
)
def test_patterns_mean_what_they_say(pattern: str, path: str, matches: bool) -> None:
    """The cases of the documentation, one by one."""
    assert Glob.compile(pattern).matches(path.split("/")) is matches


@pytest.mark.parametrize(
    "pattern", ["", "/", "a//b", "../a", "a/./b", "a**", "**.md", "*.{md,txt}"]
)
def test_what_the_dialect_lacks_is_refused(pattern: str) -> None:
    """A pattern that people may know from elsewhere never silently matches nothing."""
    with pytest.raises(ValueError, match=re.escape(repr(pattern))):
        Glob.compile(pattern)


@given(_PATH)
def test_a_path_without_special_characters_matches_itself(path: list[str]) -> None:
    """And, as a folder, everything beneath it."""
    glob = Glob.compile("/" + "/".join(path))
    assert glob.matches(path)
    assert glob.matches([*path, "below", "it"])
    assert not glob.matches(path[:-1])


@given(_PATH, st.integers(0, 5), st.integers(0, 5))
def test_double_stars_stand_for_any_number_of_folders(path: list[str], a: int, b: int) -> None:
    """Wherever a run of folders is replaced by `**`, the pattern still matches."""
    start, end = sorted((min(a, len(path) - 1), min(b, len(path) - 1)))
    pattern = "/".join([*path[:start], "**", *path[end:]])
    assert Glob.compile(f"/{pattern}").matches(path)


@given(
    _PATH, st.lists(st.sampled_from(["*", "**", "a", "a*", "?", "[ab]*"]), min_size=1, max_size=4)
)
def test_a_match_covers_what_lies_beneath(path: list[str], names: list[str]) -> None:
    """Excluding a folder without walking it leaves out nothing that the pattern does not mean."""
    glob = Glob.compile("/".join(names))
    if glob.matches(path, folder=True):
        assert glob.matches([*path, "any", "thing"])


@pytest.mark.timeout(20)
def test_odd_patterns_cost_no_more_than_others() -> None:
    """Stars upon stars against a long name are settled, where a naive regex would never end."""
    globs = [Glob.compile("*a" * 30 + "b"), Glob.compile("/".join(["**", "*a*"] * 20) + "/b")]
    assert first_match(globs, ["a" * 200] * 40) is None
