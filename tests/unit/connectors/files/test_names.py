"""Ids of files: readable, storable, reversible."""

import os

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from syncline.connectors.files.names import MAX_ID_BYTES, entry_id, path_of

_NAMES = st.binary(min_size=1, max_size=60).map(lambda raw: os.fsdecode(raw.replace(b"\0", b"%")))


@given(_NAMES)
@example("100%.md")
@example("100%25.md")
@example("%%41")
@example("%4\udcff")
@example("line\nbreak\r\x1b[0m")
@example("\u2028\u0085")
@example(os.fsdecode(b"caf\xe9 \xc3\xa9.md"))
@example(os.fsdecode(b"\xed\xa0\x80"))
@example("-rf")
def test_every_name_comes_back(name: str) -> None:
    """An id can be stored and shown, and names exactly the file that it was made of."""
    identifier = entry_id(name)
    identifier.encode()
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in identifier)
    assert path_of(identifier) == name


@given(st.lists(_NAMES, unique=True, min_size=2, max_size=8))
def test_two_names_never_share_an_id(names: list[str]) -> None:
    """Nothing is folded together: no case, no normal form, no encoding."""
    assert len({entry_id(name) for name in names}) == len(names)


@pytest.mark.parametrize(
    "name", ["Guide.md", "a b/c d.md", "Straße/ürün.md", "日本/語.md", "50%.md"]
)
def test_ordinary_names_stay_as_they_are(name: str) -> None:
    """What people call their files is what they see."""
    assert entry_id(name) == name


def test_a_name_too_long_to_store_gets_a_short_id_of_its_own() -> None:
    """Such ids end in a hash and cannot be read back, but stay apart."""
    long = "/".join(["\udcff" * 250] * 12)
    identifier, other = entry_id(f"{long}/a.md"), entry_id(f"{long}/b.md")
    assert len(identifier.encode()) <= MAX_ID_BYTES
    assert identifier != other
    assert path_of(identifier) != f"{long}/a.md"
