"""Which part of an HTML page is its text, and which is the site around it.

The clutter that names itself is taken away, and paragraphs vote for the element they
stand in, by their length and by how little of them is links; a page's own mark (`main`,
`article`) is believed where it holds most of the paragraphs.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from selectolax.lexbor import LexborHTMLParser, LexborNode

from syncline.pipeline.extract.clutter import (
    remove_clutter,
    remove_link_lists,
)

__all__ = ["MainPart", "find_main_part", "whole_page"]


class MainPart(Struct, frozen=True):
    """The chosen part."""

    html: str
    """As the parser serialises it."""
    is_article: bool
    """Chosen by votes, with single lines of the site's still between its paragraphs; else it
    is everything there is."""


_LARGEST_SCORED = 3_000_000
"""Characters. Counting every element's text takes their number times the depth."""
_FURTHEST_UP = 40
_MARKED = "main,[role=main],article,[itemprop=articleBody]"


def find_main_part(tree: LexborHTMLParser) -> MainPart:
    """The part of the page that is its text. The tree is changed on the way."""
    body = tree.body
    if body is None:
        return MainPart("", is_article=False)
    if len(body.text()) > _LARGEST_SCORED:
        return MainPart((body.css_first("main,[role=main]") or body).html or "", is_article=False)
    tree.strip_tags(["nav", "footer", "aside", "dialog", "menu"])
    remove_clutter(body)
    chosen = _believed(body, _Marked(body)) or _elected(body)
    remove_link_lists(chosen)
    return MainPart(chosen.html or "", is_article=True)


def whole_page(tree: LexborHTMLParser) -> str:
    """All of the page but what frames every page of its site."""
    tree.strip_tags(["nav", "footer"])
    return (tree.body.html or "") if tree.body is not None else ""


class _Marked:
    """The elements that pages mark their main part with."""

    def __init__(self, body: LexborNode) -> None:
        self.body = body
        self.main: LexborNode | None = None
        self.articles: list[LexborNode] = []
        self.article_body: LexborNode | None = None
        # An element that several selectors match comes several times.
        for node in {node.mem_id: node for node in body.css(_MARKED)}.values():
            attributes = node.attributes
            role, tag = attributes.get("role"), node.tag
            if attributes.get("itemprop") == "articleBody":
                self.article_body = self.article_body or node
            if tag == "main" or role == "main":
                self.main = self.main or node
            elif tag == "article":
                self.articles.append(node)


def _believed(body: LexborNode, marked: _Marked) -> LexborNode | None:
    """The page's own mark, if most of its paragraphs stand there."""
    total = _paragraph_text([body])
    if not total:
        return None
    candidates = [marked.article_body, *marked.articles[:1], marked.main]
    if len(marked.articles) > 1:
        candidates = [marked.article_body, marked.main]
    for candidate in candidates:
        if candidate is not None and _paragraph_text([candidate]) >= 0.7 * total:
            return candidate
    return None


def _elected(body: LexborNode) -> LexborNode:
    """The element that the paragraphs vote for: their parents, and less the further up."""
    votes: dict[int, float] = {}
    nodes: dict[int, LexborNode] = {}
    for node in body.css("p,pre,blockquote,td,li,div"):
        weight, start = _ballot(node)
        above: LexborNode | None = start
        for share in (1.0, 0.6, 0.36):
            if not weight or above is None or above.tag in ("html", "-document"):
                break
            key = above.mem_id
            votes[key] = votes.get(key, 0.0) + weight * share
            nodes[key] = above
            above = above.parent
    if not votes:
        return body
    chosen = nodes[max(votes, key=lambda key: (votes[key], -key))]
    return _widened(chosen)


def _ballot(node: LexborNode) -> tuple[float, LexborNode | None]:
    """How much a paragraph's vote weighs, and the element it is for."""
    container = node.tag in ("div", "td")
    text = node.text(deep=not container).strip()
    length = len(text)
    if length < (60 if container else 80 if node.tag == "li" else 25):
        return 0.0, None
    linked = sum(len(link.text()) for link in node.css("a")) / length
    if linked > 0.5:
        return 0.0, None
    weight = (1 + text.count(",") + min(length / 100, 6)) * (1 - linked)
    if node.tag in ("blockquote", "li", "td"):
        weight *= 0.4
    # Text that stands in a container without paragraphs is that container's.
    return weight, node if container and length >= 220 else node.parent


def _widened(chosen: LexborNode) -> LexborNode:
    """The elected element, or one around it, if an article is spread over its siblings."""
    held = _paragraph_text([chosen])
    above = chosen.parent
    for _ in range(_FURTHEST_UP):
        if not held or above is None or above.tag in ("body", "html", "-document"):
            break
        more = _paragraph_text([above])
        if more > 3 * held:
            break
        if more > 1.45 * held and len(above.css("article")) < 3:
            linked = sum(len(link.text()) for link in above.css("p a"))
            if linked < 0.35 * more:
                chosen, held = above, more
        above = above.parent
    return chosen


def _paragraph_text(nodes: Iterable[LexborNode]) -> int:
    return sum(len(paragraph.text()) for node in nodes for paragraph in node.css("p"))
