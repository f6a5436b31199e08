"""Connectors of an API that are wrong in one way each."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace
from pydantic import SecretStr

from syncline.connectors.json_api import Answer, JsonApi
from syncline.connectors.marks import digest
from syncline.connectors.zendesk.connector import ZendeskConnector
from syncline.connectors.zendesk.place import Place
from syncline.connectors.zendesk.spec import SPEC
from syncline.core.errors import BadContent, Rejected, SourceError, Unauthorized
from syncline.core.model import (
    Change,
    Checkpoint,
    Cursor,
    Entry,
    Failed,
    Fetched,
    Gone,
    Identity,
    Locator,
    Partition,
    Validators,
)
from syncline.core.ports import Connector, ConnectorSpec, Context
from syncline.transport.http import HttpSession
from syncline.transport.retry import RetryPolicy

__all__ = ["MUTANTS"]

MUTANTS: list[tuple[str, str, ConnectorSpec]] = []
"""Name of the check that must fail, what is wrong, and the spec."""


def _wrong(check: str) -> Callable[[type[ZendeskConnector]], type[ZendeskConnector]]:
    """Register a connector class under the check that must notice what its docstring says."""

    def register(mutant: type[ZendeskConnector]) -> type[ZendeskConnector]:
        @asynccontextmanager
        async def opened(options: Any, secrets: Any, context: Context) -> AsyncIterator[Connector]:
            made = mutant(options, context, authenticated=secrets.email is not None)
            if isinstance(made, Hoarder | Gossip):
                made.keep(secrets.api_token or secrets.access_token)
            yield made

        MUTANTS.append((check, mutant.__name__, replace(SPEC, open=opened)))
        return mutant

    return register


@_wrong("nothing_changed_costs_little")
class Chatty(ZendeskConnector):
    """Asks for the sections whether they are needed or not."""

    async def partitions(self) -> list[Partition]:
        await self._paths()
        return list(await super().partitions())


@_wrong("edits_between_any_two_requests_are_seen")
class Hasty(ZendeskConnector):
    """Believes that all has been told up to now, and a little further."""

    async def changes(self, partition: Partition, cursor: Cursor | None) -> AsyncIterator[Change]:
        async for change in super().changes(partition, cursor):
            if isinstance(change, Checkpoint):
                place = Place.of(change.cursor)
                if place.since is not None and place.locale is None:
                    change = Checkpoint(Place(place.since + timedelta(hours=1)).cursor)
            yield change


@_wrong("edits_between_any_two_requests_are_seen")
class Nostalgic(ZendeskConnector):
    """Keeps the text that it has read first, as long as it is open."""

    async def _entry(self, article: Any, text: Any, locale: str, *, content: bool) -> Entry:
        entry = await super()._entry(article, text, locale, content=content)
        if entry.content is None:
            return entry
        known = self.__dict__.setdefault("_known", {})
        return replace(
            entry, content=known.setdefault(entry.id, replace(entry.content, version=None))
        )


@_wrong("killed_after_any_request_ends_the_same")
class Premature(ZendeskConnector):
    """Says that all was read before it is."""

    async def changes(self, partition: Partition, cursor: Cursor | None) -> AsyncIterator[Change]:
        if cursor is None:
            now = await self._ready()
            yield Checkpoint(Place(now).cursor)
        async for change in super().changes(partition, cursor):
            yield change


@_wrong("no_fault_loses_anything")
class Optimist(ZendeskConnector):
    """Takes an answer that it cannot read for the end of the list."""

    async def enumerate(self, partition: Partition) -> AsyncIterator[Entry | Failed]:
        try:
            async for each in super().enumerate(partition):
                yield each
        except SourceError:
            return


@_wrong("no_fault_spoils_a_text")
class Pessimist(ZendeskConnector):
    """Takes an article for gone when it cannot be read."""

    async def fetch(self, locator: Locator, validators: Validators | None) -> Fetched:
        try:
            return await super().fetch(locator, validators)
        except SourceError:
            return Gone(f"article:{locator['article']}:{locator['locale']}")


@_wrong("strange_payloads_do_no_harm")
class Trusting(ZendeskConnector):
    """Takes it for granted that every article has a title of letters."""

    async def _entry(self, article: Any, text: Any, locale: str, *, content: bool) -> Entry:
        assert text.title
        return await super()._entry(article, text, locale, content=content)


@_wrong("pages_smaller_than_asked_are_not_the_end")
class Impatient(ZendeskConnector):
    """Takes a page that is not full for the last one."""

    async def _pages(self, path: str, after: str = "") -> AsyncGenerator[Answer, None]:
        async for page in super()._pages(path, after):
            yield page
            if sum(len(each) for each in page.object().values() if isinstance(each, list)) < 100:
                return


class Walker(ZendeskConnector):
    """Goes from page to page by itself."""

    ends_in_circles = False

    async def _pages(self, path: str, after: str = "") -> AsyncGenerator[Answer, None]:
        been: set[str] = set()
        while after not in been:
            been |= {after} if self.ends_in_circles else set()
            page = await self._api.get(path, {"page[size]": 100, "page[after]": after or None})
            yield page
            after = page.object()["meta"]["after_cursor"]
            if not (after and page.object()["meta"]["has_more"]):
                return


@_wrong("cursors_that_are_null_are_not_the_end")
class Gullible(Walker):
    """Believes that there is no more, because no place is named for it."""


@_wrong("pages_said_twice_hide_nothing")
class Dizzy(Walker):
    """Takes a place where it has been for the end."""

    ends_in_circles = True


@_wrong("renames_are_noticed")
class Nameless(ZendeskConnector):
    """Its versions are those of texts, whatever their titles."""

    async def _entry(self, article: Any, text: Any, locale: str, *, content: bool) -> Entry:
        entry = await super()._entry(article, text, locale, content=content)
        version = digest(text.body, article.user_segment_id)
        told = replace(entry.content, version=version) if entry.content else None
        return replace(entry, version=version, content=told)


@_wrong("credentials_stay_at_home")
class Obedient(ZendeskConnector):
    """Follows the server's links wherever they lead, with the token in its hand."""

    async def _pages(self, path: str, after: str = "") -> AsyncGenerator[Answer, None]:
        async for page in super()._pages(path, after):
            yield page
            link = (page.object().get("links") or {}).get("next")
            if link:
                await self._context.http.get(link, headers={"Authorization": "Bearer lantern"})


