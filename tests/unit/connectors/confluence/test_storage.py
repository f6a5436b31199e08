"""Confluence's storage format, as a reader of the knowledge base gets to see it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncline.connectors.confluence.contents import page_of
from syncline.connectors.confluence.storage import to_html, user_keys
from syncline.core.model import Content, Metadata
from syncline.pipeline.extract import extract

_NAMES = {"8a7f": "Jane Doe", "joe": "Joe Bloggs"}


def _macro(name: str, inside: str = "", **parameters: str) -> str:
    given = "".join(
        f'<ac:parameter ac:name="{each}">{value}</ac:parameter>'
        for each, value in parameters.items()
    )
    return (
        f'<ac:structured-macro ac:name="{name}" ac:schema-version="1" ac:macro-id="b1-2">{given}'
        f"{inside}</ac:structured-macro>"
    )


def _rich(text: str) -> str:
    return f"<ac:rich-text-body>{text}</ac:rich-text-body>"


def _plain(text: str) -> str:
    return f"<ac:plain-text-body><![CDATA[{text}]]></ac:plain-text-body>"


def _link(resource: str, inside: str = "") -> str:
    return f"<p>See <ac:link>{resource}{inside}</ac:link>.</p>"


def _text(storage: str) -> str:
    """What becomes of a page's text in the pipeline."""
    content = Content(page_of(storage, _NAMES), "text/html", "utf-8")
    return extract(content, Metadata(title="A page")).text


