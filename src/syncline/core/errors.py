"""Every error Syncline raises, as one tree.

::

    SynclineError                 has a `hint`: what the user can do next
    ├── UsageError                the request itself is wrong (exit code 2)
    │   └── ConfigurationError    a setting, option or filter does not validate
    ├── SourceError               what a connector or its transport reports
    │   ├── RateLimited           come back later (`retry_after` seconds)
    │   │   └── HostHeld          so of the whole host: there is no use in asking for more
    │   ├── BreakerOpen           the host fails, and is not asked for a while (`retry_after`)
    │   ├── Unauthorized          credentials are missing or refused
    │   ├── Forbidden             known to the source, but not ours to read
    │   ├── NotFound              the source says this very thing does not exist
    │   ├── Transient             time-outs, cut connections, 5xx: may work later
    │   ├── Rejected              the source refuses the request as such; retrying is no use
    │   ├── BlockedAddress        our own URL guard refused to go there
    │   └── BadContent            what came cannot be used (too large, undecodable, …)
    ├── StoreError                the database
    │   ├── DatabaseUnavailable   it does not run, or cannot be reached or started
    │   │   └── DatabaseLost      a session with it ended in its middle
    │   ├── SchemaMismatch        the database belongs to another version of Syncline
    │   ├── DatabaseInUse         others work with it, and what was asked for needs it alone
    │   ├── BadBackup             a backup is damaged, cut off, or not one that we can read
    │   └── Conflict              a row changed between reading and writing; read again
    ├── RunError                  a run as a whole
    │   ├── RunInProgress         another run holds this connection's lane
    │   └── Fenced                our run has been taken over; nothing more may be written
    └── NotHere                   an id or name that does not exist in this workspace
"""

from __future__ import annotations

from syncline.core.redaction import redact

__all__ = [
    "BadBackup",
    "BadContent",
    "BlockedAddress",
    "BreakerOpen",
    "ConfigurationError",
    "Conflict",
    "DatabaseInUse",
    "DatabaseLost",
    "DatabaseUnavailable",
    "Fenced",
    "Forbidden",
    "HostHeld",
    "NotFound",
    "NotHere",
    "RateLimited",
    "Rejected",
    "RunError",
    "RunInProgress",
    "SchemaMismatch",
    "SourceError",
    "StoreError",
    "SynclineError",
    "Transient",
    "Unauthorized",
    "UsageError",
    "source_error",
]


class SynclineError(Exception):
    """A failure that is told to the user.

    The message says what happened, with names and without secrets; `hint` says what to do next.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        message = redact(message)
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class UsageError(SynclineError):
    """The request itself is wrong: a bad argument, a path that does not exist."""


class ConfigurationError(UsageError):
    """A setting, option, filter or secret does not validate."""


class SourceError(SynclineError):
    """What a connector or its transport reports about a source.

    Connectors classify by raising a subclass; the transport and the run decide
    whether to try again. `code` is short, stable and safe to show and to count.
    """

    code = "source_error"
    transient = False


class RateLimited(SourceError):
    """The source asks us to come back later."""

    code = "rate_limited"
    transient = True

    def __init__(
        self, message: str, *, retry_after: float | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class HostHeld(RateLimited):
    """The source, or its quota, wants no request for `retry_after` seconds, whatever is asked."""


class BreakerOpen(SourceError):
    """The host has failed too often in a row, and is left alone for `retry_after` seconds."""

    code = "breaker_open"
    transient = True

    def __init__(
        self, message: str, *, retry_after: float | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class Unauthorized(SourceError):
    """Credentials are missing, wrong or expired."""

    code = "unauthorized"


class Forbidden(SourceError):
    """The source knows it but does not let us read it."""

    code = "forbidden"


class NotFound(SourceError):
    """The source says that this very thing does not exist (404, 410, no such file)."""

    code = "not_found"


class Transient(SourceError):
    """A time-out, a cut connection, a 5xx: the same request may work later."""

    code = "transient"
    transient = True


class Rejected(SourceError):
    """The source refuses the request as such (400, 405, 422); trying again is no use."""

    code = "rejected"


class BlockedAddress(SourceError):
    """Our own URL guard refused to go there."""

    code = "blocked_address"


class BadContent(SourceError):
    """What came cannot be used: too large, cut off, undecodable, malformed."""

    code = "bad_content"


class StoreError(SynclineError):
    """The database failed or cannot serve."""


class DatabaseUnavailable(StoreError):
    """The database does not run, or cannot be reached or started."""


class DatabaseLost(DatabaseUnavailable):
    """A session with the database ended in its middle: the server went away, or ended it."""


class SchemaMismatch(StoreError):
    """The database belongs to another version of Syncline."""


class DatabaseInUse(StoreError):
    """Others work with the database, and what was asked for needs it alone."""


class BadBackup(StoreError):
    """A backup is damaged, cut off, or not one that this Syncline can read."""


class Conflict(StoreError):
    """A row changed between reading and writing it; read it again."""


class RunError(SynclineError):
    """A run as a whole failed."""


class RunInProgress(RunError):
    """Another run holds this connection's lane."""


class Fenced(RunError):
    """This run has been taken over by another; it must not write any more."""


class NotHere(UsageError):
    """An id or a name that does not exist in this workspace."""


_BY_CODE: dict[str, type[SourceError]] = {
    cls.code: cls
    for cls in (
        SourceError,
        RateLimited,
        BreakerOpen,
        Unauthorized,
        Forbidden,
        NotFound,
        Transient,
        Rejected,
        BlockedAddress,
        BadContent,
    )
}


def source_error(code: str, message: str) -> SourceError:
    """The source error with this `code`, as it crosses a process boundary or comes from a row."""
    return _BY_CODE.get(code, SourceError)(message)
