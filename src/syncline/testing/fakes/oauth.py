"""A fake token endpoint that rotates, as strict ones do (RFC 6749, section 6; RFC 9700, 4.14)."""

from __future__ import annotations

from itertools import count
from urllib.parse import parse_qs

from aiohttp import web

from syncline.testing.fake_api import FakeApi

__all__ = ["FakeTokens"]


class FakeTokens:
    """Renews the access to a fake API. A refresh token serves once; a second use ends all."""

    def __init__(self, api: FakeApi, path: str = "/oauth/tokens", *, lasts: int = 3600) -> None:
        self.path = path
        self.lasts = lasts
        self.client = ("client-of-ours", "client-secret-4711")
        self.refresh = "refresh-token-0000"
        self.asked = 0
        self.stolen = False
        """Whether a refresh token was used a second time."""
        self.given: set[str] = {self.refresh, self.client[1]}
        """Everything that nobody else may know."""
        self._api = api
        self._numbers = count(1)
        self._access = ""
        self._expires_at = 0.0

    def give(self) -> dict[str, str]:
        """The secrets of one who was authorised just now."""
        self._access = "access-token-0000"
        self.given.add(self._access)
        self._expires_at = self._api.clock.now().timestamp() + self.lasts
        return {
            "client_id": self.client[0],
            "client_secret": self.client[1],
            "refresh_token": self.refresh,
            "access_token": self._access,
        }

    def expire(self) -> None:
        """The access token serves no more, though its time is not over."""
        self._expires_at = 0.0

    def accepts(self, authorization: str | None) -> bool:
        """Whether the API lets a request in."""
        alive = self._api.clock.now().timestamp() < self._expires_at and not self.stolen
        return alive and authorization == f"Bearer {self._access}"

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """The endpoint's answer to a renewal."""
        self.asked += 1
        form = {
            name: values[-1] for name, values in parse_qs((await request.read()).decode()).items()
        }
        if (form.get("client_id"), form.get("client_secret")) != self.client:
            return web.json_response({"error": "invalid_client"}, status=401)
        if form.get("grant_type") != "refresh_token" or form.get("refresh_token") != self.refresh:
            self.stolen = True
            return web.json_response({"error": "invalid_grant"}, status=400)
        number = next(self._numbers)
        self.refresh, self._access = f"refresh-token-{number:04}", f"access-token-{number:04}"
        self.given |= {self.refresh, self._access}
        self._expires_at = self._api.clock.now().timestamp() + self.lasts
        return web.json_response(
            {
                "access_token": self._access,
                "refresh_token": self.refresh,
                "token_type": "bearer",
                "expires_in": self.lasts,
            }
        )
