"""First syncs, syncs without news, one edit, and memory, over fakes of the vendors' APIs.

Whole commands with the bundled database. A fake answers after 20 ms, keeps the vendor's quota, and
runs in a process of its own.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.connectors.fake import Asked, RunningFake, running
from benchmarks.connectors.lines import Lines, connector_lines
from benchmarks.connectors.sources import LATENCY, METERED, SOURCES, Source, pages
from benchmarks.measure import Syncline, Took, data_folder, machine
from benchmarks.verify import check_counts

__all__ = ["FEWEST", "NAMES", "First", "bounds_of", "run"]

NAMES = tuple(source.name for source in SOURCES)
_ENTRIES = 10_000
FEWEST = 100
"""Entries that a trial must have."""
_METERED = {"zendesk": 1_500, "intercom": 5_000, "confluence": 150, "canvas": 150}
_SIZES = (1_000, 100_000)
_SECRET = "BENCHMARK_SECRET_"


@dataclass(frozen=True, slots=True)
class First:
    """A first sync: what it took, and what it cannot be quicker than."""

    source: str
    entries: int
    asked: Asked
    wall: float
    bounds: Mapping[str, float]
    """Seconds that the quota, the latency and our own work take by themselves."""

    @property
    def limit(self) -> str:
        """What takes longest."""
        return max(self.bounds, key=lambda name: self.bounds[name])

    @property
    def share(self) -> float:
        """Of the time that it took, the part that it had to."""
        took = self.wall if self.limit == "own work" else self.asked.seconds
        return self.bounds[self.limit] / took if took else 0.0


def run(runs: int, only: Sequence[str], entries: int | None, *, as_json: bool) -> None:
    """Measure each source so often, and print the medians."""
    count = entries or _ENTRIES
    sources = [source for source in SOURCES if source.name in only]
    metered = [source for source in METERED if source.name in only]
    shown = not as_json
    if shown:
        print(machine(), end="\n\n", flush=True)
    _say("the same pages from a folder")
    folder = statistics.median(_folder(count) for _ in range(runs))
    steps = {each.name: [_steps(each, count, folder) for _ in range(runs)] for each in sources}
    firsts = [_middle([each[0] for each in found]) for found in steps.values()]
    quiet = {name: found[-1][1] for name, found in steps.items()}
    edits = {name: found[-1][2] for name, found in steps.items()}
    if shown:
        _print_firsts(f"First sync, {count:,} entries whose lists bring their texts along", firsts)
        print(f"  own work: the same pages from a folder, {folder:.1f} s\n")
        _print_changes(count, sources, quiet, edits)
    part = count / _ENTRIES
    quotas = [
        _middle([_metered(each, max(20, int(_METERED[each.name] * part))) for _ in range(runs)])
        for each in metered
    ]
    if shown:
        _print_firsts("First sync where each entry is asked for by itself", quotas)
        print(flush=True)
    memory = {each.name: [_memory(each, int(n * part)) for n in _SIZES] for each in sources}
    lines = connector_lines()
    if shown:
        _print_memory(memory)
        _print_lines(lines)
        return
    figures = {
        "entries": count,
        "folder_seconds": folder,
        "first": [_as_json(each) for each in firsts],
        "quota": [_as_json(each) for each in quotas],
        "nothing_changed": {name: each.requests for name, each in quiet.items()},
        "one_changed": edits,
        "memory": memory,
        "lines": {name: asdict(each) for name, each in lines.items()},
    }
    print(json.dumps(figures, indent=2))


# --- what is done --------------------------------------------------------------------------------


def _steps(source: Source, count: int, folder: float) -> tuple[First, Asked, dict[str, int]]:
    """A first sync; one without news; one with an edit; each checked to be right."""
    _say(f"{source.name}, {count:,} entries")
    with running(source, count) as fake, _connected(source, fake) as syncline:
        first = _sync(syncline, source)
        check_counts(first.output, listed=count, created=count)
        asked = fake.tell()
        bounds = bounds_of(source, asked.requests) | {"own work": folder}
        took = First(source.name, count, asked, first.wall, bounds)
        again = _sync(syncline, source)
        check_counts(again.output, created=0, updated=0, deleted=0)
        quiet = fake.tell()
        if source.few is not None and quiet.requests > source.few:
            sys.exit(f"{source.name}: {quiet.requests} requests where nothing has changed")
        fake.edit()
        edited = _sync(syncline, source)
        check_counts(edited.output, created=0, updated=1, deleted=0)
        return took, quiet, _of_edit(edited.output, fake.tell())


def _of_edit(report: Mapping[str, Any], asked: Asked) -> dict[str, int]:
    names = ("updated", "chunks_new", "chunks_kept")
    return {name: report.get(name, 0) for name in names} | {"requests": asked.requests}


def _metered(source: Source, count: int) -> First:
    _say(f"{source.kind}, {count:,} entries, one by one")
    with running(source, count) as fake, _connected(source, fake) as syncline:
        first = _sync(syncline, source)
        check_counts(first.output, created=count)
        asked = fake.tell()
        return First(source.kind, count, asked, first.wall, bounds_of(source, asked.requests))


def _memory(source: Source, count: int) -> dict[str, float]:
    """The peaks of a sync that reads so many entries and is to store none of them."""
    _say(f"{source.name}, the memory for {count:,} entries")
    only = {"updated_before": "2000-01-01"}
    with (
        running(source, count, brief=True) as fake,
        _connected(source, fake, {"requests_per_second": 1_000}, only) as syncline,
    ):
        took = _sync(syncline, source, watch=True)
        check_counts(took.output, listed=count, filtered=count)
        assert took.peak is not None
        return {"entries": count, "seconds": took.wall, "peak": took.peak, **took.parts}


def _folder(count: int) -> float:
    """Seconds for the first sync of the same pages from a folder."""
    with TemporaryDirectory() as folder, data_folder() as data:
        for n, (title, text) in enumerate(pages(count)):
            page = f"<title>{title}</title><h1>{title}</h1>{text}"
            Path(folder, f"{n:06}.html").write_text(page, "utf-8")
        took = Syncline(data, _SETTINGS).run("sync", folder, "--json")
        check_counts(took.output, created=count)
        return took.wall


_SETTINGS = {"SYNCLINE_EMBEDDER": "hashing"}


@contextmanager
def _connected(
    source: Source,
    fake: RunningFake,
    options: Mapping[str, int] | None = None,
    only: Mapping[str, str] | None = None,
) -> Iterator[Syncline]:
    """A knowledge base with a connection to the fake, of which nothing is read yet."""
    with TemporaryDirectory() as folder, data_folder() as data:
        named = {name: f"env:{_SECRET}{name.upper()}" for name in source.secrets}
        values = {f"{_SECRET}{name.upper()}": text for name, text in source.secrets.items()}
        connection = {
            "kind": source.kind,
            "options": {
                "url": fake.url,
                "allow_private_hosts": ["127.0.0.1"],
                **source.options,
                **(options or {}),
            },
            "secrets": named,
            "filter": dict(only or {}),
            "schedule": "daily 03:00",
        }
        file = Path(folder, "connections.yaml")
        described = {"workspaces": {"default": {"connections": {source.name: connection}}}}
        file.write_text(json.dumps(described), "utf-8")  # which is YAML too
        syncline = Syncline(data, {**_SETTINGS, **values})
        syncline.run("apply", str(file), "--yes")
        fake.tell()
        yield syncline


def _sync(syncline: Syncline, source: Source, *, watch: bool = False) -> Took:
    return syncline.run("sync", source.name, "--json", watch=watch)


def bounds_of(source: Source, requests: int) -> dict[str, float]:
    """What so many requests take at least: the last of them must wait for the quota's windows."""
    quota = max((requests - 1) // bucket.tokens * bucket.seconds for bucket in source.quota)
    return {"quota": quota, "latency": requests / source.at_once * LATENCY}


def _middle(found: Sequence[First]) -> First:
    return sorted(found, key=lambda each: each.share)[len(found) // 2]


def _say(what: str) -> None:
    """Tell whoever waits, beside the figures."""
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


# --- what is printed -----------------------------------------------------------------------------


def _as_json(first: First) -> dict[str, Any]:
    return {**asdict(first), "limit": first.limit, "share": first.share}


def _print_firsts(title: str, firsts: Sequence[First]) -> None:
    print(title)
    print(
        f"  {'':16} entries requests  429  reading s  idle s  whole s"
        "   quota s  latency s  share of"
    )
    for each in firsts:
        print(
            f"  {each.source:16} {each.entries:7,} {each.asked.requests:8,} {each.asked.refused:4}"
            f" {each.asked.seconds:10.1f} {each.asked.idle:7.1f} {each.wall:8.1f}"
            f" {each.bounds['quota']:9.1f} {each.bounds['latency']:10.1f}"
            f"  {each.share:.1%} of {each.limit}"
        )


def _print_changes(
    count: int,
    sources: Sequence[Source],
    quiet: Mapping[str, Asked],
    edits: Mapping[str, Mapping[str, int]],
) -> None:
    print(f"Then, of {count:,}")
    print("  nothing changed: requests  one changed: requests  written  chunks embedded  kept")
    for source in sources:
        edit = edits[source.name]
        print(
            f"  {source.name:16} {quiet[source.name].requests:8} {edit['requests']:23}"
            f" {edit['updated']:8} {edit['chunks_new']:16} {edit['chunks_kept']:5}"
        )
    print()


def _print_memory(memory: Mapping[str, Sequence[Mapping[str, float]]]) -> None:
    print("Peak memory in MB, of entries that are read and left out by a filter")
    print("                    entries  command  database  workers      all  seconds")
    for name, rows in memory.items():
        for row in rows:
            print(
                f"  {name:16} {row['entries']:8,.0f} {row.get('command', 0):8.0f}"
                f" {row.get('database', 0):9.0f} {row.get('workers', 0):8.0f}"
                f" {row['peak']:8.0f} {row['seconds']:8.1f}"
            )
    print()


def _print_lines(lines: Mapping[str, Lines]) -> None:
    print("Lines, of which code; of spec, wire and connector, and with all that belongs to it")
    for name, each in lines.items():
        core = f"{each.core:6,} {each.core_code:6,}" if each.core else f"{'-':>6} {'-':>6}"
        print(f"  {name:16} {core}    {each.all:6,} {each.code:6,}")
    print(flush=True)
