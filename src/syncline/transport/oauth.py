"""OAuth 2 access tokens that are renewed with a refresh token (RFC 6749, section 6).

All workers of all machines share one pair of tokens: whoever finds the access token refused, or
about to expire, looks under a lock whether somebody has renewed it meanwhile, and else does so.
Many servers give a new refresh token each time and refuse the old one, so two must never try.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeAlias, TypeVar
from urllib.parse import urlencode

from msgspec import Struct

from syncline.core.errors import BadContent, Forbidden, NotFound, Rejected, Unauthorized
from syncline.core.ports import Clock, HttpTransport, OAuthGrant
from syncline.core.redaction import remember_secret

__all__ = ["HeldTokens", "MemoryTokens", "OAuthTokens", "Renewal", "TokenStore", "renewing"]

T = TypeVar("T")
_EARLY_SECONDS = 60.0
"""A token that expires within this time is renewed before it is used."""
_FORM = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Accept": "application/json",
}
_HINT = (
    "Authorise Syncline at the source again, and give the new token: `syncline connections edit "
    "NAME --secret refresh_token`."
)


class HeldTokens(Protocol):
    """The tokens as they are stored now, while nobody else may change them."""

    @property
    def values(self) -> Mapping[str, str]:
        """`refresh_token`, and `access_token` with `access_expires_at` (epoch seconds) if known."""
        ...

    async def save(self, values: Mapping[str, str]) -> None:
        """Keep these in place of the stored ones, at once."""
        ...


class TokenStore(Protocol):
    """Where a connection's tokens are kept."""

    def held(self) -> AbstractAsyncContextManager[HeldTokens]:
        """Read them, and hold them until the end of the block."""
        ...


class Renewal(Struct, frozen=True):
    """How a connection's access is renewed, and where its tokens are."""

    grant: OAuthGrant
    store: TokenStore


class MemoryTokens:
    """For a connection that is stored nowhere: a plan's, a test's."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = dict(values)

    async def save(self, values: Mapping[str, str]) -> None:
        self.values.update(values)

    def held(self) -> AbstractAsyncContextManager[HeldTokens]:
        return _NoLock(self)


class _NoLock:
    def __init__(self, tokens: MemoryTokens) -> None:
        self._tokens = tokens

    async def __aenter__(self) -> HeldTokens:
        return self._tokens

    async def __aexit__(self, *error: object) -> None:
        return None


Bare: TypeAlias = Callable[[], AbstractAsyncContextManager[HttpTransport]]


class OAuthTokens:
    """One session's view of a connection's tokens."""

    def __init__(self, grant: OAuthGrant, store: TokenStore, clock: Clock, bare: Bare) -> None:
        """`bare` opens a session that sends no credentials of its own."""
        self._grant = grant
        self._store = store
        self._clock = clock
        self._bare = bare
        self._access: str | None = None
        self._expires_at: float | None = None

    async def ready(self) -> None:
        """See to it that there is an access token that holds. Raises as `renew` does."""
        if self._access is None or self._is_late(self._expires_at):
            await self.renew(self._access)

    @property
    def headers(self) -> Mapping[str, str]:
        """What requests carry now."""
        return {} if self._access is None else {"Authorization": f"Bearer {self._access}"}

    async def renew(self, refused: str | None) -> None:
        """Get another access token than the refused one.

        Raises `Unauthorized` where the refresh token does not serve any more, and whatever the
        transport raises while the token's server cannot be reached: nothing has changed then.
        """
        async with self._store.held() as held:
            values = dict(held.values)
            access, expires_at = values.get("access_token"), _seconds(values)
            if access is None or access == refused or self._is_late(expires_at):
                values = await self._ask(values)
                await held.save(values)
                access, expires_at = values["access_token"], _seconds(values)
        self._access, self._expires_at = access, expires_at

    @property
    def current(self) -> str | None:
        """The access token that requests carry now."""
        return self._access

    def _is_late(self, expires_at: float | None) -> bool:
        return expires_at is not None and self._clock.now().timestamp() > (
            expires_at - _EARLY_SECONDS
        )

    async def _ask(self, values: Mapping[str, str]) -> dict[str, str]:
        form = {
            "grant_type": "refresh_token",
            "refresh_token": values.get("refresh_token", ""),
            "client_id": self._grant.client_id,
            "client_secret": self._grant.client_secret.get_secret_value(),
        }
        try:
            async with self._bare() as http:
                response = await http.post(
                    self._grant.token_url,
                    urlencode(form).encode(),
                    headers=_FORM,
                    max_bytes=64 * 1024,
                )
        except (Rejected, Unauthorized, Forbidden, NotFound) as error:
            raise Unauthorized(
                f"The access could not be renewed: {error.message}", hint=_HINT
            ) from error
        found = _object(response.body)
        access = found.get("access_token")
        if not isinstance(access, str) or not access:
            raise BadContent(f"{self._grant.token_url} answered without an access token")
        refresh = found.get("refresh_token")
        if not isinstance(refresh, str) or not refresh:
            refresh = form["refresh_token"]
        for each in (access, refresh):
            remember_secret(each)
        kept = {"access_token": access, "refresh_token": refresh, "access_expires_at": ""}
        lasts = found.get("expires_in")
        if isinstance(lasts, int | float) and not isinstance(lasts, bool) and 0 < lasts < 1e9:
            kept["access_expires_at"] = str(int(self._clock.now().timestamp() + lasts))
        return kept


def renewing(
    tokens: OAuthTokens | None, attempt: Callable[[float], Awaitable[T]]
) -> Callable[[float], Awaitable[T]]:
    """The attempt, made once more with another access token where the first is refused."""
    if tokens is None:
        return attempt

    async def twice(scale: float) -> T:
        await tokens.ready()
        used = tokens.current
        try:
            return await attempt(scale)
        except Unauthorized:
            await tokens.renew(used)
        return await attempt(scale)

    return twice


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _seconds(values: Mapping[str, str]) -> float | None:
    try:
        return float(values.get("access_expires_at", ""))
    except ValueError:
        return None
