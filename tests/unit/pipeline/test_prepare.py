"""One entry, read and judged."""

from __future__ import annotations

import pytest

from syncline.core.errors import BadContent
from syncline.core.model import Content, Metadata
from syncline.core.prepared import Extracted
from syncline.pipeline.filter import Filter, Rejection
from syncline.pipeline.prepare import Alias, read
from tests.unit.pipeline.pages import page

HERE = "https://a.example/guide"


def prepare(
    head: str = "",
    *,
    body: str = "<p>text</p>",
    chosen: Filter | None = None,
    directives: tuple[str, ...] = (),
    alias_of: str | None = None,
    canonical_links: bool = True,
    follow_canonical: bool = True,
) -> Extracted | Rejection | Alias:
    content = Content(
        page(body, head).encode(), "text/html", directives=directives, alias_of=alias_of
    )
    return read(
        content,
        Metadata(url=HERE),
        chosen or Filter(),
        canonical_links=canonical_links,
        entry_id=HERE,
        follow_canonical=follow_canonical,
    )


def test_a_page_is_extracted_with_the_listings_metadata() -> None:
    """The ordinary case."""
    found = prepare()
    assert isinstance(found, Extracted)
    assert (found.text, found.metadata.url) == ("text", HERE)


@pytest.mark.parametrize("said", ["noindex", "NOINDEX, nofollow", "none"])
def test_a_page_that_asks_not_to_be_indexed_is_left_out(said: str) -> None:
    """In its head or in its answer's header."""
    for found in (prepare(f'<meta name=robots content="{said}">'), prepare(directives=(said,))):
        assert found == Rejection("membership", "the page asks not to be indexed (noindex)")


def test_a_canonical_address_of_the_same_origin_names_the_document() -> None:
    """In the spelling that ids have."""
    head = '<link rel=canonical href="HTTPS://A.example:443/guide/../manual#part">'
    assert prepare(head) == Alias("https://a.example/manual")


@pytest.mark.parametrize(
    "href", ["/guide", "#top", "https://b.example/guide", "http://a.example/guide", "mailto:x@y.z"]
)
def test_itself_and_other_origins_are_no_canonical_entry(href: str) -> None:
    """A page cannot make another site's document of itself."""
    assert isinstance(prepare(f'<link rel=canonical href="{href}">'), Extracted)


def test_canonical_addresses_count_only_where_ids_are_addresses_and_it_is_wished() -> None:
    """Files on a disk may carry the address of a web site they were saved from."""
    head = '<link rel=canonical href="/manual">'
    assert isinstance(prepare(head, canonical_links=False), Extracted)
    assert isinstance(prepare(head, follow_canonical=False), Extracted)


def test_a_redirect_is_an_alias_of_its_target() -> None:
    """Whatever the target's content says."""
    assert prepare(alias_of="https://a.example/new") == Alias("https://a.example/new")
    assert isinstance(prepare(alias_of=HERE), Extracted)


def test_the_filter_sees_the_text_and_the_pages_own_metadata() -> None:
    """What the listing left open is decided now."""
    chosen = Filter(tags=("wanted",))
    assert isinstance(prepare("<meta name=keywords content=wanted>", chosen=chosen), Extracted)
    assert prepare(chosen=chosen) == Rejection("membership", 'has no tag, not "wanted"')
    assert prepare(chosen=Filter(contains=("refund",))) == Rejection(
        "membership", 'does not contain "refund"'
    )


def test_an_empty_document_is_a_document() -> None:
    """The source has it; it is just empty."""
    found = prepare(body="")
    assert isinstance(found, Extracted)
    assert found.text == ""


def test_what_cannot_be_read_is_said_so() -> None:
    """With the reason."""
    with pytest.raises(BadContent, match="PDF"):
        read(
            Content(b"%PDF-1.4", "text/html"),
            Metadata(),
            Filter(),
            canonical_links=False,
            entry_id="x",
        )
