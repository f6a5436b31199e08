"""An embedding service with OpenAI's protocol, as it answers and as it misbehaves."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import numpy as np
import pytest
from aiohttp import web

from syncline.core.errors import (
    BadContent,
    NotFound,
    RateLimited,
    Rejected,
    SourceError,
    Unauthorized,
)
from syncline.core.ports import HttpTransport
from syncline.embedders.service import ServiceEmbedder
from syncline.testing.fake_server import FakeServer, answers, cut_off, rate_limits, redirects
from syncline.transport.http import HttpSession

_KEY = "sk-planted-canary"
_DIMENSION = 4


class Service(FakeServer):
    """Embeds a text as its length and its first letters; answers in any order, as it may."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[list[str]] = []

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {_KEY}":
            return web.json_response({"error": {"message": f"bad key {_KEY}"}}, status=401)
        question = json.loads(await request.read())
        if request.path != "/v1/embeddings" or question["model"] != "tiny":
            return web.json_response({"error": {"message": "no such model"}}, status=404)
        texts = question["input"]
        if not all(texts) or len(texts) > 2048:
            return web.json_response({"error": {"message": "bad input"}}, status=400)
        self.asked.append(texts)
        data = [
            {"object": "embedding", "index": n, "embedding": _vector(text)}
            for n, text in enumerate(texts)
        ]
        return web.json_response({"object": "list", "data": data[::-1], "model": "tiny"})


def _vector(text: str) -> list[float]:
    return [float(len(text)), float(ord(text[0])), float(ord(text[-1])), 1.0]


Make = Callable[..., ServiceEmbedder]


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async with Service() as service:
        yield service


@pytest.fixture
def make(service: Service) -> Make:
    """An embedder of the service, which waits without waiting."""

    async def sleep(seconds: float) -> None:
        return None

    def open_http(host: str) -> AbstractAsyncContextManager[HttpTransport]:
        @asynccontextmanager
        async def opened() -> AsyncIterator[HttpTransport]:
            async with HttpSession(allow_private_hosts=[host], sleep=sleep) as http:
                yield http

        return opened()

    def embedder(
        key: str | None = _KEY, model: str = "tiny", dimension: int = _DIMENSION, path: str = "/v1"
    ) -> ServiceEmbedder:
        return ServiceEmbedder(f"{service.url}{path}", model, dimension, key, open_http=open_http)

    return embedder


async def test_each_text_gets_its_own_vector(service: Service, make: Make) -> None:
    """In the order asked, whatever the order of the answers, in batches; empty ones are zero."""
    texts = [f"text number {n}" * (1 + n % 7) for n in range(300)] + ["", " \n"]
    rows = await make().embed(texts)
    assert rows.shape == (302, _DIMENSION)
    assert rows.dtype == np.float32
    expected = np.array([_vector(text) for text in texts[:300]], np.float32)
    expected /= np.linalg.norm(expected, axis=1)[:, None]
    assert np.allclose(rows[:300], expected, atol=1e-6)
    assert not rows[300:].any()
    assert sorted(len(each) for each in service.asked) == [44, 128, 128]
    assert service.most_at_once <= 4
    assert (await make().embed([" ", ""])).tolist() == [[0.0] * _DIMENSION] * 2
    assert len(service.asked) == 3


async def test_long_texts_travel_in_smaller_batches(service: Service, make: Make) -> None:
    """By characters as well as by number."""
    await make().embed(["x" * 40_000] * 5)
    assert sorted(len(each) for each in service.asked) == [1, 2, 2]


async def test_what_passes_is_tried_again(service: Service, make: Make) -> None:
    """Too many requests, an error of the server's, a cut connection."""
    service.misbehave(rate_limits("1"), times=1)
    service.misbehave(answers(503), times=1)
    service.misbehave(cut_off(), times=1)
    rows = await make().embed(["once"])
    assert rows[0].any()
    assert service.count() == 4


async def test_a_limit_that_lasts_is_told(service: Service, make: Make) -> None:
    """Not waited for; whoever asked may do so later."""
    service.misbehave(rate_limits("1800"))
    with pytest.raises(RateLimited):
        await make().embed(["once"])


@pytest.mark.parametrize(
    ("how", "error", "hint"),
    [
        ({"key": "wrong"}, Unauthorized, "SYNCLINE_EMBEDDING_KEY"),
        ({"key": None}, Unauthorized, "SYNCLINE_EMBEDDING_KEY"),
        ({"model": "other"}, NotFound, "other"),
        ({"path": ""}, NotFound, "/v1"),
        ({"dimension": 5}, BadContent, "SYNCLINE_EMBEDDING_DIMENSION"),
    ],
)
async def test_a_wrong_setting_names_itself(
    make: Make, how: dict[str, object], error: type[SourceError], hint: str
) -> None:
    """The message says what to set; the key is in none of it."""
    with pytest.raises(error) as caught:
        await make(**how).embed(["once"])
    assert hint in (caught.value.hint or "")
    assert _KEY not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    "body",
    [
        "plain text",
        "[]",
        "{}",
        '{"data": 3}',
        '{"data": [{"index": 0}]}',
        '{"data": [{"index": 0, "embedding": "AAAA"}]}',
        '{"data": [{"index": 0, "embedding": [1, 2, 3, null]}]}',
        '{"data": [{"index": 0, "embedding": [1, 2, 3, NaN]}]}',
        '{"data": [{"index": 0, "embedding": [1, 2, 3, 4]}, {"index": 1, "embedding": [1]}]}',
        '{"data": []}',
    ],
)
async def test_an_answer_that_is_none_is_refused(service: Service, make: Make, body: str) -> None:
    """Nothing is stored that the service did not say."""
    service.misbehave(answers(200, body, content_type="application/json"))
    with pytest.raises(BadContent):
        await make().embed(["once"])


async def test_texts_and_key_follow_no_redirect(service: Service, make: Make) -> None:
    """They would reach whoever the answer names."""
    async with Service() as other:
        service.misbehave(redirects(f"{other.url}/v1/embeddings", 307))
        with pytest.raises(Rejected, match="redirects"):
            await make().embed(["once"])
        assert other.count() == 0
