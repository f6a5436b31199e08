"""The fake Intercom is like it: for the official client, and by Intercom's own description."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import aiohttp
import httpx
import pytest
import yaml
from intercom import Intercom, SingleFilterSearchRequest, StartingAfterPaging
from intercom.core.api_error import ApiError
from intercom.errors import NotFoundError, UnauthorizedError
from openapi_schema_validator import OAS30Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

from syncline.testing.fakes.intercom import FakeIntercom
from tests.support.shared_data import needs, shared_data

_DESCRIPTION = shared_data("intercom/api.intercom.io.yaml")
_TOKEN = "lantern-token-4711"


def _furnish(fake: FakeIntercom) -> dict[str, str]:
    """One of everything; the ids by name."""
    fake.let_in(_TOKEN)
    outer = fake.collect("Help")
    article = fake.create("Keys", "<p>Turn them.</p>", collection=fake.collect("Guides", outer))
    fake.translate(article, "de", "Schlüssel", "<p>Drehen.</p>")
    fake.tag(article, "security")
    fake.update(fake.create("Later", "<p>Not yet.</p>"), state="draft")
    talk = fake.talk("<p>It is cold.</p>", subject="<p>Kiln</p>")
    fake.assign(talk, fake.me)
    fake.say(talk, "<p>Plug it in.</p>", author=fake.me, attached=["plug.png"])
    fake.close(talk)
    for number in range(3):
        fake.clock.advance(1)
        fake.talk(f"<p>Question {number}</p>")
    note = fake.create_internal("Salaries", "<p>They are paid.</p>")
    return {"article": article, "conversation": talk, "internal": note}


async def test_the_official_client_reads_it() -> None:
    """Lists, pages, single rows, searches and errors, in the client's own types."""
    async with FakeIntercom() as fake:
        ids = _furnish(fake)
        await asyncio.to_thread(_drive, fake, ids)


def _drive(fake: FakeIntercom, ids: dict[str, str]) -> None:
    with httpx.Client(follow_redirects=True) as http:
        client = Intercom(token=_TOKEN, base_url=fake.url, httpx_client=http)
        _drive_articles(client, fake, ids)
        _drive_conversations(client, ids)
        fake.plan_lacks = ("/conversations",)
        with pytest.raises(ApiError, match="api_plan_restricted"):
            client.conversations.find(ids["conversation"])
        stranger = Intercom(token="nobody's", base_url=fake.url, httpx_client=http)
        with pytest.raises(UnauthorizedError):
            stranger.articles.find(1)


def _drive_articles(client: Intercom, fake: FakeIntercom, ids: dict[str, str]) -> None:
    me = client.admins.identify()
    assert me is not None
    assert me.app is not None
    assert me.app.id_code == fake.workspace
    assert [each.name for each in client.admins.list().admins or [] if each] == ["Ciaran Lee"]
    assert [each.title for each in client.articles.list(per_page=1)] == ["Later", "Keys"]
    article = client.articles.find(int(ids["article"]))
    assert article.translated_content is not None
    assert article.translated_content.de is not None
    assert article.translated_content.de.title == "Schlüssel"
    assert article.statistics is not None
    internal = client.internal_articles.list_internal_articles()
    assert [each.id for each in internal.data or []] == [ids["internal"]]
    collections = {each.name: each.parent_id for each in client.help_centers.collections.list()}
    assert collections["Help"] is None
    assert collections["Guides"] is not None
    with pytest.raises(NotFoundError):
        client.articles.find(1)


def _drive_conversations(client: Intercom, ids: dict[str, str]) -> None:
    found = []
    paging = StartingAfterPaging(per_page=3)
    while True:
        page = client.conversations.search(
            query=SingleFilterSearchRequest(field="updated_at", operator=">", value=0),
            pagination=paging,
        ).response
        assert page is not None
        found += [each.id for each in page.conversations]
        if page.pages is None or page.pages.next is None:
            break
        paging = StartingAfterPaging(per_page=3, starting_after=page.pages.next.starting_after)
    assert len(found) == len(set(found)) == 4
    talk = client.conversations.find(ids["conversation"])
    assert talk.conversation_parts is not None
    bodies = [each.body for each in talk.conversation_parts.conversation_parts]
    assert bodies == [None, "<p>Plug it in.</p>", None]


@needs("intercom/api.intercom.io.yaml")
async def test_its_answers_are_what_the_description_says() -> None:
    """Each answer fits the schema of its path and status."""
    said = _meant(yaml.load(_DESCRIPTION.read_text("utf-8"), yaml.CSafeLoader))
    registry: Any = Registry().with_resource("urn:intercom", DRAFT4.create_resource(said))
    async with (
        FakeIntercom() as fake,
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {_TOKEN}"}) as session,
    ):
        for method, template, path, body in _questions(_furnish(fake)):
            async with session.request(method, f"{fake.url}{path}", json=body) as answer:
                data = await answer.json()
                place = ("paths", template, method, "responses", str(answer.status), "content")
            steps = [each.replace("/", "~1") for each in (*place, "application/json", "schema")]
            schema = {"$ref": f"urn:intercom#/{'/'.join(steps)}"}
            wrong = [
                f"{'.'.join(map(str, error.absolute_path))}: {error.message[:200]}"
                for error in OAS30Validator(schema, registry=registry).iter_errors(data)
            ]
            assert not wrong, f"{path}: {wrong}"


def _questions(ids: dict[str, str]) -> Iterator[tuple[str, str, str, Any]]:
    """Method, path as described, path as asked, and body."""
    note = "/internal_articles/{internal_article_id}"
    search = {"query": {"field": "updated_at", "operator": ">", "value": 0}}
    for path in ("/me", "/admins", "/articles", "/internal_articles", "/help_center/collections"):
        yield "get", path, path, None
    for number in (ids["article"], "1"):
        yield "get", "/articles/{article_id}", f"/articles/{number}", None
    for number in (ids["internal"], "1"):
        yield "get", note, f"/internal_articles/{number}", None
    for number in (ids["conversation"], "1"):
        yield "get", "/conversations/{conversation_id}", f"/conversations/{number}", None
    yield "post", "/conversations/search", "/conversations/search", search


def _meant(said: Any) -> Any:
    """Where a reference stands beside `nullable`, null is meant to do, though only we heed that."""
    if isinstance(said, list):
        return [_meant(each) for each in said]
    if not isinstance(said, dict):
        return said
    if "$ref" in said and said.get("nullable"):
        return {
            "anyOf": [
                {"$ref": said["$ref"]},
                {"type": "object", "nullable": True, "maxProperties": 0},
            ]
        }
    return {name: _meant(each) for name, each in said.items()}
