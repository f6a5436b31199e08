"""From bytes to text: which encoding it is, and whether it is text at all."""

from __future__ import annotations

import codecs
import re

from syncline.core.errors import BadContent

__all__ = ["decode", "decode_html"]

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MARKS = tuple(mark for mark, _ in _BOMS)
_MAGIC = (
    (b"%PDF-", "a PDF file"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"\x1f\x8b", "a gzip file"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"\x7fELF", "a program"),
    (b"\xd0\xcf\x11\xe0", "an office document"),
)
_META_CHARSET = re.compile(
    rb"""<meta[^>]{0,500}?charset\s*=\s*["']?\s*([A-Za-z0-9_.:-]{1,40})""", re.IGNORECASE
)
_XML_ENCODING = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9_.:-]{1,40})""")
_SAMPLE = 8192
# Codecs of Python's that no document is written in: transformations, and an escape syntax.
_NOT_CHARSETS = frozenset(
    {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "utf-7"}
)
# The web says Latin-1 or ASCII and means this.
_MEANT = {"ascii": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "tis-620": "cp874"}
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f\x1b")) + b"\x7f"


def decode(data: bytes, charset: str | None) -> str:
    """The text of `data`, without NULs.

    A byte order mark decides, else the declared `charset`, else UTF-8, else Windows-1252. A
    text that claims UTF-8 and is so but for a few bytes stays UTF-8. Raises `BadContent` for
    what is no text.
    """
    return _read(data, _known(charset))


def decode_html(data: bytes, charset: str | None) -> bytes:
    """An HTML page in UTF-8, without NULs. Raises `BadContent` for what is no text.

    As for `decode`, but before UTF-8 comes what the page says in its head.
    """
    named = _known(charset) or _declared_in(data)
    # Most pages are what is wanted already, and writing them anew costs as much as reading.
    if named in (None, "utf-8") and b"\0" not in data and not data.startswith(_MARKS):
        _refuse_binary(data)
        if data.isascii() or _is_utf8(data):
            return data
    return _read(data, named).encode("utf-8", "ignore")


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeError:
        return False
    return True


def _read(data: bytes, named: str | None) -> str:
    for mark, name in _BOMS:
        if data.startswith(mark):
            return _without_nul(data[len(mark) :].decode(name, "replace"))
    if named is None and b"\0" in data[:_SAMPLE]:
        named = _utf16_without_mark(data[:_SAMPLE])
    if named is None or not named.startswith(("utf-16", "utf-32")):
        _refuse_binary(data)
    return _without_nul(_decoded(data, named))


def _decoded(data: bytes, named: str | None) -> str:
    for name in (named, "utf-8"):
        if name is not None:
            try:
                return data.decode(name)
            except UnicodeError:
                pass
    text = data.decode("utf-8", "replace")
    beyond_ascii = len(text) - len(text.encode("ascii", "ignore"))
    broken = text.count("\ufffd")
    if beyond_ascii - broken >= 3 * broken:
        return text
    return data.decode("cp1252" if named in (None, "utf-8") else named, "replace")


def _known(charset: str | None) -> str | None:
    if not charset:
        return None
    try:
        name = codecs.lookup(charset.strip()).name
        # Refuses what does not decode bytes to text, such as `zlib`.
        b"a".decode(name)
    except UnicodeError:
        pass
    except (LookupError, ValueError):
        return None
    return (
        None
        if name.replace("-", "_") in _NOT_CHARSETS or name in _NOT_CHARSETS
        else _MEANT.get(name, name)
    )


def _declared_in(data: bytes) -> str | None:
    head = data[:4096]
    found = _META_CHARSET.search(head) or _XML_ENCODING.match(head)
    name = _known(found[1].decode("ascii")) if found else None
    # A page whose declaration can be read byte by byte is not in UTF-16, whatever it says.
    return "utf-8" if name and name.startswith(("utf-16", "utf-32")) else name


def _utf16_without_mark(sample: bytes) -> str | None:
    """UTF-16 text of a Western language has a NUL in nearly every second place."""
    half = len(sample) // 2
    if half < 2:
        return None
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if odd > half * 0.6 and even < half * 0.05:
        return "utf-16-le"
    if even > half * 0.6 and odd < half * 0.05:
        return "utf-16-be"
    return None


def _refuse_binary(data: bytes) -> None:
    for magic, what in _MAGIC:
        if data.startswith(magic):
            raise BadContent(f"this is {what}, not text", hint="Leave such files out by a filter.")
    sample = data[:_SAMPLE]
    controls = len(sample) - len(sample.translate(None, _CONTROLS))
    if controls > max(8, len(sample) // 20):
        raise BadContent("this is binary data, not text", hint="Leave such files out by a filter.")


def _without_nul(text: str) -> str:
    return text.replace("\0", "") if "\0" in text else text
