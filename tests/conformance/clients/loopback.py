"""Lets vendors' client libraries, which speak HTTPS to the vendor's host, speak to a fake."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter

__all__ = ["session_to"]


class _ToFake(HTTPAdapter):
    def __init__(self, url: str) -> None:
        super().__init__()
        self._host = urlsplit(url).netloc

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:
        meant = request.url
        parts = urlsplit(meant or "")
        request.url = urlunsplit(("http", self._host, str(parts.path), str(parts.query), ""))
        response = super().send(request, *args, **more)
        request.url = meant  # the library looks at it
        return response


def session_to(url: str) -> requests.Session:
    """A session all of whose requests go to this server."""
    session = requests.Session()
    session.mount("https://", _ToFake(url))
    session.mount("http://", _ToFake(url))
    return session
