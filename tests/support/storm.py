"""A history to be disturbed: many entries that share contents, then edits of every kind."""

from __future__ import annotations

import random
from pathlib import Path

from tests.support.world import World

__all__ = ["first_state", "second_state"]

_WORDS = (
    *("locker", "parcel", "courier", "refund", "ticket", "key", "rotate", "incident", "page"),
    *("search", "index", "window", "schedule", "customer", "invoice", "holiday", "policy"),
    *("network", "cable", "battery", "sensor", "door", "code", "label", "scan", "depot"),
)


def _text(seed: int) -> str:
    """A text of its own for each seed: a few sections of a few sentences."""
    chance = random.Random(seed)
    parts = [f"# Text {seed}\n"]
    for section in range(chance.randint(1, 4)):
        parts.append(f"\n## Section {section}\n")
        parts += (
            " ".join(chance.choices(_WORDS, k=chance.randint(8, 30))) + ".\n\n"
            for _ in range(chance.randint(1, 5))
        )
    return "".join(parts)


def first_state(path: Path, entries: int) -> World:
    """`entries` entries, 30 % of which share their content with another, and 10 % nearly."""
    world = World(path)
    shared, nearly = entries * 3 // 10, entries // 10
    texts = {
        f"doc/{n:05}": _text(n if n >= shared else n % max(1, shared // 3)) for n in range(entries)
    }
    for n in range(nearly):
        # Of a text that is shared, or of one that is not; some with other numbers.
        texts[f"doc/{shared + n:05}"] = f"{_text(n * 7)}\nA copy of {n % 3}.\n"
    world.put_many(texts)
    return world


def second_state(world: World, entries: int) -> None:
    """Edits, deletions, moves (a new id for a known content) and additions, a tenth in all."""
    chance = random.Random(entries)
    names = [f"doc/{n:05}" for n in range(entries)]
    chance.shuffle(names)
    share = max(3, entries // 40)
    edited, deleted, moved, again = (names[i * share : (i + 1) * share] for i in range(4))
    entries_before = world.read()["entries"]
    texts = {name: entries_before[name]["text"] for name in names}
    world.put_many(
        {
            name: f"{texts[name]}\nOne line more.\n" if n % 2 else _text(100_000 + n)
            for n, name in enumerate(edited)
        }
    )
    for name in deleted:
        world.remove(name)
    for name in moved:
        world.remove(name)
        world.put(f"moved/{name.rpartition('/')[2]}", texts[name])
    world.put_many({name: texts[name] for name in again})
    world.put_many({f"new/{n:05}": _text(200_000 + n % 5) for n in range(share)})
