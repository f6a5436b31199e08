"""Groups of near-duplicates: each member near its leader, whatever is asked for beyond."""

from __future__ import annotations

from collections.abc import Collection
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from syncline.store.near import Likeness
from syncline.sync.near_groups import gather

_CONTENTS = st.permutations(range(12))
_PAIRS = st.sets(st.sampled_from(list(combinations(range(12), 2))), max_size=30)


def _likeness(
    pairs: Collection[tuple[int, int]],
    different: Collection[tuple[int, int]] = (),
    elders: dict[int, dict[int, float]] | None = None,
) -> Likeness:
    near: dict[int, set[int]] = {}
    for a, b in pairs:
        near.setdefault(a, set()).add(b)
        near.setdefault(b, set()).add(a)
    return Likeness(near, different, elders or {})


@given(_CONTENTS, _PAIRS)
def test_every_content_is_in_one_group_and_near_its_leader(
    contents: list[int], pairs: set[tuple[int, int]]
) -> None:
    """Leaders are not near to one another, and stand in the order given."""
    groups = gather(contents, _likeness(pairs))
    assert sorted(content for group in groups for content in group) == sorted(contents)
    leaders = [group[0] for group in groups]
    assert leaders == [content for content in contents if content in leaders]
    assert not pairs & {(min(p), max(p)) for p in combinations(leaders, 2)}
    for leader, *others in groups:
        assert {(min(leader, other), max(leader, other)) for other in others} <= pairs


@given(_CONTENTS, _PAIRS, st.integers(0, 12))
def test_the_first_groups_do_not_depend_on_what_follows(
    contents: list[int], pairs: set[tuple[int, int]], depth: int
) -> None:
    """So that pages neither repeat nor skip a hit."""
    whole = [group[0] for group in gather(contents, _likeness(pairs))]
    part = [group[0] for group in gather(contents[:depth], _likeness(pairs))]
    assert whole[: len(part)] == part


def test_the_ends_of_a_chain_are_not_one_group() -> None:
    """Versions 1 to 5, of which only neighbours are near-duplicates."""
    chain = _likeness([(1, 2), (2, 3), (3, 4), (4, 5)])
    assert gather([1, 2, 3, 4, 5], chain) == [[1, 2], [3, 4], [5]]
    assert gather([3, 1, 2, 4, 5], chain) == [[3, 2, 4], [1], [5]]


def test_a_common_elder_proves_that_two_are_near() -> None:
    """Distances add up; where that leaves a doubt, or a person has said no, they stay apart."""
    elders = {7: {1: 0.05}, 8: {1: 0.05}, 9: {1: 0.12}}
    assert gather([7, 8, 9], _likeness([], elders=elders)) == [[7, 8], [9]]
    assert gather([7, 8], _likeness([], different={(7, 8)}, elders=elders)) == [[7], [8]]
