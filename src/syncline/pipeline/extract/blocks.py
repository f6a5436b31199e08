"""Markup as text in the fixed Markdown dialect: what each element looks like in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from syncline.pipeline.extract.layout import Layout
from syncline.pipeline.extract.serialised import Markup, unescaped

__all__ = ["BREAK", "Writer"]

BREAK = "\x01"
"""Stands for `<br>` until the white space around it has been collapsed."""
_DEEPEST_INDENT = 24
"""In characters. Deeper lists stay at this indent, or their text would be mostly spaces."""


class Writer:
    """Collects inline text, and writes a block whenever one ends."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._out: list[str] = []
        self._inline: list[str] = []
        self._handlers = _HANDLERS
        self._indent = ""
        self._indents: list[str] = []
        self._marker: str | None = None
        """Begins the next block's first line, instead of the indent."""
        self._tight = False
        """No blank line before the block that takes the marker."""
        self._lists: list[int | None] = []
        """Of each open list: the next item's number, 0 for bullets, None if it is layout."""
        self._tables: list[bool] = []
        """Of each open table: whether its cells are data."""
        self._row: list[str] | None = None
        self._cell: list[str] | None = None
        self._first_row = True
        self._heading = 0
        self._code = 0
        self._ticked = False
        self._pre = 0
        self._after_term = False
        self._alt = ""

    def read(self, markup: Markup) -> None:
        inline = self._inline
        append = inline.append
        handlers = self._handlers
        texts = iter(markup.texts)
        if first := next(texts):
            append(first)
        for name, tag, text in zip(markup.names, markup.tags, texts, strict=True):
            handle = handlers.get(name)
            if handle is Writer.block:
                if self._heading:
                    append(" ")
                elif inline:
                    self.flush()
            elif handle is not None:
                handle(self, tag)
                handlers = self._handlers
            # Space before a block's first word is nothing, except in code.
            if text and (inline or not text.isspace() or handlers is _HANDLERS_IN_PRE):
                append(text)

    def finish(self) -> str:
        if self._pre:
            self._pre = 1
            self.close_pre("")
        self.flush()
        return "".join(self._out).lstrip("\n")

    # Blocks

    def block(self, tag: str) -> None:
        """Any tag at which a line ends."""
        if self._heading:
            self._inline.append(" ")
        elif self._inline:
            self.flush()

    def flush(self) -> None:
        """Write the collected text as a paragraph, or into the cell that is open."""
        inline = self._inline
        if self._ticked:
            self._close_tick()
        text = "".join(inline)
        inline.clear()
        if "&" in text:
            text = unescaped(text)
        if BREAK in text:
            for paragraph in _BREAKS.split(text):
                lines = (" ".join(line.split()) for line in paragraph.split(BREAK))
                self._paragraph("\n".join(line for line in lines if line))
            return
        self._paragraph(" ".join(text.split()))

    def _paragraph(self, text: str) -> None:
        if self._alt:
            text, self._alt = text or self._alt, ""
        if not text:
            return
        if self._cell is not None:
            self._cell.append(text)
        else:
            self._emit(f"\\{text}" if text[0] in "#`" and _STRUCTURAL.match(text) else text)

    def _emit(self, text: str) -> None:
        marker, self._marker = self._marker, None
        self._after_term = False
        if "\n" in text and self._indent:
            text = text.replace("\n", "\n" + self._indent)
        if marker is None:
            self._out += ("\n\n", self._indent, text)
        else:
            self._out += ("\n" if self._tight else "\n\n", marker, text)

    def _push(self, more: str) -> None:
        self._indents.append(self._indent)
        if len(self._indent) < _DEEPEST_INDENT:
            self._indent += more

    def _pop(self) -> None:
        if self._indents:
            self._indent = self._indents.pop()

    # Headings

    def open_heading(self, level: int) -> None:
        self.block("")
        self._heading = level

    def close_heading(self, tag: str) -> None:
        level, self._heading = self._heading, 0
        text = unescaped("".join(self._inline)).replace(BREAK, " ")
        self._inline.clear()
        self._alt = ""
        text = " ".join(text.split()).rstrip("¶").rstrip()
        if not text:
            return
        if self._cell is not None or self._indent or not level:
            self._paragraph(text)
        else:
            self._marker = None
            self._emit(f"{'#' * level} {text}")

    # Lists and definitions

    def open_list(self, tag: str, first: int) -> None:
        self.block("")
        self._lists.append(None if self._layout.next_list() else first)
        # A list begins after a blank line, unless it stands within an item.
        self._tight = sum(1 for each in self._lists[-3:] if each is not None) > 1

    def open_ordered(self, tag: str) -> None:
        start = _START.search(tag)
        self.open_list("", int(start[1]) if start else 1)

    def close_list(self, tag: str) -> None:
        self.block("")
        if self._lists:
            self._lists.pop()
        self._tight = True

    def open_item(self, tag: str) -> None:
        self.block("")
        number = self._lists[-1] if self._lists else 0
        if number is None:
            self._push("")
            return
        sign = f"{number}. " if number else "- "
        if number:
            self._lists[-1] = number + 1
        self._marker = self._indent + sign
        self._push(" " * len(sign))

    def close_item(self, tag: str) -> None:
        self.block("")
        if self._marker is None:
            self._tight = True
        self._marker = None
        self._pop()

    def open_term(self, tag: str) -> None:
        after_term = self._after_term
        self.block("")
        if after_term and self._cell is None:
            self._marker, self._tight = self._indent, True

    def close_term(self, tag: str) -> None:
        self.block("")
        self._after_term = True

    def open_definition(self, tag: str) -> None:
        after_term = self._after_term
        self.block("")
        if after_term and self._cell is None:
            self._marker, self._tight = self._indent + ": ", True

    def close_definition(self, tag: str) -> None:
        self.block("")
        self._marker = None

    def open_quote(self, tag: str) -> None:
        self.block("")
        if self._marker is not None:
            self._marker += "> "
        self._push("> ")

    def close_quote(self, tag: str) -> None:
        self.block("")
        self._pop()

    # Tables

    def open_table(self, tag: str) -> None:
        self.block("")
        self._tables.append(not self._layout.next_table())
        self._first_row = True

    def close_table(self, tag: str) -> None:
        self.close_row("")
        if self._tables:
            self._tables.pop()

    def open_row(self, tag: str) -> None:
        self.block("")
        self._row = [] if self._tables and self._tables[-1] else None

    def close_row(self, tag: str) -> None:
        self.close_cell("")
        row, self._row = self._row, None
        if row and any(row):
            self._marker, self._tight = None if self._first_row else self._indent, True
            self._emit("| " + " | ".join(row) + " |")
            self._first_row = False

    def open_cell(self, tag: str) -> None:
        self.block("")
        if self._row is not None:
            self._cell = []

    def close_cell(self, tag: str) -> None:
        self.block("")
        cell, self._cell = self._cell, None
        if cell is not None and self._row is not None:
            self._row.append(" ".join(cell).replace("\n", " ").replace("|", "\\|"))

    # Code

    def open_code(self, tag: str) -> None:
        self._code += 1
        if self._code == 1 and not self._heading:
            self._inline.append("`")
            self._ticked = True

    def close_code(self, tag: str) -> None:
        self._code = max(0, self._code - 1)
        if not self._code and self._ticked:
            self._close_tick()

    def _close_tick(self) -> None:
        self._ticked = False
        if self._inline and self._inline[-1] == "`":
            self._inline.pop()
        else:
            self._inline.append("`")

    def open_pre(self, tag: str) -> None:
        if not self._pre:
            self.block("")
            self._handlers = _HANDLERS_IN_PRE
        self._pre += 1

    def line_in_pre(self, tag: str) -> None:
        if self._inline and not self._inline[-1].endswith("\n"):
            self._inline.append("\n")

    def break_in_pre(self, tag: str) -> None:
        self._inline.append("\n")

    def close_pre(self, tag: str) -> None:
        self._pre -= 1
        if self._pre > 0:
            return
        self._pre = 0
        self._handlers = _HANDLERS
        code = unescaped("".join(self._inline))
        self._inline.clear()
        code = _BLANK_START.sub("", code).rstrip()
        if not code:
            return
        if self._cell is not None or self._heading:
            self._inline.append(" ".join(code.split()))
            return
        longest = max((len(run) for run in _TICKS.findall(code)), default=0)
        fence = "`" * max(3, longest + 1)
        self._marker = None
        self._emit(f"{fence}\n{code}\n{fence}")

    # Inline

    def line_break(self, tag: str) -> None:
        self._inline.append(BREAK)

    def quotation_mark(self, tag: str) -> None:
        self._inline.append('"')

    def image(self, tag: str) -> None:
        """An image's words count only where nothing else says what is there."""
        alt = _ALT.search(tag)
        if alt and alt[1].count(" ") >= 3:
            self._alt = " ".join(unescaped(alt[1].replace("&quot;", '"')).split())


