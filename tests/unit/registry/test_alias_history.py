"""Who bore an alias before: a stack read from what happened."""

from types import SimpleNamespace
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from app.registry.history import PROMOTED, REMOVED, ROLLED_BACK, holders

A, B, C = (UUID(int=n) for n in (1, 2, 3))


def move(kind, before, after):
    return SimpleNamespace(kind=kind, from_model_id=before, to_model_id=after)


def test_promotions_are_put_on_top_and_a_rollback_takes_them_off():
    promoted = [move(PROMOTED, None, A), move(PROMOTED, A, B), move(PROMOTED, B, C)]
    assert holders(promoted, C) == [A, B]
    back = [*promoted, move(ROLLED_BACK, C, B)]
    assert holders(back, B) == [A]
    assert holders([*back, move(ROLLED_BACK, B, A)], A) == []
    assert holders([*back, move(PROMOTED, B, C)], C) == [A, B]


def test_what_was_taken_away_is_the_earlier_holder():
    gone = [move(PROMOTED, None, A), move(PROMOTED, A, B), move(REMOVED, B, None)]
    assert holders(gone, None) == [A, B]
    assert holders([*gone, move(ROLLED_BACK, None, B)], B) == [A]


def test_the_same_version_again_is_no_other_holder():
    assert holders([move(PROMOTED, None, A), move(PROMOTED, A, A)], A) == []


def test_what_the_log_does_not_know_is_seen_at_the_next_move():
    assert holders([], A) == []
    assert holders([move(PROMOTED, A, B)], B) == [A]
    assert holders([move(PROMOTED, None, A)], B) == [A]


@given(st.lists(st.sampled_from([A, B, C]), min_size=1, max_size=12))
def test_as_many_steps_back_as_holders_and_each_to_another(promoted):
    log, present = [], None
    for model in promoted:
        log.append(move(PROMOTED, present, model))
        present = model
    distinct = [m for n, m in enumerate(promoted) if n == 0 or promoted[n - 1] != m]
    seen = []
    while earlier := holders(log, present):
        log.append(move(ROLLED_BACK, present, earlier[-1]))
        present = earlier[-1]
        seen.append(present)
        assert len(seen) <= len(promoted), "to and fro"
    # a version that bore it more than once takes what came after its last time off at once
    assert len(seen) <= len(distinct) - 1
    assert seen == [] or seen[-1] in distinct
