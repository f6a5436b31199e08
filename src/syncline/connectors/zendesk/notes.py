"""What a person wants to know before connecting Zendesk."""

from __future__ import annotations

from syncline.core.notes import Notes

__all__ = ["HELP_CENTER", "TICKET_NOTES"]

_CREDENTIALS = (
    "an agent's e-mail address and an API token (Admin Center, Apps and integrations, APIs), or an "
    "OAuth access token with the scopes `hc:read` and `tickets:read`."
)
_NO_EXPORT = (
    "without credentials there is no export of changes: each language is read from its newest "
    "article on."
)
_ONE_SECOND = (
    "more than 1,000 articles that change in the same second stop the export; `--full` reads on."
)

HELP_CENTER = Notes(
    reads="the published articles in each language, each translation a document of its own, with "
    "categories, sections and labels; attached texts with `attachments`. Drafts are left out.",
    access="`zendesk:segment:ID` for what only a user segment sees; all else is for everyone.",
    deletions="an archived article, a deleted translation, or a renamed section is seen in the "
    "complete list; a draft at once.",
    requests="first sync: one for 100 articles of a language. Without news: two, without "
    "credentials one more for each language. An article that changed: one. Complete list: as the "
    "first sync.",
    credentials=f"none for a public help center; else {_CREDENTIALS}",
    limits=(_NO_EXPORT, _ONE_SECOND),
)

TICKET_NOTES = Notes(
    reads="each ticket with its public comments; its internal notes are a document of their own.",
    access="`zendesk:agents` for all; `zendesk:user:ID` for what the requester may read.",
    requests="one for 1,000 tickets that changed, at most 10 a minute, and one for 100 comments of "
    "each of them. Without news: two.",
    credentials=_CREDENTIALS,
    limits=("the export leaves out the last minute.",),
)
