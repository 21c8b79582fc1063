"""What differs between waiting and awaiting; `_async/io.py` is its counterpart by hand."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")


def sleep(seconds: float) -> None:
    time.sleep(seconds)


def in_order(
    work: Callable[[Given], Made], items: Iterable[Given], concurrency: int
) -> Iterator[Made]:
    """`work` of each item, at most `concurrency` at once, in the items' order.

    `items` is read only as far as results are asked for, plus `concurrency`.
    """
    pool = ThreadPoolExecutor(concurrency, thread_name_prefix="retort")
    running: deque[Future[Made]] = deque()
    try:
        for item in items:
            running.append(pool.submit(work, item))
            if len(running) >= concurrency:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
