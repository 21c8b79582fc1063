"""The clock, as a function that tests may replace. Database times come from Postgres' now()."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    return datetime.now(UTC)
