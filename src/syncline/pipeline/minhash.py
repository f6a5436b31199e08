"""Which texts may be near-duplicates, without comparing each with each: MinHash with bands.

A text's signature has 128 values. For each there is a fixed random order of all shingles, and
the value is the text's first shingle in it; so two texts agree in a value with the probability
of their Jaccard similarity. Bands of 8 values are hashed to keys, and texts that share a key are
candidates. The values are cut into 16 bands twice over, along the rows and along the columns of
a grid: at a similarity of 0.8, 997 of 1,000 pairs share a key; with 16 bands it is 947.

The orders: in round r of six, `mix(shingle + r * GOLDEN)` says by its upper 7 bits in which one
order the shingle comes next, and by the others where in it; shingles that no round has put into
an order come last, by `mix(shingle ^ seed of the order)`. So a long text is hashed once or twice
and not 128 times, and the values of a short one are no worse.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from syncline.pipeline.shingles import Hashes, mix, shingles_of_each

__all__ = ["bands_of_each", "signatures"]

_VALUES = 128
_BANDS, _ROWS = 16, 8
_ROUNDS = 6
_GOLDEN = 0x9E3779B97F4A7C15
_PLACE_BITS = np.uint64(64 - 7)
# The round goes into the upper bits, so that what an earlier one has found comes first.
_ROUND_BITS = np.uint64(57)
_IN_ORDER = np.uint64((1 << 57) - 1)
_EMPTY = np.uint64((1 << 64) - 1)
_FACTOR = np.uint64(0x100000001B3)


def _multiples(count: int, start: int) -> Hashes:
    return np.array([(start + n) * _GOLDEN % (1 << 64) for n in range(count)], np.uint64)


_ROUND_SEEDS = _multiples(_ROUNDS, 1)
_ORDER_SEEDS = mix(_multiples(_VALUES, 1_000))
_BAND_SEEDS = mix(_multiples(2 * _BANDS, 2_000))


def bands_of_each(texts: Sequence[str]) -> list[tuple[int, ...]]:
    """For each text the 32 keys under which near-duplicates are looked for, as signed 64 bits.

    A text without words has none, and so no near-duplicates.
    """
    if not texts:
        return []
    hashes, owners = shingles_of_each(texts)
    keys = _bands(signatures(hashes, owners, len(texts))).view(np.int64).tolist()
    counts = np.bincount(owners, minlength=len(texts)).tolist()
    return [tuple(own) if count else () for own, count in zip(keys, counts, strict=True)]


def signatures(hashes: Hashes, owners: NDArray[np.intp], count: int) -> Hashes:
    """The signatures of `count` texts, a row each, from their shingles and whose they are."""
    found = np.full(count * _VALUES, _EMPTY, np.uint64)
    for number, seed in enumerate(_ROUND_SEEDS):
        mixed = mix(hashes + seed)
        places = owners * _VALUES + (mixed >> _PLACE_BITS).astype(np.intp)
        mixed &= _IN_ORDER
        mixed |= np.uint64(number) << _ROUND_BITS
        np.minimum.at(found, places, mixed)
        # A text whose orders all have a shingle is done: later rounds come after.
        unfinished = (found.reshape(count, _VALUES) == _EMPTY).any(axis=1)[owners]
        hashes, owners = hashes[unfinished], owners[unfinished]
        if not len(hashes):
            break
    rows = found.reshape(count, _VALUES)
    for owner in np.flatnonzero(np.bincount(owners)):
        own = hashes[owners == owner]
        empty = np.flatnonzero(rows[owner] == _EMPTY)
        last = mix(own[np.newaxis, :] ^ _ORDER_SEEDS[empty, np.newaxis]) & _IN_ORDER
        rows[owner, empty] = last.min(axis=1) | (np.uint64(_ROUNDS) << _ROUND_BITS)
    return rows


def _bands(rows: Hashes) -> Hashes:
    """The keys of each signature: 16 of eight neighbours, and 16 of every sixteenth value."""
    along = rows.reshape(-1, _BANDS, _ROWS)
    across = rows.reshape(-1, _ROWS, _BANDS).transpose(0, 2, 1)
    values = np.concatenate((along, across), axis=1)
    keys = np.broadcast_to(_BAND_SEEDS, values.shape[:2]).copy()
    for row in range(_ROWS):
        keys = mix(keys * _FACTOR + values[:, :, row])
    return keys
