"""What the Zendesk connectors can be told, and what they can do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from syncline.connectors.api_options import ApiOptions, SiteOrigin, origin_only
from syncline.connectors.credentials import basic, bearer, bound_to, one_line
from syncline.connectors.reasons import told_by
from syncline.connectors.zendesk.notes import HELP_CENTER, TICKET_NOTES
from syncline.core.capabilities import Absence, Capabilities, Changes, Versions
from syncline.core.errors import Forbidden, Rejected, SourceError, Unauthorized
from syncline.core.ports import (
    Authentication,
    Connector,
    ConnectorSpec,
    Context,
    OAuthGrant,
    OAuthSecrets,
    Refusal,
)
from syncline.core.quota import Bucket, RouteQuota
from syncline.core.urls import origin_of

__all__ = ["SPEC", "TICKETS", "TicketOptions", "ZendeskOptions", "ZendeskSecrets"]

_HINT = (
    "An administrator makes an API token under Apps and integrations, APIs. Give it with an "
    "agent's e-mail address: `--secret email --secret api_token`."
)


class ZendeskOptions(ApiOptions):
    """Which articles of a help center are read."""

    url: SiteOrigin = Field(description="The help center's address, the account's or a brand's")
    locales: tuple[str, ...] = Field(
        (), description="Only translations in these languages, such as en-us"
    )
    attachments: bool = Field(
        False, description="Also attached texts; costs a request for each article"
    )
    concurrency: int = Field(4, ge=1, le=32, description="Requests at a time")

    @field_validator("locales")
    @classmethod
    def _codes(cls, locales: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(locale.lower().replace("_", "-") for locale in locales)


class TicketOptions(ApiOptions):
    """Which tickets of an account are read."""

    url: SiteOrigin = Field(description="The account's address, such as https://acme.zendesk.com")
    days: int | None = Field(
        None, ge=1, description="At first only tickets that were touched in the last so many days"
    )
    internal_comments: bool = Field(
        True, description="Also internal notes, as documents of their own that only agents see"
    )
    concurrency: int = Field(8, ge=1, le=32, description="Requests at a time")


class ZendeskSecrets(OAuthSecrets):
    """Of an agent; a public help center can be read without."""

    email: SecretStr | None = Field(None, description="The agent's e-mail address")
    api_token: SecretStr | None = Field(None, description="The API token that goes with it")
    oauth_token: SecretStr | None = Field(
        None, description="Or an OAuth access token that does not expire, of the scope read"
    )

    _plain = field_validator("email", "api_token", "oauth_token")(one_line)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.email is None) != (self.api_token is None):
            raise ValueError("email and api_token belong together")
        if sum(each is not None for each in (self.email, self.oauth_token, self.client_id)) > 1:
            raise ValueError("give email and api_token, or oauth_token, or client_id and the rest")
        return self


def _authenticate(options: Any, secrets: ZendeskSecrets) -> Authentication | None:
    headers: Mapping[str, str] = {}
    if secrets.email is not None and secrets.api_token is not None:
        headers = basic(f"{secrets.email.get_secret_value()}/token", secrets.api_token)
    elif secrets.oauth_token is not None:
        headers = bearer(secrets.oauth_token)
    elif secrets.access_token is not None or secrets.refresh_token is not None:
        headers = bearer(secrets.access_token or SecretStr("none yet"))
    return bound_to(options.url, headers)


def _oauth(options: Any, secrets: ZendeskSecrets) -> OAuthGrant | None:
    """https://developer.zendesk.com/api-reference/ticketing/oauth/grant_type_tokens/"""
    return secrets.grant(f"{options.url}/oauth/tokens")


def _explain(refusal: Refusal) -> SourceError | None:
    told = told_by(refusal)
    match refusal.status:
        case 401:
            return Unauthorized(f"{told}; Zendesk does not accept the credentials", hint=_HINT)
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


@asynccontextmanager
async def _open(
    options: ZendeskOptions, secrets: ZendeskSecrets, context: Context
) -> AsyncIterator[Connector]:
    from syncline.connectors.zendesk.articles import ZendeskArticles

    yield ZendeskArticles(options, context, agent=_authenticate(options, secrets) is not None)


@asynccontextmanager
async def _open_tickets(
    options: TicketOptions, secrets: ZendeskSecrets, context: Context
) -> AsyncIterator[Connector]:
    from syncline.connectors.zendesk.tickets import ZendeskTickets

    if _authenticate(options, secrets) is None:
        raise Unauthorized("Tickets cannot be read without credentials", hint=_HINT)
    yield ZendeskTickets(options, context)


def _help_center(text: str) -> dict[str, Any] | None:
    """Options for an address of `*.zendesk.com`; brands' own domains need `kind: zendesk`."""
    return None if _is_agents(text) else _from_source(text)


def _agent_workspace(text: str) -> dict[str, Any] | None:
    """Options for the address of the agents' workspace, https://NAME.zendesk.com/agent."""
    return _from_source(text) if _is_agents(text) else None


def _from_source(text: str) -> dict[str, Any] | None:
    try:
        host = urlsplit(text.strip()).hostname or ""
    except ValueError:
        return None
    if not text.lower().startswith("https://") or not host.endswith(".zendesk.com"):
        return None
    return {"url": origin_only(text)}


def _is_agents(text: str) -> bool:
    return (urlsplit(text).path + "/").startswith("/agent/")


def _name(options: ZendeskOptions) -> str:
    return origin_of(options.url).host.removesuffix(".zendesk.com")


_QUOTA = (Bucket(700, 60),)
_EXPORTS = RouteQuota(
    "exports",
    ("/api/v2/incremental/", "/api/v2/help_center/incremental/"),
    (Bucket(10, 60),),
)

SPEC = ConnectorSpec(
    kind="zendesk",
    title="Zendesk help center",
    description="The articles of a help center, in all languages: https://NAME.zendesk.com",
    options=ZendeskOptions,
    secrets=ZendeskSecrets,
    authenticate=_authenticate,
    oauth=_oauth,
    capabilities=Capabilities(
        changes=Changes.FEED,
        absence=Absence.PROOF,
        versions=Versions.EXACT,
        access_lists=True,
        reads_since=True,
    ),
    open=_open,
    quota=_QUOTA,
    routes=(_EXPORTS,),
    explain=_explain,
    notes=HELP_CENTER,
    from_source=_help_center,
    default_name=_name,
)

TICKETS = ConnectorSpec(
    kind="zendesk-tickets",
    title="Zendesk tickets",
    description="Tickets with their comments, for agents: https://NAME.zendesk.com/agent",
    options=TicketOptions,
    secrets=ZendeskSecrets,
    authenticate=_authenticate,
    oauth=_oauth,
    capabilities=Capabilities(
        changes=Changes.FEED,
        absence=Absence.NOTHING,
        versions=Versions.EXACT,
        deletions_in_feed=True,
        access_lists=True,
        reads_since=True,
    ),
    open=_open_tickets,
    quota=_QUOTA,
    routes=(_EXPORTS,),
    explain=_explain,
    notes=TICKET_NOTES,
    from_source=_agent_workspace,
    default_name=lambda options: f"{_name(options)} tickets",
)
