"""What Confluence's refusals mean, and those of what stands before it."""

from __future__ import annotations

import json

from syncline.connectors.reasons import from_elsewhere, told_by
from syncline.core.errors import (
    Forbidden,
    NotFound,
    Rejected,
    SourceError,
    Transient,
    Unauthorized,
)
from syncline.core.ports import Refusal

__all__ = ["NotPermitted", "Overloaded", "explain"]

_HINT = (
    "Make a personal access token in Confluence under your profile, Settings, Personal Access "
    "Tokens, and give it with --secret token; or give --option username and the password as token."
)


class Overloaded(Transient):
    """The server failed over this request (5xx): a smaller one may do."""


class NotPermitted(Forbidden):
    """Confluence itself says so, and not a proxy before it."""


def explain(refusal: Refusal) -> SourceError | None:
    """See `core.ports.Explain`."""
    if (elsewhere := from_elsewhere(refusal)) is not None:
        return elsewhere
    error, told = refusal.error, told_by(refusal)
    own = _is_own(refusal)
    login = refusal.headers.get("x-seraph-loginreason", "")
    if "AUTHENTICATION_DENIED" in login:
        return Unauthorized(
            f"{told}; Confluence wants a CAPTCHA after failed log-ins",
            hint="Log in as this user in a browser once, then try again; or use a token.",
        )
    match refusal.status:
        case 401:
            return Unauthorized(f"{told}; Confluence does not accept the credentials", hint=_HINT)
        case 403 if own:
            return NotPermitted(
                told, hint="The account must have the global permission to use Confluence, and be "
                "allowed to view the space.",
            )  # fmt: skip
        case 403:
            return Forbidden(told, hint=f"A proxy may stand before Confluence. {_HINT}")
        case 404 if own:
            return NotFound(told, hint="It is gone, or this account may not view it.")
        case 404 | 405 | 410:
            return Rejected(
                f"{told}; that is not Confluence's own answer",
                hint="Check the address: it ends before /display, /spaces or /pages, and has the "
                "context path, if there is one: https://example.com/confluence.",
            )
        case status if status >= 500 and status != 503:
            return Overloaded(told, hint=error.hint)
        case 400 | 413 | 422:
            return Rejected(told, hint=error.hint)
    return None


def _is_own(refusal: Refusal) -> bool:
    """Whether Confluence itself refuses, and not what stands before it."""
    try:
        data = json.loads(refusal.body)
    except (ValueError, RecursionError):
        return False
    return isinstance(data, dict) and data.get("statusCode") == refusal.status
