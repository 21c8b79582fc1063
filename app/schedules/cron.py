"""Cron expressions in a time zone: the moments that they mean, also where clocks are changed.

`cronsim` reads and matches the expressions (as Debian's cron does); which moment a local time is,
on a day when clocks change, is decided here and in docs/schedules.md:

- A fixed time (minute and hour do not begin with `*`) that the clock skips fires once, when the
  clock has jumped; one that comes twice fires the first time only.
- Where minute or hour begin with `*`, the schedule means an interval: it fires whenever the clock
  on the wall shows a matching time: not in an hour that is skipped, and twice in one that comes
  twice.
"""

import heapq
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from app.core.errors import FieldError, InvalidInput
from app.core.names import near, shown

_FIELDS = 5
_WEEKS_AHEAD = 106
MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_EXAMPLE = 'Write minute, hour, day of month, month and day of week, e.g. "0 2 * * SUN".'
#: any moment will do to find out whether an expression is one
_REFERENCE = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Cron:
    """A valid expression in a zone that exists; see `parse_cron`."""

    expression: str
    zone: ZoneInfo

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Every moment after this one, in UTC, in order. It ends when none comes for 50 years."""
        fields = MACROS.get(self.expression.lower(), self.expression)
        minute, hour, *_ = fields.split()
        if minute.startswith("*") or hour.startswith("*"):
            return _whenever(fields, self.zone, moment.astimezone(UTC))
        return _fixed(fields, self.zone, moment.astimezone(UTC))


def explained(cron: Cron) -> str:
    """In English."""
    fields = MACROS.get(cron.expression.lower(), cron.expression)
    return CronSim(fields, _REFERENCE).explain()


def parse_cron(expression: str, timezone: str) -> Cron:
    """Raises InvalidInput that names `/cron` or `/timezone`."""
    zone = _zone(timezone)
    fields = MACROS.get(expression.strip().lower(), expression)
    if len(fields.split()) != _FIELDS:
        raise _wrong(f"it has {len(fields.split())} fields, not {_FIELDS}", expression)
    try:
        next(CronSim(fields, _REFERENCE))
    except CronSimError as error:
        raise _wrong(_said(str(error)), expression) from error
    except StopIteration as error:
        raise _wrong("it never comes: no such day exists", expression) from error
    return Cron(expression=expression.strip(), zone=zone)


def _said(error: str) -> str:
    field = error.removeprefix("Bad ")
    return f"its {field} cannot be read, or never comes" if field != error else error.lower()


def _wrong(why: str, expression: str) -> InvalidInput:
    return InvalidInput(
        f"{shown(expression)} is no cron expression: {why}",
        code="invalid_cron",
        remedy=_EXAMPLE,
        errors=[FieldError(pointer="/cron", code="invalid_cron", detail=why)],
    )


@lru_cache(maxsize=1)
def _known() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones() - {"localtime", "Factory"})


def _zone(name: str) -> ZoneInfo:
    if name in _known():
        return ZoneInfo(name)
    meant = near(name, _known())
    return _raise_unknown(name, meant)


def _raise_unknown(name: str, meant: list[str]) -> ZoneInfo:
    detail = f"there is no time zone {shown(name)}"
    hint = f"Did you mean {', '.join(meant)}? " if meant else ""
    raise InvalidInput(
        detail,
        code="invalid_timezone",
        remedy=f"{hint}Name one of the IANA database, e.g. Europe/Berlin or UTC.",
        errors=[FieldError(pointer="/timezone", code="invalid_timezone", detail=detail)],
    )


def _fixed(fields: str, zone: ZoneInfo, moment: datetime) -> Iterator[datetime]:
    for local in CronSim(fields, moment.astimezone(zone)):
        found = local.astimezone(UTC)
        # in the second of two equal hours cronsim names times of the first one
        if found > moment:
            yield found


def _whenever(fields: str, zone: ZoneInfo, moment: datetime) -> Iterator[datetime]:
    """Matches under each of the zone's offsets, in order, of which those are real at which the zone
    has that offset. (cronsim walks through a change by hours, and passes 02:00 by where clocks move
    by half an hour.)
    """
    heap: list[tuple[datetime, timedelta, CronSim]] = []
    for offset in _offsets(zone, moment):
        _push(heap, offset, CronSim(fields, moment + offset))
    while heap:
        found, offset, matches = heapq.heappop(heap)
        if found.astimezone(zone).utcoffset() == offset:
            yield found
        _push(heap, offset, matches)


def _push(
    heap: list[tuple[datetime, timedelta, CronSim]], offset: timedelta, matches: CronSim
) -> None:
    for wall in matches:
        # no two offsets have a real match at the same moment, but false ones may be equal
        heapq.heappush(heap, (wall - offset, offset, matches))
        return


def _offsets(zone: ZoneInfo, moment: datetime) -> set[timedelta]:
    """Those that the zone has within two years."""
    weeks = (moment + timedelta(weeks=n) for n in range(_WEEKS_AHEAD))
    return {week.astimezone(zone).utcoffset() or timedelta(0) for week in weeks}
