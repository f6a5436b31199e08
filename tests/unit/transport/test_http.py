"""The HTTP session against a hostile server on loopback."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from syncline.core.errors import (
    BadContent,
    Forbidden,
    NotFound,
    RateLimited,
    Rejected,
    SourceError,
    Transient,
    Unauthorized,
)
from syncline.core.ports import Authentication, HttpTransport, Refusal
from syncline.core.urls import origin_of
from syncline.testing import fake_server
from syncline.testing.clock import FakeClock
from syncline.testing.fake_site import FakePage, FakeSite
from syncline.transport.conditional import validators_of
from syncline.transport.http import HttpSession, default_user_agent
from syncline.transport.limits import Limits
from syncline.transport.retry import RetryPolicy


@pytest.fixture
async def site() -> AsyncIterator[FakeSite]:
    async with FakeSite() as site:
        site.put("/a", "The text.")
        yield site


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def session(clock: FakeClock, **options: Any) -> HttpSession:
    options = {"sleep": clock.sleep, "random": lambda: 0.5, **options}
    return HttpSession(allow_private_hosts=["127.0.0.1"], clock=clock, **options)


async def read(http: HttpSession, url: str, got: list[bytes], max_bytes: int | None = None) -> None:
    """Stream a body into `got`."""
    async with http.stream(url, max_bytes=max_bytes) as pieces:
        async for piece in pieces:
            got.append(piece)  # noqa: PERF401 - what came before an error counts


@pytest.fixture
async def http(clock: FakeClock) -> AsyncIterator[HttpSession]:
    async with session(clock) as http:
        yield http


def test_importing_the_package_is_cheap() -> None:
    """The HTTP library, which takes long to import, waits for the first session."""
    code = (
        "import sys, syncline.transport, syncline.transport.guard; print('aiohttp' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


async def test_a_page_is_read(site: FakeSite, http: HttpSession) -> None:
    """Status, address, headers in lower case, and the decoded body."""
    transport: HttpTransport = http
    response = await transport.get(f"{site.url}/x/../a#part", headers={"Accept": "text/html"})
    assert response.status == 200
    assert response.url == f"{site.url}/a"
    assert b"The text." in response.body
    assert (response.media_type, response.charset) == ("text/html", "utf-8")
    assert site.requests[0].headers["user-agent"] == default_user_agent()
    assert site.requests[0].headers["accept-encoding"] == "gzip, deflate"
    assert default_user_agent().startswith("Syncline/")


async def test_connections_are_kept(site: FakeSite, http: HttpSession) -> None:
    """Many pages take one connection when read one after another."""
    peers = set()

    async def note(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        return web.Response(text="ok")

    site.misbehave(note)
    for n in range(5):
        await http.get(f"{site.url}/{n}")
    assert len(peers) == 1


async def test_validators_make_a_request_conditional(site: FakeSite, http: HttpSession) -> None:
    """The server's etag comes back, and its 304 has no body."""
    first = await http.get(f"{site.url}/a")
    again = await http.get(first.url, validators=validators_of(first, first.url))
    assert again.not_modified
    assert again.body == b""
    site.put("/a", "Changed.")
    assert (await http.get(first.url, validators=validators_of(first, first.url))).status == 200


async def test_validators_belong_to_the_page_they_came_from(
    site: FakeSite, http: HttpSession
) -> None:
    """After a redirect has moved on, the old target's etag is not sent to the new one."""
    site.put("/b", "The text of b.")
    site.misbehave(fake_server.redirects("/a"), "/moving", times=2)
    site.misbehave(fake_server.redirects("/b"), "/moving")
    url = f"{site.url}/moving"
    first = await http.get(url)
    kept = validators_of(first, url)
    assert kept["url"] == f"{site.url}/a"
    assert (await http.get(url, validators=kept)).not_modified
    assert (await http.get(url, validators=kept)).url == f"{site.url}/b"
    assert "if-none-match" not in site.requests[-1].headers


