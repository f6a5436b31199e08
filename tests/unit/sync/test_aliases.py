"""Whose document an entry is that says it is another's."""

from __future__ import annotations

import time

import pytest

from syncline.sync.aliases import resolve


@pytest.mark.parametrize(
    ("claims", "stored", "live", "owners"),
    [
        ("b>a", "", "a", "b>a"),
        ("b>a", "", "", "b>b"),
        ("b>a c>b", "", "a", "b>a c>a"),
        ("a>b b>x", "", "", "a>b b>b"),
        ("c>b", "b>a", "a", "c>a"),
        ("c>b", "b>a", "", "c>c"),
        ("a>b b>a", "", "", "a>a b>a"),
        ("a>b b>c c>a d>c", "", "", "a>a b>a c>a d>a"),
        ("a>b", "b>a", "a", "a>a"),
        ("c>b", "b>c", "c", "c>c"),
        ("a>b c>d", "b>c", "c d", "a>d c>d"),
        ("b>a a>x", "", "a b", "b>a a>a"),
        ("a>b", "b>c c>b", "", "a>a"),
    ],
    ids=[
        "a live target",
        "a target that is not there",
        "a chain",
        "a chain to nothing",
        "a stored alias",
        "a stored alias of nothing",
        "a circle",
        "a way into a circle",
        "a circle with a stored alias",
        "a circle with a smaller stored alias",
        "a stored alias of what becomes one",
        "a claimant that had a document",
        "a way into a stored circle",
    ],
)
def test_claims_lead_to_one_owner(claims: str, stored: str, live: str, owners: str) -> None:
    """In whatever order they came."""
    wanted = _pairs(owners)
    for order in (1, -1):
        given = dict(list(_pairs(claims).items())[::order])
        assert resolve(given, _pairs(stored), set(live.split())) == wanted


def test_a_very_long_chain_is_followed_in_linear_time() -> None:
    """A hostile site may link each of its pages to the next."""
    claims = {f"{number:06}": f"{number + 1:06}" for number in range(100_000)}
    started = time.process_time()
    answers = resolve(claims, {}, {"100000"})
    assert set(answers.values()) == {"100000"}
    assert time.process_time() - started < 5


def _pairs(text: str) -> dict[str, str]:
    return dict(each.split(">") for each in text.split())
