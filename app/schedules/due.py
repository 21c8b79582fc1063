"""Which runs are due, and which of them are fired: pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, takewhile

from app.schedules.cron import parse_cron
from app.schedules.spec import ScheduleFields

#: a run that is fired later than this was missed
LATE = timedelta(seconds=60)
#: what was missed longer ago is neither counted nor made up for
HORIZON = timedelta(days=31)
#: so many missed runs are listed one by one, the newest; the others are only counted
_MOST_LISTED = 20


@dataclass(frozen=True, kw_only=True)
class Due:
    """What a look at the clock means for a schedule."""

    #: in order, those that are fired
    fire: Sequence[datetime]
    #: in order, those that are listed as missed
    skip: Sequence[datetime]
    #: missed, and not listed
    uncounted: int
    #: the first run that is not due yet; None: there is none
    next_at: datetime | None


def due_runs(spec: ScheduleFields, next_at: datetime, now: datetime) -> Due:
    """`next_at`: the first run that was not looked at yet, not after `now`."""
    cron = parse_cron(spec.cron, spec.timezone)
    moments = chain([next_at], cron.after(next_at))
    if next_at < now - HORIZON:
        moments = chain(cron.after(now - HORIZON))
    if spec.end_at is not None:
        end_at = spec.end_at
        moments = chain(takewhile(lambda at: at <= end_at, moments))
    due: list[datetime] = []
    following = None
    for at in moments:
        if at > now:
            following = at
            break
        due.append(at)
    fire = _fired(spec, due, now)
    missed = due[: len(due) - len(fire)]
    listed = missed[-_MOST_LISTED:]
    return Due(fire=fire, skip=listed, uncounted=len(missed) - len(listed), next_at=following)


def _fired(spec: ScheduleFields, due: list[datetime], now: datetime) -> list[datetime]:
    """The newest of them, as many as the policy for missed runs lets."""
    if spec.missed == "skip":
        return [at for at in due if now - at <= LATE]
    return due[-1:] if spec.missed == "last" else due[-spec.max_missed :]
