"""Options of sources that are asked at an address, and how a person may write one."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field

from syncline.core.ports import MeteredOptions
from syncline.core.urls import normalise_url, origin_of

__all__ = ["ApiOptions", "SiteOrigin", "origin_only"]


class ApiOptions(MeteredOptions):
    """Options that all of them have."""

    allow_private_hosts: tuple[str, ...] = Field(
        (), description="Hosts that may be asked although they are not on the public internet"
    )


def origin_only(url: str) -> str:
    """`https://host` of an address; HTTPS where it names no scheme."""
    return str(origin_of(normalise_url(url if "://" in url else f"https://{url}")))


SiteOrigin: TypeAlias = Annotated[str, AfterValidator(origin_only)]
"""An address of which only scheme, host and port count."""
