"""Confluence's storage format (XHTML with `ac:` and `ri:` elements) as clean HTML.

One pass over the tags, whatever is wrong with them: nothing needs to be well-formed, and time and
memory grow with the length of the text alone. What comes out has known elements only, without
scripts or styles; the extractor turns it into Markdown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape, unescape

__all__ = ["to_html", "user_keys"]

_DEEPEST = 60
"""Macros nested deeper are read through: their text is kept, what they mean is not."""
_KEPT = frozenset(
    """
    p h1 h2 h3 h4 h5 h6 ul ol li dl dt dd table thead tbody tfoot tr th td caption blockquote pre
    code kbd samp tt br hr strong b em i u s del ins sub sup small cite q div details summary
    """.split()  # noqa: SIM905  (a list of names reads better as text)
)
_VOID = frozenset({"br", "hr"})
_MEANS = {
    "ac:task-list": "ul",
    "ac:task": "li",
    "ac:layout-section": "div",
    "ac:layout-cell": "div",
}
"""Elements of Confluence's own that are another's as soon as they are read."""
_DROPPED = frozenset(
    """
    script style title head template iframe object ac:placeholder ac:task-id ac:task-uuid
    ac:adf-attribute ac:adf-mark at:declarations
    """.split()  # noqa: SIM905
)
"""Elements whose text is none of the page's."""
_FRAMES = _DROPPED | frozenset(
    """
    ac:structured-macro ac:macro ac:parameter ac:default-parameter ac:rich-text-body
    ac:plain-text-body ac:link ac:plain-text-link-body ac:link-body ac:image ac:caption
    ac:task-status ac:adf-fallback a
    """.split()  # noqa: SIM905
)
_MACROS = frozenset({"ac:structured-macro", "ac:macro"})
_BODIES = frozenset({"ac:rich-text-body", "ac:plain-text-link-body", "ac:link-body", "ac:caption"})
_TAG = re.compile(r"<(/?)([A-Za-z][\w:.-]*)((?:[^<>\"']|\"[^\"<]*\"|'[^'<]*')*+)>")
_ATTRIBUTE = re.compile(r"(?<![\w:.-])([A-Za-z][\w:.-]*+)\s*+=\s*+(?:\"([^\"]*)\"|'([^']*)')")
_HREF = re.compile(r"(?:https?://|mailto:)\S+", re.IGNORECASE)
_USER_KEY = re.compile(r"""<ri:user\b[^<>]*?\bri:userkey\s*=\s*["']([^"'<>]{1,80})["']""")

_CALLOUTS = {"info": "Info", "note": "Note", "warning": "Warning", "tip": "Tip"}
_PREFORMATTED = frozenset({"code", "noformat", "plantuml", "mermaid", "latex", "mathblock"})
_LEFT_OUT = frozenset(
    """
    anchor attachments blog-posts change-history chart children content-report-table contentbylabel
    contributors contributors-summary create-from-template detailssummary excerpt-include favpages
    gallery include includeplus index labels-list listlabels livesearch navmap network pagetree
    pagetreesearch popular-labels profile-picture recently-updated recently-updated-dashboard
    related-labels roadmap rss search spaces space-attachments space-details tasks-report-macro toc
    toc-zone-off userlister widget
    """.split()  # noqa: SIM905
)
"""Macros that show what stands elsewhere: there it is read."""
_EMOTICONS = {"tick": "✓", "cross": "✗", "warning": "⚠", "information": "ℹ", "question": "?"}


def user_keys(storage: str) -> set[str]:
    """The keys of the users that a text names without saying what they are called."""
    return set(_USER_KEY.findall(storage))


def to_html(storage: str, names: Mapping[str, str] | None = None) -> str:
    """The text as HTML. `names` are what users are called, by key or user name."""
    return _Converter(names or {}).convert(storage)


@dataclass(slots=True)
class _Frame:
    """An open element whose content is put together when it ends."""

    tag: str
    attributes: Mapping[str, str]
    out: list[str] = field(default_factory=list)
    body: list[str] = field(default_factory=list)
    plain: str | None = None
    """Escaped text, of a macro that has such a body."""
    parameters: dict[str, str] = field(default_factory=dict)
    resource: str = ""
    """What is linked to, in words."""

    def text(self) -> str:
        return "".join(self.body if any(map(str.strip, self.body)) else self.out)


