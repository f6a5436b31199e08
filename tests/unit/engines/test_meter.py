"""What is read of this machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncline.engines.meter import SystemMeter, control_group_memory


@contextmanager
def _child(work: str) -> Iterator[int]:
    """A process of ours that has done this work, and waits."""
    program = f"{work}\nprint('done', flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n"
        yield process.pid
        process.communicate("\n")


def test_memory_is_that_of_all_our_processes() -> None:
    """Also of those that this one has started; of the machine, a part."""
    meter = SystemMeter()
    before = meter.read()
    with _child("held = bytearray(range(200)) * 500_000"):
        during = meter.read()
    assert during.ours_mb > before.ours_mb + 90
    assert 0 < before.memory <= 1
    assert 0 <= during.others <= 1
    assert SystemMeter(ours=False).read().ours_mb == 0


@pytest.mark.parametrize("server", [False, True])
def test_our_own_work_is_not_that_of_others(server: bool) -> None:
    """Nor is that of the bundled database, whose processes are not our children."""
    work = "import time\nwhile time.process_time() < 0.5: pass"
    meter = SystemMeter()
    with _child(work) as pid:
        if server:
            meter = SystemMeter(server=lambda: pid)
            assert pid in meter._seconds
        assert meter._count([*meter._processes(), *meter._servers()]) >= (0 if server else 0.4)
        assert meter._seconds[pid] >= 0.4


def _group(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_the_narrowest_control_group_counts(tmp_path: Path) -> None:
    """Version 2: of each group above us; cached files are not in use, `max` is no limit."""
    _group(
        tmp_path / "root/pod",
        memory__max="1000\n",
        memory__current="900\n",
        memory__stat="anon 100\ninactive_file 300\n",
    )
    _group(tmp_path / "root/pod/ours", memory__max="max\n", memory__current="5\n")
    (tmp_path / "of").write_text("0::/pod/ours\n")
    assert control_group_memory(tmp_path / "of", tmp_path / "root") == [0.6]


def test_control_groups_of_the_first_version(tmp_path: Path) -> None:
    """Where the folder of our own group is not to be seen, as in a container, the root's."""
    _group(
        tmp_path / "root/memory",
        memory__limit_in_bytes="1000\n",
        memory__usage_in_bytes="900\n",
        memory__stat="inactive_file 7\ntotal_inactive_file 100\n",
    )
    (tmp_path / "of").write_text("5:cpu:/x\n4:cpuset,memory:/outside/ours\n0::/\n")
    assert control_group_memory(tmp_path / "of", tmp_path / "root") == [0.8]


def test_where_there_are_none(tmp_path: Path) -> None:
    """As on other systems."""
    assert control_group_memory(tmp_path / "none", tmp_path) == []
