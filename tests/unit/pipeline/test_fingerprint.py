"""Fingerprints: equal for equal things, in every process; other for what matters."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

from msgspec.structs import replace

from syncline.core.model import Metadata
from syncline.pipeline.chunk import Chunking
from syncline.pipeline.filter import Filter
from syncline.pipeline.fingerprint import (
    attributes_hash,
    content_hash,
    pipeline_fingerprint,
    window_fingerprint,
)

FULL = Metadata(
    title="T",
    url="https://example.org/",
    language="en",
    authors=("A",),
    categories=("C",),
    tags=("x", "y"),
    created_at=datetime(2025, 1, 1, tzinfo=UTC),
    updated_at=datetime(2025, 1, 2, tzinfo=UTC),
    properties={"b": 1, "a": ["é"]},
)


def test_a_contents_hash_depends_on_its_text_and_its_language() -> None:
    """English is the silent default."""
    assert len(content_hash("text", "english")) == 32
    assert content_hash("text", "english") != content_hash("text", "german")
    assert content_hash("text", "english") != content_hash("Text", "english")


def test_every_attribute_counts() -> None:
    """A change of any field, or of who may see it, is a change."""
    changed = [
        replace(FULL, title="U"),
        replace(FULL, url=None),
        replace(FULL, language="de"),
        replace(FULL, authors=()),
        replace(FULL, categories=("D",)),
        replace(FULL, tags=("x",)),
        replace(FULL, created_at=None),
        replace(FULL, properties={"b": 1, "a": ["e"]}),
    ]
    hashes = {attributes_hash(each, None) for each in (FULL, *changed)}
    hashes |= {attributes_hash(FULL, ()), attributes_hash(FULL, ("user:1",))}
    assert len(hashes) == len(changed) + 3
    assert {len(each) for each in hashes} == {16}


def test_spelling_of_the_same_attributes_does_not_count() -> None:
    """Order of properties, time zones and order of principals are no change."""
    other = replace(
        FULL,
        created_at=datetime(2025, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))),
        properties={"a": ["é"], "b": 1},
    )
    assert attributes_hash(other, ("b", "a")) == attributes_hash(FULL, ("a", "b"))


def test_being_saved_again_is_no_change() -> None:
    """A touched file has another time of update and is the same document."""
    touched = replace(FULL, updated_at=datetime(2025, 3, 1, tzinfo=UTC))
    assert attributes_hash(touched, None) == attributes_hash(FULL, None)


def test_the_pipeline_fingerprint_moves_with_what_decides_the_result() -> None:
    """Membership and chunking count; the window has a fingerprint of its own."""
    base = pipeline_fingerprint(Filter(), Chunking())
    windowed = Filter(updated_since=datetime(2025, 1, 1, tzinfo=UTC))
    assert pipeline_fingerprint(windowed, Chunking()) == base
    others = {
        base,
        pipeline_fingerprint(Filter(tags=("a",)), Chunking()),
        pipeline_fingerprint(Filter(), Chunking(800, 200)),
        pipeline_fingerprint(Filter(), Chunking(1000, 100)),
    }
    assert len(others) == 4
    assert window_fingerprint(base, Filter()) != window_fingerprint(base, windowed)
    assert len(base) == len(window_fingerprint(base, windowed)) == 16


def test_importing_filter_and_fingerprint_loads_no_heavy_library() -> None:
    """A run that finds nothing to do pays for neither parser nor model, and agrees on hashes."""
    code = (
        "import sys, syncline.pipeline, syncline.pipeline.filter as f\n"
        "import syncline.pipeline.fingerprint as p, syncline.embedders.catalogue as c\n"
        "from syncline.settings import Settings\n"
        "c.describe(Settings())\n"
        "heavy = {'numpy', 'selectolax', 'wordllama', 'tokenizers', 'yaml'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "print(p.pipeline_fingerprint(f.Filter(tags=('a', 'b')), p.Chunking()).hex())\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    here = pipeline_fingerprint(Filter(tags=("b", "a")), Chunking())
    assert ran.stdout.strip() == here.hex()
