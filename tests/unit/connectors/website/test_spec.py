"""What can be said to the website connector."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from syncline.connectors.website.spec import SPEC, WebsiteOptions, url_glob
from syncline.core.errors import UsageError


@pytest.mark.parametrize(
    ("typed", "options"),
    [
        ("https://Example.com", {"url": "https://example.com/"}),
        ("HTTPS://example.com/start.html#top", {"url": "https://example.com/start.html"}),
        (
            "https://example.com/docs/",
            {"url": "https://example.com/docs/", "include": ["/docs/"]},
        ),
        (
            "https://example.com/x/sitemap.xml.gz",
            {"url": "https://example.com/", "sitemap": "https://example.com/x/sitemap.xml.gz"},
        ),
        (
            "http://127.0.0.1:8000/pages.txt",
            {
                "url": "http://127.0.0.1:8000/",
                "sitemap": "http://127.0.0.1:8000/pages.txt",
                "allow_private_hosts": ["127.0.0.1"],
            },
        ),
        ("http://wiki/", {"url": "http://wiki/", "allow_private_hosts": ["wiki"]}),
        ("/a/folder", None),
        ("ftp://example.com/", None),
    ],
)
def test_an_address_gives_the_options(typed: str, options: dict[str, Any] | None) -> None:
    """A site, a folder of it, or a sitemap; a private host that is typed is meant."""
    assert SPEC.from_source is not None
    assert SPEC.from_source(typed) == options
    if options is not None:
        WebsiteOptions.model_validate(options)


def test_an_address_that_cannot_be_read_is_explained() -> None:
    """A password in it is not shown back."""
    assert SPEC.from_source is not None
    with pytest.raises(UsageError, match="user name or password") as caught:
        SPEC.from_source("https://me:secret@example.com/")
    assert "secret" not in caught.value.message
    assert "https://host/path" in (caught.value.hint or "")


def test_a_connection_is_named_after_its_host() -> None:
    """Without the www."""
    assert SPEC.default_name is not None
    options = WebsiteOptions.model_validate({"url": "https://www.example.com/"})
    assert SPEC.default_name(options) == "example.com"


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/docs", "/docs", True),
        ("/docs", "/docs/a/b?c", True),
        ("/docs", "/docsearch", False),
        ("/docs/", "/docs/a", True),
        ("/docs/", "/docs", False),
        ("/*/a", "/x/a", True),
        ("/*/a", "/x/y/a", False),
        ("/**/a", "/x/y/a", True),
        ("**.html", "/x/y.html", True),
        ("/x?id=1", "/x?id=1", True),
        ("/x?id=1", "/xyid=1", False),
        ("https://example.com/a", "/a", True),
        ("https://other.com/a", "/a", False),
    ],
)
def test_patterns_mean_addresses(pattern: str, path: str, matches: bool) -> None:
    """From the first slash or as a whole; what lies beneath is meant too."""
    assert bool(url_glob(pattern).fullmatch(f"https://example.com{path}")) is matches


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "example.com"}, "not an http or https URL"),
        ({"url": "https://example.com", "include": ["docs"]}, "must begin with /"),
        ({"url": "https://example.com", "user_agent": "a\r\nb"}, "one line"),
        ({"url": "https://example.com", "max_page_mb": 0}, "greater than 0"),
    ],
)
def test_wrong_options_are_explained(options: dict[str, Any], message: str) -> None:
    """Each error says what is expected."""
    with pytest.raises(ValidationError, match=message):
        WebsiteOptions.model_validate(options)
