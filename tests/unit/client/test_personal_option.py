"""`--personal COLUMN[:hash]` as people write it."""

import pytest

from retort.cli.options import personal_columns


@pytest.mark.req("goal-36")
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, {}),
        (["owner"], {"owner": "drop"}),
        (["owner", "email:hash"], {"owner": "drop", "email": "hash"}),
        (["a:b"], {"a:b": "drop"}),
        (["a:b:hash"], {"a:b": "hash"}),
        (["owner:drop"], {"owner": "drop"}),
    ],
)
def test_what_was_said(given, expected):
    assert personal_columns(given) == expected
