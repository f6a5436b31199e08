"""HTML elements in the fixed Markdown dialect."""

from __future__ import annotations

import pytest

from tests.unit.pipeline.pages import text_of


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<h2>Title<a class=headerlink href=#x>¶</a></h2><p>Text</p>", "## Title\n\nText"),
        ("<h1>With <code>code</code></h1>", "# With code"),
        ("<p>a <b>bold</b> <a href=x>link</a>,\n  <code>code</code></p>", "a bold link, `code`"),
        ("<p>one<br>two</p>", "one\ntwo"),
        ("<div>one<br><br>two</div>", "one\n\ntwo"),
        ("<div>a<div>b</div>c</div>", "a\n\nb\n\nc"),
        ("<ul><li>a<li>b</ul>", "- a\n- b"),
        ("<ul><li>a<ul><li>b</ul><li>c</ul>", "- a\n  - b\n- c"),
        ("<ol start=3><li>a<li>b</ol>", "3. a\n4. b"),
        ("<ol><li><p>a</p><p>b</p><li>c</ol>", "1. a\n\n   b\n2. c"),
        ("<p>x</p><ul><li></li><li>y</li></ul><p>z</p>", "x\n\n- y\n\nz"),
        ("<ul><li>a<pre>x\n  y</pre></ul>", "- a\n\n  ```\n  x\n    y\n  ```"),
        ("<blockquote><p>a</p><p>b</p></blockquote>c", "> a\n\n> b\n\nc"),
        ("<dl><dt>T</dt><dt>U</dt><dd><p>d</p><p>e</p></dd></dl>", "T\nU\n: d\n\ne"),
        ("<pre>  a\n\n\n  b  \n</pre>", "```\n  a\n\n\n  b\n```"),
        ("<pre>has ``` inside</pre>", "````\nhas ``` inside\n````"),
        ("<pre><span>a</span> &lt;b&gt; &amp;amp;</pre>", "```\na <b> &amp;\n```"),
        ("<pre><div>a</div><div>b</div>c<br>d</pre>", "```\na\nb\nc\nd\n```"),
        (
            "<table><tr><th>A<th>B<tr><td>1|2<td><p>x</p><p>y</p></table>",
            "| A | B |\n| 1\\|2 | x y |",
        ),
        ("<table><tr><td>only</td></tr><tr><td>column</td></tr></table>", "only\n\ncolumn"),
        (
            "<table><tr><td>menu</td><td><h2>H</h2><p>text</p></td></tr></table>",
            "menu\n\n## H\n\ntext",
        ),
        (
            "<table><tr><td><table><tr><td>a<td>b</table><td>c</table>",
            "| a | b |\n\nc",
        ),
        ("<ul><li><h3>S</h3><p>t</p></li></ul>", "### S\n\nt"),
        ("<p># no heading</p><p>``` no code</p>", "\\# no heading\n\n\\``` no code"),
        ("<p>a<script>x</script><style>y</style>b<template>z</template></p>", "ab"),
        ("<p>a &lt;b&gt; &amp;lt; c&nbsp;d <!-- > not this --> e</p>", "a <b> &lt; c d e"),
        ("<p>He said <q>yes</q>.</p>", 'He said "yes".'),
        ("<p>a<code></code>b <code>x<p>y</code>", "ab `x`\n\n`y`"),
        ("<form><p>kept</p><select><option>no</select><textarea>no</textarea></form>", "kept"),
        ("<p>a<sub>1</sub> <span>b</span><span>c</span> w<wbr>rap</p>", "a1 bc wrap"),
        (
            "<p><img src=x alt='An architecture diagram of the parts'></p>",
            "An architecture diagram of the parts",
        ),
        (
            "<p>text <img src=x alt='An architecture diagram of the parts'></p><img alt=logo>",
            "text",
        ),
        ("<p title='a > b' data-x=\"<p>\">x</p>", "x"),
        ("<p>a > b</p><xmp>c > d < e</xmp><p>f -> g</p>", "a > b\n\n```\nc > d < e\n```\n\nf -> g"),
        ("<p>a<svg><text>no</text></svg><button>no</button>b</p><!-- <p>no --><p>c</p>", "ab\n\nc"),
        ("<p>a</p><script>if (a<b && c>d) '<!--'</script><p>b</p><!-- no -->", "a\n\nb"),
        ("<table><tr><th>Only<td></td></tr><tr><td></td><td> </td></tr></table>", "| Only | |"),
    ],
)
def test_elements_have_one_form(html: str, expected: str) -> None:
    """Whatever the source looked like, the dialect looks like this."""
    assert text_of(html).replace("|  |", "| |") == expected


def test_what_is_not_closed_is_still_written() -> None:
    """Text after an unclosed element is not lost."""
    assert text_of("<pre>code <b>bold") == "```\ncode bold\n```"
    assert text_of("<ul><li>a<table><tr><td>b<td>c") == "- a\n\n  | b | c |"
