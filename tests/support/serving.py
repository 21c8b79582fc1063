"""A real serving process, as the interactive worker's bootstep keeps it alive."""

import time
from contextlib import contextmanager

import pytest

from workers.serving.supervision import ServingProcess


@contextmanager
def serving(resources):
    process = ServingProcess(resources)
    process.start()
    try:
        assert process.ready.wait(120)
        yield process
    finally:
        process.begin_stop()
        process.join()


@pytest.fixture
def server(resources):
    with serving(resources) as process:
        yield process


def new_pid(process, before, seconds=120):
    """The pid of the process that came after `before`."""
    end = time.monotonic() + seconds
    while process.pid in (None, before) or not process.ready.is_set():
        assert time.monotonic() < end, "no new process"
        time.sleep(0.05)
    return process.pid