_BREAKS = re.compile(rf"{BREAK}\s*{BREAK}[\s{BREAK}]*")
_STRUCTURAL = re.compile(r"#{1,6} |```")
_START = re.compile(r' start="(\d{1,6})"')
_ALT = re.compile(r' alt="([^"]+)"')
_BLANK_START = re.compile(r"\A(?:[ \t]*\n)+")
_TICKS = re.compile(r"`{3,}")


_Handler = Callable[[Writer, str], None]
_BLOCKS = """
    address article aside body caption center details dialog dir div dl dt fieldset figcaption
    figure footer form frame frameset header hgroup hr html legend main menu nav noframes
    optgroup p search section summary tbody tfoot thead
""".split()  # noqa: SIM905  (a list of names reads better as text)


def _both(names: Iterable[str], handler: _Handler) -> dict[str, _Handler]:
    """For opening and closing tags alike."""
    return {tag: handler for name in names for tag in (name, "/" + name)}


def _heading(level: int) -> dict[str, _Handler]:
    return {
        f"h{level}": lambda writer, tag: writer.open_heading(level),
        f"/h{level}": Writer.close_heading,
    }


_HANDLERS: dict[str, _Handler] = {
    **_both(_BLOCKS, Writer.block),
    **{name: handler for level in range(1, 7) for name, handler in _heading(level).items()},
    "dt": Writer.open_term,
    "/dt": Writer.close_term,
    "dd": Writer.open_definition,
    "/dd": Writer.close_definition,
    "ul": lambda writer, tag: writer.open_list(tag, 0),
    "/ul": Writer.close_list,
    "ol": Writer.open_ordered,
    "/ol": Writer.close_list,
    "li": Writer.open_item,
    "/li": Writer.close_item,
    "blockquote": Writer.open_quote,
    "/blockquote": Writer.close_quote,
    "table": Writer.open_table,
    "/table": Writer.close_table,
    "tr": Writer.open_row,
    "/tr": Writer.close_row,
    "td": Writer.open_cell,
    "/td": Writer.close_cell,
    "th": Writer.open_cell,
    "/th": Writer.close_cell,
    **dict.fromkeys(("code", "tt", "kbd", "samp"), Writer.open_code),
    **dict.fromkeys(("/code", "/tt", "/kbd", "/samp"), Writer.close_code),
    **dict.fromkeys(("pre", "listing", "xmp"), Writer.open_pre),
    "br": Writer.line_break,
    **_both(("q",), Writer.quotation_mark),
    "img": Writer.image,
}
_HANDLERS_IN_PRE: dict[str, _Handler] = {
    **_both((*_BLOCKS, "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6"), Writer.line_in_pre),
    **dict.fromkeys(("pre", "listing", "xmp"), Writer.open_pre),
    **dict.fromkeys(("/pre", "/listing", "/xmp"), Writer.close_pre),
    "br": Writer.break_in_pre,
}
