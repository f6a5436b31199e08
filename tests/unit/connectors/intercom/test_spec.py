"""What a person gives: an address, options, a token."""

from __future__ import annotations

from typing import Any

import pytest

from syncline.connectors.intercom.spec import SPEC, IntercomOptions, Kind
from syncline.connectors.options import parse_options
from syncline.connectors.registry import Registry
from syncline.connectors.secrets import parse_secrets
from syncline.core.errors import ConfigurationError


@pytest.mark.parametrize(
    ("source", "base", "name"),
    [
        ("intercom://us", "https://api.intercom.io", "intercom"),
        ("intercom://EU", "https://api.eu.intercom.io", "intercom-eu"),
        ("https://api.au.intercom.io", "https://api.au.intercom.io", "intercom-au"),
        ("https://app.eu.intercom.com/a/inbox/x", "https://api.eu.intercom.io", "intercom-eu"),
    ],
)
def test_a_region_is_known_by_its_addresses(source: str, base: str, name: str) -> None:
    """Of the API, of the inbox, or by its name."""
    spec, given = Registry().for_source(source)
    assert spec is SPEC
    options = parse_options(spec, given)
    assert isinstance(options, IntercomOptions)
    assert options.base == base
    assert SPEC.default_name is not None
    assert SPEC.default_name(options) == name
    proof = SPEC.authenticate and SPEC.authenticate(options, parse_secrets(SPEC, {"token": "abc"}))
    assert proof is not None
    assert [str(origin) for origin in proof.origins] == [base]
    assert proof.headers == {"Authorization": "Bearer abc"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"region": "mars"}, "region = 'mars'"),
        ({"read": "articles, news"}, "read.1 = 'news'"),
        ({"read": ()}, "read"),
        ({"url": "ftp://proxy"}, "url"),
        ({"page_size": 500}, "page_size = 500"),
    ],
)
def test_options_that_mean_nothing_are_refused(given: dict[str, Any], said: str) -> None:
    """The option and its value are named."""
    with pytest.raises(ConfigurationError, match=said.replace(".", r"\.")):
        parse_options(SPEC, given)


@pytest.mark.parametrize("token", [None, "", "two\nlines", "ünïcode"])
def test_a_token_that_cannot_be_sent_is_refused(token: str | None) -> None:
    """And not shown."""
    with pytest.raises(ConfigurationError) as caught:
        parse_secrets(SPEC, {} if token is None else {"token": token})
    assert "token" in caught.value.message
    assert not token or token not in caught.value.message


async def test_partitions_are_what_is_read() -> None:
    """In an order of their own, once each."""
    options = parse_options(SPEC, {"read": "conversations, articles, conversations"})
    assert isinstance(options, IntercomOptions)
    assert options.read == (Kind.ARTICLES, Kind.CONVERSATIONS)
