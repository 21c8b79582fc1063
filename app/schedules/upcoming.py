"""What comes next, for people."""

from datetime import datetime
from itertools import chain, islice, takewhile

from app.db.schedules import ScheduleRow
from app.schedules.cron import parse_cron


def upcoming(row: ScheduleRow, count: int) -> list[datetime]:
    """The next runs of a schedule; none while it is paused, or over."""
    if row.next_at is None:
        return []
    moments = chain([row.next_at], parse_cron(row.cron, row.timezone).after(row.next_at))
    end_at = row.end_at
    if end_at is not None:
        moments = chain(takewhile(lambda at: at <= end_at, moments))
    return list(islice(moments, count))
