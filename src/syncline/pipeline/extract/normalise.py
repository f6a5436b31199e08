"""One spelling for a text, so that equal texts have equal hashes."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["clean_characters", "normalise", "one_line"]

# Soft hyphens, zero-width spaces and byte order marks only break words that people see
# whole. Joiners stay: some scripts are spelt with them. Surrogates cannot be encoded.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b\u2060\ufeff\ud800-\udfff\ufffe\uffff]+"
)
_LINE_END = re.compile("\r\n?|[\x0c\x85\u2028\u2029]")
_SPACES = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_BLANKS = re.compile(r"\n{3,}")
_FENCE = re.compile(r"^[ >]*(`{3,})(.*)$", re.MULTILINE)


def normalise(text: str) -> str:
    """NFC, `\\n` line ends, no control characters, no trailing spaces, single blank lines.

    Blank lines inside fenced code stay. Normalising twice is the same as once.
    """
    text = clean_characters(text)
    if " \n" in text or "\t\n" in text or text.endswith((" ", "\t")):
        text = "\n".join([line.rstrip(" \t") for line in text.split("\n")])
    text = text.strip("\n")
    if "\n\n\n" not in text:
        return text
    return _single_blanks(text) if "```" in text else _BLANKS.sub("\n\n", text)


def clean_characters(text: str) -> str:
    """One form of each character, and none that nobody sees; kinds of space become one."""
    ascii_only = text.isascii()
    if ascii_only and text.isprintable():
        return text
    # Most texts hold nothing of all this, and looking for bytes is far cheaper than
    # looking for classes of characters.
    raw = text.encode("utf-8", "surrogatepass")
    clean = text
    if len(raw.translate(None, _CONTROL_BYTES)) != len(raw) or (
        not ascii_only and _SUSPECT_BYTES.search(raw.translate(None, _ASCII_BYTES))
    ):
        clean = _SPACES.sub(" ", _INVISIBLE.sub("", _LINE_END.sub("\n", text)))
    if ascii_only or unicodedata.is_normalized("NFC", clean):
        return clean
    # Composing never brings back what was removed, but some signs become plain spaces.
    return _SPACES.sub(" ", unicodedata.normalize("NFC", clean))


_ASCII_BYTES = bytes(range(128))
_CONTROL_BYTES = bytes(set(range(32)) - set(b"\t\n")) + b"\x7f"
# C1 controls, no-break spaces, soft hyphens; other spaces and line ends; surrogates (and some
# Hangul); marks and non-characters.
_SUSPECT_BYTES = re.compile(
    rb"\xc2[\x80-\xa0\xad]|\xe1\x9a\x80|\xe2\x80[\x80-\x8b\xa8\xa9\xaf]|\xe2\x81[\x9f\xa0]"
    rb"|\xe3\x80\x80|\xed[\xa0-\xbf]|\xef\xbb\xbf|\xef\xbf[\xbe\xbf]"
)


def one_line(text: str) -> str:
    """The text with every run of white space made one space."""
    return " ".join(clean_characters(text).split())


def _single_blanks(text: str) -> str:
    """Runs of blank lines made one, outside fenced code."""
    parts: list[str] = []
    done, opened = 0, ""
    for fence in _FENCE.finditer(text):
        if not opened:
            parts.append(_BLANKS.sub("\n\n", text[done : fence.start()]))
            done, opened = fence.start(), fence[1]
        elif len(fence[1]) >= len(opened) and not fence[2]:
            parts.append(text[done : fence.end()])
            done, opened = fence.end(), ""
    parts.append(text[done:] if opened else _BLANKS.sub("\n\n", text[done:]))
    return "".join(parts)
