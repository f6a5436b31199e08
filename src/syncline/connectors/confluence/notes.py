"""What a person wants to know before connecting Confluence Data Center."""

from __future__ import annotations

from syncline.core.notes import Notes

__all__ = ["NOTES"]

_LATE = (
    "changes of restrictions, permissions, labels and places move nothing that a query could ask "
    "for: they are seen in the complete list."
)
_LEVELS = (
    "where a page and one above it are restricted to different groups, only who is named in both, "
    "or is a user named in one and a member of a group of the other, finds it."
)
_SPACE = "who is named in a restriction is believed to be allowed to view the space."
_CLOUD = "Confluence Cloud has another API and cannot be read."

NOTES = Notes(
    reads="pages, blog posts, comments and attached texts (Markdown, HTML, plain text) of each "
    "space; each is a document of its own, also a comment, since Confluence tells of it apart from "
    "its page. Macros that show other pages are left out: those pages are read where they stand.",
    access="`confluence:user:NAME` and `confluence:group:NAME` of restrictions, which hold for all "
    "that is beneath a page, and else of the space's permission to view; everyone where anonymous "
    "readers have that. Where the permissions cannot be read: those whom `viewers` names, or "
    "`confluence:space:KEY`; without credentials everyone.",
    deletions="what the list does not name is asked for, and gone once Confluence's own answer is "
    "that there is no such content, or none that the account may view.",
    requests="first sync: one for 50 pages with what hangs on them, one for each user whom texts "
    "link to, two for each attached text. Without news: one, and one for each space; two for "
    "each where anything was modified within a day. What changed: one each. Complete list: one for "
    "200 pages.",
    credentials="a personal access token (profile, Settings, Personal Access Tokens), or the "
    "option `username` with its password as `token`. The account must be able to view the spaces, "
    "and to administer them if their permissions are to be read (Confluence 9.1 or newer).",
    limits=(_LATE, _LEVELS, _SPACE, _CLOUD),
)
