"""What the `intercom` connector can be told, and what it can do."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field, field_validator

from syncline.connectors.api_options import ApiAddress, ApiOptions, address_at
from syncline.connectors.credentials import HeaderSecret, bearer, bound_to
from syncline.connectors.intercom.notes import NOTES
from syncline.connectors.intercom.refusals import explain
from syncline.connectors.opening import opens
from syncline.core.capabilities import Absence, Capabilities, Changes, Versions
from syncline.core.ports import Authentication, ConnectorSpec, Secrets
from syncline.core.quota import Bucket

__all__ = ["SPEC", "IntercomOptions", "IntercomSecrets", "Kind"]

_HOSTS = {"us": "api.intercom.io", "eu": "api.eu.intercom.io", "au": "api.au.intercom.io"}
_APPS = {"us": "app.intercom.com", "eu": "app.eu.intercom.com", "au": "app.au.intercom.com"}


class Kind(StrEnum):
    """What can be read. Each is a partition."""

    ARTICLES = "articles"
    INTERNAL_ARTICLES = "internal-articles"
    CONVERSATIONS = "conversations"


class IntercomOptions(ApiOptions):
    """Which workspace is read, and what of it."""

    region: Literal["us", "eu", "au"] = Field("us", description="Where the workspace is hosted")
    url: ApiAddress | None = Field(
        None, description="The API's address, where it is not the region's own, such as a proxy's"
    )
    read: tuple[Kind, ...] = Field(
        (Kind.ARTICLES,),
        min_length=1,
        description="What is read: articles, internal-articles, conversations",
    )
    articles_for: Literal["everyone", "teammates"] = Field(
        "everyone",
        description="Who finds articles: everyone, or, where the help center is not public, "
        "teammates alone",
    )
    page_size: int = Field(
        250, ge=1, le=250, description="Articles a request asks for; fewer where they are very long"
    )
    concurrency: int = Field(8, ge=1, le=64, description="Requests at a time")

    @field_validator("read")
    @classmethod
    def _once_each(cls, read: tuple[Kind, ...]) -> tuple[Kind, ...]:
        return tuple(kind for kind in Kind if kind in read)

    @property
    def base(self) -> str:
        """The API's address."""
        return self.url or f"https://{_HOSTS[self.region]}"

    @property
    def app(self) -> str:
        """Where teammates work, in a browser."""
        return f"https://{_APPS[self.region]}"


class IntercomSecrets(Secrets):
    """Who we are."""

    token: HeaderSecret = Field(min_length=1, description="Access token of an app in the workspace")


def _authenticate(options: IntercomOptions, secrets: IntercomSecrets) -> Authentication | None:
    return bound_to(options.base, bearer(secrets.token))


def _from_source(text: str) -> dict[str, Any] | None:
    """Options for `intercom://eu`, or for an address of Intercom's API or of its inbox."""
    for region in _HOSTS:
        ours = address_at(text, _HOSTS[region], _APPS[region])
        if ours or address_at(text, region, scheme="intercom"):
            return {"region": region}
    return None


def _default_name(options: IntercomOptions) -> str:
    return "intercom" if options.region == "us" else f"intercom-{options.region}"


SPEC = ConnectorSpec(
    kind="intercom",
    title="Intercom",
    description="Help center articles, internal articles and conversations of a workspace: "
    "intercom://us, intercom://eu or intercom://au",
    options=IntercomOptions,
    secrets=IntercomSecrets,
    capabilities=Capabilities(
        changes=Changes.FEED,
        absence=Absence.CONFIRM,
        versions=Versions.EXACT,
        access_lists=True,
        reads_since=True,
    ),
    open=opens("syncline.connectors.intercom.connector:IntercomConnector"),
    authenticate=_authenticate,
    explain=explain,
    notes=NOTES,
    quota=(Bucket(1_666, 10),),
    from_source=_from_source,
    default_name=_default_name,
)