async def test_etags_that_cannot_be_sent_back_are_not_kept(
    site: FakeSite, http: HttpSession
) -> None:
    """A validator is stored, and must survive that."""
    site.pages["/a"] = FakePage(b"text", headers={"ETag": '"ü"'}, has_etag=False)
    response = await http.get(f"{site.url}/a")
    assert validators_of(response, response.url) == {}


@pytest.mark.parametrize(
    ("status", "kind", "tries"),
    [
        (400, Rejected, 1),
        (401, Unauthorized, 1),
        (403, Forbidden, 1),
        (404, NotFound, 1),
        (405, Rejected, 1),
        (408, Transient, 4),
        (410, NotFound, 1),
        (422, Rejected, 1),
        (425, Transient, 4),
        (429, RateLimited, 4),
        (500, Transient, 4),
        (503, Transient, 4),
        (599, Transient, 4),
        (304, Rejected, 1),
    ],
)
async def test_statuses_are_classified_and_retried_by_class(
    site: FakeSite, http: HttpSession, status: int, kind: type[SourceError], tries: int
) -> None:
    """What may pass is tried again, what will not is final; the message says what was asked."""
    site.misbehave(fake_server.answers(status))
    with pytest.raises(kind) as caught:
        await http.get(f"{site.url}/a?token=abc")
    assert type(caught.value) is kind
    assert caught.value.message.startswith(f"{site.url}/a?token=… answered {status}")
    assert caught.value.hint
    assert site.count() == tries


@pytest.mark.parametrize(
    ("header", "waits"), [("0", [0.5]), (None, [0.5]), ("7", [7.5]), ("-3", [0.5])]
)
async def test_a_rate_limit_passes(
    site: FakeSite, http: HttpSession, clock: FakeClock, header: str | None, waits: list[float]
) -> None:
    """One 429 is waited for as long as it asks."""
    site.misbehave(fake_server.rate_limits(header), times=1)
    assert (await http.get(f"{site.url}/a")).status == 200
    assert clock.slept == waits


@pytest.mark.parametrize(
    ("headers", "waits"),
    [
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "7"}, [7.5]),
        ({"RateLimit": '"default";r=0;t=9'}, [9.5]),
        ({"Retry-After": "3", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "7"}, [3.5]),
        ({"X-RateLimit-Remaining": "5", "X-RateLimit-Reset": "7"}, [0.5]),
        (
            {
                "Date": "Tue, 01 Jan 2030 00:00:00 GMT",
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": "1893456004",
            },
            [4.5],
        ),
    ],
)
async def test_a_rate_limit_passes_when_its_headers_say(
    site: FakeSite,
    http: HttpSession,
    clock: FakeClock,
    headers: dict[str, str],
    waits: list[float],
) -> None:
    """Where nothing is shared that hears them; a date is by the source's own clock."""
    site.misbehave(fake_server.answers(429, headers=headers), times=1)
    assert (await http.get(f"{site.url}/a")).status == 200
    assert clock.slept == waits


async def test_who_explains_a_refusal_is_told_where_it_came_from(
    site: FakeSite, clock: FakeClock
) -> None:
    """After a redirect that is another address than the one that was asked for."""
    told: list[Refusal] = []
    site.misbehave(fake_server.redirects("/there"), "/a")
    site.misbehave(fake_server.answers(403), "/there")
    async with session(clock, explain=told.append) as http:
        with pytest.raises(Forbidden):
            await http.get(f"{site.url}/a")
    assert [(each.asked, each.url) for each in told] == [(f"{site.url}/a", f"{site.url}/there")]


async def test_an_absurd_rate_limit_is_handed_on(
    site: FakeSite, http: HttpSession, clock: FakeClock
) -> None:
    """It is clamped to an hour and raised at once, so that the run can come back."""
    site.misbehave(fake_server.rate_limits("9223372036854775807"))
    with pytest.raises(RateLimited, match="to come back in 3600 s") as caught:
        await http.get(f"{site.url}/a")
    assert caught.value.retry_after == 3600
    assert clock.slept == []


