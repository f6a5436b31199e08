"""When connections without a schedule of their own run: what the settings say."""

from __future__ import annotations

from syncline.core.errors import ConfigurationError, UsageError
from syncline.scheduling.schedule import Adaptive, Schedule
from syncline.scheduling.text import from_environment, parse
from syncline.settings import Settings

__all__ = ["default_schedule"]


def default_schedule(settings: Settings) -> Schedule:
    """When connections without a schedule of their own run. Raises `ConfigurationError`."""
    if settings.schedule is not None:
        try:
            return parse(settings.schedule)
        except UsageError as error:
            raise ConfigurationError(
                f"SYNCLINE_SCHEDULE: {error.message}", hint=error.hint
            ) from error
    if settings.sync_frequency is not None:
        return from_environment(settings.sync_frequency, settings.sync_time)
    return Adaptive()
