"""Checks of what becomes of credentials: they stay at home, and in no error and no log."""

from __future__ import annotations

import base64
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

from syncline.core.capabilities import Absence
from syncline.core.errors import Forbidden, SourceError, Unauthorized
from syncline.testing.api_asserts import assert_as_is, fails
from syncline.testing.api_reader import Reader
from syncline.testing.api_world import ApiWorld
from syncline.testing.fake_server import FakeServer, answers, cut_off
from syncline.testing.world import populate, secret_values

__all__ = ["SECRET_CHECKS", "expire_before"]


async def credentials_stay_at_home(world: ApiWorld) -> None:
    """Links of the server's to another host get no credentials, and hide nothing."""
    await populate(world)
    world.server.cap = 2
    async with _Listener() as other:
        world.server.elsewhere = other.url
        reader = Reader(world)
        failed = await fails(reader.run)
        secrets = secret_values(world.secrets)
        for seen in other.requests:
            told = f"{seen.path} {seen.headers}"
            assert "authorization" not in seen.headers, "credentials went to another host"
            assert not any(secret in told for secret in secrets), "a secret went to another host"
    world.server.elsewhere = None
    if not failed:
        await reader.run()  # what lay elsewhere, and could not be had from there
        await assert_as_is(world, reader, "with links to another host")


class _Listener(FakeServer):
    async def answer(self, request: object) -> object:  # type: ignore[override]
        said = answers(200, "{}", content_type="application/json")
        return await said(request)  # type: ignore[arg-type]


async def refused_credentials_say_so(world: ApiWorld) -> None:
    """`check()` and a run tell that the credentials are refused, and show none of them."""
    await populate(world)
    world.refuse_credentials()
    reader = Reader(world)
    secrets = secret_values(world.secrets)
    attempts: list[Callable[[], Awaitable[None]]] = [lambda: _check(world), reader.run]
    if world.spec.capabilities.absence is not Absence.NOTHING:
        attempts.append(reader.reconcile)
    for attempt in attempts:
        refusal: SourceError | None = None
        try:
            await attempt()
        except (Unauthorized, Forbidden) as error:
            refusal = error
        assert refusal is not None, "refused credentials are no error"
        assert refusal.hint, "refused credentials come without a hint"
        shown = f"{refusal} {refusal.hint} {refusal!r}"
        assert not any(secret in shown for secret in secrets), "an error shows a secret"


async def _check(world: ApiWorld) -> None:
    async with world.open() as connector:
        await connector.check()


async def secrets_are_in_no_log(world: ApiWorld) -> None:
    """No line of any log has a credential in it, at the finest level, in good times and bad."""
    await populate(world)
    authenticate = world.spec.authenticate
    proven = authenticate(world.options, world.secrets) if authenticate else None
    secrets = {*secret_values(world.secrets), *(proven.headers.values() if proven else ())}
    with _all_logs() as lines:
        await Reader(world).run()
        for fault in (answers(500), answers(401), cut_off(b'{"id": 1, '), answers(200, "<html>")):
            world.server.misbehave(fault, after=1)
            with suppress(SourceError):
                await Reader(world).run()
            world.server.behave()
        accepted, world.server.accepts = world.server.accepts, {"nobody's"}
        with suppress(SourceError):
            await Reader(world).run()
        world.server.accepts = accepted
        if world.spec.oauth is not None:
            tokens = world.use_oauth()
            secrets |= set(secret_values(world.secrets))
            expire_before(world, world.server.count() + 1)
            await Reader(world).run()
            secrets |= tokens.given
    shown = {*secrets, *(base64.b64encode(each.encode()).decode() for each in secrets)}
    for line in lines:
        assert not any(each in line for each in shown), f"a secret is in a log: {line}"


def expire_before(world: ApiWorld, place: int) -> None:
    """Let the access token serve no more just before the request of that number."""
    tokens = world.server.tokens
    assert tokens is not None

    def before(seen: object) -> None:
        if world.server.count() > place:
            world.server.before = lambda seen: None
            tokens.expire()

    world.server.before = before


@contextmanager
def _all_logs() -> Iterator[list[str]]:
    """What is logged meanwhile by whatever logs, tracebacks included, before anything is hidden."""
    lines: list[str] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            more = {name: value for name, value in vars(record).items() if name not in _ORDINARY}
            lines.append(f"{self.format(record)} {more or ''}")

    root, keeper = logging.getLogger(), Keeper(logging.DEBUG)
    level, below = root.level, logging.root.manager.disable
    root.addHandler(keeper)
    root.setLevel(logging.DEBUG)
    logging.disable(logging.NOTSET)
    try:
        yield lines
    finally:
        root.removeHandler(keeper)
        root.setLevel(level)
        logging.disable(below)


_ORDINARY = frozenset(vars(logging.makeLogRecord({})))

SECRET_CHECKS: tuple[Callable[[ApiWorld], Awaitable[None]], ...] = (
    credentials_stay_at_home,
    refused_credentials_say_so,
    secrets_are_in_no_log,
)
