"""When connections without a schedule of their own run."""

from __future__ import annotations

from datetime import time

import pytest

from syncline.core.errors import ConfigurationError
from syncline.scheduling.default import default_schedule
from syncline.scheduling.schedule import Adaptive, Daily, Every, Hourly, Schedule
from syncline.settings import Settings


@pytest.mark.parametrize(
    ("environment", "schedule"),
    [
        ({}, Adaptive()),
        ({"SYNC_TIME": "04:00"}, Adaptive()),
        ({"SYNC_FREQUENCY": "daily"}, Daily(time(2))),
        ({"SYNC_FREQUENCY": "daily", "SYNC_TIME": "04:30"}, Daily(time(4, 30))),
        ({"SYNC_FREQUENCY": "hourly"}, Hourly()),
        ({"SYNC_FREQUENCY": "daily", "SYNCLINE_SCHEDULE": "every 20m"}, Every(20)),
    ],
)
def test_the_settings_decide(environment: dict[str, str], schedule: Schedule) -> None:
    """The more exact one before the other."""
    assert default_schedule(Settings.from_environment(environment)) == schedule


def test_what_is_not_understood_is_named() -> None:
    with pytest.raises(ConfigurationError, match="SYNCLINE_SCHEDULE: "):
        default_schedule(Settings.from_environment({"SYNCLINE_SCHEDULE": "now and then"}))
