"""Which paths an include or exclude pattern means.

A pattern is matched against the path relative to the connection's folder, case-sensitively:

- `*` stands for any characters but `/`, `?` for one, `[abc]` and `[!abc]` for one of a set;
- `**` as a whole component stands for any number of folders, none included;
- a pattern without `/` (other than at its end) matches a name at any depth;
  a leading `/` ties it to the top;
- a pattern that matches a folder covers all that lies beneath it;
  with a `/` (or `/**`) at its end it matches folders only.

Components are matched one by one, so that no pattern, however odd, takes more than
(components × pattern components) steps.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

__all__ = ["Glob", "first_match"]


class Glob(Struct, frozen=True):
    """One compiled pattern."""

    pattern: str
    components: tuple[re.Pattern[str] | None, ...]
    """None stands for `**`."""
    folders_only: bool

    @classmethod
    def compile(cls, pattern: str) -> Glob:
        """Raises `ValueError`, saying what is wrong, for what this dialect does not have."""
        problem = _problem(pattern)
        if problem:
            raise ValueError(f"{pattern!r} {problem}")
        body = re.sub(r"(/\*\*)+$", "/", pattern)
        folders_only = body.endswith("/")
        anywhere = "/" not in body.rstrip("/")
        names = [name for name in body.split("/") if name]
        if anywhere and names[:1] != ["**"]:
            names.insert(0, "**")
        return cls(
            pattern,
            tuple(None if name == "**" else re.compile(fnmatch.translate(name)) for name in names),
            folders_only,
        )

    def matches(self, parts: Sequence[str], *, folder: bool = False) -> bool:
        """Whether it means this path or a folder that the path lies in."""
        last = len(self.components)
        states = self._skip_stars({0})
        for depth, part in enumerate(parts, 1):
            states = self._step(states, part)
            if not states:
                return False
            if last in states and (folder or not self.folders_only or depth < len(parts)):
                return True
        return False

    def _step(self, states: set[int], part: str) -> set[int]:
        after = set()
        for state in states:
            if state == len(self.components):
                continue
            component = self.components[state]
            if component is None:
                after.add(state)
            elif component.match(part):
                after.add(state + 1)
        return self._skip_stars(after)

    def _skip_stars(self, states: set[int]) -> set[int]:
        reached = set(states)
        for state in states:
            following = state
            while following < len(self.components) and self.components[following] is None:
                following += 1
                reached.add(following)
        return reached


def first_match(
    globs: Iterable[Glob], parts: Sequence[str], *, folder: bool = False
) -> Glob | None:
    """The first of `globs` that means this path."""
    return next((glob for glob in globs if glob.matches(parts, folder=folder)), None)


def _problem(pattern: str) -> str | None:
    if not pattern.strip("/"):
        return "is empty"
    if "\0" in pattern or "//" in pattern:
        return "is not a path"
    names = pattern.strip("/").split("/")
    if {".", ".."} & set(names):
        return "must not contain . or .. as a component; it is relative to the folder anyway"
    if any("**" in name and name != "**" for name in names):
        return "has ** beside other characters; ** stands alone between slashes"
    if "{" in pattern:
        return "uses braces, which are not special here; give one pattern for each alternative"
    return None