@_wrong("refused_credentials_say_so")
class Deaf(ZendeskConnector):
    """Does not hear that it is refused."""

    async def check(self) -> Identity:
        try:
            return await super().check()
        except Unauthorized:
            return Identity("somebody")


@_wrong("secrets_are_in_no_log")
class Gossip(ZendeskConnector):
    """Tells its diary what nobody may know."""

    def keep(self, token: SecretStr | None) -> None:
        if token is not None:
            logging.getLogger("acme.diary").debug("we have %s", token.get_secret_value())


@_wrong("access_changes_alone_are_noticed")
class Blind(ZendeskConnector):
    """Its versions know nothing of access lists."""

    async def _entry(self, article: Any, text: Any, locale: str, *, content: bool) -> Entry:
        entry = await super()._entry(article, text, locale, content=content)
        version = digest(text.title, text.body)
        told = replace(entry.content, version=version) if entry.content else None
        return replace(entry, version=version, content=told)


@_wrong("access_changes_alone_are_noticed")
class Generous(ZendeskConnector):
    """Knows that an article is restricted, and to whom it likes."""

    async def _entry(self, article: Any, text: Any, locale: str, *, content: bool) -> Entry:
        entry = await super()._entry(article, text, locale, content=content)
        if entry.content is None or entry.content.principals is None:
            return entry
        return replace(entry, content=replace(entry.content, principals=("zendesk:agents",)))


@_wrong("quotas_are_kept")
class Smuggler(ZendeskConnector):
    """Asks with a session of its own, which knows of no quota."""

    async def check(self) -> Identity:
        once = RetryPolicy(attempts=1)
        async with HttpSession(allow_private_hosts=["127.0.0.1"], retries=once) as http:
            for _ in range(6):
                with suppress(SourceError):
                    await http.get(self._api.url("/api/v2/help_center/locales"))
        return await super().check()


@_wrong("clocks_may_differ")
class Selfish(ZendeskConnector):
    """Goes by its own clock, whatever the source's says."""

    async def _ready(self) -> datetime:
        await super()._ready()
        self._now = self._context.clock.now()
        return self._now


@_wrong("old_cursors_lose_nothing")
class Stubborn(ZendeskConnector):
    """Insists on a place that the source does not know any more."""

    async def _pages(self, path: str, after: str = "") -> AsyncGenerator[Answer, None]:
        try:
            async for page in super()._pages(path, after):
                yield page
        except Rejected as error:
            raise BadContent(error.message) from error


@_wrong("access_tokens_may_expire")
class Hoarder(ZendeskConnector):
    """Sends the token that it was opened with, whatever has become of that."""

    def keep(self, token: SecretStr | None) -> None:
        if token is not None:
            own = {"Authorization": f"Bearer {token.get_secret_value()}"}
            self._api = JsonApi(self._context.http, self._options.url, headers=own)
