"""What the benchmark of connectors counts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from benchmarks.connectors.fake import Asked
from benchmarks.connectors.lines import code_lines, connector_lines
from benchmarks.connectors.run import First, bounds_of
from benchmarks.connectors.sources import METERED, SOURCES, pages

from syncline.core.quota import Bucket


def test_what_the_quota_allows_is_whole_windows_but_for_the_first() -> None:
    """The 701st request of 700 a minute must wait for a minute; the 700th for none."""
    source = replace(SOURCES[0], quota=(Bucket(700, 60),), at_once=2)
    assert [bounds_of(source, n)["quota"] for n in (1, 700, 701, 1_400, 1_401)] == [
        0,
        0,
        60,
        60,
        120,
    ]
    assert bounds_of(source, 100)["latency"] == pytest.approx(1.0)


def test_the_share_is_of_what_takes_longest() -> None:
    asked = Asked(requests=1_401, refused=0, seconds=125.0, idle=110.0)
    first = First("zendesk", 1_400, asked, 130.0, {"quota": 120.0, "latency": 3.5})
    assert (first.limit, round(first.share, 3)) == ("quota", 0.96)
    own = replace(first, bounds={**first.bounds, "own work": 126.1})
    assert (own.limit, round(own.share, 3)) == ("own work", 0.97)


def test_lines_of_code_are_neither_comments_nor_docstrings() -> None:
    text = '"""Says\n\nwhat."""\n\nimport json  # why\n\n# because\nx = (\n    1,\n)\n'
    assert code_lines(text) == 4
    lines = connector_lines()
    assert all(each.core_code < each.core <= each.all for each in lines.values() if each.core)


def test_worlds_are_the_same_each_time_and_hold_what_they_are_said_to() -> None:
    assert list(pages(3)) == list(pages(3))
    assert len({text for _, text in pages(50)}) == 50
    assert {each.name for each in METERED} == {each.name for each in SOURCES}