class _Converter:
    def __init__(self, names: Mapping[str, str], *, inner: bool = False) -> None:
        self._names = names
        self._inner = inner
        self._stack = [_Frame("", {})]
        self._beyond = 0
        """How many elements are open that were one too many."""

    def convert(self, storage: str) -> str:
        for kind, name, rest in _tokens(storage):
            if kind == "text":
                self._stack[-1].out.append(name)
            elif kind == "close":
                self._close(name)
            else:
                self._open(name, rest, empty=rest.rstrip().endswith("/"))
        while len(self._stack) > 1:
            self._end()
        return "".join(self._stack[0].out)

    def _open(self, tag: str, rest: str, *, empty: bool) -> None:
        tag = _MEANS.get(tag, tag)
        if tag in _KEPT:
            more = ""
            if tag == "ol" and (start := _attributes(rest).get("start", "")).isdigit():
                more = f' start="{start[:6]}"'
            self._stack[-1].out.append(f"<{tag}{more}>")
            if empty and tag not in _VOID:
                self._stack[-1].out.append(f"</{tag}>")
        elif tag in _FRAMES:
            if len(self._stack) > _DEEPEST:
                self._beyond += not empty
                return
            self._stack.append(_Frame(tag, _attributes(rest)))
            if empty:
                self._end()
        elif tag.startswith("ri:"):
            top = self._stack[-1]
            top.resource = top.resource or self._named(tag, _attributes(rest))
        elif tag in _ALONE:
            self._stack[-1].out.append(_ALONE[tag](_attributes(rest)))

    def _close(self, tag: str) -> None:
        tag = _MEANS.get(tag, tag)
        if tag in _KEPT and tag not in _VOID:
            self._stack[-1].out.append(f"</{tag}>")
        elif tag in _FRAMES:
            if self._beyond:
                self._beyond -= 1
            elif any(frame.tag == tag for frame in self._stack):
                while self._stack[-1].tag != tag:
                    self._end()
                self._end()

    def _end(self) -> None:
        """The innermost frame ends: it becomes a part of the one around it."""
        frame = self._stack.pop()
        around = self._stack[-1]
        tag = frame.tag
        if tag in _DROPPED:
            return
        if tag in ("ac:parameter", "ac:default-parameter"):
            text = frame.text().strip() or escape(frame.resource, quote=False)
            around.parameters[frame.attributes.get("ac:name", "")] = text
        elif tag == "ac:plain-text-body" and around.tag in _MACROS:
            around.plain = frame.text()
        elif tag in _BODIES and around.tag:
            around.body += frame.out
        elif tag == "ac:task-status":
            around.out.append("[x] " if frame.text().strip() == "complete" else "[ ] ")
        elif tag in _MACROS:
            around.out.append(self._macro(frame))
        elif tag == "a":
            href = unescape(frame.attributes.get("href", ""))
            link = f'<a href="{escape(href)}">{frame.text()}</a>' if _HREF.fullmatch(href) else None
            around.out.append(link or frame.text())
        elif tag == "ac:link":
            named = frame.resource or unescape(frame.attributes.get("ac:anchor", ""))
            around.out.append(frame.text().strip() or escape(named, quote=False))
        elif tag == "ac:image":
            alt = unescape(frame.attributes.get("ac:alt", "")) or frame.resource
            around.out.append(f'<img alt="{escape(alt)}">{"".join(frame.body)}')
        elif tag != "ac:adf-fallback":  # says again what stands beside it
            around.out += frame.out
        around.resource = around.resource or ("" if tag in _OWN_RESOURCES else frame.resource)

    def _named(self, tag: str, attributes: Mapping[str, str]) -> str:
        """What a resource is called."""
        value = {name: unescape(text) for name, text in attributes.items()}
        if tag == "ri:user":
            key, name = value.get("ri:userkey", ""), value.get("ri:username", "")
            return "@" + (self._names.get(key) or self._names.get(name) or name or "someone")
        for name in ("ri:content-title", "ri:filename", "ri:space-key", "ri:value"):
            if value.get(name):
                return value[name]
        return ""

    def _macro(self, frame: _Frame) -> str:
        kind = frame.attributes.get("ac:name", "").lower()
        title = frame.parameters.get("title", "")
        if kind in _LEFT_OUT:
            return ""
        if kind == "status":
            return f"[{title}]" if title else ""
        if kind in ("jira", "jiraissues"):
            return frame.parameters.get("key", "")
        if kind == "profile":
            return frame.parameters.get("user", "")
        if kind in ("view-file", "viewpdf", "viewdoc", "viewxls", "viewppt", "multimedia"):
            return frame.parameters.get("name", "") or escape(frame.resource, quote=False)
        if kind == "html" and frame.plain is not None and not self._inner:
            return _Converter(self._names, inner=True).convert(unescape(frame.plain))
        if kind == "markdown" and frame.plain is not None:
            return _paragraphs(frame.plain)
        heading = f"<p><strong>{title}</strong></p>" if title else ""
        if kind in _CALLOUTS:
            word = f"{_CALLOUTS[kind]}: {title}" if title else f"{_CALLOUTS[kind]}:"
            return f"<blockquote><p><strong>{word}</strong></p>{frame.text()}</blockquote>"
        if frame.plain is not None:
            return f"{heading}<pre><code>{frame.plain}</code></pre>"
        if kind in _PREFORMATTED:
            return f"{heading}<pre><code>{frame.text()}</code></pre>"
        if kind == "panel":
            return f"<blockquote>{heading}{frame.text()}</blockquote>"
        body = frame.text()
        return f"<div>{heading}{body}</div>" if "<" in body or heading else body


