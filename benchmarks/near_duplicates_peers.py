"""The peers, in a process and a virtual environment of their own: reads texts, prints pairs.

Each is used as its documentation says: 128 permutations, an index with the threshold, candidates
kept whose estimated similarity reaches it. They are given the same runs of five words, and a second
time with their candidates verified on the exact similarity, as we do. Imports nothing of ours.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterable
from importlib.metadata import version
from typing import Any

PERMUTATIONS, BANDS, WORDS = 128, 16, 5
_WORD = re.compile(r"\w+")

Tokens = list[str]
Pairs = Iterable[tuple[int, int]]


def tokens(text: str) -> Tokens:
    """All runs of five words, each once."""
    words = _WORD.findall(text.lower())
    count = max(len(words) - WORDS + 1, 1)
    return list({" ".join(words[n : n + WORDS]) for n in range(count)})


def rensa(
    sets: list[Tokens], threshold: float
) -> tuple[list[set[int]], Callable[[int, int], float]]:
    """RMinHash and its index; 16 bands, as we have."""
    from rensa import RMinHash, RMinHashLSH

    hashes = RMinHash.from_token_sets(sets, PERMUTATIONS, 42)
    index = RMinHashLSH(threshold, PERMUTATIONS, BANDS)
    index.insert_many(hashes)
    candidates = [set(each) for each in index.query_all(hashes)]
    return candidates, lambda a, b: float(hashes[a].jaccard(hashes[b]))


def datasketch(
    sets: list[Tokens], threshold: float
) -> tuple[list[set[int]], Callable[[int, int], float]]:
    """MinHash and MinHashLSH, which chooses its bands by the threshold."""
    from datasketch import MinHash, MinHashLSH

    hashes = []
    index = MinHashLSH(threshold=threshold, num_perm=PERMUTATIONS)
    for number, each in enumerate(sets):
        signature = MinHash(num_perm=PERMUTATIONS)
        signature.update_batch([token.encode() for token in each])
        hashes.append(signature)
        index.insert(number, signature)
    candidates = [set(index.query(each)) for each in hashes]
    return candidates, lambda a, b: float(hashes[a].jaccard(hashes[b]))


def _pairs(candidates: list[set[int]]) -> list[tuple[int, int]]:
    return sorted(
        {(min(a, b), max(a, b)) for a, others in enumerate(candidates) for b in others if a != b}
    )


def _exact(sets: list[Tokens]) -> Callable[[int, int], float]:
    def similarity(a: int, b: int) -> float:
        one, other = set(sets[a]), set(sets[b])
        return len(one & other) / len(one | other)

    return similarity


def main() -> None:
    """`python near_duplicates_peers.py PEER THRESHOLD < texts.json`."""
    peer, threshold = sys.argv[1], float(sys.argv[2])
    texts: list[str] = json.load(sys.stdin)
    find: Any = {"rensa": rensa, "datasketch": datasketch}[peer]
    find([["warm"], ["up"]], threshold)
    started = time.process_time()
    sets = [tokens(text) for text in texts]
    candidates, estimate = find(sets, threshold)
    pairs = _pairs(candidates)
    middle = time.process_time()
    estimated = [(a, b) for a, b in pairs if estimate(a, b) >= threshold]
    ended = time.process_time()
    similarity = _exact(sets)
    verified = [(a, b) for a, b in pairs if similarity(a, b) >= threshold]
    verifying = time.process_time() - ended
    print(
        json.dumps(
            {
                "version": version(peer),
                "estimated": {"pairs": estimated, "seconds": ended - started},
                "verified": {"pairs": verified, "seconds": middle - started + verifying},
            }
        )
    )


if __name__ == "__main__":
    main()
