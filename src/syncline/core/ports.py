"""The contracts between the core and what plugs into it.

A connector's author needs this file and `core/model.py`, nothing else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, Self, TypeAlias, runtime_checkable

from msgspec import Struct, field
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from syncline.core.capabilities import Capabilities
from syncline.core.errors import SourceError
from syncline.core.model import (
    Change,
    Cursor,
    Entry,
    Failed,
    Fetched,
    Identity,
    Locator,
    Partition,
    Validators,
)
from syncline.core.notes import Notes
from syncline.core.quota import Bucket, Quota, RouteQuota, with_own
from syncline.core.urls import Origin

__all__ = [
    "Authentication",
    "Clock",
    "Connector",
    "ConnectorSpec",
    "Context",
    "Embedder",
    "Explain",
    "HttpResponse",
    "HttpTransport",
    "MeteredOptions",
    "NoSecrets",
    "OAuthGrant",
    "OAuthSecrets",
    "Options",
    "Probes",
    "Probing",
    "Refusal",
    "Secrets",
]


class Options(BaseModel):
    """What a connector can be told. Field descriptions become `--help`, forms and docs."""

    # A validator is built when it is first asked for: of many that are known, one is.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class MeteredOptions(Options):
    """Options of a source that is asked for one thing after another, over a network."""

    requests_per_second: int | None = Field(
        None, ge=1, description="No more requests to one host in any second, of all runs together"
    )
    requests_per_minute: int | None = Field(None, ge=1, description="The same in any minute")
    requests_per_day: int | None = Field(None, ge=1, description="The same in any 24 hours")

    def quota(self, default: Quota) -> Quota:
        """The connector's quota, with this connection's own limits in it."""
        own = (
            (self.requests_per_second, 1),
            (self.requests_per_minute, 60),
            (self.requests_per_day, 86_400),
        )
        return with_own(default, tuple(Bucket(n, seconds) for n, seconds in own if n))


class Secrets(BaseModel):
    """What a connector must keep secret; every field is a `SecretStr`."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class NoSecrets(Secrets):
    """For sources that need no credentials."""


@dataclass(frozen=True, slots=True, repr=False)
class Authentication:
    """Headers that prove who we are. They go to these origins, and nowhere else."""

    origins: frozenset[Origin]
    headers: Mapping[str, str]


