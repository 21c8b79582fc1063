"""How long the routes of replaced systems wait."""

import pytest

from api.compat import following
from api.compat.following import seconds_to_wait


@pytest.mark.req("C-03")
@pytest.mark.parametrize(
    ("prefer", "usual", "seconds"),
    [
        (None, None, 25.0),
        (None, 0.0, 0.0),
        ("wait=3", None, 3.0),
        ("wait=3", 0.0, 3.0),
        ("wait=0", None, 0.0),
        ("wait=600", None, 60.0),
        ("respond-async", None, 0.0),
        ("respond-async, wait=2", None, 2.0),
        ("handling=lenient", None, 25.0),
    ],
)
def test_prefer_says_it_or_else_what_is_usual(prefer, usual, seconds):
    assert seconds_to_wait(prefer, usual) == seconds
    assert following.WAIT_SECONDS == 25.0
