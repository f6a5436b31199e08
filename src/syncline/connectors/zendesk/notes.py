"""What a person wants to know before connecting a help center of Zendesk's."""

from __future__ import annotations

from syncline.core.notes import Notes

__all__ = ["CREDENTIALS", "NOTES"]

CREDENTIALS = (
    "an agent's e-mail address and an API token (Admin Center, Apps and integrations, APIs), or an "
    "OAuth access token of the scope `read`."
)
_NO_EXPORT = (
    "without credentials there is no export of changes: each language is read from its newest "
    "article on."
)
_ONE_SECOND = (
    "more than 1,000 articles that change in the same second stop the export; `--full` reads on."
)

_LOG_IN = (
    "the API does not tell whether the help center wants a log-in: say so with `articles_for`."
)

NOTES = Notes(
    reads="the published articles in each language, each translation a document of its own, with "
    "categories, sections and labels; attached texts with `attachments`. Drafts are left out.",
    access="`zendesk:segment:ID` for what only a user segment sees; all else is for everyone, or, "
    "with `articles_for` = `signed-in`, for `zendesk:signed-in:NAME`.",
    deletions="an archived article, a deleted translation, or a renamed section is seen in the "
    "complete list; a draft at once.",
    requests="first sync: one for 100 articles of a language. Without news: two; without "
    "credentials one, and one for each language. An article that changed: one. Complete list: as "
    "the first sync.",
    credentials=f"none for a public help center; else {CREDENTIALS}",
    limits=(_NO_EXPORT, _ONE_SECOND, _LOG_IN),
)