async def test_a_503_that_names_a_time_is_a_rate_limit(site: FakeSite, http: HttpSession) -> None:
    """Maintenance that says when it ends is believed."""
    site.misbehave(fake_server.answers(503, headers={"Retry-After": "600"}))
    with pytest.raises(RateLimited) as caught:
        await http.get(f"{site.url}/a")
    assert caught.value.retry_after == 600


async def test_a_rate_limit_holds_the_whole_host(site: FakeSite, clock: FakeClock) -> None:
    """While one request waits, the others do not ask and are not refused."""
    site.misbehave(fake_server.rate_limits("30"), "/a", times=1)
    site.put("/b", "b")
    others: list[asyncio.Task[object]] = []
    times = []
    site.before = lambda seen: times.append(clock.monotonic())

    async def sleep(seconds: float) -> None:
        if not others:
            others.append(asyncio.create_task(client.get(f"{site.url}/b")))
        await clock.sleep(seconds)

    async with session(clock, sleep=sleep) as client:
        await client.get(f"{site.url}/a")
        await others[0]
    assert times[0] == 0
    assert min(times[1:]) >= 30


async def test_concurrency_is_capped(site: FakeSite, clock: FakeClock) -> None:
    """However many pages are asked for, the host sees no more than it should at a time."""
    async with session(clock, concurrency=3) as http:
        await asyncio.gather(*(http.get(f"{site.url}/a") for _ in range(30)))
    assert site.count() == 30
    assert site.most_at_once <= 3


async def test_a_pace_is_kept(site: FakeSite, http: HttpSession, clock: FakeClock) -> None:
    """A Crawl-delay lies between requests, redirects included."""
    http.pace(f"{site.url}/robots.txt", 10)
    site.misbehave(fake_server.redirects("/a"), "/r")
    await http.get(f"{site.url}/a")
    await http.get(f"{site.url}/r")
    assert clock.monotonic() == 20


async def test_cut_connections_are_tried_again(site: FakeSite, http: HttpSession) -> None:
    """A body that ends early is never taken for the page."""
    site.misbehave(fake_server.cut_off(b"<p>half"), "/a", times=2)
    assert b"The text." in (await http.get(f"{site.url}/a")).body
    site.misbehave(fake_server.cut_off(b"<p>half"), "/a")
    with pytest.raises(Transient, match="cut before the answer was complete"):
        await http.get(f"{site.url}/a")


async def test_a_drip_ends_in_an_error(site: FakeSite, clock: FakeClock) -> None:
    """A byte now and then holds a connection for seconds, not for hours."""
    site.misbehave(fake_server.drips(lambda: asyncio.sleep(0.001)))
    clock.tick = 3
    async with session(clock, retries=RetryPolicy(attempts=1)) as http:
        with pytest.raises(Transient, match="sent too slowly"):
            await http.get(f"{site.url}/a")


async def test_a_body_without_end_is_refused(site: FakeSite, http: HttpSession) -> None:
    """Its bound ends it, whether the server has announced the size or not."""
    site.misbehave(fake_server.never_ends())
    with pytest.raises(BadContent, match="larger than 1 MB") as caught:
        await http.get(f"{site.url}/a", max_bytes=1024 * 1024)
    assert "size limit" in (caught.value.hint or "")
    site.behave()
    with pytest.raises(BadContent, match="larger than 10 bytes"):
        await http.get(f"{site.url}/a", max_bytes=10)
    assert site.count() == 2


async def test_a_gzip_bomb_is_stopped(site: FakeSite, http: HttpSession) -> None:
    """It is neither decoded to its end nor asked for again."""
    site.misbehave(fake_server.gzip_bomb())
    with pytest.raises(BadContent, match="times its size"):
        await http.get(f"{site.url}/a")
    assert site.count() == 1


