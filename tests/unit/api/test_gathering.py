"""Requests that arrive together are done together; each gets its own answer."""

import asyncio
import threading
from contextlib import contextmanager

import pytest

from api.gathering import MAX_BATCH, Gathering


@contextmanager
def gathering(work):
    made = Gathering(work, name="test")
    made.start()
    try:
        yield made
    finally:
        made.close()


def test_who_comes_alone_is_done_at_once_and_who_comes_meanwhile_is_the_next_batch():
    batches, first_runs, go_on = [], threading.Event(), threading.Event()

    def double(asked):
        batches.append(list(asked))
        first_runs.set()
        assert go_on.wait(10)
        return [2 * one for one in asked]

    async def ask_all(made):
        first = asyncio.create_task(made.ask(1))
        assert await asyncio.to_thread(first_runs.wait, 10)
        others = [asyncio.create_task(made.ask(number)) for number in (2, 3, 4)]
        await asyncio.sleep(0)
        go_on.set()
        return await asyncio.gather(first, *others)

    with gathering(double) as made:
        assert asyncio.run(ask_all(made)) == [2, 4, 6, 8]
    assert batches == [[1], [2, 3, 4]]


def test_a_batch_has_a_limit_and_nobody_is_forgotten():
    sizes = []

    def same(asked):
        sizes.append(len(asked))
        return list(asked)

    async def ask_all(made):
        return await asyncio.gather(*(made.ask(number) for number in range(300)))

    with gathering(same) as made:
        assert asyncio.run(ask_all(made)) == list(range(300))
    assert max(sizes) <= MAX_BATCH


def test_an_error_is_of_the_one_that_it_is_given_to():
    def odd_only(asked):
        return [one if one % 2 else ValueError(f"{one} is even") for one in asked]

    async def ask_all(made):
        return await asyncio.gather(*map(made.ask, range(4)), return_exceptions=True)

    with gathering(odd_only) as made:
        answers = asyncio.run(ask_all(made))
    assert answers[1::2] == [1, 3]
    assert [str(error) for error in answers[::2]] == ["0 is even", "2 is even"]


def test_what_the_work_raises_is_everybodys_and_the_next_batch_is_done():
    def fail_on_zero(asked):
        if 0 in asked:
            raise ConnectionError("gone")
        return list(asked)

    async def ask_twice(made):
        with pytest.raises(ConnectionError):
            await made.ask(0)
        return await made.ask(1)

    with gathering(fail_on_zero) as made:
        assert asyncio.run(ask_twice(made)) == 1


def test_who_went_away_is_done_all_the_same_and_disturbs_nobody():
    done, go_on = [], threading.Event()

    def slowly(asked):
        assert go_on.wait(10)
        done.extend(asked)
        return list(asked)

    async def one_goes(made):
        gone, stays = asyncio.create_task(made.ask("gone")), asyncio.create_task(made.ask("stays"))
        await asyncio.sleep(0)
        gone.cancel()
        go_on.set()
        return await stays

    with gathering(slowly) as made:
        assert asyncio.run(one_goes(made)) == "stays"
    assert done == ["gone", "stays"]


def test_after_the_end_nobody_waits_for_ever():
    with gathering(list) as made:
        pass
    with pytest.raises(RuntimeError, match="after the end"):
        asyncio.run(made.ask(1))
