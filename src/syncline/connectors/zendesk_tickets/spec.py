"""What the connector of Zendesk's tickets can be told, and what it can do."""

from __future__ import annotations

from functools import partial

from pydantic import Field

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
from syncline.connectors.zendesk_tickets.notes import NOTES
from syncline.core.capabilities import Absence, Capabilities, Changes, Versions
from syncline.core.ports import ConnectorSpec

__all__ = ["SPEC", "TicketOptions"]


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


SPEC = ConnectorSpec(
    kind="zendesk-tickets",
    title="Zendesk tickets",
    description="Tickets with their comments, for agents: https://NAME.zendesk.com/agent",
    options=TicketOptions,
    secrets=ZendeskSecrets,
    authenticate=authenticate,
    oauth=oauth,
    capabilities=Capabilities(
        changes=Changes.FEED,
        absence=Absence.NOTHING,
        versions=Versions.EXACT,
        deletions_in_feed=True,
        access_lists=True,
        reads_since=True,
    ),
    open=opens("syncline.connectors.zendesk_tickets.connector:TicketConnector", authenticate),
    quota=QUOTA,
    routes=(EXPORTS,),
    explain=explain,
    notes=NOTES,
    from_source=partial(account_at, agents=True),
    default_name=lambda options: f"{account_name(options)} tickets",
)
