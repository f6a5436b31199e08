"""Which addresses mean Zendesk, and what its refusals mean."""

from __future__ import annotations

from typing import Any

import pytest

from syncline.connectors.options import parse_options
from syncline.connectors.registry import Registry
from syncline.connectors.zendesk.account import account_name, explain
from syncline.connectors.zendesk.spec import SPEC
from syncline.core.errors import Forbidden, Rejected, SourceError, Unauthorized, UsageError
from syncline.core.ports import Refusal
from syncline.testing.clock import FakeClock
from syncline.testing.fakes.zendesk import FakeZendesk
from syncline.testing.fakes.zendesk_tickets import FakeZendeskTickets
from syncline.transport.classify import error_of_status
from tests.unit.connectors.zendesk.conftest import Connect


@pytest.mark.parametrize(
    ("address", "kind", "url", "name"),
    [
        ("https://acme.zendesk.com", "zendesk", "https://acme.zendesk.com", "acme"),
        (
            "https://acme.zendesk.com/hc/de",
            "zendesk",
            "https://acme.zendesk.com",
            "acme",
        ),
        ("https://brand-b.zendesk.com/hc", "zendesk", "https://brand-b.zendesk.com", "brand-b"),
        ("https://acme.zendesk.com/agents", "zendesk", "https://acme.zendesk.com", "acme"),
        ("https://acme.zendesk.com/agent", "zendesk-tickets", "https://acme.zendesk.com", "acme"),
        (
            "https://acme.zendesk.com/agent/tickets/1",
            "zendesk-tickets",
            "https://acme.zendesk.com",
            "acme",
        ),
    ],
)
def test_an_address_of_an_account_or_of_a_brand_is_known(
    address: str, kind: str, url: str, name: str
) -> None:
    """The agents' workspace means tickets, anything else the help center of that subdomain."""
    spec, given = Registry().for_source(address)
    options = parse_options(spec, given)
    assert (spec.kind, given, account_name(options)) == (kind, {"url": url}, name)


@pytest.mark.parametrize(
    "address",
    [
        "https://zendesk.com.example.org/hc",
        "https://notzendesk.com",
        "https://help.acme.com/hc/en-us",
        "http://acme.zendesk.com/hc",
    ],
)
def test_other_addresses_are_not_taken_for_zendesks(address: str) -> None:
    """A brand's own domain neither: it has to be said of it."""
    try:
        spec, _ = Registry().for_source(address)
    except UsageError:
        return
    assert not spec.kind.startswith("zendesk")


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("help.acme.com", "https://help.acme.com"),
        ("https://help.acme.com/hc/de?x=1", "https://help.acme.com"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
    ],
)
def test_a_brands_own_domain_is_an_option(url: str, origin: str) -> None:
    """Credentials are bound to it alone."""
    options = parse_options(SPEC, {"url": url})
    secrets = SPEC.secrets.model_validate({"email": "ann@example.com", "api_token": "abcdef"})
    assert SPEC.authenticate is not None
    proof = SPEC.authenticate(options, secrets)
    assert proof is not None
    assert [str(each) for each in proof.origins] == [origin]


def _meaning(status: int, body: bytes, content_type: str) -> SourceError:
    url = "https://acme.zendesk.com/api/v2/help_center/locales"
    error = error_of_status(status, url, {}, FakeClock().now())
    refusal = Refusal(status, {"content-type": content_type}, body, error, url, url)
    return explain(refusal) or error


@pytest.mark.parametrize(
    ("status", "body", "content_type", "kind", "said"),
    [
        (401, b'{"error": "Couldn\'t authenticate you"}', "application/json", Unauthorized, "you;"),
        (
            403,
            b'{"error": {"title": "Forbidden", "message": "You do not have access"}}',
            "application/json",
            Forbidden,
            "You do not have access",
        ),
        (403, b"", "text/plain", Forbidden, "403"),
        (404, b"<h1>Oops</h1>", "text/html; charset=utf-8", Rejected, "no help center"),
        (
            400,
            b'{"error": "StartTimeMissing", "description": "start_time is missing"}',
            "application/json",
            Rejected,
            "start_time is missing",
        ),
    ],
)
def test_a_refusal_says_what_zendesk_said(
    status: int, body: bytes, content_type: str, kind: type[SourceError], said: str
) -> None:
    """In any of its forms, or none; with a hint where a person can do something."""
    error = _meaning(status, body, content_type)
    assert type(error) is kind
    assert said in error.message
    assert error.hint or status == 400


@pytest.mark.parametrize("body", [b"", b'{"error": "RecordNotFound", "description": "Not found"}'])
def test_what_is_not_found_is_not_found_with_or_without_a_word(body: bytes) -> None:
    assert type(_meaning(404, body, "application/json")).__name__ == "NotFound"


async def test_a_language_that_the_help_center_has_not_is_named(
    center: FakeZendesk, connect: Connect
) -> None:
    """With those that there are. Capital letters in the option do not matter."""
    center.create("Keys", "<p>Turn them.</p>")
    world, reader = connect(locales=("en_US",))
    await reader.run()
    assert len(reader.state) == 1
    world, _ = connect(locales=("fr",))
    async with world.open() as connector:
        with pytest.raises(Rejected, match="no language 'fr'") as caught:
            await connector.check()
    assert "en-us, de" in (caught.value.hint or "")


@pytest.mark.parametrize("role", ["end-user", None])
async def test_tickets_need_an_agent(
    desk: FakeZendeskTickets, connect_desk: Connect, role: Any
) -> None:
    """Who is none is told so, before anything is exported."""
    desk.role = role
    world, _ = connect_desk()
    async with world.open() as connector:
        with pytest.raises(Unauthorized, match="only agents") as caught:
            await connector.check()
    assert "agent" in (caught.value.hint or "")