def _time(attributes: Mapping[str, str]) -> str:
    return attributes.get("datetime", "")


def _image(attributes: Mapping[str, str]) -> str:
    return f'<img alt="{escape(unescape(attributes.get("alt", "")))}">'


def _emoticon(attributes: Mapping[str, str]) -> str:
    fallback = unescape(attributes.get("ac:emoji-fallback", ""))
    return escape(fallback or _EMOTICONS.get(attributes.get("ac:name", ""), ""), quote=False)


_ALONE: dict[str, Callable[[Mapping[str, str]], str]] = {
    "time": _time,
    "img": _image,
    "ac:emoticon": _emoticon,
}
"""Elements without content of their own."""
_OWN_RESOURCES = _MACROS | {"ac:link", "ac:image"}
"""What has told already what it links to."""


def _paragraphs(text: str) -> str:
    parts = re.split(r"\n[ \t]*\n", text)
    return "".join(f"<p>{'<br>'.join(part.strip().splitlines())}</p>" for part in parts)


def _attributes(rest: str) -> dict[str, str]:
    return {
        name.lower(): double or single for name, double, single in _ATTRIBUTE.findall(rest[:4000])
    }


def _tokens(storage: str) -> Iterator[tuple[str, str, str]]:
    """`text` as it may stand in HTML, `open` and `close` with a name in lower case."""
    at, comments = 0, True
    while at < len(storage):
        start = storage.find("<", at)
        if start != at:
            yield "text", _text(storage[at : start if start >= 0 else None]), ""
        if start < 0:
            return
        if storage.startswith("<![CDATA[", start):
            end = storage.find("]]>", start)
            yield "text", escape(storage[start + 9 : end if end >= 0 else None], quote=False), ""
            if end < 0:
                return
            at = end + 3
            continue
        if comments and storage.startswith("<!--", start):
            end = storage.find("-->", start + 4)
            comments = end >= 0
            if comments:
                at = end + 3
                continue
        tag = _TAG.match(storage, start)
        if tag is None:
            yield "text", "&lt;", ""
            at = start + 1
            continue
        yield "close" if tag[1] else "open", tag[2].lower(), tag[3]
        at = tag.end()


def _text(text: str) -> str:
    return text.replace(">", "&gt;") if ">" in text else text
