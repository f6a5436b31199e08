"""A refusal of another host's, to which a redirect has led, is not explained as the source's."""

from __future__ import annotations

import pytest

from syncline.connectors.canvas.spec import SPEC as CANVAS
from syncline.connectors.confluence.spec import SPEC as CONFLUENCE
from syncline.connectors.zendesk.spec import SPEC as ZENDESK
from syncline.core.errors import BadContent, SourceError, Transient, Unauthorized
from syncline.core.model import Content, Entry
from syncline.core.ports import ConnectorSpec, Context, Refusal
from syncline.core.urls import shown_url
from syncline.testing.clock import FakeClock
from syncline.testing.fake_server import answers, redirects
from syncline.testing.fake_site import FakeSite
from syncline.testing.fakes.zendesk import FakeZendesk
from syncline.transport.classify import error_of_status
from syncline.transport.http import HttpSession

_STORAGE = "https://storage.example.net/7?key=abc"


def _meaning(spec: ConnectorSpec, status: int, asked: str, url: str) -> SourceError:
    assert spec.explain is not None
    error = error_of_status(status, shown_url(url), {}, FakeClock().now())
    html = {"content-type": "text/html"}
    return spec.explain(Refusal(status, html, b"", error, asked, url)) or error


@pytest.mark.parametrize("spec", [ZENDESK, CANVAS, CONFLUENCE], ids=lambda spec: spec.kind)
@pytest.mark.parametrize("status", [401, 403, 404, 410, 400])
def test_it_is_no_word_about_entries_or_credentials(spec: ConnectorSpec, status: int) -> None:
    """Nothing is gone by it, and nobody is told to make another token."""
    error = _meaning(spec, status, "https://docs.example.org/files/7", _STORAGE)
    assert type(error) is BadContent
    assert "https://docs.example.org leads there" in error.message
    assert "key=abc" not in error.message


def test_trouble_that_passes_stays_what_it_is() -> None:
    """It is tried again, wherever it comes from."""
    assert type(_meaning(CONFLUENCE, 500, "https://docs.example.org/x", _STORAGE)) is Transient


@pytest.mark.parametrize(
    ("asked", "url"),
    [
        ("http://docs.example.org/a", "https://docs.example.org/a"),
        ("https://help.example.org/a", "https://acme.zendesk.com/a"),
        ("https://docs.example.org/a", "https://docs.example.org/b"),
    ],
)
def test_the_source_may_have_other_addresses(asked: str, url: str) -> None:
    """HTTPS in place of HTTP, and the vendor's own domain."""
    assert type(_meaning(ZENDESK, 401, asked, url)) is Unauthorized


async def test_an_attachment_that_its_storage_lacks_is_not_gone() -> None:
    """Only Zendesk's own word says that."""
    async with FakeZendesk() as server, FakeSite() as storage:
        article = server.create("Keys", "<p>Turn them.</p>")
        number = server.attach(article, "keys.txt", b"All about keys.")
        storage.put_file("/7", "All about keys.", "text/plain")
        options = ZENDESK.options.model_validate(
            {"url": server.url, "attachments": True, "allow_private_hosts": ["127.0.0.1"]}
        )
        async with HttpSession(
            allow_private_hosts=["127.0.0.1"], explain=ZENDESK.explain, clock=server.clock
        ) as http:
            context = Context(http=http, clock=server.clock)
            async with ZENDESK.open(options, ZENDESK.secrets(), context) as connector:
                (partition,) = await connector.partitions()
                (entry,) = [
                    each
                    async for each in connector.enumerate(partition)
                    if isinstance(each, Entry) and each.id.startswith("attachment:")
                ]
                path = f"/hc/article_attachments/{number}/keys.txt"
                server.misbehave(redirects(f"{storage.url}/7"), path)
                assert isinstance(await connector.fetch(entry.locator, None), Content)
                storage.misbehave(answers(404))
                with pytest.raises(BadContent, match="another address"):
                    await connector.fetch(entry.locator, None)
