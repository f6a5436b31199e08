"""The layer of a session that minds what all sessions know of a host: breaker, quota, held hosts.

Around each request to a host: `ask` before it is sent, `hear` when it is answered, or `lost`; and
`ended` once a whole request, with its retries, has come to its end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from msgspec import Struct

from syncline.core.errors import BreakerOpen, HostHeld, RateLimited, SourceError, Transient
from syncline.core.ports import Clock
from syncline.core.quota import Quota, RouteQuota
from syncline.transport.breaker import HostBreaker
from syncline.transport.cache import Answers
from syncline.transport.ledger import Ledger
from syncline.transport.moments import shown_moment
from syncline.transport.quota import Meter, is_scarce
from syncline.transport.retry import Sleep

__all__ = ["Hosts", "Shared"]

_HELD_AFTER = 3
"""Long rests asked for in a row, without another answer in between: then the host means it."""


class Shared(Struct, frozen=True):
    """What a session shares with others, and how."""

    ledger: Ledger
    quota: Quota = ()
    """Of each host that is asked."""
    routes: tuple[RouteQuota, ...] = ()
    """Of parts of its paths, besides."""
    credentialed: bool = False
    """Whether requests carry a credential: a rest that is asked for is meant for all of it."""
    answers: Answers | None = None
    """What is kept of earlier answers."""
    count: Callable[[str, int], None] = lambda name, more: None
    """Is told what a run should account for: `requests` that were sent, and `received_bytes`."""


@dataclass(slots=True)
class _Host:
    name: str
    breaker: HostBreaker
    meter: Meter | None
    under_way: int = 0
    """Requests that were sent and have not been answered."""
    rests: int = 0
    held_until: float = 0.0
    reason: str = ""
    told_until: float = field(default=0.0)
    """Until when the ledger knows that the source wants no request."""


@dataclass(slots=True)
class _Route:
    meter: Meter
    header: str
    under_way: int = 0


class Hosts:
    """The hosts that one session asks."""

    def __init__(self, shared: Shared, *, clock: Clock, sleep: Sleep, patience: float) -> None:
        """`patience` is the session's: seconds that a request waits because it is told to."""
        self._shared = shared
        self._clock = clock
        self._sleep = sleep
        self._patience = patience
        self._hosts: dict[str, _Host] = {}
        self._routes: dict[str, _Route] = {}

    async def ask(self, host: str, request: object, url: str) -> None:
        """Wait until a request may be sent to this host, at this address.

        Raises `HostHeld` or `BreakerOpen` where that will not be soon.
        """
        state = self._host(host)
        rest = state.held_until - self._clock.monotonic()
        if rest > 0:
            raise self._held(state, rest)
        standing = await state.breaker.enter(request)
        if standing is not None and standing.metered:
            self._meter(state)
        if state.meter is not None:
            await state.meter.take()
        routes = self._routes_to(host, url)
        for route in routes:
            await route.meter.take()
        state.under_way += 1
        for route in routes:
            route.under_way += 1

    def lost(self, host: str, url: str) -> None:
        """Note that no answer has come."""
        self._host(host).under_way -= 1
        for route in self._routes_to(host, url):
            route.under_way -= 1

    def hear(self, host: str, url: str, status: int, headers: Mapping[str, str]) -> None:
        """Note that an answer has come, and what its headers say of the quota."""
        self.lost(host, url)
        state = self._host(host)
        for route in self._routes_to(host, url):
            route.meter.hear({"ratelimit": headers.get(route.header, "")}, route.under_way)
        if status != 429:
            state.rests = 0
        if state.meter is None and is_scarce(headers, self._clock):
            self._meter(state)
        if state.meter is not None:
            state.meter.hear(headers, state.under_way)

    async def limited(self, host: str, error: RateLimited) -> RateLimited:
        """The source asks for a rest: let all workers keep it. Answers the error to raise."""
        seconds = error.retry_after
        if not seconds:
            return error
        state = self._host(host)
        if seconds > self._patience:
            state.rests += 1
            if state.rests < _HELD_AFTER and not self._shared.credentialed:
                return error  # perhaps this page's alone
        now = self._clock.monotonic()
        if now + seconds > state.told_until + 1:
            state.told_until = now + seconds
            await self._shared.ledger.close_until(host, seconds, error.message)
        if seconds <= self._patience:
            return error
        state.held_until, state.reason = now + seconds, error.message
        return self._held(state, seconds)

    async def ended(self, host: str, request: object, error: SourceError | None) -> None:
        """A whole request has ended, at this host."""
        breaker = self._host(host).breaker
        if isinstance(error, Transient):
            await breaker.failed(request, error.message)
        elif not isinstance(error, (BreakerOpen, HostHeld)):
            await breaker.succeeded(request)

    async def close(self) -> None:
        """Give back what is left, and tell what is untold."""
        for state in self._hosts.values():
            await state.breaker.close()
            if state.meter is not None:
                await state.meter.close()
        for route in self._routes.values():
            await route.meter.close()

    def _routes_to(self, host: str, url: str) -> list[_Route]:
        """What holds for this address besides."""
        if not self._shared.routes:
            return []
        path, found = urlsplit(url).path, []
        for route in self._shared.routes:
            if path.startswith(route.paths):
                name = f"{host}/{route.name}"
                if name not in self._routes:
                    self._routes[name] = _Route(self._new_meter(name, route.quota), route.header)
                found.append(self._routes[name])
        return found

    def _host(self, name: str) -> _Host:
        state = self._hosts.get(name)
        if state is None:
            state = _Host(name, HostBreaker(name, self._shared.ledger, self._clock), None)
            if self._shared.quota:
                self._meter(state)
            self._hosts[name] = state
        return state

    def _meter(self, state: _Host) -> None:
        if state.meter is None:
            state.meter = self._new_meter(state.name, self._shared.quota)

    def _new_meter(self, name: str, quota: Quota) -> Meter:
        return Meter(name, quota, self._shared.ledger, clock=self._clock, sleep=self._sleep)

    def _held(self, state: _Host, seconds: float) -> HostHeld:
        return HostHeld(
            f"{state.name} is not asked until {shown_moment(self._clock.now(), seconds)}: "
            f"{state.reason}",
            retry_after=seconds,
            hint="The service goes on by itself then. If this happens often, set "
            "`--option requests_per_minute`.",
        )
