"""What a person wants to know before connecting Canvas."""

from __future__ import annotations

from syncline.core.notes import Notes

__all__ = ["NOTES"]

NOTES = Notes(
    reads="announcements, assignments, the syllabus, discussions with their replies, pages, the "
    "outlines of modules, and files (web pages, Markdown and plain text; others are listed as "
    "filtered), in this order. What is not published, hidden, or locked until later is left out, "
    "also where the token's user sees it; what is locked for that user is filtered.",
    access="`canvas:course:ID` for what the course's members see; none for a public course and a "
    "public syllabus; `canvas:users:all` besides where everybody who is logged in sees it; "
    "`canvas:section:ID`, `canvas:group:ID` and `canvas:user:ID` for what is only for these. "
    "Discussions are always the members' own.",
    deletions="what is in no list any more is asked for by its id; so a list that shifts while it "
    "is read, or a part of a course that is switched off, deletes nothing.",
    requests="without news: two, and six for each course; one more for each further 100 of a kind, "
    "and for each module with more than 50 items. A new or changed page: one (at first none); a "
    "discussion with replies or a file: two. A discussion that had a reply within 30 days is read "
    "again once a day, since nothing tells that a reply was edited.",
    credentials="an access token: Account, Settings, Approved integrations, New access token. Its "
    "user takes part in the courses, or administers them (`account`). Or an app's client with a "
    "refresh token; where its developer key enforces scopes, it needs `url:GET` scopes for users, "
    "courses, announcements, assignments, discussion topics, pages, modules and files, and must "
    "allow include parameters.",
    limits=(
        "there is no feed of changes, so each sync lists all of each course.",
        "pages and modules that are assigned to some students only are not told from others.",
        "comments on announcements, replies in a discussion's groups, and quizzes are not read.",
        "what a module locks is locked for a student's or observer's token, not for a teacher's.",
    ),
)
