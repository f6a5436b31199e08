"""After ranking: what nearly repeats a better hit is named with it and not shown again.

Only what was found, and so may be seen, is looked at. Groups are led in the order of the
ranking, so the first ones do not change with how many are asked for, and pages follow one another.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from syncline.store.database import Connection
from syncline.store.near import first_names, likenesses
from syncline.store.search_scope import Scope
from syncline.sync.near_groups import gather
from syncline.sync.search_ranking import Ranked

__all__ = ["Group", "collapse", "single"]


class Group(Struct, frozen=True):
    """A hit: a content, and others that nearly repeat it."""

    shown: Ranked
    fellows: Sequence[int] = ()


def single(ranked: Sequence[Ranked]) -> list[Group]:
    """Each content is a hit of its own."""
    return [Group(each) for each in ranked]


async def collapse(db: Connection, scope: Scope, ranked: Sequence[Ranked]) -> list[Group]:
    """`ranked` in groups, led by whoever answers best.

    Among equals that is the canonical one, the smallest by connection and entry, whoever came
    first; the fellows are named in that order too.
    """
    likeness = await likenesses(db, scope, [each.content for each in ranked])
    alike = sorted({*likeness.near, *likeness.elders})
    if not alike:
        return single(ranked)
    names = await first_names(db, scope, alike)
    ordered = sorted(ranked, key=lambda e: (-e.score, names.get(e.content, ()), e.content))
    by_content = {each.content: each for each in ranked}
    groups = []
    for leader, *others in gather([each.content for each in ordered], likeness):
        # Whose documents have been deleted since it was ranked has no name any more.
        fellows = sorted((each for each in others if each in names), key=names.__getitem__)
        groups.append(Group(by_content[leader], tuple(fellows)))
    return groups
