"""Keys and the vault: what is sealed is read by its owner only, with a key that is here."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from syncline.core.errors import ConfigurationError
from syncline.core.redaction import redact
from syncline.security.keys import Key, KeyRing
from syncline.security.vault import Sealed, Vault
from syncline.settings import Settings
from syncline.sync.places import read_place

ONE, TWO = Key.generate(), Key.generate()


def ring(folder: Path, *keys: Key) -> KeyRing:
    """Keys of the environment where some are given; else of a file in `folder`."""
    given = SecretStr(", ".join(key.text for key in keys)) if keys else None
    return KeyRing(Settings(data_dir=folder, secret_keys=given))


@given(st.dictionaries(st.text(min_size=1), st.text()))
def test_what_is_sealed_is_opened(values: dict[str, str]) -> None:
    """By its owner, with any of the keys; the token does not show it."""
    sealed = Vault(ring(Path("/nowhere"), ONE)).seal("1/2", values)
    assert sealed.key_id == ONE.id
    assert Vault(ring(Path("/nowhere"), TWO, ONE)).unseal("1/2", sealed) == values
    for value in values.values():
        assert len(value) < 8 or value.encode() not in sealed.token


def test_another_row_another_key_or_another_byte_opens_nothing() -> None:
    vault = Vault(ring(Path("/nowhere"), ONE))
    sealed = vault.seal("1/2", {"token": "lantern"})
    with pytest.raises(ConfigurationError, match="changed from outside"):
        vault.unseal("1/3", sealed)
    other = b"A" if sealed.token[-10:-9] != b"A" else b"B"
    changed = Sealed(
        sealed.token[:-10] + other + sealed.token[-9:], sealed.key_id, sealed.credential
    )
    with pytest.raises(ConfigurationError, match="changed from outside"):
        vault.unseal("1/2", changed)
    with pytest.raises(ConfigurationError, match=f"key {ONE.id}, which is not in SYNCLINE_KEYS"):
        Vault(ring(Path("/nowhere"), TWO)).unseal("1/2", sealed)


def test_the_first_key_is_made_once_for_its_owners_eyes(tmp_path: Path) -> None:
    """However many processes need it at the same time."""
    folder = tmp_path / "new"
    assert ring(folder).held() == ()
    with ThreadPoolExecutor(8) as threads:
        made = set(threads.map(lambda _: ring(folder).make_first(), range(16)))
    assert made == set(ring(folder).held())
    assert stat.S_IMODE(ring(folder).path.stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == ["secret-keys"]


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    """A service that runs sees a rotation."""
    running = ring(tmp_path)
    first = running.make_first()
    assert running.held() == (first,)
    ring(tmp_path).replace([ONE, first])
    assert running.held() == (ONE, first)


@pytest.mark.parametrize("text", ["", "# none\n", "short", "{one}\nnot a key\n"])
def test_what_is_no_key_is_refused_without_being_shown(tmp_path: Path, text: str) -> None:
    (tmp_path / "secret-keys").write_text(text.format(one=ONE.text))
    with pytest.raises(ConfigurationError) as caught:
        ring(tmp_path).held()
    assert "not a key" not in caught.value.message
    assert ONE.text not in caught.value.message
    assert caught.value.hint is not None


def test_a_key_shows_its_id_only() -> None:
    assert repr(ONE) == f"Key({ONE.id})"
    assert ONE.text not in repr(ring(Path("/nowhere"), ONE).held())


@pytest.mark.parametrize("name", ["username", "email", "client_id"])
def test_what_only_says_who_somebody_is_is_not_hidden(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Wherever it was read or sealed: a user's name stands in ordinary words."""
    user, token = f"support-of-{name}", f"lantern-of-{name}"
    monkeypatch.setenv("USER_NAME", user)
    (tmp_path / "token").write_text(token)
    assert read_place("env:USER_NAME", name) == user
    assert read_place("file:token", "token", base=tmp_path) == token
    assert redact(f"{user}-wiki has {token}") == f"{user}-wiki has …"
    sealed = f"harbour-of-{name}"
    Vault(ring(Path("/nowhere"), ONE)).seal("1/2", {name: user, "token": sealed})
    assert redact(f"{user}-wiki has {sealed}") == f"{user}-wiki has …"
