"""robots.txt."""

from __future__ import annotations

import time

import pytest

from syncline.connectors.robots import Robots, product_token
from tests.support.shared_data import needs, shared_data

_REAL = shared_data("robots")


def _allows(text: str, path: str, agent: str = "Syncline") -> bool:
    return Robots.parse(text, agent).allows(f"https://example.com{path}")


@pytest.mark.parametrize(
    ("rules", "path", "allowed"),
    [
        ("", "/a", True),
        ("Disallow:", "/a", True),
        ("Disallow: /", "/", False),
        ("Disallow: /", "/robots.txt", True),
        ("Disallow: /a", "/abc", False),
        ("Disallow: /a", "/b/a", True),
        ("Disallow: /A", "/a", True),
        ("Disallow: /a/\nAllow: /a/b", "/a/bc", True),
        ("Allow: /a/\nDisallow: /a/b", "/a/bc", False),
        ("Disallow: /a\nAllow: /a", "/a", True),
        ("Disallow: /*.php", "/x/y.php?z", False),
        ("Disallow: /*.php$", "/x/y.php?z", True),
        ("Disallow: /*.php$", "/x/y.php", False),
        ("Disallow: /a$", "/a", False),
        ("Disallow: /a$", "/ab", True),
        ("Disallow: /a*b*c", "/a1b2c3", False),
        ("Disallow: /a*b*c", "/a1c2b3", True),
        ("Disallow: /a*a$", "/a", True),
        ("Disallow: *private", "/x/private", False),
        ("Disallow: /*?", "/a?b", False),
        ("Disallow: /*?", "/a", True),
        ("Disallow: /$a", "/$ab", False),
        ("Disallow: /%7Euser", "/~user", False),
        ("Disallow: /ü", "/%C3%BC", False),
        ("Disallow: /a%2fb", "/a%2Fb", False),
        ("Disallow: /a%2Fb", "/a/b", True),
        ("Disallow: a", "/a", False),
        ("Disallow: /a # a comment", "/a", False),
        ("DISALLOW : /a", "/a", False),
        ("Nonsense\nDisallow: /a", "/a", False),
    ],
)
def test_the_longest_rule_decides(rules: str, path: str, allowed: bool) -> None:
    """Prefixes, wildcards and end marks; Allow wins ties; spelling does not matter."""
    assert _allows(f"User-agent: *\n{rules}", path) is allowed


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_the_most_specific_group_is_ours(newline: str) -> None:
    """A group that names us replaces the general one; several of them add up."""
    text = newline.join(
        [
            "\ufeffUser-agent: *",
            "Disallow: /",
            "User-agent: other",
            "User-agent: SYNCLINE/2",
            "Disallow: /a",
            "",
            "User-agent: syncline",
            "Disallow: /b",
        ]
    )
    assert not _allows(text, "/a")
    assert not _allows(text, "/b")
    assert _allows(text, "/c")
    assert not _allows(text, "/c", "Stranger")


def test_rules_before_any_agent_bind_nobody() -> None:
    """And neither do those of other agents."""
    assert _allows("Disallow: /\nUser-agent: other\nDisallow: /", "/a")


def test_sitemaps_and_delays_stand_beside_the_rules() -> None:
    """`Sitemap:` belongs to no group and ends none; `Crawl-delay` belongs to its group."""
    robots = Robots.parse(
        "Sitemap: https://example.com/one.xml # first\n"
        "User-agent: a\n"
        "Sitemap: https://example.com/two.xml\n"
        "User-agent: syncline\n"
        "Crawl-delay: 2.5\n"
        "User-agent: *\n"
        "Crawl-delay: soon\n"
        "Disallow: /\n"
        "sitemap: https://example.com/one.xml\n"
        "Sitemap:\n",
        "Syncline",
    )
    assert robots.sitemaps == ("https://example.com/one.xml", "https://example.com/two.xml")
    assert robots.crawl_delay == 2.5
    assert robots.allows("https://example.com/")


def test_no_pattern_takes_long() -> None:
    """Patterns made to blow up a backtracking matcher are harmless."""
    began = time.process_time()
    assert _allows("User-agent: *\nDisallow: /" + "*a" * 500 + "$", "/" + "a" * 499 + "b" * 2000)
    assert time.process_time() - began < 1


def test_the_product_token_is_the_first_word() -> None:
    """As robots.txt files name agents."""
    assert product_token("Syncline/1.0 (+https://example.com)") == "Syncline"
    assert product_token("acme-docs-bot") == "acme-docs-bot"


@needs("robots")
def test_real_files_are_understood() -> None:
    """What is out there parses, and says what a person reads in it."""
    files = {path.name: path.read_bytes().decode("utf-8", "replace") for path in _REAL.iterdir()}
    parsed = {name: Robots.parse(text, "Syncline") for name, text in files.items()}
    assert len(parsed) > 40
    for name, text in files.items():
        named = sum(1 for line in text.splitlines() if line.strip().lower().startswith("sitemap:"))
        assert bool(parsed[name].sitemaps) == bool(named), name
    assert parsed["www.monstersandcritics.com"].allows("https://www.monstersandcritics.com/a")
    assert sum(bool(robots.rules) for robots in parsed.values()) > 30
