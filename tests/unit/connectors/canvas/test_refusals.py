"""What Canvas' refusals mean, and what they tell a person to do."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from syncline.connectors.canvas.spec import SPEC
from syncline.core.errors import Forbidden, RateLimited, Rejected, SourceError, Unauthorized
from syncline.core.ports import Refusal
from syncline.testing.clock import FakeClock
from syncline.testing.fake_server import answers
from syncline.testing.fakes.canvas import FakeCanvas
from syncline.transport.classify import error_of_status
from tests.unit.connectors.canvas.conftest import Opener

_PLAIN = b"403 Forbidden (Rate Limit Exceeded)\n"
_REAL = b'{"status": "unauthorized", "errors": [{"message": "user not authorized"}]}'
_SCOPE = b'{"errors": [{"message": "Insufficient scopes on access token."}]}'
_CHALLENGE = {"www-authenticate": 'Bearer realm="canvas-lms"'}


def _meaning(status: int, body: bytes, headers: dict[str, str]) -> SourceError:
    assert SPEC.explain is not None
    error = error_of_status(status, "https://x/api/v1/courses", headers, FakeClock().now())
    return SPEC.explain(Refusal(status, headers, body, error)) or error


@pytest.mark.parametrize(
    ("status", "body", "headers", "meaning"),
    [
        (403, _PLAIN, {"x-rate-limit-remaining": "0.0"}, RateLimited),
        (403, _PLAIN, {"x-rate-limit-remaining": "3.14159265359"}, RateLimited),
        (403, _PLAIN, {"x-request-cost": "1.61803398875"}, RateLimited),
        (403, b"", {"x-rate-limit-remaining": "0.0"}, RateLimited),
        (403, b"", {"x-rate-limit-remaining": "-12.75"}, RateLimited),
        (429, _PLAIN, {"x-rate-limit-remaining": "0.0"}, RateLimited),
        (429, b"", {"retry-after": "7"}, RateLimited),
        (403, _REAL, {"x-rate-limit-remaining": "591.3"}, Forbidden),
        (403, _REAL, {"x-rate-limit-remaining": "0.0"}, Forbidden),
        (403, b"", {"x-rate-limit-remaining": "nan"}, Forbidden),
        (403, b"", {"x-rate-limit-remaining": ""}, Forbidden),
        (403, b"", {}, Forbidden),
        (401, _REAL, {}, Forbidden),
        (401, b'{"errors": [{"message": "Invalid access token."}]}', _CHALLENGE, Unauthorized),
        (401, _SCOPE, {}, Forbidden),
        (403, _SCOPE, {}, Forbidden),
        (401, _SCOPE, _CHALLENGE, Forbidden),
        (404, b"<html>", {"content-type": "text/html; charset=utf-8"}, Rejected),
        (400, b'{"message": "Missing context_codes"}', {}, Rejected),
    ],
)
def test_each_refusal_has_a_meaning_and_a_hint(
    status: int, body: bytes, headers: dict[str, str], meaning: type[SourceError]
) -> None:
    """Throttling is told from a lack of rights by the body, a bad token by the challenge."""
    error = _meaning(status, body, headers)
    assert type(error) is meaning
    assert error.hint


def test_hints_say_what_to_do() -> None:
    """For a token that is wrong, one that lacks a scope, and a user who may not."""
    assert "new access token" in str(_meaning(401, b"{}", _CHALLENGE).hint)
    assert "url:GET" in str(_meaning(401, _SCOPE, {}).hint)
    assert "Enrol the user" in str(_meaning(403, _REAL, {}).hint)
    assert "user not authorized" in str(_meaning(401, _REAL, {}))
    limited = _meaning(403, _PLAIN, {})
    assert isinstance(limited, RateLimited)
    assert limited.retry_after == 10
    told = _meaning(429, b"", {"retry-after": "7"})
    assert isinstance(told, RateLimited)
    assert told.retry_after == 7


@pytest.mark.parametrize("status", [403, 429])
async def test_a_run_that_is_throttled_rests_and_goes_on(
    opened: Opener, canvas: FakeCanvas, course: int, status: int
) -> None:
    """Ten seconds free a sixth of what Canvas takes at once; it names no time itself."""
    canvas.throttled_status, canvas.cost = status, 90.0
    for number in range(9):
        canvas.create("page", course, f"Page {number}", "<p>Moss.</p>")
    canvas.cap = 1
    connector = await opened()
    assert len(await connector.read()) == 9
    assert any(seconds >= 10 for seconds in canvas.clock.slept)


async def test_a_wrong_token_is_told(opened: Opener, canvas: FakeCanvas) -> None:
    """By the check, without showing it."""
    connector = await opened(token="a-wrong-token")
    with pytest.raises(Unauthorized, match="Invalid access token") as caught:
        await connector.connector.check()
    assert "a-wrong-token" not in f"{caught.value} {caught.value.hint}"


async def test_a_wrong_address_is_told(opened: Opener, canvas: FakeCanvas) -> None:
    """Another site answers with a page of its own."""
    canvas.misbehave(answers(404, "<html>Nothing here</html>"))
    with pytest.raises(Rejected, match="no Canvas at this address"):
        await (await opened()).connector.check()


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("https://School.instructure.com", {"url": "https://school.instructure.com"}),
        (
            "https://school.instructure.com/courses/12~34/pages/a",
            {"url": "https://school.instructure.com", "courses": ["12~34"]},
        ),
        ("https://school.instructure.com/courses", {"url": "https://school.instructure.com"}),
        ("http://school.instructure.com", None),
        ("https://instructure.com.example.org", None),
        ("https://[", None),
    ],
)
def test_addresses_are_understood(text: str, options: dict[str, object] | None) -> None:
    """Of a whole Canvas, or of a course in it."""
    assert SPEC.from_source is not None
    assert SPEC.from_source(text) == options


def test_names_and_addresses_of_connections() -> None:
    """A path is not a part of the address; a connection of one course is named for it."""
    assert SPEC.default_name is not None
    one = SPEC.options.model_validate({"url": "school.instructure.com/login", "courses": ["7"]})
    assert one.model_dump()["url"] == "https://school.instructure.com"
    assert SPEC.default_name(one) == "school-7"
    whole = SPEC.options.model_validate({"url": "https://canvas.example.org:8443"})
    assert SPEC.default_name(whole) == "canvas.example.org"


@pytest.mark.parametrize(
    "given", [{}, {"client_id": "a"}, {"token": "a", "client_id": "a", "client_secret": "b"}]
)
def test_one_way_to_log_in_is_needed(given: dict[str, str]) -> None:
    """A token, or an app's client with its refresh token, and not both."""
    with pytest.raises(ValidationError):
        SPEC.secrets.model_validate(given)
