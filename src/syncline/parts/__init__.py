"""The parts of the Python API: `kb.connections`, `kb.documents` and so on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from syncline.client import Syncline

__all__ = ["Part"]


class Part:
    """What belongs together of a workspace's methods."""

    def __init__(self, client: Syncline) -> None:
        self._client = client
