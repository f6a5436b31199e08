"""What the Canvas connector can be told, and what it can do."""

from __future__ import annotations

import re
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, model_validator

from syncline.connectors.api_options import ApiOptions, SiteOrigin, address_at
from syncline.connectors.canvas.notes import NOTES
from syncline.connectors.canvas.refusals import explain
from syncline.connectors.credentials import HeaderSecret, bearer, bound_to
from syncline.connectors.opening import opens
from syncline.core.capabilities import Absence, Capabilities, Changes, Versions
from syncline.core.ports import Authentication, ConnectorSpec, OAuthGrant, OAuthSecrets
from syncline.core.quota import Bucket
from syncline.core.urls import origin_of

__all__ = ["SPEC", "CanvasOptions", "CanvasSecrets", "Holding"]

_COURSE = re.compile(r"/courses/(\d+(?:~\d+)?)(?:/|$)")

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


def _authenticate(options: CanvasOptions, secrets: CanvasSecrets) -> Authentication | None:
    return bound_to(options.url, bearer(secrets.token or secrets.access_token or SecretStr("none")))


def _oauth(options: CanvasOptions, secrets: CanvasSecrets) -> OAuthGrant | None:
    """https://developerdocs.instructure.com/services/canvas/oauth2"""
    return secrets.grant(f"{options.url}/login/oauth2/token")


def _from_source(text: str) -> dict[str, Any] | None:
    """Options for an address of `*.instructure.com`, of all courses or of one."""
    parts = address_at(text, ".instructure.com")
    if parts is None:
        return None
    course = _COURSE.match(parts.path)
    return {"url": f"https://{parts.hostname}"} | ({"courses": [course[1]]} if course else {})


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
    open=opens("syncline.connectors.canvas.connector:CanvasConnector"),
    quota=(Bucket(10, 1),),
    explain=explain,
    notes=NOTES,
    from_source=_from_source,
    default_name=_name,
)
