"""Cron expressions: five fields, checked when they are written, and their times in a zone."""

from __future__ import annotations

from datetime import UTC, datetime

from syncline.core.errors import UsageError
from syncline.scheduling.zones import zone_called

__all__ = ["next_cron_time", "normal_expression"]

_HINT = (
    "Write minute, hour, day of the month, month and day of the week: "
    "`0 3 * * 1-5` is every weekday at 03:00, `*/20 * * * *` every 20 minutes."
)
# Any will do: an expression that never comes is found out from everywhere.
_SOME_TIME = datetime(2024, 1, 1, tzinfo=UTC)


def normal_expression(text: str) -> str:
    """The expression in upper case with single spaces.

    Raises `UsageError` if it does not have five fields, if one of them is bad, or if no
    time ever matches.
    """
    from cronsim import CronSim, CronSimError

    fields = text.upper().split()
    expression = " ".join(fields)
    if len(fields) != 5:
        raise UsageError(
            f'"{expression[:80]}" is not a cron expression: it has {len(fields)} '
            f"field{'' if len(fields) == 1 else 's'}, not five",
            hint=_HINT,
        )
    try:
        next(CronSim(expression, _SOME_TIME))
    except StopIteration:
        raise UsageError(
            f'the cron expression "{expression[:80]}" never comes', hint=_HINT
        ) from None
    except (CronSimError, ValueError) as error:
        reason = str(error).lower() if isinstance(error, CronSimError) else "a number is too long"
        raise UsageError(
            f'"{expression[:80]}" is not a cron expression: {reason}', hint=_HINT
        ) from error
    return expression


def next_cron_time(expression: str, zone: str, after: datetime) -> datetime | None:
    """The first time later than `after` at which clocks in `zone` match; in UTC.

    When clocks change, an expression that names hours and minutes comes once, as with
    daily schedules; one with a star for either follows the clock. None if it never comes.
    """
    from cronsim import CronSim

    for moment in CronSim(expression, after.astimezone(zone_called(zone))):
        # In an hour that comes twice, the first answer may lie before the question.
        if (slot := moment.astimezone(UTC)) > after:
            return slot
    return None
