"""Near-duplicates in groups: who comes first leads, and what is near to a leader joins it.

So no two of a group are far apart, as they could be at the two ends of a chain.
"""

from __future__ import annotations

from collections.abc import Sequence

from syncline.store.near import SURE, Likeness

__all__ = ["gather"]


def gather(contents: Sequence[int], likeness: Likeness) -> list[list[int]]:
    """The contents in groups, each with its leader first; the groups in their leaders' order.

    What is near to several leaders joins the first. What is left out at the end of `contents`
    changes nothing for those before it.
    """
    groups: list[list[int]] = []
    led: dict[int, int] = {}
    """By content, the group that it leads."""
    beside: dict[int, list[int]] = {}
    """By elder, the leaders that are very near to it, the first one first."""
    for content in contents:
        elders = likeness.elders.get(content, {})
        near = likeness.near.get(content, frozenset())
        joined = min((led[other] for other in led.keys() & near), default=len(groups))
        for elder, distance in elders.items():
            for leader in beside.get(elder, ()):
                if led[leader] >= joined:
                    break
                pair = (min(content, leader), max(content, leader))
                far = distance + likeness.elders[leader][elder]
                if far < SURE and pair not in likeness.different:
                    joined = led[leader]
        if joined < len(groups):
            groups[joined].append(content)
            continue
        led[content] = len(groups)
        groups.append([content])
        for elder in elders:
            beside.setdefault(elder, []).append(content)
    return groups
