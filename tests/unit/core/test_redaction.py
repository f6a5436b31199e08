"""Secrets do not get into what is told."""

from __future__ import annotations

import pytest

from syncline.core.errors import SynclineError
from syncline.core.redaction import redact, redact_values, remember_secret

CANARY = "k4n4ry-7f3e"


@pytest.mark.parametrize(
    "text",
    [
        f"https://user:{CANARY}@docs.example.com/page",
        f"cannot reach postgresql://syncline:{CANARY}@db/knowledge?x=1",
        f"GET https://x.example/a?page=2&access_token={CANARY}&b=1 failed",
        f"https://x.example/?sig={CANARY}",
        f"https://x.example/?verifier={CANARY}",
        f"host=db password={CANARY} user=me",
        f"Authorization: Bearer {CANARY}",
        f"{{'Authorization': 'Basic {CANARY}'}}",
        f"Set-Cookie: session={CANARY}; Path=/",
        f"api_key={CANARY}, client_secret={CANARY}",
    ],
)
def test_secrets_are_known_by_where_they_stand(text: str) -> None:
    """In a URL, a header, a connection string; an error is redacted when it is made."""
    assert CANARY not in redact(text)
    assert "…" in redact(text)
    assert CANARY not in str(SynclineError(text))


@pytest.mark.parametrize(
    "text",
    [
        "https://docs.example.com/@someone/page?author=me&tag=a",
        "It is 12:30; mail me@example.com: page.md was not there",
        "monkey=banana",
        "docs: 26 listed (1.6 s)",
        "The host asks to come back later: retry_after=3",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    """Addresses of people, times, other fields."""
    assert redact(text) == text


def test_a_secret_that_is_known_goes_wherever_it_stands() -> None:
    """Also in the middle of a word, and in lists; what is too short to be one is not looked for."""
    remember_secret("hunter22-x")
    remember_secret("no")
    told = {"a": ["xhunter22-xy", {"b": "no"}], "password": "anything", "n": 3, "x": None}
    assert redact_values(told) == {
        "a": ["x…y", {"b": "no"}],
        "password": "…",
        "n": 3,
        "x": None,
    }
