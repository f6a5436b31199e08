"""What a person wants to know before connecting tickets of Zendesk's."""

from __future__ import annotations

from syncline.connectors.zendesk.notes import CREDENTIALS
from syncline.core.notes import Notes

__all__ = ["NOTES"]

NOTES = Notes(
    reads="each ticket with its public comments; its internal notes are a document of their own.",
    access="`zendesk:agents` for all; `zendesk:user:ID` for what the requester may read.",
    requests="one for 1,000 tickets that changed, at most 10 a minute, and one for 100 comments of "
    "each of them. Without news: two.",
    credentials=CREDENTIALS,
    limits=(
        "the export leaves out the last minute.",
        "files that hang on comments are not read, and not named.",
    ),
)
