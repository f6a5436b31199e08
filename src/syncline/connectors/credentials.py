"""Headers that prove who we are, and the origins that they may go to."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, SecretStr

from syncline.core.ports import Authentication
from syncline.core.urls import Origin, origin_of

__all__ = ["HeaderSecret", "basic", "bearer", "bound_to"]


def basic(user: str, password: SecretStr) -> Mapping[str, str]:
    """HTTP Basic."""
    pair = f"{user}:{password.get_secret_value()}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def bearer(token: SecretStr) -> Mapping[str, str]:
    """An OAuth access token, or another that is sent alike."""
    return {"Authorization": f"Bearer {token.get_secret_value()}"}


def bound_to(
    url: str, headers: Mapping[str, str], also: Iterable[Origin] = ()
) -> Authentication | None:
    """The headers, for this URL's origin alone; None where there are none to send."""
    return Authentication(frozenset({origin_of(url), *also}), headers) if headers else None


def _one_line(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not (text.isascii() and (text.isprintable() or not text)):
        raise ValueError("must be one line of plain ASCII text")
    return value


HeaderSecret: TypeAlias = Annotated[SecretStr, AfterValidator(_one_line)]
"""A secret that travels in a header."""
