"""What is said, and advised, when Intercom refuses."""

from __future__ import annotations

import pytest

from syncline.core.errors import (
    Forbidden,
    NotFound,
    RateLimited,
    Rejected,
    SourceError,
    Transient,
    Unauthorized,
)
from syncline.core.model import Gone
from syncline.core.quota import Bucket
from syncline.testing.fake_server import Misbehaviour, answers
from syncline.testing.fakes.intercom import FakeIntercom
from tests.unit.connectors.intercom.conftest import Connect


def _error(status: int, code: str, message: str) -> Misbehaviour:
    body = f'{{"type": "error.list", "errors": [{{"code": "{code}", "message": "{message}"}}]}}'
    return answers(status, body, content_type="application/json")


@pytest.mark.parametrize(
    ("refusal", "kind", "said", "hint"),
    [
        (_error(401, "unauthorized", "Access Token Invalid"), Unauthorized, "Invalid", "region"),
        (
            _error(401, "token_unauthorized", "Not authorized"),
            Forbidden,
            "authorized",
            "permission",
        ),
        (_error(403, "forbidden", "Scope is missing"), Forbidden, "Scope", "permission"),
        (_error(403, "api_plan_restricted", "Active sub"), Forbidden, "Active", "plan"),
        (_error(400, "intercom_version_invalid", "No such"), Rejected, "No such", "upgrade"),
        (_error(400, "parameter_invalid", "Bad page"), Rejected, "Bad page", "refuses"),
        (
            _error(429, "rate_limit_exceeded", "Slower"),
            RateLimited,
            "Slower",
            "requests_per_minute",
        ),
        (_error(500, "server_error", "Oops"), Transient, "Oops", "next run"),
        (_error(404, "not_found", "Not Found"), NotFound, "Not Found", "address"),
        (answers(404, "no"), Rejected, "not in Intercom's words", "option `url`"),
        (answers(403, "no"), Forbidden, "403", "account"),
    ],
)
async def test_refusals_say_what_and_what_to_do(
    fake: FakeIntercom,
    connect: Connect,
    refusal: Misbehaviour,
    kind: type[SourceError],
    said: str,
    hint: str,
) -> None:
    """The class, Intercom's own words, and advice."""
    fake.misbehave(refusal)
    _, reader = connect()
    with pytest.raises(SourceError) as caught:
        await reader.run()
    assert type(caught.value) is kind
    assert said in caught.value.message
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize("lacking", ["plan", "scope"])
async def test_what_the_plan_or_the_app_lacks_fails_its_partition_alone(
    fake: FakeIntercom, connect: Connect, lacking: str
) -> None:
    """Articles are read although conversations may not be."""
    paths = ("/conversations",)
    fake.plan_lacks, fake.scopes_lack = (paths, ()) if lacking == "plan" else ((), paths)
    number = fake.create("Keys", "<p>Turn them.</p>")
    _, reader = connect(read=["articles", "conversations"])
    with pytest.raises(SourceError):
        await reader.run()
    assert set(reader.state) == {f"article:{number}"}


async def test_only_intercoms_own_word_makes_an_entry_gone(
    fake: FakeIntercom, connect: Connect
) -> None:
    """A 404 of a proxy's is no word about the article."""
    number = fake.create("Keys", "<p>Turn them.</p>")
    world, reader = connect()
    await reader.run()
    locator = reader.state[f"article:{number}"].locator
    fake.misbehave(answers(404, "<h1>No route</h1>"))
    async with world.open() as connector:
        with pytest.raises(Rejected):
            await connector.fetch(locator, None)
        fake.behave()
        fake.delete(number)
        assert isinstance(await connector.fetch(locator, None), Gone)


async def test_the_quota_is_waited_for(fake: FakeIntercom, connect: Connect) -> None:
    """A refusal for too many requests is followed by a wait into the next window, and no loss."""
    fake.limit(Bucket(2, 10))
    numbers = [fake.create(f"Article {number}", "<p>Text</p>") for number in range(6)]
    world, reader = connect(page_size=2)
    await world.settle()
    fake.requests.clear()
    await reader.reconcile()
    assert set(reader.state) == {f"article:{number}" for number in numbers}
    assert fake.clock.slept, "nothing had to wait"
