"""Taking secrets out of what is told: by their names, by where they stand, and by their values.

Errors are redacted when they are made, log lines before they are written. Whoever reads a secret
says so (`remember_secret`), so that its very value is taken out wherever it turns up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

__all__ = [
    "HIDDEN",
    "SECRET_NAME",
    "passwords_of",
    "redact",
    "redact_values",
    "remember_secret",
]

HIDDEN = "…"

SECRET_NAME = re.compile(
    r"(?i)token|secret|passw|pwd|auth(?!or)|api.?key|^key$|sig|session|credential|^code$|jwt"
    r"|verifier"
)
"""Names of a URL's fields whose values are not for everybody."""
_FIELD = re.compile(
    r"(?i)token|secret|passw|pwd|authorization|api.?key|private.?key|cookie|credential|jwt"
)
_PATTERNS = (
    # https://user:password@host, postgresql://user:password@host
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^/?#@\s]+@"), rf"\1{HIDDEN}@"),
    (
        re.compile(
            r"(?i)((?:proxy-)?authorization|(?:set-)?cookie|x-api-key)([\"']?\s*[:=]\s*[\"']?)"
            r"(?:(?:basic|bearer|token|digest)\s+)?[^\s\"',}]+"
        ),
        rf"\1\2{HIDDEN}",
    ),
    (re.compile(r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{8,}"), rf"\1 {HIDDEN}"),
    # ?access_token=…, password=…; the name decides
    (
        re.compile(
            r"(?i)((?<![a-z0-9])(?:[a-z0-9]+[_.-])*(?:token|secret|passwords?|passwd|pwd|api_?key"
            r"|signature|sig|session|sessionid|credentials?|jwt|auth|code|key|verifier)=)"
            r"[^&\s\"'#;,)]+"
        ),
        rf"\1{HIDDEN}",
    ),
)
_PASSWORDS = (re.compile(r"://[^/?#@:\s]*:([^/?#@\s]+)@"), re.compile(r"password=([^&\s']+)"))
_SHORTEST = 6
"""Characters: what is shorter would be found in ordinary words."""
_NAMES_OF_USERS = frozenset({"username", "email", "client_id"})
"""They are kept with secrets, but prove nothing, and stand in other words: `support`, `docs`."""
_known: set[str] = set()


def remember_secret(value: str | None, name: str = "") -> None:
    """From now on, take this very text out of everything this process tells.

    `name` is that of the secret: what only says who somebody is stays.
    """
    if value is not None and len(value) >= _SHORTEST and name not in _NAMES_OF_USERS:
        _known.add(value)


def passwords_of(address: str) -> list[str]:
    """Those of a URL or a connection string, as they are written and as they are meant."""
    found = [match[1] for pattern in _PASSWORDS for match in pattern.finditer(address)]
    return list(dict.fromkeys([*found, *map(unquote, found)]))


def redact(text: str) -> str:
    """The text without what looks like, or is known to be, a secret."""
    for secret in _known:
        if secret in text:
            text = text.replace(secret, HIDDEN)
    if "=" in text or "@" in text or ":" in text or "earer" in text or "asic" in text:
        for pattern, hidden in _PATTERNS:
            text = pattern.sub(hidden, text)
    return text


def redact_values(value: Any, name: str = "") -> Any:
    """The same for what JSON can hold; `name` is that of the field it stands in."""
    if isinstance(value, str):
        return HIDDEN if value and _FIELD.search(name) else redact(value)
    if isinstance(value, Mapping):
        return {key: redact_values(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [redact_values(inner, name) for inner in value]
    return HIDDEN if isinstance(value, bytes | bytearray) else value