async def test_silence_ends_in_an_error(site: FakeSite, clock: FakeClock) -> None:
    """A server that takes the request and says nothing is given up."""
    site.misbehave(fake_server.stays_silent())
    limits = Limits(total_seconds=0.05)
    async with session(clock, limits=limits, retries=RetryPolicy(attempts=2)) as http:
        with pytest.raises(Transient, match="no complete answer in time"):
            await http.get(f"{site.url}/a")
    assert site.count() == 2


async def test_what_is_not_http_is_named_so(site: FakeSite, http: HttpSession) -> None:
    """A mail server on the port is told from a site in trouble."""
    site.misbehave(fake_server.sends_raw(b"220 mail.example.com ESMTP\r\n\r\n"))
    with pytest.raises(Transient, match="does not speak HTTP"):
        await http.get(f"{site.url}/a")


async def test_a_closed_port_is_named_so(clock: FakeClock, site: FakeSite) -> None:
    """No connection: the reason and what to check."""
    async with session(clock) as http:
        with pytest.raises(Transient, match="no connection") as caught:
            await http.get("http://127.0.0.1:1/")
    assert "firewall" in (caught.value.hint or "")
    assert len(clock.slept) == 3


async def test_an_unknown_host_is_named_so(clock: FakeClock) -> None:
    """A name that does not resolve says so."""

    async def nobody(host: str, family: object) -> list[str]:
        raise OSError(-2, "Name or service not known")

    async with session(clock, lookup=nobody) as http:
        with pytest.raises(Transient, match=r"http://nowhere\.example/: the host name cannot"):
            await http.get("http://nowhere.example/")


async def test_plain_http_on_a_tls_address_is_named_so(site: FakeSite, http: HttpSession) -> None:
    """https to a server that does not speak it is for good."""
    with pytest.raises(Rejected, match="no TLS connection") as caught:
        await http.get(site.url.replace("http:", "https:"))
    assert "http or https" in (caught.value.hint or "")


async def test_redirects_are_followed(site: FakeSite, http: HttpSession) -> None:
    """The response says where it came from."""
    site.misbehave(fake_server.redirects("/b?x=1", 301), "/start")
    site.misbehave(fake_server.redirects(f"{site.url}/a", 308), "/b?x=1")
    response = await http.get(f"{site.url}/start")
    assert response.url == f"{site.url}/a"


async def test_redirects_in_a_circle_are_refused(site: FakeSite, http: HttpSession) -> None:
    """A loop is seen when it closes, an endless chain at its bound."""
    site.misbehave(fake_server.redirects("/two"), "/one")
    site.misbehave(fake_server.redirects("/one"), "/two")
    with pytest.raises(Rejected, match="/one redirects in a circle"):
        await http.get(f"{site.url}/one")
    for n in range(20):
        site.misbehave(fake_server.redirects(f"/chain{n + 1}"), f"/chain{n}")
    with pytest.raises(Rejected, match="more than 10 times") as caught:
        await http.get(f"{site.url}/chain0")
    assert "browser" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("location", "message"),
    [("", "without saying where"), ("ftp://x/", "not an http"), ("http://u:p@x/", "password")],
)
async def test_redirects_to_nowhere_are_refused(
    site: FakeSite, http: HttpSession, location: str, message: str
) -> None:
    """A redirect must lead to a web page; the message keeps its secrets."""
    site.misbehave(fake_server.redirects(location))
    with pytest.raises(Rejected, match=message) as caught:
        await http.get(f"{site.url}/a")
    assert "u:p" not in caught.value.message


async def test_international_redirects_are_understood(site: FakeSite, http: HttpSession) -> None:
    """Bytes beyond ASCII in a Location are taken as they are."""
    site.put("/%C3%BC", "found")
    site.misbehave(fake_server.redirects("/ü"), "/r")
    assert (await http.get(f"{site.url}/r")).url == f"{site.url}/%C3%BC"


