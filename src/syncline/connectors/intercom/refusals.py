"""What Intercom means when it refuses a request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from syncline.connectors.reasons import reason_in
from syncline.core.errors import Forbidden, RateLimited, Rejected, SourceError, Unauthorized
from syncline.core.ports import Refusal

__all__ = ["explain"]

_WHO = (
    "Set the token again: `syncline connections edit NAME --secret token=…`. It serves its own "
    "region only: see the option `region`."
)
_SCOPE = (
    "Give the app the permission in Intercom's Developer Hub, under Authentication, or leave out "
    "what it may not read: see the option `read`."
)
_PLAN = (
    "The workspace's plan does not include this, or its subscription has ended: leave it out of "
    "the option `read`."
)
_LONGEST = 60.0
_NO_SCOPE = frozenset({"token_unauthorized", "forbidden", "action_forbidden", "scope_unauthorized"})


def explain(refusal: Refusal) -> SourceError | None:
    """What Intercom's list of errors says."""
    error = refusal.error
    code = _code(refusal.body)
    if not code:
        if refusal.status != 404:
            return None
        # Only Intercom's own word means that something is not there.
        return Rejected(
            f"{error.message}, and not in Intercom's words",
            hint="Check the option `url`: what answers there is not Intercom's API.",
        )
    said = f"{error.message}: {reason_in(refusal.body)} ({code[:60]})"
    if code == "api_plan_restricted":
        return Forbidden(said, hint=_PLAN)
    if code in _NO_SCOPE or refusal.status == 403:
        return Forbidden(said, hint=_SCOPE)
    if refusal.status == 401:
        return Unauthorized(said, hint=_WHO)
    if code == "intercom_version_invalid":
        return Rejected(said, hint="Intercom no longer speaks this version: upgrade Syncline.")
    if isinstance(error, RateLimited):
        return RateLimited(
            said,
            retry_after=_rest(refusal.headers) if error.retry_after is None else error.retry_after,
            hint="Set the option `requests_per_minute` if other programs use the same app.",
        )
    return type(error)(said, hint=error.hint)


def _code(body: bytes) -> str:
    """The first error's code; empty where the body is no list of errors."""
    try:
        code = json.loads(body)["errors"][0]["code"]
    except (ValueError, TypeError, LookupError, RecursionError):
        return ""
    return code if isinstance(code, str) and code.isprintable() else ""


def _rest(headers: Mapping[str, str]) -> float | None:
    """Seconds until the window of ten seconds ends, by Intercom's own clock."""
    try:
        now = parsedate_to_datetime(headers["date"]).timestamp()
        return min(max(float(headers["x-ratelimit-reset"]) - now, 0.0), _LONGEST)
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
