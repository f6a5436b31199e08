"""What a person wants to know before connecting Intercom."""

from __future__ import annotations

from syncline.core.notes import Notes

__all__ = ["NOTES"]

_AUDIENCES = (
    "the API tells of no audience: an article for some readers alone is read as if it were for "
    "all. Leave it out with a filter, or let teammates alone find articles (`articles_for`)."
)

NOTES = Notes(
    reads="the published articles, each translation a document of its own, with "
    "collections, tags and authors; internal articles and conversations where `read` names them. "
    "Drafts are left out, and so are parts of conversations that say nothing.",
    access="`intercom:teammates:WORKSPACE` for internal articles and conversations; articles are "
    "for everyone unless `articles_for` says otherwise.",
    deletions="an article that is made a draft is gone with the next sync; a deleted article, "
    "translation or conversation is seen in the complete list, and so are a translation that was "
    "edited alone, and a renamed collection, tag or teammate.",
    requests="first sync: one for 250 articles, 50 internal articles or 150 conversations, and one "
    "for each conversation. Without news: one to ask who we are, and one for each of what `read` "
    "names (for internal articles one for 50 of them). With news: one for 50 collections and one "
    "for teammates besides, and one for each conversation that was updated. Complete list: as the "
    "first sync, with one only for each conversation that has changed and each entry that is gone.",
    credentials="the access token of an app (Developer Hub, Authentication) that is permitted to "
    "read admins and, as `read` says, articles or conversations.",
    limits=(
        _AUDIENCES,
        "of a conversation only the newest 500 parts are told.",
        "files attached to conversations are named, not read.",
        "a first sync of articles that is interrupted lists them again.",
    ),
)
