"""Where pages of known documentation generators have their text: they say so themselves."""

from __future__ import annotations

from selectolax.lexbor import LexborHTMLParser, LexborNode

from syncline.pipeline.extract.generators import is_documentation

__all__ = ["find_documentation"]

_FRAMES = "nav,footer,[hidden],"
_FRAMES_OF = {
    "javadoc": _FRAMES + "button,.topNav,.bottomNav,.subNav,.skip-nav,.breadcrumbs",
    "docbook": _FRAMES + ".navheader,.navfooter",
    "asciidoc": _FRAMES + "#toc,a.anchor,.linenos,.lineno,.linenodiv,.gutter",
    "sphinx": _FRAMES + (
        "a.headerlink,.linenos,.lineno,.linenodiv,.gutter,.sphinxsidebar,.prev-next-area,#toc,"
        ".breadcrumbs,.rst-breadcrumbs-buttons,.edit-this-page,.copybtn"
    ),
}  # fmt: skip
"""What stands in the text and is the site's. Each selector costs time on each element."""
_OTHER_FRAMES = _FRAMES + (
    "a.headerlink,.navheader,.navfooter,a.anchor,.anchor-link,.hash-link,.linenos,.lineno,"
    ".linenodiv,.gutter,.topNav,.bottomNav,.subNav,.breadcrumbs,.theme-doc-toc-mobile,"
    ".theme-edit-this-page,.pagination-nav,.edit-this-page,.sphinxsidebar,.prev-next-area,"
    ".rst-breadcrumbs-buttons,.md-source-file,.copybtn,#toc,.skip-nav"
)


def find_documentation(tree: LexborHTMLParser, generator: str) -> str:
    """The HTML of the text of a generator's page; empty for all others. Changes the tree."""
    body = tree.body
    if body is None:
        return ""
    parts, frames = _parts(body, generator)
    for part in parts:
        # Children before what they stand in: taking a node out frees all that it holds.
        for node in {each.mem_id: each for each in reversed(part.css(frames))}.values():
            if node.tag not in ("body", "main"):
                node.decompose()
    return "".join(part.html or "" for part in parts)


def _parts(body: LexborNode, generator: str) -> tuple[list[LexborNode], str]:
    """The elements that hold the text, and what selects the frames in them."""
    if body.id == "docContent":
        return [body], _FRAMES_OF["docbook"]
    if "javadoc" in generator and (main := body.css_first("main,[role=main]")):
        return [main], _FRAMES_OF["javadoc"]
    if "asciidoc" in generator and (content := body.css_first("#content")):
        # The title, and a manual page's name line, stand in the header.
        header = body.css_first("#header")
        return [*([header] if header else []), content], _FRAMES_OF["asciidoc"]
    if marked := body.css_first(".body[role=main],main.body"):
        return [marked], _FRAMES_OF["sphinx"]
    if not is_documentation(generator):
        return [], ""
    frames = _FRAMES_OF["docbook"] if "docbook" in generator else _OTHER_FRAMES
    articles = body.css("article")[:2]
    article = articles[0] if len(articles) == 1 else None
    marked = body.css_first("[itemprop=articleBody]") or article
    return [marked or body.css_first("main,[role=main]") or body], frames
