"""Bytes become text, or are refused for what they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.core.errors import BadContent
from syncline.pipeline.extract.decode import decode, decode_html


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_decides(encoding: str) -> None:
    """Whatever else is declared."""
    assert decode("Grüße".encode(encoding), "latin-1") == "Grüße"


def test_the_declared_charset_is_used_and_latin_1_means_windows() -> None:
    """As on the web, where nobody means the control characters of Latin-1."""
    assert decode("Привет".encode("koi8-r"), "KOI8-R") == "Привет"
    assert decode(b"\x93quoted\x94", "iso-8859-1") == "“quoted”"


def test_a_page_may_name_its_charset_itself() -> None:
    """In a `meta` element, or in an XML declaration."""
    head = '<html><head><meta http-equiv="Content-Type" content="text/html; charset=shift_jis">'
    assert decode_html((head + "日本語").encode("shift_jis"), None).decode().endswith("日本語")
    xml = '<?xml version="1.0" encoding="windows-1251"?><p>Привет'
    assert decode_html(xml.encode("windows-1251"), None).decode().endswith("Привет")


def test_a_wrong_declaration_does_not_spoil_utf_8() -> None:
    """A text that is UTF-8 but for a cut character stays readable; so does undeclared text."""
    broken = "Käse und Brötchen für Gäste".encode() + b"\xc3"
    assert decode(broken, "utf-8").startswith("Käse und Brötchen")
    assert decode("Größe".encode(), "us-ascii-of-no-known-kind") == "Größe"


def test_undeclared_bytes_that_are_no_utf_8_are_windows_1252() -> None:
    """The commonest legacy encoding is the last resort."""
    assert decode("caf\xe9 cr\xe8me".encode("cp1252"), None) == "café crème"


def test_utf_16_without_a_mark_is_recognised() -> None:
    """By its NULs."""
    assert decode("plain text".encode("utf-16-le"), None) == "plain text"


@pytest.mark.parametrize(
    "charset", ["zlib", "unicode_escape", "idna", "utf-7", "rot13", "", "x\0y"]
)
def test_codecs_that_are_no_charsets_are_ignored(charset: str) -> None:
    """A server cannot choose what runs here."""
    assert decode(rb"a\u0041 &Jjo-", charset) == r"a\u0041 &Jjo-"


def test_nuls_are_dropped() -> None:
    """A few of them do not make a file binary."""
    assert decode(b"some\0 text that goes on", None) == "some text that goes on"


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"%PDF-1.7 ...", "PDF"),
        (b"PK\x03\x04....", "ZIP"),
        (bytes(range(32)) * 40, "binary"),
        (b"\x7fELF\x02", "program"),
    ],
)
def test_binary_data_is_refused_by_name(data: bytes, what: str) -> None:
    """The message says what it is, the hint what to do."""
    with pytest.raises(BadContent, match=what) as caught:
        decode(data, None)
    assert caught.value.hint


@given(st.binary(max_size=3000), st.sampled_from([None, "utf-8", "utf-16", "gb18030", "big5", "x"]))
def test_no_bytes_fail_otherwise(data: bytes, charset: str | None) -> None:
    """Any bytes are text without NUL, encodable as UTF-8, or BadContent."""
    for read in (decode, lambda data, charset: decode_html(data, charset).decode()):
        try:
            text = read(data, charset)
        except BadContent:
            continue
        assert "\0" not in text
        text.encode()
