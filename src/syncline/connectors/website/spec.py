"""What the `website` connector can be told, and what it can do."""

from __future__ import annotations

import re
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from syncline.connectors.api_options import ApiOptions
from syncline.connectors.credentials import HeaderSecret, basic, bearer
from syncline.connectors.opening import opens
from syncline.core.capabilities import Absence, Capabilities, Changes, Versions
from syncline.core.errors import UsageError
from syncline.core.notes import Notes
from syncline.core.ports import (
    Authentication,
    ConnectorSpec,
    Secrets,
)
from syncline.core.urls import Origin, normalise_url, origin_of, shown_url
from syncline.transport.guard import is_private_host

__all__ = ["SPEC", "WebsiteOptions", "WebsiteSecrets", "url_glob"]

_SITEMAP = re.compile(r"\.(xml|txt|rss|atom)(\.gz)?$", re.IGNORECASE)


class WebsiteOptions(ApiOptions):
    """Which pages of a site are read, and how gently."""

    url: str = Field(description="The site's address")
    sitemap: str | None = Field(
        None, description="Its sitemap's address; without one, robots.txt and the usual places"
    )
    include: tuple[str, ...] = Field(
        (), description="Only addresses that match one of these patterns, such as /docs/**"
    )
    exclude: tuple[str, ...] = Field(
        (), description="No addresses that match one of these patterns, such as /blog/"
    )
    user_agent: str | None = Field(
        None, description="How we introduce ourselves; robots.txt is read for its first word"
    )
    max_page_mb: float = Field(10, gt=0, le=64, description="No pages larger than this")
    concurrency: int = Field(8, ge=1, le=64, description="Requests at a time to one host")
    delay: float = Field(0, ge=0, le=60, description="Seconds between requests to one host")

    @field_validator("url", "sitemap")
    @classmethod
    def _address(cls, url: str | None) -> str | None:
        return None if url is None else normalise_url(url)

    @field_validator("include", "exclude")
    @classmethod
    def _patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            url_glob(pattern)
        return patterns

    @field_validator("user_agent")
    @classmethod
    def _one_line(cls, text: str | None) -> str | None:
        if text is not None and not (text.isascii() and text.isprintable() and text.strip()):
            raise ValueError("must be one line of plain ASCII text")
        return text


_HEADER = re.compile(r"([A-Za-z0-9!#$%&'*+.^_`|~-]+):[ \t]*([\x20-\x7e]+)")


class WebsiteSecrets(Secrets):
    """For a site that asks who we are. They go to the site's own address alone."""

    username: SecretStr | None = Field(None, description="User name for HTTP Basic")
    password: SecretStr | None = Field(None, description="Password for HTTP Basic")
    token: HeaderSecret | None = Field(None, description="Token for Authorization: Bearer")
    header: HeaderSecret | None = Field(
        None, description="A header of the site's own, such as X-Api-Key: …, or Cookie: …"
    )

    @field_validator("header")
    @classmethod
    def _a_header(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and _HEADER.fullmatch(value.get_secret_value()) is None:
            raise ValueError("must have the form Name: value")
        return value

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password belong together")
        if self.username is not None and self.token is not None:
            raise ValueError("give either username and password, or a token")
        return self


def _authenticate(options: WebsiteOptions, secrets: WebsiteSecrets) -> Authentication | None:
    headers: dict[str, str] = {}
    if secrets.username is not None and secrets.password is not None:
        headers.update(basic(secrets.username.get_secret_value(), secrets.password))
    if secrets.token is not None:
        headers.update(bearer(secrets.token))
    if secrets.header is not None:
        name, _, value = secrets.header.get_secret_value().partition(":")
        headers[name] = value.strip()
    if not headers:
        return None
    site = origin_of(options.url)
    origins = {site}
    if site.scheme == "http" and site.port == 80:
        origins.add(Origin("https", site.host, 443))
    return Authentication(frozenset(origins), headers)


def url_glob(pattern: str) -> re.Pattern[str]:
    """The addresses a pattern means; a whole one, or from its first `/` a path and query.

    `*` stands for any characters but `/`, `**` for any at all; all else is literal. What
    lies beneath a matched address is matched too. Raises `ValueError` for another form.
    """
    if not pattern.startswith(("/", "http://", "https://", "*")):
        raise ValueError(f"{pattern!r} must begin with /, * or http:// or https://")
    parts = re.split(r"(\*+)", pattern)
    body = "".join(
        (".*" if len(part) > 1 else "[^/]*") if part.startswith("*") else re.escape(part)
        for part in parts
    )
    beneath = ".*" if pattern.endswith("/") else "(?:[/?].*)?"
    start = r"https?://[^/]*" if pattern.startswith("/") else ""
    return re.compile(f"{start}{body}{beneath}", re.DOTALL)


def _from_source(text: str) -> dict[str, Any] | None:
    """Options for a site's, a folder's or a sitemap's address.

    A folder's address (`https://example.com/docs/`) means the pages in that folder. A host
    that is private by its form is allowed: whoever typed it means it.
    """
    if not text.lower().startswith(("http://", "https://")):
        return None
    try:
        url = normalise_url(text)
    except ValueError as error:
        raise UsageError(
            f"{shown_url(text)} is not an address that can be read: {error}",
            hint="Give it as https://host/path, without a user name or password: those are secrets "
            "(--secret username --secret password).",
        ) from error
    origin = origin_of(url)
    path = urlsplit(url).path
    options: dict[str, Any] = {"url": url}
    if _SITEMAP.search(path):
        options = {"url": f"{origin}/", "sitemap": url}
    elif path != "/" and path.endswith("/"):
        options["include"] = [path]
    if is_private_host(origin.host):
        options["allow_private_hosts"] = [origin.host]
    return options


def _default_name(options: WebsiteOptions) -> str:
    return origin_of(options.url).host.removeprefix("www.")


SPEC = ConnectorSpec(
    kind="website",
    title="Website",
    description="The pages that a site lists in its sitemap: a site's or a sitemap's URL",
    options=WebsiteOptions,
    capabilities=Capabilities(
        changes=Changes.LISTING,
        absence=Absence.CONFIRM,
        versions=Versions.HINT,
        canonical_links=True,
    ),
    open=opens("syncline.connectors.website.connector:WebsiteConnector", _authenticate),
    notes=Notes(
        reads="the pages that its sitemaps list and robots.txt allows: web pages, Markdown and "
        "plain text.",
        requests="robots.txt and the sitemaps; then one for each page that is new, whose date has "
        "moved, or that was last read longer ago than `--recheck`.",
        credentials="none for a public site.",
        limits=("pages that need a browser to be shown are not read.",),
    ),
    secrets=WebsiteSecrets,
    authenticate=_authenticate,
    from_source=_from_source,
    default_name=_default_name,
)
