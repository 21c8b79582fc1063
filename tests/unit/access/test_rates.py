"""Token buckets as they are told: headers of the IETF's draft, seconds to wait."""

import pytest

from app.access.rates import Decision, Rate, rate_of
from app.core.errors import RateLimited
from app.core.settings import Settings

RATE = Rate(per_second=2.0, burst=10)


def test_headers_say_the_policy_and_what_is_left():
    decision = Decision(rate=RATE, allowed=True, left=7.9)
    assert decision.headers == {"RateLimit-Policy": '"key";q=10;w=5', "RateLimit": '"key";r=7;t=2'}
    decision.check()


def test_who_is_refused_is_told_when_the_next_token_comes():
    slow = Rate(per_second=0.1, burst=1)
    with pytest.raises(RateLimited) as caught:
        Decision(rate=slow, allowed=False, left=0.25).check()
    assert caught.value.headers == {"Retry-After": "8"}


@pytest.mark.parametrize(
    ("default", "own", "burst", "expected"),
    [
        (0, None, None, None),
        (5, None, None, Rate(per_second=5, burst=10)),
        (5, 0, None, None),
        (0, 3, None, Rate(per_second=3, burst=6)),
        (5, 3, 7, Rate(per_second=3, burst=7)),
        (5, None, 7, Rate(per_second=5, burst=7)),
        (0, None, 7, None),
        (0, 0.1, None, Rate(per_second=0.1, burst=1)),
    ],
)
def test_a_key_s_own_rate_comes_before_the_installation_s(default, own, burst, expected):
    assert rate_of(Settings(rate_per_second=default), own, burst) == expected


def test_the_installation_s_burst():
    settings = Settings(rate_per_second=5, rate_burst=50)
    assert rate_of(settings, None, None) == Rate(per_second=5, burst=50)
    assert rate_of(settings, 1, None) == Rate(per_second=1, burst=2)
