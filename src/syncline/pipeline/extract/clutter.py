"""What stands in an article but is the site's: menus, teasers, sharing, advertising."""

from __future__ import annotations

import re
from functools import lru_cache

from selectolax.lexbor import LexborNode

__all__ = ["innermost_first", "is_clutter_line", "remove_clutter", "remove_link_lists"]

_WORDS = frozenset(
    """
    ad ads adsense banner breadcrumb breadcrumbs byline caption comment comments consent cookie
    cookies copyright credit credits dateline disclaimer disqus donate feedback footer foot gallery
    gdpr hidden kicker login masthead menu meta metadata modal nav navbar navigation newsletter
    outbrain overlay pager pagination poll popular popup quiz rating related respond share
    sharedaddy sharing slideshow social subscribe subscription taboola tag tags teaser timestamp
    toc toolbar tooltip trending widget
    alsolike alsoread authorbio authorbox authorcard authorinfo jumplink jumplinks morefrom moreon
    morenews morestories mostpopular mostread readmore sidebar signup skiplink storylink storylinks
    """.split()  # noqa: SIM905  (a list of words reads better as text)
)
_STARTS = ("advert", "promo", "recommend", "sponsor")
_PAIRS = re.compile(
    r"""(?:^|[\s_-])(?: also-(?:like|read) | author-(?:bio|box|card|info) | jump-links?
    | more-(?:from|on|news|stories) | most-read | print-only | read-more | screen-reader-text
    | side-bar | sign-up | skip-link | sr-only | story-links? )(?:$|[\s_-])""",
    re.IGNORECASE | re.VERBOSE,
)
_FIRST_OF_PAIRS = frozenset(
    "also author jump more most print read screen side sign skip sr story".split()  # noqa: SIM905
)
_ROLES = frozenset(
    {"navigation", "banner", "contentinfo", "complementary", "search", "dialog", "alert"}
)
_TOLD = "[class],[id],[role],[hidden],[aria-hidden=true],[style],figure"
_NEVER = frozenset({"body", "html", "main", "article", "form"})
"""Whole pages stand in these, whatever they are called."""


def remove_clutter(body: LexborNode) -> None:
    """Take away what calls itself clutter. Nothing that holds much of the page's text."""
    size = len(body.text()) or 1
    paragraphs = sum(len(node.text()) for node in body.css("p"))
    for node in innermost_first(body.css(_TOLD)):
        if node.tag in _NEVER or not _is_clutter(node):
            continue
        if len(node.text()) >= 0.25 * size:
            continue
        if paragraphs and sum(len(p.text()) for p in node.css("p")) >= 0.3 * paragraphs:
            continue
        node.decompose()


def innermost_first(nodes: list[LexborNode]) -> list[LexborNode]:
    """Each node once, children before what they stand in.

    Taking a node out of the tree frees all it holds, so nothing within a node may be
    touched once that node is gone.
    """
    return list({node.mem_id: node for node in reversed(nodes)}.values())


def _is_clutter(node: LexborNode) -> bool:
    attributes = node.attributes
    if _names_clutter(attributes.get("class"), attributes.get("id")):
        return True
    if "hidden" in attributes or attributes.get("aria-hidden") == "true":
        return True
    if attributes.get("role") in _ROLES:
        return True
    style = attributes.get("style")
    if style and "display:none" in style.replace(" ", ""):
        return True
    return node.tag == "figure" and node.css_first("pre,table") is None


@lru_cache(maxsize=20_000)
def _names_clutter(classes: str | None, name: str | None) -> bool:
    names = f"{classes or ''} {name or ''}"
    if len(names) >= 1000:
        return False
    words = names.lower().replace("_", " ").replace("-", " ").split()
    if not _WORDS.isdisjoint(words):
        return True
    if any(word.startswith(_STARTS) for word in words):
        return True
    return not _FIRST_OF_PAIRS.isdisjoint(words) and _PAIRS.search(names) is not None


def remove_link_lists(part: LexborNode) -> None:
    """Take away short blocks that are mostly links: teasers between the paragraphs."""
    around = _around_links(part)
    for node in innermost_first(part.css("ul,ol,p,div,table")):
        if node.mem_id not in around:
            continue
        length = len(node.text().strip())
        if not 0 < length < 600:
            continue
        linked = sum(len(link.text()) for link in node.css("a")) / length
        if linked > 0.6 and (node.tag != "p" or length < 140):
            node.decompose()


def _around_links(part: LexborNode) -> set[int]:
    """The nodes within this part that have links in them. To ask each would take the square of
    how deep they nest."""
    found: set[int] = set()
    for link in part.css("a"):
        node = link.parent
        while node is not None and node.mem_id != part.mem_id and node.mem_id not in found:
            found.add(node.mem_id)
            node = node.parent
    return found


_LINE = re.compile(
    r"""advertisement | \d*\ ?comments? | print | e-?mail | share(?:\ this)? | tweet | facebook
    | twitter | getty\ images | loading\.* | all\ rights\ reserved.* | related:?
    | related\ (?:articles?|stories):?
    | (?:(?:read|see)\ also|also\ read|read\ more|follow\ us|click\ here|continue\ reading
        |story\ continues|filed\ under|posted\ (?:in|on|by)|follow\ @?\w+\ on)\b.{0,120}
    | (?:sign\ up|subscribe)\b.{0,180}
    | (?:©|copyright\b).{0,200}
    | (?:photo(?:graph)?|image):.{0,150}
    | (?:last\ updated|updated:|published:?)\ .{0,60}""",
    re.IGNORECASE | re.VERBOSE,
)


def is_clutter_line(line: str) -> bool:
    """Whether a line by itself is the site's and not the article's."""
    return len(line) < 240 and _LINE.fullmatch(line) is not None
