"""What the connector of Zendesk's help centers can be told, and what it can do."""

from __future__ import annotations

from functools import partial
from typing import Literal

from pydantic import Field, field_validator

from syncline.connectors.api_options import ApiOptions, SiteOrigin
from syncline.connectors.opening import opens
from syncline.connectors.zendesk.account import (
    EXPORTS,
    QUOTA,
    ZendeskSecrets,
    account_at,
    account_name,
    authenticate,
    explain,
    oauth,
)
from syncline.connectors.zendesk.notes import NOTES
from syncline.core.capabilities import Absence, Capabilities, Changes, Versions
from syncline.core.ports import ConnectorSpec

__all__ = ["SPEC", "ZendeskOptions"]


class ZendeskOptions(ApiOptions):
    """Which articles of a help center are read."""

    url: SiteOrigin = Field(description="The help center's address, the account's or a brand's")
    locales: tuple[str, ...] = Field(
        (), description="Only translations in these languages, such as en-us"
    )
    articles_for: Literal["everyone", "signed-in"] = Field(
        "everyone",
        description="Who finds articles without a user segment: everyone, or, where the help "
        "center wants a log-in, only those who are signed in",
    )
    attachments: bool = Field(
        False, description="Also attached texts; costs a request for each article"
    )
    concurrency: int = Field(4, ge=1, le=32, description="Requests at a time")

    @field_validator("locales")
    @classmethod
    def _codes(cls, locales: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(locale.lower().replace("_", "-") for locale in locales)

    @property
    def readers(self) -> tuple[str, ...] | None:
        """Who finds what no segment restricts; None is everyone."""
        signed_in = (f"zendesk:signed-in:{account_name(self)}",)
        return None if self.articles_for == "everyone" else signed_in


SPEC = ConnectorSpec(
    kind="zendesk",
    title="Zendesk help center",
    description="The articles of a help center, in all languages: https://NAME.zendesk.com",
    options=ZendeskOptions,
    secrets=ZendeskSecrets,
    authenticate=authenticate,
    oauth=oauth,
    capabilities=Capabilities(
        changes=Changes.FEED,
        absence=Absence.PROOF,
        versions=Versions.EXACT,
        access_lists=True,
        reads_since=True,
    ),
    open=opens("syncline.connectors.zendesk.connector:ZendeskConnector", authenticate),
    quota=QUOTA,
    routes=(EXPORTS,),
    explain=explain,
    notes=NOTES,
    from_source=partial(account_at, agents=False),
    default_name=account_name,
)
