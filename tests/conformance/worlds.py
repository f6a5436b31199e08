"""The sources of our own connectors, as the conformance suite changes them."""

from __future__ import annotations

from pathlib import Path

from syncline.connectors.files.spec import SPEC as FILES
from syncline.core.ports import ConnectorSpec
from syncline.testing.connector_suite import SourceWorld
from tests.support.scripted import ScriptedOptions, World

__all__ = ["FilesWorld", "ScriptedWorld"]


class FilesWorld(SourceWorld):
    """A folder with one Markdown file an entry, some of them deeper down."""

    def __init__(self, folder: Path, spec: ConnectorSpec = FILES) -> None:
        super().__init__(spec, spec.options.model_validate({"path": folder}))
        self.folder = folder
        (folder / "deep" / "er").mkdir(parents=True)
        (folder / "deep" / "left out.jpg").write_bytes(b"")

    async def add(self, name: str, text: str) -> str:
        self._path(name).write_text(text, "utf-8")
        return self._path(name).relative_to(self.folder).as_posix()

    async def edit(self, name: str, text: str) -> None:
        """As editors do: a new file in the old one's place. So the version moves for certain."""
        draft = self.folder / ".draft"
        draft.write_text(text, "utf-8")
        draft.replace(self._path(name))

    async def remove(self, name: str) -> None:
        self._path(name).unlink()

    async def expected_ids(self) -> set[str]:
        return {each.relative_to(self.folder).as_posix() for each in self.folder.rglob("*.md")}

    async def break_source(self) -> None:
        self.folder.rename(self.folder.with_name("unplugged"))

    def _path(self, name: str) -> Path:
        inner = ("", "deep", "deep/er")[len(name) % 3]
        return self.folder / inner / f"{name}.md"


class ScriptedWorld(SourceWorld):
    """Two partitions of a `World`, with many checkpoints."""

    def __init__(self, path: Path, spec: ConnectorSpec) -> None:
        super().__init__(spec, ScriptedOptions(path=path, checkpoint_every=2))
        self.world = World(path)
        self.world.add_partition("second")

    async def add(self, name: str, text: str) -> str:
        return self.world.put(name, text, partition=self._partition(name), principals=["b", "a"])

    async def edit(self, name: str, text: str) -> None:
        await self.add(name, text)

    async def remove(self, name: str) -> None:
        self.world.remove(name)

    async def expected_ids(self) -> set[str]:
        return set(self.world.read()["entries"])

    async def break_source(self) -> None:
        self.world.path.unlink()

    def _partition(self, name: str) -> str:
        return "main" if len(name) % 2 else "second"
