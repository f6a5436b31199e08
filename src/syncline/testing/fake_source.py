"""What all fake sources have, APIs and sites: a clock, quotas, credentials, links elsewhere."""

from __future__ import annotations

from datetime import datetime

from syncline.core.quota import Bucket
from syncline.testing.clock import FakeClock
from syncline.testing.fake_server import FakeServer
from syncline.testing.fake_windows import Windows

__all__ = ["FakeSource"]


class FakeSource(FakeServer):
    """Open it with `async with`. `clock` is the source's; a test moves it."""

    def __init__(self, clock: FakeClock | None = None) -> None:
        super().__init__()
        self.clock = clock or FakeClock()
        self.skew = 0.0
        """Seconds by which this source's clock is ahead."""
        self.accepts: set[str] | None = None
        """The values of `Authorization` that are let in; None lets everybody in."""
        self.elsewhere: str | None = None
        """Links in answers name this host in place of our own."""
        self.windows = Windows(lambda: self.clock.now().timestamp())
        """What is left of the quota; without any `limit`, all is let in."""

    def limit(self, bucket: Bucket, path: str = "/") -> None:
        """Let in so many requests only, to what begins with `path`."""
        self.windows.add(bucket, path)

    def now(self) -> datetime:
        """What this source's clock says."""
        return datetime.fromtimestamp(
            self.clock.now().timestamp() + self.skew, self.clock.now().tzinfo
        )

    def link(self, path: str) -> str:
        """An absolute link to a path of this server."""
        return f"{self.elsewhere or self.url}{path}"
