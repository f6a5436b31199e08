"""What an HTTP status, or an exception of the HTTP library, means: one error of our tree."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus

import aiohttp

from syncline.core.errors import (
    Forbidden,
    NotFound,
    RateLimited,
    Rejected,
    SourceError,
    Transient,
    Unauthorized,
)
from syncline.transport.retry import retry_after_seconds

__all__ = ["error_of_exception", "error_of_status"]

_TRANSIENT_4XX = frozenset({408, 425})


def error_of_status(
    status: int,
    name: str,
    headers: Mapping[str, str],
    now: datetime,
    *,
    rest: float | None = None,
) -> SourceError:
    """The error for a status that is neither 2xx, a redirect, nor 304. `name` is the shown URL.

    A 429 that names no time asks for this `rest`, in seconds.
    """
    said = f"{name} answered {status}{_phrase(status)}"
    retry_after = retry_after_seconds(headers.get("retry-after"), now)
    if status == 429 and retry_after is None:
        retry_after = rest
    # A 503 that names a time asks the same as a 429.
    if status == 429 or (status == 503 and retry_after is not None):
        when = "" if retry_after is None else f", to come back in {retry_after:.0f} s"
        return RateLimited(
            f"{said}{when}",
            retry_after=retry_after,
            hint="Lower the connection's concurrency or set a delay if this happens often.",
        )
    if status in (404, 410):
        return NotFound(said, hint="Check the address.")
    if status == 401:
        return Unauthorized(
            said,
            hint="It asks for credentials: `syncline connections edit NAME --secret …` sets them.",
        )
    if status == 403:
        return Forbidden(
            said, hint="The account may not read it, or the site turns automated readers away."
        )
    if status in _TRANSIENT_4XX or status >= 500:
        return Transient(said, hint="The source has trouble; the next run tries again.")
    return Rejected(said, hint="The source refuses this request as such: check the address.")


def error_of_exception(error: BaseException, name: str, seconds: float) -> SourceError:
    """The error for an exception raised while connecting to, or reading from, `name`."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return Rejected(
            f"{name}: the certificate is not trusted ({_certificate_trouble(error)})",
            hint="Renew it at the server, or install its authority's certificate on this "
            "machine (SSL_CERT_FILE names a file of authorities).",
        )
    if isinstance(error, (aiohttp.ClientSSLError, ssl.SSLError)):
        return Rejected(
            f"{name}: no TLS connection can be made ({error})",
            hint="Check that the server speaks TLS on this port, and the address's http or https.",
        )
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Transient(
            f"{name}: the host name cannot be resolved",
            hint="Check the spelling of the host, and this machine's DNS.",
        )
    if isinstance(error, aiohttp.ClientConnectorError):
        reason = error.os_error.strerror or str(error.os_error)
        return Transient(
            f"{name}: no connection ({reason})",
            hint="Check that the server runs and that a firewall lets this machine through.",
        )
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return Transient(
            f"{name}: no connection within {seconds:g} s",
            hint="Check that the server runs and that a firewall lets this machine through.",
        )
    if isinstance(error, asyncio.TimeoutError):
        return Transient(
            f"{name}: no complete answer in time",
            hint="The source is slow or overloaded; the next run tries again.",
        )
    if isinstance(error, aiohttp.InvalidURL):
        return Rejected(f"{name} cannot be requested: malformed URL", hint="Check the address.")
    if isinstance(error, aiohttp.ClientResponseError):
        return Transient(
            f"{name}: what answered does not speak HTTP ({error.message})",
            hint="Check the address's port, and whether it should be http or https.",
        )
    return Transient(
        f"{name}: the connection was cut before the answer was complete",
        hint="The next run tries again.",
    )


def _certificate_trouble(error: aiohttp.ClientConnectorCertificateError) -> str:
    cause = error.certificate_error
    return getattr(cause, "verify_message", "") or str(cause)


def _phrase(status: int) -> str:
    try:
        return f" ({HTTPStatus(status).phrase})"
    except ValueError:
        return ""
