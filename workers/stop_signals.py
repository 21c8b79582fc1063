"""How a process of ours is asked to end, where Celery does not listen already."""

import signal
from collections.abc import Callable


def on_stop(stop: Callable[[], object]) -> None:
    """`stop` is called at SIGTERM and at Ctrl-C; the process goes on until it ends by itself."""
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stop())
