"""What the connectors of Zendesk's products have in common: an account, and its API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, SecretStr, model_validator

from syncline.connectors.api_options import address_at, origin_only
from syncline.connectors.credentials import HeaderSecret, basic, bearer, bound_to
from syncline.connectors.json_api import Answer
from syncline.connectors.paging import cursor_if
from syncline.connectors.reasons import from_elsewhere, told_by
from syncline.core.errors import BadContent, Forbidden, Rejected, SourceError, Unauthorized
from syncline.core.ports import Authentication, OAuthGrant, OAuthSecrets, Refusal
from syncline.core.quota import Bucket, RouteQuota
from syncline.core.urls import origin_of

__all__ = [
    "EXPORTS",
    "HINT",
    "QUOTA",
    "ZendeskSecrets",
    "account_at",
    "account_name",
    "after_cursor",
    "authenticate",
    "explain",
    "oauth",
]

QUOTA = (Bucket(700, 60),)
EXPORTS = RouteQuota(
    "exports",
    ("/api/v2/incremental/", "/api/v2/help_center/incremental/"),
    (Bucket(10, 60),),
    header="zendesk-ratelimit-incremental-exports",
)
HINT = (
    "An administrator makes an API token under Apps and integrations, APIs. Give it with an "
    "agent's e-mail address: `--secret email --secret api_token`."
)


class ZendeskSecrets(OAuthSecrets):
    """Of an agent; a public help center can be read without."""

    email: HeaderSecret | None = Field(None, description="The agent's e-mail address")
    api_token: HeaderSecret | None = Field(None, description="The API token that goes with it")
    oauth_token: HeaderSecret | None = Field(
        None, description="Or an OAuth access token that does not expire, of the scope read"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.email is None) != (self.api_token is None):
            raise ValueError("email and api_token belong together")
        if sum(each is not None for each in (self.email, self.oauth_token, self.client_id)) > 1:
            raise ValueError("give email and api_token, or oauth_token, or client_id and the rest")
        return self


def authenticate(options: Any, secrets: ZendeskSecrets) -> Authentication | None:
    """See `core.ports.ConnectorSpec`."""
    headers: Mapping[str, str] = {}
    if secrets.email is not None and secrets.api_token is not None:
        headers = basic(f"{secrets.email.get_secret_value()}/token", secrets.api_token)
    elif secrets.oauth_token is not None:
        headers = bearer(secrets.oauth_token)
    elif secrets.access_token is not None or secrets.refresh_token is not None:
        headers = bearer(secrets.access_token or SecretStr("none yet"))
    return bound_to(options.url, headers)


def oauth(options: Any, secrets: ZendeskSecrets) -> OAuthGrant | None:
    """https://developer.zendesk.com/api-reference/ticketing/oauth/grant_type_tokens/"""
    return secrets.grant(f"{options.url}/oauth/tokens")


def explain(refusal: Refusal) -> SourceError | None:
    """See `core.ports.Explain`."""
    if (elsewhere := from_elsewhere(refusal, own="zendesk.com")) is not None:
        return elsewhere
    told = told_by(refusal)
    match refusal.status:
        case 401:
            return Unauthorized(f"{told}; Zendesk does not accept the credentials", hint=HINT)
        case 403:
            return Forbidden(
                told,
                hint="The agent may not read this. Incremental reading needs an agent or an "
                "administrator; a public help center can be read without any credentials.",
            )
        case 404 if refusal.headers.get("content-type", "").startswith("text/html"):
            return Rejected(
                f"{refusal.error.message}: there is no help center or account at this address",
                hint="Check the address; it is https://NAME.zendesk.com or the brand's own domain.",
            )
        case 400 | 422:
            return Rejected(told, hint=refusal.error.hint)
    return None


def account_at(text: str, *, agents: bool) -> dict[str, Any] | None:
    """Options for an address of `*.zendesk.com`: of the agents' workspace, or any other.

    Brands' own domains need `kind: zendesk`.
    """
    parts = address_at(text, ".zendesk.com")
    if parts is None or f"{parts.path}/".startswith("/agent/") != agents:
        return None
    return {"url": origin_only(text)}


def account_name(options: Any) -> str:
    """What a connection is called."""
    return origin_of(options.url).host.removesuffix(".zendesk.com")


def after_cursor(page: Answer) -> str | None:
    """The next page of a list that is cut by cursors; None at the end. Raises `BadContent`.

    https://developer.zendesk.com/api-reference/introduction/pagination/
    """
    meta = page.object().get("meta")
    if not isinstance(meta, dict):
        raise BadContent(f"{page.what} does not say whether there is more")
    return cursor_if(page, meta.get("has_more"), meta.get("after_cursor"))
