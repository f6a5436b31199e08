"""Bands find near-duplicates, whatever else is in the batch, and hardly anything else."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from syncline.pipeline.minhash import bands_of_each, signatures
from syncline.pipeline.shingles import jaccard, shingles, shingles_of_each

_TEXTS = st.lists(st.text("ab c\n", max_size=40), max_size=8)


def _words(chance: random.Random, count: int) -> list[str]:
    return [f"w{chance.randrange(5_000)}" for _ in range(count)]


def _pair(chance: random.Random, count: int, edits: int) -> tuple[str, str]:
    words = _words(chance, count)
    edited = list(words)
    for place in chance.sample(range(count), edits):
        edited[place] = f"other{chance.randrange(10**6)}"
    return " ".join(words), " ".join(edited)


@given(_TEXTS, st.randoms(use_true_random=False))
def test_bands_do_not_depend_on_the_batch(texts: list[str], chance: random.Random) -> None:
    """Neither on its order nor on what else is in it."""
    alone = {text: bands_of_each([text])[0] for text in texts}
    chance.shuffle(texts)
    assert bands_of_each(texts) == [alone[text] for text in texts]


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=300), st.integers(0, 99))
def test_a_signature_depends_on_the_set_of_shingles_alone(hashes: list[int], seed: int) -> None:
    """Not on their order, nor on how often one occurs; a larger set has no larger value."""
    shuffled = [*hashes, *hashes[:3]]
    random.Random(seed).shuffle(shuffled)

    def signature(values: list[int]) -> list[int]:
        owners = np.zeros(len(values), np.intp)
        row: list[int] = signatures(np.array(values, np.uint64), owners, 1)[0].tolist()
        return row

    mine = signature(hashes)
    assert signature(shuffled) == mine
    more = signature([*hashes, seed])
    assert all(a <= b for a, b in zip(more, mine, strict=True))


def test_two_texts_agree_in_as_many_values_as_they_have_in_common() -> None:
    """At every length, short texts too: the mean of many pairs is right."""
    chance = random.Random(8)
    for count, edits in ((12, 1), (40, 2), (150, 6), (600, 60)):
        errors = []
        for _ in range(200):
            one, other = _pair(chance, count, edits)
            hashes, owners = shingles_of_each([one, other])
            rows = signatures(hashes, owners, 2)
            agree = float((rows[0] == rows[1]).mean())
            errors.append(agree - jaccard(shingles(one), shingles(other)))
        assert abs(float(np.mean(errors))) < 0.015, count


def test_bands_find_what_is_near_and_little_else() -> None:
    """More than 99 of 100 pairs about 0.8, and none of the pairs below 0.3."""
    chance = random.Random(16)
    found: dict[str, list[bool]] = {"near": [], "far": []}
    while min(map(len, found.values())) < 300:
        one, other = _pair(chance, 200, chance.choice((3, 4, 5, 40, 60)))
        alike = jaccard(shingles(one), shingles(other))
        kind = "near" if 0.78 <= alike <= 0.85 else "far" if alike < 0.3 else None
        if kind is not None:
            a, b = bands_of_each([one, other])
            found[kind].append(bool(set(a) & set(b)))
    assert np.mean(found["near"]) > 0.985
    assert np.mean(found["far"]) < 0.01


def test_texts_without_words_have_no_bands() -> None:
    """So nothing is compared with them; a single word is enough for bands."""
    assert [len(bands) for bands in bands_of_each(["", "?!", "one", "a b c d e f"])] == [
        0,
        0,
        32,
        32,
    ]
    assert bands_of_each([]) == []


def test_the_bands_are_pinned() -> None:
    """They are stored, so they must be these on every machine and in every version of Python."""
    bands = bands_of_each(["the quick brown fox jumps over the lazy dog"])[0]
    assert (len(set(bands)), bands[0], bands[31]) == (32, -909072958073218646, -2944597678167082739)