SAMPLES = {
    "headings, paragraphs and entities": (
        "<h1>Steep&nbsp;tea</h1><p>Three &ndash; not four &lt;4&gt; &amp; hot.</p>",
        "# Steep tea\n\nThree – not four <4> & hot.",
    ),
    "a short list of links is no menu": (
        '<ul><li><a href="https://a.example">A</a></li><li><a href="b">B</a></li></ul>',
        "- A\n- B",
    ),
    "nested lists": ("<ol><li>a<ul><li>b</li></ul></li><li>c</li></ol>", "1. a\n   - b\n2. c"),
    "a table with paragraphs in its cells": (
        """<table class="wrapped"><colgroup><col /><col /></colgroup><tbody><tr><th>Key</th>
        <th><p>Value</p></th></tr><tr><td>a</td><td><p>1</p><p>2</p></td></tr></tbody></table>""",
        "| Key | Value |\n| a | 1 2 |",
    ),
    "code keeps its signs and its indent": (
        _macro("code", _plain("if a < b && c > d:\n    print('<p>&amp;</p>')"), language="py"),
        "```\nif a < b && c > d:\n    print('<p>&amp;</p>')\n```",
    ),
    "code with a title": (
        _macro("code", _plain("ls"), title="Shell"),
        "Shell\n\n```\nls\n```",
    ),
    "code without CDATA": (
        _macro("noformat", "<ac:plain-text-body>a &lt; b</ac:plain-text-body>"),
        "```\na < b\n```",
    ),
    "code that holds the end of CDATA": (
        _macro("code", _plain("x]]]]><![CDATA[>y")),
        "```\nx]]>y\n```",
    ),
    "an info box": (
        _macro("info", _rich("<p>It is hot.</p>"), title="Mind"),
        "> Info: Mind\n\n> It is hot.",
    ),
    "a warning without a title": (
        _macro("warning", _rich("<p>It is hot.</p>")),
        "> Warning:\n\n> It is hot.",
    ),
    "a panel": (
        _macro("panel", _rich("<p>Inside.</p>"), title="A panel", bgColor="#fff"),
        "> A panel\n\n> Inside.",
    ),
    "what is folded away": (
        _macro("expand", _rich("<p>Details.</p>"), title="More"),
        "More\n\nDetails.",
    ),
    "a status in a line": (
        f"<p>Tea: {_macro('status', colour='Green', title='DONE')} today</p>",
        "Tea: [DONE] today",
    ),
    "a task list": (
        """<ac:task-list><ac:task><ac:task-id>7</ac:task-id><ac:task-status>complete
        </ac:task-status><ac:task-body><span>Boil</span></ac:task-body></ac:task><ac:task>
        <ac:task-id>8</ac:task-id><ac:task-status>incomplete</ac:task-status><ac:task-body>
        <ac:link><ri:user ri:userkey="8a7f" /></ac:link> pours <time datetime="2026-02-03" />
        </ac:task-body></ac:task></ac:task-list>""",
        "- [x] Boil\n- [ ] @Jane Doe pours 2026-02-03",
    ),
    "a link to a page by its title": (
        _link('<ri:page ri:content-title="Q &amp; A" ri:space-key="DS" />'),
        "See Q & A.",
    ),
    "a link to a page by words": (
        _link(
            '<ri:page ri:content-title="X" />',
            "<ac:plain-text-link-body><![CDATA[a <b> c]]></ac:plain-text-link-body>",
        ),
        "See a <b> c.",
    ),
    "a link with marked words": (
        _link('<ri:page ri:content-title="X" />', "<ac:link-body>so <em>it</em></ac:link-body>"),
        "See so it.",
    ),
    "a link to a blog post, a file and a space": (
        _link('<ri:blog-post ri:content-title="News" ri:posting-day="2026/01/02" />')
        + _link(
            '<ri:attachment ri:filename="plan.pdf"><ri:page ri:content-title="P" /></ri:attachment>'
        )
        + _link('<ri:space ri:space-key="HR" />'),
        "See News.\n\nSee plan.pdf.\n\nSee HR.",
    ),
    "a link within the page": ('<p><ac:link ac:anchor="end" /></p>', "end"),
    "users by key, by name and unknown": (
        _link('<ri:user ri:userkey="8a7f" />')
        + _link('<ri:user ri:username="joe" />')
        + _link('<ri:user ri:username="zoe" />')
        + _link('<ri:user ri:userkey="ffff" />'),
        "See @Jane Doe.\n\nSee @Joe Bloggs.\n\nSee @zoe.\n\nSee @someone.",
    ),
    "a profile": (
        _macro(
            "profile", '<ac:parameter ac:name="user"><ri:user ri:userkey="8a7f" /></ac:parameter>'
        ),
        "@Jane Doe",
    ),
    "what shows other pages is left out": (
        "<p>Here.</p>"
        + _macro("toc")
        + _macro("children", all="true")
        + _macro(
            "include",
            '<ac:parameter ac:name=""><ac:link><ri:page ri:content-title="X" />'
            "</ac:link></ac:parameter>",
        )
        + _macro(
            "excerpt-include",
            '<ac:parameter ac:name=""><ac:link><ri:page '
            'ri:content-title="X" /></ac:link></ac:parameter>',
        ),
        "Here.",
    ),
    "an excerpt, page properties and layout": (
        '<ac:layout><ac:layout-section ac:type="two_equal"><ac:layout-cell>'
        + _macro("excerpt", _rich("<p>Short.</p>"))
        + "</ac:layout-cell><ac:layout-cell>"
        + _macro("details", _rich("<table><tbody><tr><th>A</th><td>1</td></tr></tbody></table>"))
        + "</ac:layout-cell></ac:layout-section></ac:layout>",
        "Short.\n\n| A | 1 |",
    ),
    "macros in macros": (
        _macro("section", _rich(_macro("column", _rich(_macro("code", _plain("deep")))))),
        "```\ndeep\n```",
    ),
    "an issue of Jira's": (
        f"<p>See {_macro('jira', server='Jira', key='OPS-17')}</p>",
        "See OPS-17",
    ),
    "an unknown macro's text": (_macro("acme-box", _rich("<p>Kept.</p>"), size="3"), "Kept."),
    "an unknown macro's plain text": (_macro("acme-uml", _plain("A -> B")), "```\nA -> B\n```"),
    "an old macro": (
        f'<ac:macro ac:name="code">{_plain("old")}</ac:macro>',
        "```\nold\n```",
    ),
    "Markdown": (_macro("markdown", _plain("One\nline.\n\nAnother.")), "One\nline.\n\nAnother."),
    "raw HTML": (
        _macro("html", _plain("<div onclick='x()'>Words<script>evil()</script></div>")),
        "Words",
    ),
    "emoticons that mean something": (
        """<p><ac:emoticon ac:name="tick" /> yes <ac:emoticon ac:name="cross" /> no
        <ac:emoticon ac:name="smile" ac:emoji-fallback="🙂" /></p>""",
        "✓ yes ✗ no 🙂",
    ),
    "a comment on a line, and a placeholder": (
        """<p>a <ac:inline-comment-marker ac:ref="1">b</ac:inline-comment-marker> c
        <ac:placeholder>Write here</ac:placeholder></p>""",
        "a b c",
    ),
    "an image's words": (
        """<ac:image ac:alt="How the kettle is to be filled">
        <ri:attachment ri:filename="k.png" /></ac:image>""",
        "How the kettle is to be filled",
    ),
    "scripts and styles": ("<p>a</p><script>b()</script><style>p {c: d}</style>", "a"),
    "comments of the source's": ("<p>a<!-- not > this -->b</p>", "ab"),
    "a sign that is no tag": ("<p>1 < 2 <3 and <é></p>", "1 < 2 <3 and <é>"),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_reads(name: str) -> None:
    """The text in Markdown is what a person would have written."""
    storage, expected = SAMPLES[name]
    assert _text(storage) == expected


def test_text_of_what_is_not_closed_is_kept() -> None:
    """Whatever is missing or too much, the words are there."""
    assert _text('<ac:structured-macro ac:name="info"><ac:rich-text-body><p>a') == (
        "> Info:\n\n> a"
    )
    assert _text("</ac:rich-text-body></p><p>b</ac:link></ac:structured-macro>") == "b"
    assert _text("<ac:rich-text-body><p>c</p></ac:rich-text-body>") == "c"
    assert "d" in _text(_macro("code", "<ac:plain-text-body><![CDATA[d"))
    assert _text('<p title="unclosed>e</p>').endswith("e")


def test_nothing_harmful_comes_out() -> None:
    """Neither scripts, nor handlers, nor addresses of other schemes."""
    html = to_html(
        '<p onclick="a()" style="b">x</p><a href="javascript:c()">y</a><iframe src="d"></iframe>'
        '<a href="https://e.example/&quot;&gt;&lt;script&gt;">z</a><object>evil</object>'
        + _macro("html", _plain("<img src=x onerror=h()><b>w</b><script>evil()</script>"))
    )
    kept = '<a href="https://e.example/&quot;&gt;&lt;script&gt;">z</a>'
    assert html == f'<p>x</p>y{kept}<img alt=""><b>w</b>'


def test_users_are_named_by_their_keys() -> None:
    """The keys to ask for are found, also where they are no names."""
    text = '<ri:user ri:userkey="a1"/><ri:user ri:username="joe"/><ri:user  ri:userkey=\'b2\' />'
    assert user_keys(text) == {"a1", "b2"}


_PIECES = """
    <p> </p> <a <ac:link> </ac:link> <ri:page/> <!-- --> <![CDATA[ ]]> <ac:task> & ' " < > \0 \ud800
    <ac:structured-macro </ac:structured-macro> <ac:rich-text-body> </ac:rich-text-body>
    <ac:plain-text-body> </ac:plain-text-body> <ac:parameter> ac:name="html"> ac:name="code">
    """.split()  # noqa: SIM905  (pieces read better as text)


@settings(deadline=None)
@given(st.lists(st.sampled_from(_PIECES) | st.sampled_from([" ", "a", "é"]), max_size=40))
def test_survives_anything(parts: list[str]) -> None:
    """No text of any form raises, and only known elements come out."""
    html = to_html("".join(parts))
    assert "<ac:" not in html
    assert "<ri:" not in html
    assert "<![CDATA[" not in html


@pytest.mark.parametrize(
    "piece",
    [
        '<ac:structured-macro ac:name="info"><ac:rich-text-body>',
        "<![CDATA[",
        "<!--",
        '<a href="',
        "<ac:link>",
        "<",
        "<p " + "a" * 4000 + ">",
        "<ul><li>",
        '<ri:user ri:x="',
        _macro("html", "<ac:plain-text-body>&lt;p&gt;</ac:plain-text-body>"),
    ],
)
def test_time_grows_with_the_length_alone(piece: str) -> None:
    """Half a megabyte of the same is read in a moment, however it nests."""
    text = piece * (500_000 // len(piece))
    start = time.process_time()
    to_html(text)
    user_keys(text)
    assert time.process_time() - start < 5
