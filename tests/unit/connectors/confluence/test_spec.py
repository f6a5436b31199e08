"""Which spaces are read, as whom, and what is said of a wrong answer to either."""

from __future__ import annotations

import pytest

from syncline.connectors.confluence.spec import SPEC
from syncline.core.errors import Rejected, Unauthorized
from syncline.testing.fake_server import answers
from syncline.testing.fakes.confluence import FakeConfluence
from tests.unit.connectors.confluence.conftest import Open


async def test_personal_and_archived_spaces_are_read_where_they_are_named(
    wiki: FakeConfluence, open_wiki: Open
) -> None:
    """Else neither."""
    wiki.add_space("~jane", kind="personal")
    wiki.add_space("OLD", status="archived")
    async with open_wiki() as opened:
        assert [each.id for each in await opened.connector.partitions()] == ["DOCS"]
    async with open_wiki(spaces=["~jane", "old"]) as opened:
        await opened.connector.check()
        assert [each.id for each in await opened.connector.partitions()] == ["OLD", "~jane"]


async def test_a_space_that_is_not_there_is_named(wiki: FakeConfluence, open_wiki: Open) -> None:
    """A run that left it out would take its pages for gone."""
    async with open_wiki(spaces=["DOCS", "NOPE"]) as opened:
        for asked in (opened.connector.check, opened.connector.partitions):
            with pytest.raises(Rejected, match="no space 'NOPE', or this account may not view it"):
                await asked()


async def test_a_token_that_is_ignored_is_refused(wiki: FakeConfluence, open_wiki: Open) -> None:
    """Confluence answers 200 to a bad token, as to an anonymous reader."""
    wiki.ignores_bad_tokens = True
    async with open_wiki(token="revoked") as opened:
        with pytest.raises(Unauthorized, match="anonymous"):
            await opened.connector.check()


async def test_a_username_makes_the_token_its_password(
    wiki: FakeConfluence, open_wiki: Open
) -> None:
    """HTTP Basic; a token alone is a Bearer."""
    wiki.accepts = set()
    wiki.let_in("s3cret", username="jane")
    async with open_wiki(token="s3cret", username="jane") as opened:
        identity = await opened.connector.check()
        assert identity.detail == {"user": "reader"}
    async with open_wiki(token="s3cret") as opened:
        with pytest.raises(Unauthorized):
            await opened.connector.check()


async def test_too_many_failed_log_ins_are_told(wiki: FakeConfluence, open_wiki: Open) -> None:
    """Confluence wants a CAPTCHA then, which no token solves."""
    headers = {"X-Seraph-LoginReason": "AUTHENTICATION_DENIED"}
    wiki.misbehave(answers(403, "<html>no</html>", headers=headers))
    async with open_wiki() as opened:
        with pytest.raises(Unauthorized, match="CAPTCHA"):
            await opened.connector.check()


async def test_a_wrong_address_says_what_is_wrong(wiki: FakeConfluence, open_wiki: Open) -> None:
    """Where the context path is missing, or too much was given."""
    wiki.context = "/confluence"
    async with open_wiki(url=wiki.url) as opened:
        with pytest.raises(Rejected, match="not Confluence's own answer") as caught:
            await opened.connector.check()
    assert "context path" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("https://w.example/display/DOCS", {"url": "https://w.example", "spaces": ["DOCS"]}),
        (
            "https://w.example/confluence/display/DOCS/Tea+time?x=1#y",
            {"url": "https://w.example/confluence", "spaces": ["DOCS"]},
        ),
        ("https://w.example/spaces/DOCS/pages/1/Tea", {"spaces": ["DOCS"]}),
        ("https://w.example/spaces/viewspace.action?key=DOCS", {"spaces": ["DOCS"]}),
        ("https://w.example/display/~jane.doe", {"spaces": ["~jane.doe"]}),
        ("https://w.example/c/pages/viewpage.action?pageId=7", {"url": "https://w.example/c"}),
        ("http://10.0.0.7:8090/dashboard.action", {"allow_private_hosts": ["10.0.0.7"]}),
        ("https://w.example/docs/display", None),
        ("https://w.example/spaces/overview", None),
        ("https://acme.atlassian.net/wiki/spaces/DOCS/overview", None),
        ("wiki.example", None),
        ("https://[bad/display/X", None),
    ],
)
def test_an_address_from_the_browser_gives_the_options(
    typed: str, expected: dict[str, object] | None
) -> None:
    """A space's or a page's; other addresses are left to other connectors."""
    assert SPEC.from_source is not None
    found = SPEC.from_source(typed)
    assert found == expected if expected is None else (found or {}).items() >= expected.items()
    if found:
        SPEC.options.model_validate(found)


@pytest.mark.parametrize(
    "given",
    [
        {"url": "https://acme.atlassian.net/wiki"},
        {"url": "ftp://w.example"},
        {"url": "https://w.example", "spaces": ['A" or space="B']},
        {"url": "https://w.example", "include": ["whiteboard"]},
    ],
)
def test_options_that_cannot_be_meant_are_refused(given: dict[str, object]) -> None:
    """Clouds, other schemes, keys that would be a query, and kinds that there are not."""
    with pytest.raises(ValueError, match="validation error"):
        SPEC.options.model_validate(given)
