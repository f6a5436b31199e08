"""Whether the knowledge base is exactly what the source has."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from benchmarks.corpus import MARK, Edits
from benchmarks.measure import Syncline
from syncline import blocking

__all__ = ["check_counts", "check_documents"]

_LISTED = (
    "created updated moved unchanged filtered alias absent repeated failed".split()  # noqa: SIM905
)
_WITHOUT_DOCUMENT = ("filtered", "alias", "absent", "failed")


def check_counts(report: Mapping[str, Any], **expected: int) -> None:
    """The report accounts for every entry, and has these counts."""
    if report["listed"] != sum(report[name] for name in _LISTED):
        sys.exit(f"Not every entry is accounted for: {report}")
    found = {name: report[name] for name in expected}
    if found != expected:
        sys.exit(f"Expected {expected}, but found {found}: {report}")


def check_documents(
    syncline: Syncline, expected: set[str], report: Mapping[str, Any], edits: Edits | None = None
) -> None:
    """The documents are `expected` but for what the report leaves out; edited ones say so."""
    left_out = sum(report[name] for name in _WITHOUT_DOCUMENT)
    with blocking(data_dir=syncline.data) as kb:
        documents = _documents(kb)
        strangers = set(documents) - expected
        missing = expected - set(documents)
        if strangers or len(missing) != left_out:
            sys.exit(
                f"The documents are not the source's pages: {len(strangers)} too many "
                f"({sorted(strangers)[:3]}), {len(missing)} missing of which the report explains "
                f"{left_out} ({sorted(missing)[:3]})"
            )
        endings = tuple(sorted(edits.edited)) if edits else ()
        for entry, document in documents.items():
            if entry.endswith(endings) and MARK not in kb.documents.show(document).text:
                sys.exit(f"{entry} was edited, but its document does not say so")


def _documents(kb: Any) -> dict[str, int]:
    """The numbers of all documents, by entry."""
    found: dict[str, int] = {}
    while True:
        page = kb.documents.list(limit=1000, offset=len(found))
        found |= {each.entry_id: each.id for each in page.documents}
        if not page.more:
            return found
