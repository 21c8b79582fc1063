"""How long, as people say it."""

from datetime import timedelta

import pytest

from retort.durations import seconds_of


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        *(("90d", 7_776_000), ("24h", 86_400), ("30m", 1_800), ("45s", 45), ("2w", 1_209_600)),
        *(("1.5h", 5_400), (" 2 h ", 7_200), (60, 60), (timedelta(hours=1), 3_600)),
    ],
)
def test_durations_are_read_as_they_are_said(said, seconds):
    assert seconds_of(said) == seconds


@pytest.mark.parametrize("said", ["", "soon", "90", "3 months", "-1d", "1d2h"])
def test_other_words_are_refused(said):
    with pytest.raises(ValueError, match="is no duration"):
        seconds_of(said)
