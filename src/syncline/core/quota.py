"""How many requests a source takes, as data: buckets, of which each request needs a token."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

__all__ = ["Bucket", "Quota", "RouteQuota", "with_own"]


class Bucket(Struct, frozen=True):
    """At most so many requests in any so many seconds."""

    tokens: int
    seconds: float

    def __post_init__(self) -> None:
        if self.tokens < 1 or self.seconds <= 0:
            raise ValueError(f"a bucket needs tokens and time: {self}")


Quota: TypeAlias = tuple[Bucket, ...]
"""All of these hold at once: `(Bucket(3, 1), Bucket(10_000, 86_400))`. Empty: no limit known."""


class RouteQuota(Struct, frozen=True):
    """What holds for requests whose path begins with one of these, besides the quota of all."""

    name: str
    """Short, and unique in its connector."""
    paths: tuple[str, ...]
    quota: Quota
    header: str = ""
    """Of answers from there, in lower case: tells what is left of it, as `RateLimit` does."""


def with_own(default: Quota, own: Quota) -> Quota:
    """A quota in which somebody's own buckets stand in for those of the same length of time."""
    lengths = {bucket.seconds for bucket in own}
    kept = (bucket for bucket in default if bucket.seconds not in lengths)
    return tuple(sorted((*kept, *own), key=lambda bucket: bucket.seconds))