async def test_credentials_stay_with_their_origin(site: FakeSite, http: HttpSession) -> None:
    """Headers of any name, for keys travel in many, go to no other origin, nor back again."""
    async with FakeSite() as other:
        other.misbehave(fake_server.redirects(f"{site.url}/a"))
        site.misbehave(fake_server.redirects("/out"), "/in")
        site.misbehave(fake_server.redirects(f"{other.url}/b"), "/out")
        secret = {"Authorization": "Bearer abc", "X-Api-Key": "abc", "Accept": "text/plain"}
        await http.get(f"{site.url}/in", headers=secret)
    assert site.requests[1].headers["x-api-key"] == "abc"
    for seen in (other.requests[0], site.requests[2]):
        assert "authorization" not in seen.headers
        assert "x-api-key" not in seen.headers
        assert seen.headers["accept"] == "text/plain"


async def test_cookies_are_not_kept(site: FakeSite, http: HttpSession) -> None:
    """One request's answer never depends on another's."""
    site.misbehave(fake_server.answers(200, headers={"Set-Cookie": "a=b"}), times=1)
    await http.get(f"{site.url}/a")
    await http.get(f"{site.url}/a")
    assert "cookie" not in site.requests[1].headers


async def test_headers_can_be_stored(site: FakeSite, http: HttpSession) -> None:
    """Repeated ones are joined; bytes that are no text are replaced."""
    head = b"HTTP/1.1 200 OK\r\nX-Odd: caf\xe9\r\nX-Odd: b\r\nContent-Length: 0\r\n\r\n"
    site.misbehave(fake_server.sends_raw(head))
    response = await http.get(f"{site.url}/a")
    assert response.headers["x-odd"] == "caf�, b"
    response.headers["x-odd"].encode()


async def test_large_bodies_are_streamed(site: FakeSite, http: HttpSession) -> None:
    """In pieces; what fails before the first is tried again, the reader may stop early."""
    site.misbehave(fake_server.answers(503), times=1)
    got: list[bytes] = []
    await read(http, f"{site.url}/a", got)
    assert b"The text." in b"".join(got)
    site.misbehave(fake_server.never_ends())
    async with http.stream(f"{site.url}/a") as pieces:
        assert await anext(pieces)
    with pytest.raises(BadContent, match="larger than 2 MB"):
        await read(http, f"{site.url}/a", [], max_bytes=2 * 1024 * 1024)


async def test_a_stream_that_breaks_is_an_error(site: FakeSite, http: HttpSession) -> None:
    """What came is the reader's; that it was not all is not hidden."""
    site.misbehave(fake_server.cut_off(b"beginning"))
    got: list[bytes] = []
    with pytest.raises(Transient, match="cut before"):
        await read(http, f"{site.url}/a", got)
    assert b"".join(got) == b"beginning"


async def test_a_stream_fails_with_the_same_errors(site: FakeSite, http: HttpSession) -> None:
    """As `get` does, on entering."""
    with pytest.raises(NotFound):
        await read(http, f"{site.url}/missing", [])


async def test_credentials_go_to_their_own_origin_alone(clock: FakeClock, site: FakeSite) -> None:
    """With every request, also behind a redirect; never to another site, however it is reached."""
    async with FakeSite() as other:
        other.put("/b", "Elsewhere.")
        proof = Authentication(
            frozenset({origin_of(site.url)}), {"Authorization": "Bearer lantern", "X-Key": "k"}
        )
        site.misbehave(fake_server.redirects("/a"), "/here")
        site.misbehave(fake_server.redirects(f"{other.url}/b"), "/away")
        other.misbehave(fake_server.redirects(f"{site.url}/a"), "/back")
        async with session(clock, authentication=proof) as http:
            await http.get(f"{site.url}/here")
            await http.get(f"{site.url}/away")
            await http.get(f"{other.url}/back")
            async with http.stream(f"{site.url}/a") as pieces:
                assert [piece async for piece in pieces]
    assert {seen.headers.get("authorization") for seen in site.requests} == {"Bearer lantern"}
    assert {seen.headers.get("x-key") for seen in site.requests} == {"k"}
    assert [seen.path for seen in other.requests] == ["/b", "/back"]
    assert not any({"authorization", "x-key"} & seen.headers.keys() for seen in other.requests)
