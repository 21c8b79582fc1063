"""Libraries that a worker's parent loads once: children that it forks share them from their start,
and one that takes the place of a killed child does not load them again within a chunk's time.
"""

import gc
from typing import Any

from app.models.libraries import load_libraries
from workers.queues import CPU, PREDICT


def preload(instance: Any, **_: object) -> None:
    """Before the pool starts (Celery's signal `celeryd_after_setup`), in workers that compute with
    forked children; a spawned child loads its own.
    """
    consumed = instance.app.amqp.queues.consume_from
    forks = instance.app.conf.worker_pool_start_method == "fork"
    if forks and any(queue in consumed for queue in (CPU, PREDICT)):
        load_libraries()
        # what is there now stays: the collector need not walk through it again and again (0.15 s
        # each time), nor have each child copy the pages that it would write its marks to
        gc.freeze()
