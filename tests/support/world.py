"""A source that a test writes: a JSON file which every process reads anew at each step."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from syncline.core.model import Json

__all__ = ["World"]


class World:
    """The source's state, in the file at `path`; created if there is none, unless told not to.

    The file's time is a count of its writes, so that readers know when to read it again.
    """

    def __init__(self, path: Path, *, create: bool = True) -> None:
        self.path = path
        self._known: tuple[int, dict[str, Any]] | None = None
        if create and not path.exists():
            self._write({"next": 1, "partitions": {"main": []}, "entries": {}, "failures": []})

    @property
    def options(self) -> dict[str, str]:
        """The options that open it."""
        return {"path": str(self.path)}

    def put(
        self,
        name: str,
        text: str,
        *,
        partition: str = "main",
        title: str | None = None,
        principals: Sequence[str] | None = None,
        media_type: str = "text/markdown",
        metadata: dict[str, Json] | None = None,
        parent: str | None = None,
        filtered: str | None = None,
        alias_of: str | None = None,
        directives: Sequence[str] = (),
        inline: bool = False,
        version: str | None = None,
    ) -> str:
        """Add an entry, change it, or move it to another partition. Returns its id.

        `metadata` holds further fields of `Metadata`, in JSON; `inline` entries bring their
        content along in the listing; `version` keeps a version still while the text moves.
        """
        state = self._load()
        old = state["entries"].get(name)
        if old is not None and old["partition"] != partition:
            self._event(state, old["partition"], name, gone=True)
        number = self._event(state, partition, name, gone=False)
        state["entries"][name] = {
            **_plain(partition, name, number, text),
            "version": version or f"v{number}",
            "metadata": {"title": title or name, **(metadata or {})},
            "principals": None if principals is None else sorted(principals),
            "media_type": media_type,
            "parent": parent,
            "filtered": filtered,
            "alias_of": alias_of,
            "directives": list(directives),
            "inline": inline,
        }
        self._write(state)
        return name

    def put_many(self, texts: dict[str, str], *, partition: str = "main") -> None:
        """Add many entries and write the file once."""
        state = self._load()
        for name, text in texts.items():
            number = self._event(state, partition, name, gone=False)
            state["entries"][name] = _plain(partition, name, number, text)
        self._write(state)

    def remove(self, name: str) -> None:
        """Delete an entry; the feed says so."""
        state = self._load()
        entry = state["entries"].pop(name)
        self._event(state, entry["partition"], name, gone=True)
        self._write(state)

    def vanish(self, name: str) -> None:
        """Delete an entry without a word in the feed."""
        state = self._load()
        entry = state["entries"].pop(name)
        events = state["partitions"][entry["partition"]]
        events[:] = [event for event in events if event["id"] != name]
        self._write(state)

    def add_partition(self, partition: str) -> None:
        """Add an empty partition."""
        state = self._load()
        state["partitions"].setdefault(partition, [])
        self._write(state)

    def fail_fetch(self, name: str, code: str = "transient", *, times: int | None = None) -> None:
        """Let reading this entry fail, `times` times or until `heal`."""
        self._fail({"in": "fetch", "id": name, "code": code, "times": times})

    def fail_listing(
        self,
        step: int,
        code: str = "transient",
        *,
        partition: str = "main",
        times: int | None = None,
    ) -> None:
        """Let listing this partition raise before its step number `step` (from 0)."""
        self._fail({"in": "listing", "id": partition, "step": step, "code": code, "times": times})

    def fail_entry(self, name: str, code: str = "bad_content", *, times: int | None = None) -> None:
        """Let the listing yield `Failed` in this entry's place."""
        self._fail({"in": "entry", "id": name, "code": code, "times": times})

    def fail_part(
        self, partition: str = "main", code: str = "forbidden", *, times: int | None = None
    ) -> None:
        """Let the listing of this partition have a `Failed` in it that names no entry."""
        self._fail({"in": "part", "id": partition, "code": code, "times": times})

    def heal(self) -> None:
        """Let nothing fail any more."""
        state = self._load()
        state["failures"] = []
        self._write(state)

    def log(self, *operations: str) -> list[dict[str, Json]]:
        """What connectors did (`fetch`, `changes`, `enumerate`, …), oldest first."""
        if not self._log.exists():
            return []
        records = [json.loads(line) for line in self._log.read_text("utf-8").splitlines()]
        return [each for each in records if not operations or each["operation"] in operations]

    def fetches(self) -> list[str]:
        """The ids that were fetched, oldest first, since `clear_log`."""
        return [record["id"] for record in self.log("fetch")]

    def clear_log(self) -> None:
        self._log.unlink(missing_ok=True)

    def note(self, operation: str, **details: Json) -> None:
        """Append to the log: one short write, whole even when processes write at once."""
        line = json.dumps({"operation": operation, "process": os.getpid(), **details})
        descriptor = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            os.write(descriptor, f"{line}\n".encode())
        finally:
            os.close(descriptor)

    def read(self) -> dict[str, Any]:
        """The whole state; not to be changed."""
        with self.path.open(encoding="utf-8") as file:
            written = os.fstat(file.fileno()).st_mtime_ns
            if self._known is None or self._known[0] != written:
                self._known = (written, json.load(file))
        return self._known[1]

    def names(self, partition: str) -> list[str]:
        """The ids in a partition, sorted."""
        entries = self.read()["entries"]
        return sorted(name for name, each in entries.items() if each["partition"] == partition)

    @property
    def _log(self) -> Path:
        return self.path.with_name(f"{self.path.name}.log")

    def _event(self, state: dict[str, Any], partition: str, name: str, *, gone: bool) -> int:
        number: int = state["next"]
        state["next"] += 1
        events = state["partitions"].setdefault(partition, [])
        events[:] = [event for event in events if event["id"] != name]
        events.append({"number": number, "id": name, "gone": gone})
        return number

    def _fail(self, failure: dict[str, Json]) -> None:
        state = self._load()
        state["failures"].append({**failure, "number": state["next"]})
        state["next"] += 1
        self._write(state)

    def _write(self, state: dict[str, Any]) -> None:
        draft = self.path.with_name(f"{self.path.name}.{os.getpid()}.draft")
        state["writes"] = state.get("writes", 0) + 1
        draft.write_text(json.dumps(state, ensure_ascii=False), "utf-8")
        os.utime(draft, ns=(state["writes"], state["writes"]))
        draft.replace(self.path)

    def _load(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(self.path.read_text("utf-8"))
        return state


def _plain(partition: str, name: str, number: int, text: str) -> dict[str, Json]:
    return {
        "partition": partition,
        "version": f"v{number}",
        "number": number,
        "text": text,
        "metadata": {"title": name},
        "principals": None,
        "media_type": "text/markdown",
        "parent": None,
        "filtered": None,
        "alias_of": None,
        "directives": [],
        "inline": False,
    }