class OAuthSecrets(Secrets):
    """For sources that give access tokens which expire, and refresh tokens that renew them."""

    client_id: SecretStr | None = Field(None, description="The OAuth client's id")
    client_secret: SecretStr | None = Field(None, description="The OAuth client's secret")
    refresh_token: SecretStr | None = Field(
        None, description="The refresh token that the source gave; renewed by itself"
    )
    access_token: SecretStr | None = Field(
        None, description="The access token of now; Syncline keeps it"
    )
    access_expires_at: SecretStr | None = Field(
        None, description="When that expires, in epoch seconds; Syncline keeps it"
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        given = (self.client_id, self.client_secret, self.refresh_token)
        if any(given) and not all(given):
            raise ValueError("client_id, client_secret and refresh_token belong together")
        return self

    def grant(self, token_url: str) -> OAuthGrant | None:
        """What renews the access at this address; None where no such secrets are given."""
        if self.client_id is None or self.client_secret is None or self.refresh_token is None:
            return None
        return OAuthGrant(token_url, self.client_id.get_secret_value(), self.client_secret)


class OAuthGrant(Struct, frozen=True):
    """Where, and as whom, an access token is renewed (RFC 6749, section 6)."""

    token_url: str
    client_id: str
    client_secret: SecretStr


class Refusal(Struct, frozen=True):
    """An answer that is none: neither 2xx, nor a redirect, nor a 304 that was asked for."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    """Its beginning, up to 16 KiB, decoded; empty where it could not be read."""
    error: SourceError
    """What the status alone means."""
    asked: str = ""
    """The address that was asked for."""
    url: str = ""
    """The address that answered: another one, where there were redirects."""


Explain: TypeAlias = Callable[[Refusal], SourceError | None]
"""What a refusal means where its body or headers tell more than its status: another class of error,
or a message with the source's reason. None where the status says it all."""


class Clock(Protocol):
    def now(self) -> datetime:
        """The wall clock, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        ...


class HttpResponse(Struct, frozen=True):
    """One answer, after redirects. Only 2xx and 304 become a response; the rest is raised."""

    status: int
    url: str
    """Where the body came from: the last hop."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    """Decoded (gzip, deflate); empty for 304."""

    @property
    def not_modified(self) -> bool:
        return self.status == 304

    @property
    def media_type(self) -> str:
        """`text/html` of `text/html; charset=utf-8`; empty when the server says none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def charset(self) -> str | None:
        """The charset of the Content-Type header, where it names one."""
        for part in self.headers.get("content-type", "").split(";")[1:]:
            name, _, value = part.partition("=")
            if name.strip().lower() == "charset":
                return value.strip().strip("\"'") or None
        return None


class HttpTransport(Protocol):
    """An HTTP session with guard, limits, retries, politeness, quota and breaker inside.

    Raises `RateLimited` (`HostHeld`), `BreakerOpen`, `Unauthorized`, `Forbidden`, `NotFound`,
    `Transient`, `Rejected`, `BlockedAddress` or `BadContent` once it has given up; whatever
    may be retried has been retried by then. GET requests only have no effect on failure.
    """

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        validators: Validators | None = None,
        max_bytes: int | None = None,
    ) -> HttpResponse:
        """GET, following redirects. `validators` make it conditional (see `model.Validators`).

        `max_bytes` bounds the decoded body below the session's own limit.
        """
        ...

    async def post(
        self,
        url: str,
        body: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        max_bytes: int | None = None,
    ) -> HttpResponse:
        """POST a question that may be asked again: it is retried as `get` is.

        What is sent never follows a redirect; `Rejected` names where it would have gone.
        """
        ...

    def stream(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        max_bytes: int | None = None,
        keep: float | None = None,
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """GET whose decoded body arrives in pieces; the same errors, also while reading.

        With `keep`, a body that is read to its end is kept for the connection's next runs, where
        the source allows that: it is asked for with its validators, and not at all in the
        `keep` seconds after it came, if the source says that it holds for so long.
        """
        ...

    def pace(self, url: str, seconds: float) -> None:
        """Leave at least `seconds` between requests to this URL's host (robots' Crawl-delay)."""
        ...


class Context(Struct, frozen=True):
    """What a connector is given when it is opened."""

    http: HttpTransport
    clock: Clock
    progress: Callable[[str], None] = field(default=lambda message: None)
    """Tells a person what is going on: `reading sitemap 3 of 12`. Cheap; call it freely."""
    warn: Callable[[str], None] = field(default=lambda message: None)
    """Puts a line into the run's report: a malformed sitemap entry that was skipped."""
    since: datetime | None = None
    """What was updated before this need not be among the changes: the reading window begins there.
    `enumerate` knows of no window."""


@runtime_checkable
class Connector(Protocol):
    """One open source. Reads; never sleeps, retries, or knows of databases and queues.

    Every method may raise a `SourceError`; none has effects at the source.
    """

    async def check(self) -> Identity:
        """Prove that the source is there and the credentials serve, and say who we are."""
        ...

    async def partitions(self) -> Sequence[Partition]:
        """The parts of this connection, in a stable order; at least one."""
        ...

    def changes(self, partition: Partition, cursor: Cursor | None) -> AsyncIterator[Change]:
        """What changed since `cursor`, oldest first; without one, everything.

        A listing source yields every live entry, whatever the cursor says; by one it may know
        that it has been read before, and leave texts to `fetch`. An exception ends the
        partition: everything yielded before it counts, its cursor stays at the last
        checkpoint, and nothing is deleted by absence. It works from the last `Checkpoint`'s
        cursor alone, in another process, after a crash.
        """
        ...

    def enumerate(self, partition: Partition) -> AsyncIterator[Entry | Failed]:
        """Every live entry's id, version and locator, without content."""
        ...

    async def fetch(self, locator: Locator, validators: Validators | None) -> Fetched:
        """Read one entry, from its stored locator alone.

        With validators, `NotModified` if the source says they still hold. `Gone` if the
        source says that this very entry does not exist. Raises `BadContent` for what
        cannot be used, the other `SourceError`s for what the transport could not mend.
        """
        ...


Probes: TypeAlias = Mapping[str, Callable[[], Awaitable[object]]]
"""By the kind of thing that is read, as people call it: a small request that reads one of it."""


@runtime_checkable
class Probing(Protocol):
    """What a connector may offer besides, where one thing may be allowed and another is not."""

    async def probes(self) -> Probes:
        """What tells, for each kind of thing that this connection reads, whether we may.

        Asked after `check`, by people and not by runs. A probe raises the `SourceError` that
        reading would end with; what it answers counts for nothing.
        """
        ...


class ConnectorSpec(Struct, frozen=True):
    """What is known of a kind of source before anything is opened. Importing it is cheap."""

    kind: str
    title: str
    description: str
    options: type[Options]
    capabilities: Capabilities
    open: Callable[[Any, Any, Context], AbstractAsyncContextManager[Connector]]
    """`open(options, secrets, context)`; imports what it needs only then."""
    secrets: type[Secrets] = NoSecrets
    authenticate: Callable[[Any, Any], Authentication | None] | None = None
    """`authenticate(options, secrets)`: what the transport sends along with every request."""
    oauth: Callable[[Any, Any], OAuthGrant | None] | None = None
    """`oauth(options, secrets)`: how the access token of `OAuthSecrets` is renewed. Where it
    answers a grant, the token goes to the origins of `authenticate`, in place of its headers."""
    quota: Quota = ()
    """What the source takes of each credential, or, where there is none, of each connection; its
    options may be `MeteredOptions` to say otherwise."""
    routes: tuple[RouteQuota, ...] = ()
    """Parts of its API that have a quota of their own besides."""
    explain: Explain | None = None
    """Reads the reasons that the source gives for refusing a request."""
    options_version: int = 1
    defaults_from: Mapping[str, str] = field(default_factory=dict)
    """Options whose defaults the installation may set, and the names of its settings."""
    notes: Notes | None = None
    """What a person wants to know of it besides; all of ours have some."""
    upgrade_options: Callable[[int, dict[str, Any]], dict[str, Any]] | None = None
    """Turns stored options of an older version into today's."""
    from_source: Callable[[str], dict[str, Any] | None] | None = None
    """Options for a path or URL typed by a person; None when it is not this kind's."""
    default_name: Callable[[Any], str] | None = None
    """A connection's name when none is given, from its options."""


class EmbedderInfo(Struct, frozen=True):
    """What is known of an embedder before its model is loaded."""

    name: str
    """The full name, with the model's version: part of every embedding's key."""
    dimension: int
    kind: str = ""
    """What the setting calls it."""
    origin: Mapping[str, str] = field(default_factory=dict)
    """What else must be known to load it again: a service's `url`, a model's `folder`, the
    `query` and `passage` prefixes."""


class Embedder(Protocol):
    """Turns texts into vectors, alike for alike texts. Runs in worker processes."""

    @property
    def name(self) -> str:
        """Stable, with the model's version: part of every embedding's key."""
        ...

    @property
    def dimension(self) -> int: ...

    async def embed_query(self, text: str) -> Any:
        """A question's row, to be compared with those of passages; else as `embed`."""
        ...

    async def embed(self, texts: Sequence[str]) -> Any:
        """A float32 array of shape (len(texts), dimension), rows of length 1 (or 0 if empty).

        A small local model computes in place, some milliseconds for a hundred texts. Raises a
        `SourceError` where a service does not answer: then nothing was embedded.
        """
        ...
