"""What stands beside the bar of a running job."""

import pytest

from retort.cli.progress import _note


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        ({"stage": "read", "message": "cutting into parts"}, "read cutting into parts"),
        ({"stage": "chunks", "per_second": 0.0, "done": 0, "remaining_seconds": None}, "chunks"),
        (
            {"stage": "chunks", "done": 500, "per_second": 1250.4, "remaining_seconds": 33.2},
            "chunks, 1,250 rows/s, 33 s left",
        ),
        (
            {
                "stage": "chunks",
                "done": 2,
                "unit": "trial",
                "per_second": 0.05,
                "remaining_seconds": 600.0,
            },
            "chunks, 3.0 trials/min, 10 min left",
        ),
        (
            {"stage": "done", "done": 9, "per_second": 3.0, "remaining_seconds": 0.0},
            "done, 3 rows/s",
        ),
    ],
)
def test_speed_and_remaining_time_are_told_once_something_has_ended(progress, expected):
    assert _note(progress) == expected
