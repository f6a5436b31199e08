"""URLs as identities."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.core.urls import normalise_url, origin_of, same_origin, shown_url


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("HTTP://Example.COM:80", "http://example.com/"),
        ("https://example.com:443/a#part", "https://example.com/a"),
        ("https://example.com:8443/", "https://example.com:8443/"),
        ("https://example.com/a/../b/./c/..", "https://example.com/b/"),
        ("https://example.com/%7euser/%e4%2f", "https://example.com/~user/%E4%2F"),
        ("https://example.com/%2e%2e/%2E/a", "https://example.com/a"),
        ("https://example.com/ü b%zz", "https://example.com/%C3%BC%20b%25zz"),
        ("https://example.com/a?q=ü&r=%7e#f", "https://example.com/a?q=%C3%BC&r=~"),
        ("https://example.com?q", "https://example.com/?q"),
        ("https://Bücher.example./", "https://xn--bcher-kva.example/"),
        ("http://[::0001]:80/", "http://[::1]/"),
        (" \thttps://example.com/a\n", "https://example.com/a"),
        ("https://example.com//a//b", "https://example.com//a//b"),
    ],
)
def test_each_address_has_one_spelling(url: str, normal: str) -> None:
    """Different spellings of one address become the same id, and the query is kept."""
    assert normalise_url(url) == normal
    assert normalise_url(normal) == normal


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://example.com/", "not an http or https URL"),
        ("javascript:alert(1)", "not an http or https URL"),
        ("/path", "not an http or https URL"),
        ("https://user:pw@example.com/", "user name or password"),
        ("https:///path", "host name"),
        ("http://a b/", "host name"),
        ("http://a\\b/", "host name"),
        ("http://127.1/", "octets"),
        ("http://2130706433/", "octets"),
        ("http://0x7f.0.0.1/", "0x7f"),
        ("http://example.com:99999/", "Port"),
    ],
)
def test_what_is_no_web_address_is_refused(url: str, reason: str) -> None:
    """Other schemes, credentials and ambiguous hosts raise ValueError with the reason."""
    with pytest.raises(ValueError, match=reason):
        normalise_url(url)


def test_relative_references_are_resolved_against_the_base() -> None:
    """A link is made absolute; its own host wins."""
    base = "https://example.com/a/b?c"
    assert normalise_url("../d", base) == "https://example.com/d"
    assert normalise_url("//other.example/x", base) == "https://other.example/x"
    assert normalise_url("?e", base) == "https://example.com/a/b?e"


@given(st.text(alphabet="aZ09-._~!$&'()*+,;=:@/?%2e\\ ü", max_size=30))
def test_normalising_twice_changes_nothing(tail: str) -> None:
    """The short way for normal spellings agrees with the long one."""
    normal = normalise_url(f"https://example.com/{tail}")
    assert normalise_url(normal) == normal
    assert normalise_url(normal, "http://base.example/") == normal


def test_origins_differ_by_scheme_host_and_port() -> None:
    """Equal origins may share credentials, others may not."""
    assert same_origin("https://a.example/x", "https://A.example:443/y")
    assert not same_origin("https://a.example/", "http://a.example/")
    assert not same_origin("https://a.example/", "https://a.example:444/")
    assert str(origin_of("http://[::1]:8080/x")) == "http://[::1]:8080"


def test_shown_urls_hold_no_secrets() -> None:
    """Messages name the address without user name, password and keys."""
    shown = shown_url("https://user:pw@example.com/a?page=2&access_token=abc&sig=def")
    assert shown == "https://example.com/a?page=2&access_token=…&sig=…"
    assert len(shown_url("https://example.com/" + "a" * 5000)) == 300
    assert shown_url("http://[broken?key=abc") == "(malformed URL)"
