"""What the `confluence` connector can be told, and what it can do."""

from __future__ import annotations

import re
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import Field, field_validator

from syncline.connectors.api_options import ApiOptions
from syncline.connectors.confluence.notes import NOTES
from syncline.connectors.confluence.refusals import explain
from syncline.connectors.credentials import HeaderSecret, basic, bearer, bound_to
from syncline.connectors.opening import opens
from syncline.core.capabilities import Absence, Capabilities, Changes, Versions
from syncline.core.ports import Authentication, ConnectorSpec, Secrets
from syncline.core.urls import normalise_url, origin_of
from syncline.transport.guard import is_private_host

__all__ = ["SPEC", "ConfluenceOptions", "ConfluenceSecrets", "Kind"]

Kind = Literal["page", "blogpost", "comment", "attachment"]
_SPACE = re.compile(
    r"(?P<context>/.*?)?/(?:display/|spaces/viewspace\.action\?key=|spaces/(?!view)(?=[^/]*[A-Z~]))"
    r"(?P<key>~?[\w.@+-]+)(?:[/?#].*)?"
)
_PAGE = re.compile(r"(?P<context>/.*?)?/(?:pages/viewpage|dashboard|index)\.action(?:[?#].*)?")


class ConfluenceOptions(ApiOptions):
    """Which spaces are read, and as whom."""

    url: str = Field(description="Confluence's base address, such as https://wiki.example.com")
    spaces: tuple[str, ...] = Field(
        (),
        description="Only the spaces with these keys, also personal and archived ones; without "
        "any, all current ones that can be seen but personal ones",
    )
    include: tuple[Kind, ...] = Field(
        ("page", "blogpost", "comment", "attachment"), description="What is read of each space"
    )
    username: str | None = Field(
        None, description="Whose password or token the secret is; without, it is a personal "
        "access token",
    )  # fmt: skip
    viewers: tuple[str, ...] = Field(
        (),
        description="Who may see unrestricted pages of spaces whose permissions cannot be read, "
        "such as confluence:group:confluence-users; without any, confluence:space:KEY, and without "
        "credentials everyone",
    )
    max_attachment_mb: float = Field(10, gt=0, le=64, description="No attachments larger than this")
    concurrency: int = Field(4, ge=1, le=32, description="Requests at a time")

    @field_validator("url")
    @classmethod
    def _address(cls, url: str) -> str:
        url = normalise_url(url if "://" in url else f"https://{url}").partition("?")[0].rstrip("/")
        if (host := origin_of(url).host) == "atlassian.net" or host.endswith(".atlassian.net"):
            raise ValueError("is a Confluence Cloud; only Confluence Data Center can be read")
        return url

    @field_validator("spaces")
    @classmethod
    def _keys(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        for key in keys:
            if not re.fullmatch(r"~?[\w.@+-]{1,255}", key):
                raise ValueError(f"{key!r} is no space's key: letters and digits, such as DOCS")
        return keys


class ConfluenceSecrets(Secrets):
    """Of the account that reads; spaces open to anonymous readers need none."""

    token: HeaderSecret | None = Field(
        None, description="A personal access token, or the password of the option username"
    )


def _authenticate(options: ConfluenceOptions, secrets: ConfluenceSecrets) -> Authentication | None:
    if secrets.token is None:
        return None
    named, token = options.username, secrets.token
    return bound_to(options.url, bearer(token) if named is None else basic(named, token))


def _from_source(text: str) -> dict[str, Any] | None:
    """Options for the address of a space, or of a page, as a browser shows it."""
    if not text.lower().startswith(("http://", "https://")):
        return None
    try:
        parts = urlsplit(text)
        origin = origin_of(normalise_url(text))
    except ValueError:
        return None
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    space, page = _SPACE.fullmatch(unquote(path)), _PAGE.fullmatch(path)
    found = space or page
    if found is None or origin.host.endswith(".atlassian.net"):
        return None
    options: dict[str, Any] = {"url": f"{origin}{found['context'] or ''}"}
    if space is not None:
        options["spaces"] = [space["key"]]
    if is_private_host(origin.host):
        options["allow_private_hosts"] = [origin.host]
    return options


def _default_name(options: ConfluenceOptions) -> str:
    host = origin_of(options.url).host
    return f"{host} {options.spaces[0]}" if len(options.spaces) == 1 else host


SPEC = ConnectorSpec(
    kind="confluence",
    title="Confluence Data Center",
    description="The spaces of a Confluence: https://wiki.example.com/display/KEY",
    options=ConfluenceOptions,
    capabilities=Capabilities(
        changes=Changes.FEED,
        absence=Absence.CONFIRM,
        versions=Versions.EXACT,
        access_lists=True,
        reads_since=True,
    ),
    open=opens("syncline.connectors.confluence.connector:ConfluenceConnector", _authenticate),
    secrets=ConfluenceSecrets,
    authenticate=_authenticate,
    explain=explain,
    notes=NOTES,
    from_source=_from_source,
    default_name=_default_name,
)
