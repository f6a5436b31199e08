"""Options of sources that are asked at an address, and how a person may write one."""

from __future__ import annotations

from typing import Annotated, TypeAlias
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, Field

from syncline.core.ports import MeteredOptions
from syncline.core.urls import normalise_url, origin_of

__all__ = ["ApiAddress", "ApiOptions", "SiteOrigin", "address_at", "origin_only"]


class ApiOptions(MeteredOptions):
    """Options that all of them have."""

    allow_private_hosts: tuple[str, ...] = Field(
        (), description="Hosts that may be asked although they are not on the public internet"
    )


def origin_only(url: str) -> str:
    """`https://host` of an address; HTTPS where it names no scheme."""
    return str(origin_of(normalise_url(url if "://" in url else f"https://{url}")))


def address_at(text: str, *hosts: str, scheme: str = "https") -> SplitResult | None:
    """The parts of an address at one of these hosts; `.example.com` is any beneath it."""
    try:
        parts = urlsplit(text.strip())
        host = parts.hostname or ""
    except ValueError:
        return None
    if parts.scheme != scheme:
        return None
    fits = any(host.endswith(each) if each[0] == "." else host == each for each in hosts)
    return parts if fits else None


SiteOrigin: TypeAlias = Annotated[str, AfterValidator(origin_only)]
"""An address of which only scheme, host and port count."""
ApiAddress: TypeAlias = Annotated[str, AfterValidator(lambda url: normalise_url(url).rstrip("/"))]
"""An address of which the path counts, too."""
