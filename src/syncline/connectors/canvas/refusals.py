"""What Canvas means when it refuses a request."""

from __future__ import annotations

from syncline.connectors.reasons import from_elsewhere, reason_in, told_by
from syncline.core.errors import Forbidden, RateLimited, Rejected, SourceError, Unauthorized
from syncline.core.ports import Refusal

__all__ = ["SwitchedOff", "explain"]

_REST = 10.0
"""Seconds in which a sixth of what Canvas takes at once is free again."""
_HINT = (
    "Make a new access token in Canvas under Account, Settings, Approved integrations, and give it "
    "with `syncline connections edit NAME --secret token=…`."
)


class SwitchedOff(Forbidden):
    """The course does not use this part of Canvas."""


def explain(refusal: Refusal) -> SourceError | None:
    """See `core.ports.Explain`."""
    if (elsewhere := from_elsewhere(refusal, own="instructure.com")) is not None:
        return elsewhere
    told, reason = told_by(refusal), reason_in(refusal.body)
    if refusal.status in (403, 429) and _throttled(refusal):
        after = refusal.error.retry_after if isinstance(refusal.error, RateLimited) else None
        return RateLimited(
            told,
            retry_after=_REST if after is None else after,
            hint="Lower the connection's concurrency if this happens often.",
        )
    if refusal.status in (401, 403) and "insufficient scope" in reason.lower():
        return Forbidden(
            told,
            hint="The token's developer key lacks the scope of this request. Let its administrator "
            "add url:GET scopes for what is to be read, or take it out of the option `read`.",
        )
    match refusal.status:
        case 401 if "www-authenticate" in refusal.headers:
            return Unauthorized(f"{told}; Canvas does not accept the token", hint=_HINT)
        case 401 | 403:
            return Forbidden(
                told,
                hint="The token works, but its user may not read this. Enrol the user in the "
                "course, or use the token of somebody who may.",
            )
        case 404 if "has been disabled" in reason:
            return SwitchedOff(told)
        case 404 if refusal.headers.get("content-type", "").startswith("text/html"):
            return Rejected(
                f"{refusal.error.message}: there is no Canvas at this address",
                hint="Check the address; it is the one that people open in their browser.",
            )
        case 400 | 422:
            return Rejected(told, hint=refusal.error.hint)
    return None


def _throttled(refusal: Refusal) -> bool:
    """A 403 that means 429 has a text of its own, or nothing left and no reason in JSON."""
    if refusal.status == 429 or b"rate limit exceeded" in refusal.body.lower():
        return True
    try:
        spent = float(refusal.headers.get("x-rate-limit-remaining", "")) <= 0
    except ValueError:
        return False
    return spent and not refusal.body.lstrip().startswith(b"{")
