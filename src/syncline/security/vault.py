"""The vault: seals what must stay secret, and opens it again.

A sealed value is a Fernet token (AES-128-CBC with HMAC-SHA256; https://github.com/fernet/spec)
over JSON that names its owner, so that one row's token is refused in another's place.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping

from msgspec import Struct

from syncline.core.errors import ConfigurationError
from syncline.core.redaction import remember_secret
from syncline.security.keys import Key, KeyRing

__all__ = ["Sealed", "Vault"]


_SHORTEST = 8


class Sealed(Struct, frozen=True):
    """What is stored: nobody reads it without the key of this id."""

    token: bytes
    key_id: str
    credential: str
    """Tells these secrets from others, and nothing about them: equal ones have an equal one."""


class Vault:
    """Seals with the newest key of the ring, and opens with any."""

    def __init__(self, ring: KeyRing) -> None:
        self.ring = ring

    def seal(self, owner: str, values: Mapping[str, str], *, with_key: Key | None = None) -> Sealed:
        """The values, sealed for this owner. Raises `ConfigurationError` where there is no key."""
        from cryptography.fernet import Fernet

        key = with_key
        if key is None:
            keys = self.ring.held()
            if not keys:
                raise ConfigurationError(
                    "There is no key to seal secrets with.", hint="`syncline keys new` makes one."
                )
            key = keys[0]
        _remember(values)
        plain = json.dumps({"owner": owner, "values": dict(values)}).encode()
        told = json.dumps(dict(values), sort_keys=True).encode()
        credential = hmac.new(key.text.encode(), told, hashlib.sha256).hexdigest()[:16]
        return Sealed(Fernet(key.text).encrypt(plain), key.id, credential)

    def unseal(self, owner: str, sealed: Sealed) -> dict[str, str]:
        """What was sealed for this owner.

        Raises `ConfigurationError` if its key is not here, or if it was tampered with.
        """
        from cryptography.fernet import Fernet, InvalidToken

        key = next((key for key in self.ring.held() if key.id == sealed.key_id), None)
        if key is None:
            raise ConfigurationError(
                f"The secrets were sealed with the key {sealed.key_id}, which is not in "
                f"{self.ring.place}.",
                hint="Put that key back (its file belongs to every backup, and on every machine), "
                "or give the secrets anew with `syncline connections edit NAME --secret …`.",
            )
        try:
            found = json.loads(Fernet(key.text).decrypt(sealed.token))
        except InvalidToken:
            found = {}
        if found.get("owner") != owner:
            raise ConfigurationError(
                "The stored secrets have been changed from outside, and are not used.",
                hint="Give them anew with `syncline connections edit NAME --secret …`.",
            )
        values: dict[str, str] = found["values"]
        _remember(values)
        return values


def _remember(values: Mapping[str, str]) -> None:
    """Have them hidden in whatever is told. An ordinary word would hide more."""
    for name, value in values.items():
        if len(value) >= _SHORTEST:
            remember_secret(value, name)
