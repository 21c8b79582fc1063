"""Every moment of a year against an enumeration minute by minute that knows nothing of cronsim."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest

from app.core.errors import InvalidInput
from app.schedules.cron import parse_cron

pytestmark = pytest.mark.req("S1-31", "goal-22")

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC")
YEAR = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


def moments(expression, zone, begin=YEAR[0], end=YEAR[1]):
    found = parse_cron(expression, zone).after(begin)
    return list(takewhile(lambda at: at <= end, found))


def fixed_times(zone, times, days=lambda day: True, begin=YEAR[0], end=YEAR[1]):
    """Local times of each day as moments: what is skipped comes when the clock has jumped, what
    comes twice the first time; by walking along the minutes of the real world.
    """
    zone, found = ZoneInfo(zone), set()
    day = date(2025, 12, 30)
    while day < date(2027, 1, 3):
        if days(day):
            for hour, minute in times:
                wanted = datetime.combine(day, time(hour, minute))
                # the first real minute whose wall shows the wanted time or a later one
                at = wanted.replace(tzinfo=UTC) - timedelta(hours=16)
                while at.astimezone(zone).replace(tzinfo=None) < wanted:
                    at += timedelta(minutes=15)
                found.add(at)
        day += timedelta(days=1)
    return sorted(at for at in found if begin < at <= end)


def wall_minutes(zone, matches, begin=YEAR[0], end=YEAR[1], step=15):
    """Every real moment whose wall clock matches."""
    zone, at, found = ZoneInfo(zone), begin + timedelta(minutes=step), []
    while at <= end:
        if matches(at.astimezone(zone)):
            found.append(at)
        at += timedelta(minutes=step)
    return found


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    ("expression", "times"),
    [
        ("30 2 * * *", [(2, 30)]),
        ("0 2 * * *", [(2, 0)]),
        ("45 1 * * *", [(1, 45)]),
        ("15 1,2,3 * * *", [(1, 15), (2, 15), (3, 15)]),
        ("0,30 2 * * *", [(2, 0), (2, 30)]),
    ],
)
def test_a_fixed_time_fires_once_a_day_in_every_zone(zone, expression, times):
    found = moments(expression, zone)
    assert found == fixed_times(zone, times)
    assert len(found) == len(set(found))
    if len(times) == 1:
        assert len(found) == 365


@pytest.mark.parametrize("zone", ZONES)
def test_sunday_at_two_is_52_sundays(zone):
    found = moments("0 2 * * SUN", zone)
    assert found == fixed_times(zone, [(2, 0)], days=lambda day: day.weekday() == 6)
    assert len(found) == 52


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    ("expression", "matches"),
    [
        ("*/15 * * * *", lambda wall: True),
        ("30 * * * *", lambda wall: wall.minute == 30),
        ("0 */2 * * *", lambda wall: wall.minute == 0 and wall.hour % 2 == 0),
        ("*/30 2 * * *", lambda wall: wall.minute % 30 == 0 and wall.hour == 2),
        ("0 */6 1-7 * MON", lambda wall: None),
    ],
)
def test_an_interval_fires_whenever_the_wall_clock_shows_it(zone, expression, matches):
    if expression.endswith("MON"):  # neither begins with a star: one of the two suffices

        def matches(wall):
            day = wall.day <= 7 or wall.weekday() == 0
            return day and wall.minute == 0 and wall.hour % 6 == 0

    assert moments(expression, zone) == wall_minutes(zone, matches)


@pytest.mark.parametrize(
    ("zone", "expression", "begin", "expected"),
    [
        # clocks jump from 02:00 to 03:00
        ("Europe/Berlin", "30 2 * * *", "2026-03-28T12:00Z", "2026-03-29T03:00+02:00"),
        ("America/New_York", "30 2 * * *", "2026-03-07T12:00Z", "2026-03-08T03:00-04:00"),
        # by half an hour: from 02:00 to 02:30
        ("Australia/Lord_Howe", "15 2 * * *", "2026-10-03T12:00Z", "2026-10-04T02:30+11:00"),
        # the hour comes twice: the first time
        ("Europe/Berlin", "30 2 * * *", "2026-10-24T12:00Z", "2026-10-25T02:30+02:00"),
        ("America/New_York", "30 1 * * *", "2026-10-31T12:00Z", "2026-11-01T01:30-04:00"),
        ("Australia/Lord_Howe", "45 1 * * *", "2026-04-04T12:00Z", "2026-04-05T01:45+11:00"),
    ],
)
def test_the_examples_of_the_guide(zone, expression, begin, expected):
    found = next(parse_cron(expression, zone).after(datetime.fromisoformat(begin)))
    assert found == datetime.fromisoformat(expected)


@pytest.mark.parametrize("minute", range(0, 60, 7))
def test_it_may_begin_anywhere_in_the_hour_that_comes_twice(minute):
    """Where one beat died and another goes on: nothing is fired again, nothing is left out."""
    cron = parse_cron("45 2 * * *", "Europe/Berlin")
    whole = moments("45 2 * * *", "Europe/Berlin")
    for hour in (0, 1, 2):
        begin = datetime(2026, 10, 25, hour, minute, tzinfo=UTC)
        expected = [at for at in whole if at > begin][:3]
        assert list(islice(cron.after(begin), 3)) == expected


def test_each_moment_leads_to_the_next():
    """Going on from each found moment anew is the same as going through."""
    for zone in ZONES:
        for expression in ("30 2 * * *", "0 */2 * * *", "0,30 2 * * *"):
            cron, at, found = parse_cron(expression, zone), YEAR[0], []
            while (at := next(cron.after(at))) <= YEAR[1]:
                found.append(at)
            assert found == moments(expression, zone)


@pytest.mark.parametrize(
    "expression",
    [
        *("", "* * * *", "0 0 0 0 0", "61 * * * *", "a b c d e", "* * * * * *", "0 0 30 2 *"),
        *("@often", "0 2 * * SON", "*/0 * * * *", "0 0 31 4,6 *", "5-1 * * * *", "٣ * * * *"),
    ],
)
def test_what_is_no_expression_is_named_with_a_remedy(expression):
    with pytest.raises(InvalidInput) as refused:
        parse_cron(expression, "UTC")
    problem = refused.value.problem()
    assert (problem["code"], problem["errors"][0]["pointer"]) == ("invalid_cron", "/cron")
    assert "0 2 * * SUN" in problem["remedy"]


@pytest.mark.parametrize(
    ("zone", "hint"),
    [("Europe/Berln", "Europe/Berlin"), ("../../etc/passwd", "IANA"), ("", "IANA"), ("CET5", "")],
)
def test_a_zone_that_does_not_exist_is_named_with_near_ones(zone, hint):
    with pytest.raises(InvalidInput) as refused:
        parse_cron("0 2 * * *", zone)
    problem = refused.value.problem()
    assert (problem["code"], problem["errors"][0]["pointer"]) == ("invalid_timezone", "/timezone")
    assert hint in problem["remedy"]


def test_short_words_for_common_expressions():
    for word, expression in (("@daily", "0 0 * * *"), ("@weekly", "0 0 * * 0")):
        assert moments(word, "Europe/Berlin") == moments(expression, "Europe/Berlin")
