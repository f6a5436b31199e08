"""Pages whose text is known: articles that people marked, and documentation that marks itself."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

from benchmarks.corpus import make_corpus, names

__all__ = ["ARTICLES", "KnownPage", "articles", "documentation"]

ARTICLES = Path(__file__).resolve().parents[2] / "shared" / "data" / "html-extraction" / "aeb"
"""The pages of the article extraction benchmark; not part of this repository."""


@dataclass(frozen=True, slots=True)
class KnownPage:
    """A page, and what should be found in it."""

    name: str
    group: str
    """`tuning` or `held out` for articles, the generator for documentation."""
    html: bytes
    text: str


def articles() -> list[KnownPage]:
    """All articles, split in two by their names; none where they are not at hand."""
    if not ARTICLES.is_dir():
        return []
    known = json.loads((ARTICLES / "ground-truth.json").read_text("utf-8"))
    return [
        KnownPage(
            name,
            "held out" if sha256(name.encode()).digest()[0] % 2 else "tuning",
            gzip.decompress((ARTICLES / "html" / f"{name}.html.gz").read_bytes()),
            each["articleBody"],
        )
        for name, each in sorted(known.items())
    ]


_PARTS = {
    "python": ("Sphinx", "role", "main"),
    "git": ("AsciiDoc", "id", "content"),
    "postgresql": ("DocBook", "id", "docContent"),
    "java": ("Javadoc", "role", "main"),
}
"""Of each package's pages, the generator and the attribute by which it marks the text."""


def documentation() -> list[KnownPage]:
    """All pages of the corpus that have the element which their generator marks the text with."""
    corpus = make_corpus()
    found = []
    for name in names(corpus):
        generator, attribute, value = _PARTS[name.partition("/")[0]]
        data = (corpus / name).read_bytes()
        reader = _Reference(attribute, value)
        reader.feed(data.decode("utf-8", "replace"))
        reader.close()
        if reader.found:
            found.append(KnownPage(name, generator, data, "".join(reader.texts)))
    return found


_VOID = frozenset({"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "wbr"})
_LEFT_OPEN = frozenset({"p", "li", "dt", "dd", "td", "th", "tr", "tbody", "thead", "tfoot"})
_NO_TEXT = frozenset({"script", "style", "button", "nav", "object"})
_FRAMES = frozenset({"navheader", "navfooter", "headerlink"})
_INLINE = frozenset(
    "a b code em font i kbd samp small span strong sub sup tt u var wbr".split()  # noqa: SIM905
)


class _Reference(HTMLParser):
    """The words in one marked element, read without anything of the product's.

    The header of AsciiDoc's pages stands beside the marked element, and has their titles.
    """

    def __init__(self, attribute: str, value: str) -> None:
        super().__init__()
        self._marks = {(attribute, value), ("id", "header")} if value == "content" else {
            (attribute, value)
        }  # fmt: skip
        self._open: list[tuple[str, bool]] = []
        """Of each open element in the marked one: its name, and whether it is none of its text."""
        self.found = False
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Enter the marked element, and count what is open in it."""
        if tag not in _INLINE:
            self.texts.append(" ")
        if tag in _VOID:
            return
        if self._open:
            classes = dict(attrs).get("class") or ""
            frame = tag in _NO_TEXT or not _FRAMES.isdisjoint(classes.split())
            self._open.append((tag, frame))
        elif not self._marks.isdisjoint(attrs):
            self.found = True
            self._open.append((tag, False))

    def handle_endtag(self, tag: str) -> None:
        """Close the element, and those in it that may be left open."""
        if tag not in _INLINE:
            self.texts.append(" ")
        places = [place for place, (name, _) in enumerate(self._open) if name == tag]
        if places and all(
            name in _LEFT_OPEN or name in _INLINE for name, _ in self._open[places[-1] + 1 :]
        ):
            del self._open[places[-1] :]

    def handle_data(self, data: str) -> None:
        """Keep text of the marked element."""
        if self._open and not any(frame for _, frame in self._open):
            self.texts.append(data)
