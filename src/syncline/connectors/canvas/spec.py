"""What the Canvas connector can be told, and what it can do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from syncline.connectors.api_options import ApiOptions, SiteOrigin
from syncline.connectors.canvas.notes import NOTES
from syncline.connectors.credentials import HeaderSecret, bearer, bound_to
from syncline.connectors.reasons import reason_in, told_by
from syncline.core.capabilities import Absence, Capabilities, Changes, Versions
from syncline.core.errors import Forbidden, RateLimited, Rejected, SourceError, Unauthorized
from syncline.core.ports import (
    Authentication,
    Connector,
    ConnectorSpec,
    Context,
    OAuthGrant,
    OAuthSecrets,
    Refusal,
)
from syncline.core.quota import Bucket
from syncline.core.urls import origin_of

__all__ = ["SPEC", "CanvasOptions", "CanvasSecrets", "SwitchedOff"]

_COURSE = re.compile(r"/courses/(\d+(?:~\d+)?)(?:/|$)")
_REST = 10.0
"""Seconds in which a sixth of what Canvas takes at once is free again."""
_HINT = (
    "Make a new access token in Canvas under Account, Settings, Approved integrations, and give it "
    "with `syncline connections edit NAME --secret token=…`."
)

Holding = Literal[
    "announcements", "assignments", "syllabus", "discussions", "pages", "modules", "files"
]
_HOLDINGS: tuple[Holding, ...] = Holding.__args__  # type: ignore[attr-defined]


class CanvasOptions(ApiOptions):
    """Which courses are read, and what of them."""

    url: SiteOrigin = Field(
        description="The address of Canvas, such as https://school.instructure.com"
    )
    courses: tuple[str, ...] = Field(
        (), description="Only these courses, by their ids; without any, all active ones"
    )
    account: str | None = Field(
        None,
        description="All active courses of this account (its id, or self), for an administrator; "
        "without it, those in which the token's user takes part",
    )
    read: tuple[Holding, ...] = Field(_HOLDINGS, description="What of a course is read")
    max_file_mb: float = Field(10, gt=0, le=64, description="No files larger than this")
    concurrency: int = Field(
        2, ge=1, le=16, description="Requests at a time; Canvas lets few of them at once"
    )


class CanvasSecrets(OAuthSecrets):
    """Of somebody who takes part in the courses, or administers them."""

    token: HeaderSecret | None = Field(None, description="An access token, as a user makes it")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.token is None) == (self.client_id is None):
            raise ValueError("give either token, or client_id, client_secret and refresh_token")
        return self


class SwitchedOff(Forbidden):
    """The course does not use this part of Canvas."""


def _authenticate(options: CanvasOptions, secrets: CanvasSecrets) -> Authentication | None:
    return bound_to(options.url, bearer(secrets.token or secrets.access_token or SecretStr("none")))


def _oauth(options: CanvasOptions, secrets: CanvasSecrets) -> OAuthGrant | None:
    """https://developerdocs.instructure.com/services/canvas/oauth2"""
    return secrets.grant(f"{options.url}/login/oauth2/token")


def _explain(refusal: Refusal) -> SourceError | None:
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


@asynccontextmanager
async def _open(
    options: CanvasOptions, secrets: CanvasSecrets, context: Context
) -> AsyncIterator[Connector]:
    from syncline.connectors.canvas.connector import CanvasConnector

    yield CanvasConnector(options, context)


def _from_source(text: str) -> dict[str, Any] | None:
    """Options for an address of `*.instructure.com`, of all courses or of one."""
    try:
        parts = urlsplit(text.strip())
        host = parts.hostname or ""
    except ValueError:
        return None
    if parts.scheme.lower() != "https" or not host.endswith(".instructure.com"):
        return None
    course = _COURSE.match(parts.path)
    return {"url": f"https://{host}"} | ({"courses": [course[1]]} if course else {})


def _name(options: CanvasOptions) -> str:
    host = origin_of(options.url).host.removesuffix(".instructure.com")
    return "-".join((host, *options.courses)) if len(options.courses) == 1 else host


SPEC = ConnectorSpec(
    kind="canvas",
    title="Canvas LMS",
    description="Courses with what is in them: https://NAME.instructure.com, or a course's address",
    options=CanvasOptions,
    secrets=CanvasSecrets,
    authenticate=_authenticate,
    oauth=_oauth,
    capabilities=Capabilities(
        changes=Changes.LISTING,
        absence=Absence.CONFIRM,
        versions=Versions.EXACT,
        access_lists=True,
        reads_since=True,
    ),
    open=_open,
    quota=(Bucket(10, 1),),
    explain=_explain,
    notes=NOTES,
    from_source=_from_source,
    default_name=_name,
)
