"""Markdown: front matter becomes metadata, the text passes in the fixed dialect."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Any

from syncline.core.model import Content, Json, Metadata
from syncline.pipeline.extract.decode import decode
from syncline.pipeline.extract.normalise import clean_characters, normalise
from syncline.pipeline.extract.reading import Reading

__all__ = ["read_markdown"]

_FRONT = re.compile(r"---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_MOST_FRONT = 64_000


def read_markdown(content: Content, listed: Metadata) -> Reading:
    """Read Markdown. Raises `BadContent` for what is no text."""
    text = clean_characters(decode(content.data, content.charset))
    about, text = _front_matter(text)
    text = normalise(_in_dialect(text))
    return Reading(text, _metadata(about, text))


def _front_matter(text: str) -> tuple[dict[str, Any], str]:
    """The YAML between `---` lines at the very top, and the rest; all text if it is no YAML."""
    if not text.startswith("---"):
        return {}, text
    found = _FRONT.match(text, 0, _MOST_FRONT)
    if found is None:
        return {}, text
    import yaml

    class _Bounded(yaml.SafeLoader):
        """Without aliases, by which a short text can expand to gigabytes."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise yaml.YAMLError("aliases are not read in front matter")
            return super().compose_node(parent, index)

    try:
        about = yaml.load(found[1], _Bounded)  # noqa: S506  (a safe loader)
    except (yaml.YAMLError, ValueError, RecursionError, TypeError, AttributeError):
        return {}, text
    return (about, text[found.end() :]) if isinstance(about, dict) else ({}, text)


def _metadata(about: dict[str, Any], text: str) -> Metadata:
    known = {str(name).strip().lower(): value for name, value in about.items()}

    def first(read: Callable[[Any], Any], *names: str) -> Any:
        return next((found for name in names if (found := read(known.get(name)))), None)

    properties: dict[str, Json] = {}
    description = first(_text, "description", "summary", "excerpt")
    if description:
        properties["description"] = description
    return Metadata(
        title=first(_text, "title") or _first_heading(text),
        language=first(_text, "lang", "language", "locale"),
        authors=first(_texts, "authors", "author") or (),
        categories=first(_texts, "categories", "category") or (),
        tags=first(_texts, "tags", "tag", "keywords") or (),
        created_at=first(_moment, "date", "created", "created_at", "published"),
        updated_at=first(_moment, "updated", "updated_at", "lastmod", "last_modified", "modified"),
        properties=properties,
    )


def _text(value: Any) -> str | None:
    return str(value).strip() or None if isinstance(value, (str, int, float)) else None


def _texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, dict):
        return _texts(value.get("name"))
    if isinstance(value, (list, tuple)):
        named = (item.get("name") if isinstance(item, dict) else item for item in value)
        return tuple(text for item in named if (text := _text(item)))
    text = _text(value)
    return (text,) if text else ()


def _moment(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, date):
        moment = datetime.combine(value, time(), UTC)
    elif isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    else:
        return None
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (OverflowError, ValueError):
        return None


def _first_heading(text: str) -> str | None:
    for line in text.split("\n"):
        if line.startswith("```"):
            return None
        if line.startswith("# "):
            return line[2:].strip() or None
    return None


_FENCE = re.compile(r"([ >]*)(`{3,}|~{3,})(.*)")
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))??(?:[ \t]+#+)?[ \t]*")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*")
_NO_PARAGRAPH = re.compile(r"\s*$|[#>|]|\s*(?:[-*+]|\d+[.)])\s| {4}|\t")


def _in_dialect(text: str) -> str:
    """The same text with `#` headings, ``` fences, and links and HTML reduced to their words."""
    out: list[str] = []
    prose: list[str] = []
    closing: tuple[str, int] | None = None

    def end_prose() -> None:
        if prose:
            out.append(_prose("\n".join(prose)))
            prose.clear()

    for line in text.split("\n"):
        fence = _FENCE.fullmatch(line)
        if closing is not None:
            if (
                fence
                and fence[2][0] == closing[0]
                and len(fence[2]) >= closing[1]
                and not fence[3].strip()
            ):
                out.append(fence[1] + "`" * closing[1])
                closing = None
            else:
                out.append(line)
        elif fence and "`" not in fence[3]:
            end_prose()
            closing = (fence[2][0], len(fence[2]))
            out.append(fence[1] + "`" * closing[1] + fence[3].rstrip())
        else:
            prose.append(line)
    end_prose()
    if closing is not None:
        out.append("`" * closing[1])
    return "\n".join(out)


_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_DROPPED = re.compile(r"<(script|style)\b[^>]*>.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE)
# A tag, but neither `<https://…>` nor `a < b`.
_TAG = re.compile(r"</?[A-Za-z][A-Za-z0-9-]{0,30}(?:\s[^<>]{0,2000})?/?>")
_IMAGE = re.compile(
    r"!\[([^\[\]]{0,1000})\](?:\([^()\s]{0,2000}(?:\s+\"[^\"]{0,500}\")?\)|\[[^\[\]]{0,200}\])"
)
_LINK = re.compile(
    r"\[((?:[^\[\]\\]|\\.){1,1000})\]"
    r"(?:\((?:<[^<>]{0,2000}>|[^()\s]{0,2000}(?:\([^()\s]{0,500}\)[^()\s]{0,500})?)(?:\s+[\"'(][^\"')]{0,500}[\"')])?\)"
    r"|\[[^\[\]]{0,200}\])"
)
_DEFINITION = re.compile(r"^ {0,3}\[[^\[\]\n]{1,200}\]:[ \t]*\S+.*$\n?", re.MULTILINE)
_AUTOLINK = re.compile(r"<((?:https?|mailto):[^\s<>]{1,2000})>")
_CODE_SPAN = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)")


def _prose(text: str) -> str:
    text = _DROPPED.sub("", _COMMENT.sub("", text))
    text = _DEFINITION.sub("", text) if "]:" in text else text
    lines: list[str] = []
    for line in text.split("\n"):
        under = _SETEXT.fullmatch(line)
        if under and lines and not _NO_PARAGRAPH.match(lines[-1]):
            lines[-1] = ("# " if under[1][0] == "=" else "## ") + lines[-1].strip()
            continue
        heading = _ATX.fullmatch(line)
        if heading:
            lines.append(f"{heading[1]} {_inline(heading[2])}" if heading[2] else "")
        elif not _is_rule(line):
            lines.append(_inline(line))
    return "\n".join(lines)


def _is_rule(line: str) -> bool:
    """A thematic break, or the line beneath a table's head: it carries no words."""
    bare = line.replace(" ", "")
    if len(bare) < 3:
        return False
    return set(bare) in ({"-"}, {"*"}, {"_"}) or (
        set(bare) <= set("|:-") and "-" in bare and "|" in bare
    )


def _inline(line: str) -> str:
    """Words instead of markup, outside code spans."""
    if not any(mark in line for mark in "[<&!`"):
        return line
    parts: list[str] = []
    done = 0
    for span in _CODE_SPAN.finditer(line) if "`" in line else ():
        parts.append(_words(line[done : span.start()]))
        parts.append(span[0])
        done = span.end()
    parts.append(_words(line[done:]))
    return "".join(parts)


def _words(text: str) -> str:
    if "](" in text or "][" in text:
        text = _LINK.sub(r"\1", _IMAGE.sub(r"\1", text))
    if "<" in text:
        text = _TAG.sub("", _AUTOLINK.sub(r"\1", text))
    return html.unescape(text) if "&" in text else text
