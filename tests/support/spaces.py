"""A source of several partitions, before and after edits, some of them across partitions."""

from __future__ import annotations

from pathlib import Path

from tests.support.world import World

__all__ = ["SPACES", "edit_spaces", "make_spaces"]

SPACES = ("dev", "ops", "people", "sales")
_EACH = 12


def make_spaces(path: Path) -> World:
    """Four partitions, which have some texts in common, and entries that name each other's."""
    world = World(path)
    for space in SPACES:
        world.put_many(
            {
                f"{space}/{n:02}": f"# Page {n}\n\nThe {space} team writes {n} lines.\n"
                if n % 4
                else f"# Shared {n}\n\nEverybody has these {n} lines.\n"
                for n in range(_EACH)
            },
            partition=space,
        )
    world.put("ops/alias", "# Page 1\n\nas in dev", partition="ops", alias_of="dev/01")
    world.put("dev/alias", "# Alone\n\nof nothing", partition="dev", alias_of="nowhere")
    return world


def edit_spaces(world: World) -> None:
    """Edits, additions, deletions, moves from one partition to another, under a new id or not."""
    world.put("dev/01", "# Page 1\n\nThe dev team has thought again.\n", partition="dev")
    world.put("sales/new", "# New\n\nNobody knew of this.\n", partition="sales")
    world.remove("people/02")
    world.remove("ops/05")
    world.put("sales/moved", "# Page 5\n\nThe ops team writes 5 lines.\n", partition="sales")
    text = world.read()["entries"]["ops/07"]["text"]
    world.put("ops/07", text, partition="people")
    world.put("people/alias", "# Page 1\n\nas in dev", partition="people", alias_of="dev/01")
