"""Messages of beat that have piled up while nobody worked are collapsed into one run."""

import time

_ran_at: dict[str, float] = {}


def is_due(name: str, every: float) -> bool:
    """False when `name` ran less than half of `every` seconds ago in this process: by its own
    monotonic clock, for comparing the clocks of beat and worker would stop the work when one of
    them is wrong.
    """
    now = time.monotonic()
    if now - _ran_at.get(name, float("-inf")) < every / 2:
        return False
    _ran_at[name] = now
    return True
