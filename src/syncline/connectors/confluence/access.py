"""Who may see what: restrictions, which pages hand down to all beneath them, and spaces.

Who reads a page must pass its own restriction and that of each page above it. A principal that
passes them all is found by name; of users it is asked in addition which groups they are in. An
answer that cannot be read is an error, and never an open door.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from syncline.connectors.confluence.listing import listed
from syncline.connectors.confluence.refusals import NotPermitted
from syncline.connectors.json_api import JsonApi, Params
from syncline.connectors.wire import clean
from syncline.core.errors import BadContent, NotFound
from syncline.core.model import Json

__all__ = ["Access"]

_PAGE = 200
_MOST_PAGES = 1_000
_MOST_KEPT = 20_000
_USER = "confluence:user:"
_NAMES = {"user": ("username", "userName", "userKey"), "group": ("name", "groupName")}


class Access:
    """The access lists of one source, while it is open."""

    def __init__(
        self,
        api: JsonApi,
        viewers: Sequence[str],
        warn: Callable[[str], None],
        *,
        authenticated: bool,
    ) -> None:
        """`viewers` may see what is not restricted, where a space's permissions are not told.

        Without any it is for `confluence:space:KEY`; what an anonymous reader sees, for everyone.
        """
        self._api = api
        self._named = tuple(sorted(set(viewers)))
        self._authenticated = authenticated
        self._warn = warn
        self._spaces: dict[str, tuple[str, ...] | None] = {}
        self._groups: dict[str, frozenset[str]] = {}
        self._warned: set[str] = set()

    async def of(self, space: str, chain: Sequence[Mapping[str, Any]]) -> tuple[str, ...] | None:
        """Who may see a page of this space; `chain` is the page with all that stand above it.

        Raises a `SourceError`: `BadContent` for what does not say who.
        """
        layers = [layer for each in chain if (layer := await self._restriction(each))]
        if not layers:
            return await self.viewers(space)
        passing = set(frozenset.intersection(*layers))
        for principal in sorted(frozenset.union(*layers) - passing):
            if await self._passes(principal, layers):
                passing.add(principal)
        return tuple(sorted(passing))

    async def viewers(self, space: str) -> tuple[str, ...] | None:
        """Who may see a space; None means everyone."""
        if not space:
            raise _unreadable("space")
        if space not in self._spaces:
            path = f"/rest/api/space/{quote(space, safe='~')}/permissions"
            try:
                self._spaces[space] = _viewers((await self._api.get(path)).array())
            except (NotPermitted, NotFound):
                self._spaces[space] = self._untold(space)
        return self._spaces[space]

    def _untold(self, space: str) -> tuple[str, ...] | None:
        if self._named or not self._authenticated:
            return self._named or None
        principal = f"confluence:space:{clean(space)}"
        self._warn_once(
            f"Confluence does not tell who may see the space {space}: its unrestricted pages are "
            f"found with {principal} alone; the option viewers says otherwise"
        )
        return (principal,)

    async def _restriction(self, row: Mapping[str, Any]) -> frozenset[str]:
        """The principals that a page names for reading; empty where it lets everybody in."""
        content = quote(clean(str(row.get("id"))), safe="")
        path = f"/rest/api/content/{content}/restriction/byOperation/read"
        if row.get("restrictions") is None:  # an expansion that this server does not know
            expand = "restrictions.user,restrictions.group"
            answer = await self._api.get(path, {"expand": expand})
            read: Mapping[str, Any] = answer.object()
        else:
            read = _object(_object(row["restrictions"], "restrictions").get("read"), "read")
        subjects = _object(read.get("restrictions"), "restrictions")
        found: set[str] = set()
        for kind in ("user", "group"):
            page = _object(subjects.get(kind), kind)
            async for subject in self._subjects(path, kind, page):
                found.add(_principal(kind, subject))
        return frozenset(found)

    async def _subjects(self, path: str, kind: str, page: Mapping[str, Any]) -> AsyncIterator[Json]:
        """All of a list whose first page is known. It has no `next`: a full page is not the end."""
        start = 0
        for _ in range(_MOST_PAGES):
            results, limit = page.get("results"), page.get("limit")
            if not isinstance(results, list) or not isinstance(limit, int):
                raise _unreadable(kind)
            for each in results:
                yield each
            if len(results) < limit or not results:
                return
            start += len(results)
            query: Params = {"expand": f"restrictions.{kind}", "start": start, "limit": _PAGE}
            data = (await self._api.get(path, query)).object()
            page = _object(_object(data.get("restrictions"), "restrictions").get(kind), kind)
        raise _unreadable(kind)

    async def _passes(self, principal: str, layers: Sequence[frozenset[str]]) -> bool:
        """Whether a principal that some layers do not name passes them nevertheless."""
        if not principal.startswith(_USER):
            self._warn_once(
                f"A page is restricted to {principal} above or beneath one that is restricted to "
                "others: only who is named in both will find it"
            )
            return False
        ours = {principal, *await self._groups_of(principal)}
        return all(not layer.isdisjoint(ours) for layer in layers)

    async def _groups_of(self, principal: str) -> frozenset[str]:
        if principal not in self._groups:
            query = {"username": principal.removeprefix(_USER)}
            found: set[str] = set()
            try:
                async for each in listed(self._api, "/rest/api/user/memberof", query, _PAGE):
                    found.add(_principal("group", each))
            except (NotPermitted, NotFound):
                self._warn_once(f"Confluence does not tell which groups {principal} is in")
            if len(self._groups) >= _MOST_KEPT:
                self._groups.clear()
            self._groups[principal] = frozenset(found)
        return self._groups[principal]

    def _warn_once(self, message: str) -> None:
        if message not in self._warned and len(self._warned) < 100:
            self._warned.add(message)
            self._warn(message)


def _viewers(rows: Sequence[Json]) -> tuple[str, ...] | None:
    found: set[str] = set()
    everyone = False
    for row in rows:
        operation = _object(_object(row, "permission").get("operation"), "operation")
        if (operation.get("targetType"), operation.get("operationKey")) != ("space", "read"):
            continue
        subject = _object(_object(row, "permission").get("subject"), "subject")
        match subject.get("type"):
            case "anonymous":
                everyone = True
            case "user" | "known":
                found.add(_principal("user", subject))
            case "group":
                named = subject.get("name") or subject.get("groupName")
                found.add(_principal("group", {"name": named or subject.get("displayName")}))
            case "unlicensed":
                continue
            case _:
                raise _unreadable("subject")
    if not found and not everyone:
        raise _unreadable("permissions")  # somebody may see a space that is there
    return None if everyone else tuple(sorted(found))


def _object(data: Json, what: str) -> Mapping[str, Any]:
    """An object that must be there."""
    if not isinstance(data, dict):
        raise _unreadable(what)
    return data


def _principal(kind: str, subject: Json) -> str:
    """A user's or group's name in an access list."""
    for name in _NAMES[kind]:
        value = subject.get(name) if isinstance(subject, dict) else None
        if isinstance(value, str) and value.strip():
            return f"confluence:{kind}:{clean(value.strip())}"
    raise _unreadable(kind)


def _unreadable(what: str) -> BadContent:
    return BadContent(
        f"Confluence does not say who may see it: {what!r} in its answer cannot be read",
        hint="The next run tries again; until then, what was stored of it stays as it is.",
    )
