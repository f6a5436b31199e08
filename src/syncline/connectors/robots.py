"""robots.txt, read as RFC 9309 says, with the `Sitemap:` and `Crawl-delay:` lines beside it."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from msgspec import Struct

from syncline.core.errors import Forbidden, NotFound, Rejected, Transient, Unauthorized
from syncline.core.ports import HttpTransport
from syncline.core.urls import Origin, normalise_escapes

__all__ = ["Robots", "RobotsFiles", "product_token"]

# The standard asks for 500 KiB at least.
_MAX_BYTES = 512 * 1024
_KEEP_SECONDS = 3600.0
_TOKEN = re.compile(r"[A-Za-z_-]+")
_SPLIT = re.compile(r"\r\n|\r|\n")


class Robots(Struct, frozen=True):
    """What one robots.txt lets one agent read."""

    rules: tuple[_Rule, ...] = ()
    """The longest first, `Allow` before `Disallow` of the same length: the first match counts."""
    crawl_delay: float | None = None
    sitemaps: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str, agent: str) -> Robots:
        """Read a file for the product token `agent`, such as `Syncline`.

        Anything may stand in such a file; what is not understood is passed over.
        """
        groups, sitemaps = _read(text)
        own = [group for group in groups if agent.lower() in group.agents]
        chosen = own or [group for group in groups if "*" in group.agents]
        rules = [rule for group in chosen for rule in group.rules]
        delays = [group.delay for group in chosen if group.delay is not None]
        return cls(
            rules=tuple(sorted(rules, key=lambda rule: (-len(rule.pattern), not rule.allow))),
            crawl_delay=max(delays, default=None),
            sitemaps=tuple(dict.fromkeys(filter(None, sitemaps))),
        )

    def allows(self, url: str) -> bool:
        """Whether a URL, in its normal spelling, may be requested."""
        parts = urlsplit(url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        if target == "/robots.txt":
            return True
        for rule in self.rules:
            if rule.matches(target):
                return rule.allow
        return True


class RobotsFiles:
    """The robots.txt of each origin, read when it is first needed, and once."""

    def __init__(self, http: HttpTransport, agent: str) -> None:
        """`agent` is our product token. A `Crawl-delay` is handed to the transport."""
        self._http = http
        self._agent = agent
        self._known: dict[Origin, Robots] = {}
        self._once = asyncio.Lock()

    async def of(self, origin: Origin) -> Robots:
        """An origin's rules; none where there is no such file, or where we may not read it.

        Raises `Transient` or `RateLimited` where the server has trouble: then nothing may
        be read.
        """
        known = self._known.get(origin)
        if known is not None:
            return known
        async with self._once:
            if origin not in self._known:
                self._known[origin] = await self._read(origin)
            return self._known[origin]

    async def _read(self, origin: Origin) -> Robots:
        url = f"{origin}/robots.txt"
        data = bytearray()
        try:
            async with self._http.stream(url, keep=_KEEP_SECONDS) as pieces:
                async for piece in pieces:
                    data += piece
                    if len(data) >= _MAX_BYTES:
                        break
        except (NotFound, Forbidden, Unauthorized, Rejected):
            return Robots()
        except Transient as error:
            raise Transient(
                f"{url} cannot be read, so nothing of the site may be ({error.message})",
                hint="The rules for robots ask for this. The next run tries again.",
            ) from error
        robots = Robots.parse(data[:_MAX_BYTES].decode("utf-8", "replace"), self._agent)
        if robots.crawl_delay:
            self._http.pace(url, robots.crawl_delay)
        return robots


def product_token(user_agent: str) -> str:
    """The name by which robots.txt speaks to an agent: `Syncline` of `Syncline/1.0 (+…)`."""
    match = _TOKEN.match(user_agent.strip())
    return match[0] if match else user_agent.strip()[:1]


class _Rule(Struct, frozen=True):
    pattern: str
    allow: bool

    def matches(self, target: str) -> bool:
        """Linear in the target's length for each `*`: no pattern makes it explode."""
        pattern, anchored = self.pattern, self.pattern.endswith("$")
        if "*" not in pattern and not anchored:
            return target.startswith(pattern)
        first, *others = pattern.removesuffix("$").split("*")
        if not others:
            return target == first
        if not target.startswith(first):
            return False
        position = len(first)
        last = others.pop() if anchored else ""
        for piece in others:
            found = target.find(piece, position)
            if found < 0:
                return False
            position = found + len(piece)
        return not anchored or (target.endswith(last) and len(target) - len(last) >= position)


@dataclass(slots=True)
class _Group:
    agents: set[str] = field(default_factory=set)
    rules: list[_Rule] = field(default_factory=list)
    delay: float | None = None
    open: bool = True
    """Whether another `User-agent` line still belongs to this group."""


def _read(text: str) -> tuple[list[_Group], list[str]]:
    groups: list[_Group] = []
    sitemaps: list[str] = []
    for line in _SPLIT.split(text.removeprefix("\ufeff")):
        key, colon, value = line.partition("#")[0].partition(":")
        key, value = key.strip().lower(), value.strip()
        if not colon:
            continue
        if key == "sitemap":
            sitemaps.append(value)
        elif key == "user-agent":
            if not groups or not groups[-1].open:
                groups.append(_Group())
            groups[-1].agents.add(product_token(value).lower())
        elif groups and key in ("allow", "disallow", "crawl-delay"):
            _add(groups[-1], key, value)
    return groups, sitemaps


def _add(group: _Group, key: str, value: str) -> None:
    group.open = False
    if key == "crawl-delay":
        try:
            delay = float(value)
        except ValueError:
            return
        if 0 <= delay < float("inf"):
            group.delay = max(delay, group.delay or 0.0)
    elif value:
        group.rules.append(_Rule(_normal_pattern(value), key == "allow"))


def _normal_pattern(value: str) -> str:
    """The pattern in the spelling of normal URLs, so that `/%7Ea` speaks of `/~a`."""
    anchored = value.endswith("$")
    path, mark, query = value.removesuffix("$").partition("?")
    path = path if path.startswith(("/", "*")) else f"/{path}"
    spelled = normalise_escapes(path) + mark + normalise_escapes(query, query=True)
    return spelled + ("$" if anchored else "")
