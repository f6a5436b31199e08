"""What became of one entry, as the batch that stores it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct, field

from syncline.core.model import ContentHash, EntryKey, Json, Locator, Metadata, Outcome, Validators
from syncline.core.prepared import Chunk
from syncline.store.manifest import Known

__all__ = [
    "MOST_FAILURES",
    "Absent",
    "Alias",
    "Broken",
    "Decision",
    "Document",
    "Filtered",
    "Gone",
    "Indexed",
    "Item",
    "Result",
    "Same",
    "decide",
]

MOST_FAILURES = 3
"""So often an entry is tried, once a run; then it is a dead letter."""


class Indexed(Struct, frozen=True):
    """A content that is not in the store yet, ready to be searched."""

    text: str
    stemming: str
    chunks: Sequence[Chunk]
    bands: Sequence[int]
    """What its near-duplicates are found by."""


class Document(Struct, frozen=True):
    """The entry was read and belongs."""

    content_hash: ContentHash
    attributes_hash: bytes
    fingerprint: bytes
    metadata: Metadata
    title_terms: Mapping[str, int]
    principals: tuple[str, ...] | None
    indexed: Indexed | None
    """None where the store has this content already."""
    sections: Json = None
    """For an update of the text: which sections changed."""
    original: tuple[Json, bytes] | None = None
    """The fetched content without its data, and the data, compressed."""


class Same(Struct, frozen=True):
    """The source says that nothing changed (a conditional fetch)."""


class Filtered(Struct, frozen=True):
    reason: str
    fingerprint: bytes | None
    belongs: bool
    """True for the reading window, which never removes what is there."""


class Alias(Struct, frozen=True):
    target: str
    fingerprint: bytes


class Absent(Struct, frozen=True):
    """Listed, but gone when it was fetched."""

    reason: str


class Broken(Struct, frozen=True):
    """It could not be read, or not be used."""

    code: str
    message: str


class Gone(Struct, frozen=True):
    """The source's feed says that it exists no more, or it confirmed an absence."""

    reason: str


Verdict: TypeAlias = Document | Same | Filtered | Alias | Absent | Broken | Gone


class Result(Struct, frozen=True):
    """One entry's verdict with what the manifest keeps beside it."""

    entry_id: str
    key: EntryKey
    partition: str
    parent: str | None
    locator: Locator
    version: str | None
    validators: Validators
    revision: int
    """The manifest row's when the decision to read was taken; 0 where there was none."""
    verdict: Verdict


class Item(Struct, frozen=True):
    """A line of a run's report."""

    kind: str
    entry_id: str | None
    reason: str
    detail: Json = None


class Decision(Struct, frozen=True):
    """What a result means, given what is known."""

    outcome: Outcome | None
    """None for what was not listed (`Gone`)."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Besides the outcome: which layer decided, chunks kept and new, …"""
    item: Item | None = None
    swaps: bool = False
    """The document's row is to be written."""


def decide(result: Result, known: Known | None) -> Decision:
    """What becomes of an entry. Pure; a plan and a batch ask the same question."""
    verdict = result.verdict
    match verdict:
        case Document():
            return _decide_document(result, verdict, known)
        case Same():
            return Decision(Outcome.UNCHANGED, {"unchanged_by_validators": 1})
        case Filtered():
            return Decision(
                Outcome.FILTERED, item=Item("filtered", result.entry_id, verdict.reason)
            )
        case Alias():
            reason = f"the same document as {verdict.target}"
            return Decision(Outcome.ALIAS, item=Item("alias", result.entry_id, reason))
        case Absent():
            return Decision(Outcome.ABSENT, item=Item("absent", result.entry_id, verdict.reason))
        case Broken():
            return _decide_broken(result, verdict, known)
        case Gone():
            return Decision(None)


def _decide_broken(result: Result, verdict: Broken, known: Known | None) -> Decision:
    if known is None or known.failures < MOST_FAILURES:
        item = Item("failed", result.entry_id, verdict.message, {"code": verdict.code})
        return Decision(Outcome.FAILED, item=item)
    # It was a dead letter, but might have changed: it has no version, or another one.
    reason = f"dead letter after {known.failures + 1} tries: {verdict.message}"
    item = Item("failed", result.entry_id, reason, {"code": verdict.code, "dead": True})
    return Decision(Outcome.FAILED, {"dead": 1}, item)


def _decide_document(result: Result, verdict: Document, known: Known | None) -> Decision:
    if known is None or not known.live:
        return Decision(Outcome.CREATED, swaps=True)
    text_same = known.content_hash == verdict.content_hash
    if (
        text_same
        and known.attributes_hash == verdict.attributes_hash
        and known.fingerprint == verdict.fingerprint
        and verdict.indexed is None
    ):
        return Decision(Outcome.UNCHANGED, {"unchanged_by_content": 1})
    if text_same and known.attributes_hash == verdict.attributes_hash:
        # The pipeline changed, the document did not: indexed anew, unchanged to its readers.
        return Decision(Outcome.UNCHANGED, {"unchanged_by_content": 1}, swaps=True)
    if text_same:
        item = Item("updated", result.entry_id, "its title, address, metadata or access changed")
        return Decision(Outcome.UPDATED, {"updated_attributes": 1}, item, swaps=True)
    sections = verdict.sections or {}
    item = Item("updated", result.entry_id, "its text changed", sections or None)
    counts = {
        "updated_text": 1,
        "chunks_kept": sections.get("chunks_kept", 0),
        "chunks_new": sections.get("chunks_new", 0),
        "chunks_dropped": sections.get("chunks_dropped", 0),
    }
    return Decision(Outcome.UPDATED, counts, item, swaps=True)
