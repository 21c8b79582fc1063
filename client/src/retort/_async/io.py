"""What differs between waiting and awaiting; `_sync/io.py` is its counterpart by hand."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")


async def sleep(seconds: float) -> None:
    await asyncio.sleep(seconds)


async def in_order(
    work: Callable[[Given], Awaitable[Made]], items: Iterable[Given], concurrency: int
) -> AsyncIterator[Made]:
    """`work` of each item, at most `concurrency` at once, in the items' order.

    `items` is read only as far as results are asked for, plus `concurrency`.
    """
    running: deque[asyncio.Task[Any]] = deque()
    try:
        for item in items:
            running.append(asyncio.ensure_future(work(item)))
            if len(running) >= concurrency:
                yield await running.popleft()
        while running:
            yield await running.popleft()
    finally:
        for task in running:
            task.cancel()
