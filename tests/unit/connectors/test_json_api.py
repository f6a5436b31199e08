"""What answers in JSON is asked at its own address, and what is none is an error with a reason."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from syncline.connectors.json_api import JsonApi
from syncline.connectors.reasons import reason_in
from syncline.core.errors import BadContent, Forbidden, Rejected, SourceError
from syncline.core.ports import Refusal
from syncline.core.quota import Bucket, RouteQuota
from syncline.testing.fake_api import Asked, FakeApi, Reply
from syncline.testing.fake_server import answers
from syncline.transport.hosts import Shared
from syncline.transport.http import HttpSession
from tests.support.ledgers import MemoryLedger


class _Echo(FakeApi):
    async def reply(self, asked: Asked) -> Reply:
        return Reply({"path": asked.path, "query": dict(asked.query), "body": asked.body})


@pytest.fixture
async def server() -> AsyncIterator[_Echo]:
    async with _Echo() as server:
        yield server


def _session(server: FakeApi, **more: object) -> HttpSession:
    clock = server.clock
    return HttpSession(
        allow_private_hosts=["127.0.0.1"],
        clock=clock,
        sleep=clock.sleep,
        **more,  # type: ignore[arg-type]
    )


async def test_queries_and_bodies_arrive(server: _Echo) -> None:
    async with _session(server) as http:
        api = JsonApi(http, f"{server.url}/base/")
        params = {"a[]": ["x y", "ü"], "none": None, "n": 3}
        answer = await api.get("/rows?first=1", params)
        assert answer.object() == {
            "path": "/base/rows",
            "query": {"first": ["1"], "a[]": ["x y", "ü"], "n": ["3"]},
            "body": None,
        }
        assert (await api.post("/search", {"q": "ü"})).object()["body"] == {"q": "ü"}
        with pytest.raises(BadContent, match="something else than a list"):
            answer.array()


@pytest.mark.parametrize("said", ["", "yesterday", "Mon, 99 Jan 2030 00:00:00 GMT"])
async def test_the_sources_own_time_is_known(server: _Echo, said: str) -> None:
    """By its clock, whatever ours says; None where it tells none."""
    server.skew = 86_400
    async with _session(server) as http:
        answer = await JsonApi(http, server.url).get("/rows")
        assert answer.date == server.now()
        server.misbehave(answers(200, "{}", headers={"Date": said}, content_type="text/json"))
        assert (await JsonApi(http, server.url).get("/rows")).date is None


@pytest.mark.parametrize("date", [None, "", "yesterday", "Fri, 99 Nov 2026 99:00:00 GMT"])
async def test_an_answer_tells_the_sources_own_time(server: _Echo, date: str | None) -> None:
    """Whatever our clock says; a Date that is none tells nothing."""
    server.skew = -3_600.0
    async with _session(server) as http:
        api = JsonApi(http, server.url)
        assert (await api.get("/")).date == server.now()
        assert server.now() < server.clock.now()
        if date is not None:
            server.misbehave(answers(200, "{}", headers={"Date": date}, content_type="text/json"))
            assert (await api.get("/")).date is None


@pytest.mark.parametrize(
    ("link", "path"),
    [
        ("https://other.example/base/rows?page=2", "/rows?page=2"),
        ("/base/rows?page=2", "/rows?page=2"),
        ("/rows", "/rows"),
    ],
)
async def test_links_are_followed_at_home(server: _Echo, link: str, path: str) -> None:
    """Whatever host they name; the address's own path is not doubled."""
    async with _session(server) as http:
        api = JsonApi(http, f"{server.url}/base")
        assert api.own(link) == path


@pytest.mark.parametrize("link", ["", "rows", "http://[", "https://other.example", "x//y//"])
async def test_links_that_lead_nowhere_are_errors(server: _Echo, link: str) -> None:
    async with _session(server) as http:
        with pytest.raises(BadContent, match="link to the next page"):
            JsonApi(http, f"{server.url}/base").own(link)


@pytest.mark.parametrize(
    ("body", "kind", "error"),
    [
        ("<html>Log in</html>", "text/html", Rejected),
        (" <!doctype html>", "application/json", Rejected),
        ("{", "application/json", BadContent),
        ("", "application/json", BadContent),
        ("[" * 100_000, "application/json", BadContent),
        (b"\xff\xfe{}", "application/json", BadContent),
        ("1" * 5000, "application/json", BadContent),
    ],
)
async def test_what_is_no_json_is_an_error(
    server: _Echo, body: str | bytes, kind: str, error: type[SourceError]
) -> None:
    server.misbehave(answers(200, body, content_type=kind))
    async with _session(server) as http:
        with pytest.raises(error) as caught:
            await JsonApi(http, server.url).get("/rows")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"error": "RecordNotFound", "description": "Not found"}', "Not found"),
        (b'{"error": {"title": "Forbidden", "message": "No access"}}', "No access"),
        (b'{"errors": [{"code": "x", "message": "One"}, {"message": "Two"}]}', "One; Two"),
        (b"403 Forbidden (Rate Limit Exceeded)", "403 Forbidden (Rate Limit Exceeded)"),
        (b"<html>no</html>", ""),
        (b"", ""),
        (b"\xff\x00{", "\ufffd{"),
        (b'{"message": null, "error": "\\u0000 x\\n y"}', "x y"),
    ],
)
def test_the_reason_of_a_refusal_is_found(body: bytes, reason: str) -> None:
    assert reason_in(body) == reason
    assert len(reason_in(body * 500)) <= 200


async def test_a_refusal_can_be_explained(server: _Echo) -> None:
    """By its body, which the status alone does not tell; secrets in it do not matter."""

    def explain(refusal: Refusal) -> SourceError | None:
        if refusal.status != 403:
            return None
        return Forbidden(f"{refusal.error.message}: {reason_in(refusal.body)}", hint="Ask.")

    server.misbehave(answers(403, '{"message": "no scope"}', content_type="application/json"))
    async with _session(server, explain=explain) as http:
        with pytest.raises(Forbidden, match=r"answered 403 \(Forbidden\): no scope"):
            await http.get(server.url)
        server.behave()
        server.misbehave(answers(400, "x"))
        with pytest.raises(Rejected, match="answered 400"):
            await http.get(server.url)


async def test_a_part_of_an_api_has_a_quota_of_its_own(server: _Echo) -> None:
    """Tokens of it are bought for requests to that part, and for no others."""
    ledger = MemoryLedger(server.clock)
    route = RouteQuota("exports", ("/exports/",), (Bucket(2, 60),))
    async with _session(server, shared=Shared(ledger, routes=(route,))) as http:
        await http.get(f"{server.url}/rows")
        assert ledger.orders == []
        ledger.sells = [[(40.0, 1)]]
        await http.get(f"{server.url}/exports/rows")
    assert [bucket.tokens for order in ledger.orders for bucket in order.buckets] == [2]
    assert server.clock.monotonic() >= 40
