"""Beat's clock: when the sweeper is due is counted by the monotonic clock.

Celery's own scheduler compares wall-clock times, so a machine whose clock is set back by an hour
sends no sweep for an hour. The job engine's own times are Postgres' (`now()`), whatever the
machines think.
"""

import time
from typing import Any

from celery.beat import Scheduler

from app.core.settings import get_settings


class SteadyScheduler(Scheduler):
    """Sends each entry of `beat_schedule` every `run_every` seconds; keeps no file.

    The first round comes at once: whoever starts beat after an outage wants a sweep now.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._due_at: dict[str, float] = {}
        super().__init__(*args, **kwargs)

    def tick(self, *_: Any, **__: Any) -> float:
        """Send what is due; the seconds until the next entry is."""
        _show_life()
        entries: dict[str, Any] = dict(self.schedule)
        for name, entry in entries.items():
            now = time.monotonic()
            if now >= self._due_at.get(name, now):
                self._due_at[name] = now + entry.schedule.run_every.total_seconds()
                sent: Any = self.reserve(entry)
                self.apply_entry(sent, producer=self.producer)
        longest = float(self.max_interval or 300.0)
        delay = min(self._due_at.values(), default=float("inf")) - time.monotonic()
        return max(0.0, min(delay, longest))


def _show_life() -> None:
    """Health checks look at the file's age: a beat that hangs lives, but sends nothing."""
    file = get_settings().beat_file
    if file is not None:
        file.touch()
