"""The deletion guard, and the recognition of moves: pure rules over what is gone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from syncline.store.gone import Candidate, Move

__all__ = ["holds", "match_moves"]


def holds(gone: int, before: int, fraction: float, minimum: int) -> bool:
    """Whether so many documents going at once is for a person to decide.

    `before` is how many there were: all of them gone is always held; otherwise more than
    `fraction` of them, and at least `minimum`.
    """
    if gone == 0:
        return False
    if gone >= before:
        return True
    return gone >= minimum and gone > fraction * before


def match_moves(gone: Sequence[Candidate], created: Sequence[Candidate]) -> list[Move]:
    """Which of the new documents are gone ones under another id: those with the same content.

    Only what the source itself no longer lists can have moved. Where several share a content,
    equal names are paired first, then the order of ids decides.
    """
    places: dict[int, list[Candidate]] = defaultdict(list)
    for candidate in sorted(created, key=lambda c: c.entry_id):
        places[candidate.content_id].append(candidate)
    moves = []
    leaving = sorted((c for c in gone if c.unlisted), key=lambda c: c.entry_id)
    unmatched = []
    for old in leaving:
        new = next((c for c in places[old.content_id] if _name(c) == _name(old)), None)
        if new is None:
            unmatched.append(old)
        else:
            places[old.content_id].remove(new)
            moves.append(Move(old, new))
    moves.extend(
        Move(old, places[old.content_id].pop(0)) for old in unmatched if places[old.content_id]
    )
    return moves


def _name(candidate: Candidate) -> str:
    return candidate.entry_id.rpartition("/")[2]
