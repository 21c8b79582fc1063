"""The Celery application: transport only. Its settings were measured or sourced (design 3)."""

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_process_init

from app.core.settings import Settings, get_settings
from workers.bootsteps import LeaseKeeper
from workers.logs import configure_logging
from workers.queues import CONTROL, LEVELS, QUEUES

#: every module of tasks/ (a test compares); names only, the layers forbid the import
TASK_MODULES = (
    "tasks.compare",
    "tasks.evaluate",
    "tasks.featurize",
    "tasks.ingest",
    "tasks.interactive",
    "tasks.maintenance",
    "tasks.optimize",
    "tasks.predict",
    "tasks.train",
)

#: how often beat asks for them
TRACK_SECONDS = 15.0
CLEAN_UP_SECONDS = 3600.0


def _configuration(settings: Settings) -> dict[str, Any]:
    return {
        "broker_url": settings.celery_broker_url,
        "result_backend": settings.redis_url,
        "include": TASK_MODULES,
        "task_queues": QUEUES,
        "task_default_queue": CONTROL,
        "task_create_missing_queues": False,
        "task_serializer": "json",
        "result_serializer": "json",
        "accept_content": ["json"],
        # a message is acknowledged after the work; a duplicate is harmless (claim token), and
        # recovery never waits for the broker: the sweeper knows from Postgres what was lost
        "task_acks_late": True,
        "task_reject_on_worker_lost": False,
        "task_acks_on_failure_or_timeout": True,
        "worker_prefetch_multiplier": 1,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        # states live in Postgres; only chord headers need a result
        "task_ignore_result": True,
        "result_expires": 3600,
        "task_time_limit": settings.hard_time_limit,
        "worker_send_task_events": True,
        "task_send_sent_event": False,
        "worker_max_tasks_per_child": 500,
        "worker_hijack_root_logger": False,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_transport_options": {
            "visibility_timeout": settings.hard_time_limit + 3600,
            # one list per priority; among equals a worker's queues take turns
            "priority_steps": list(range(LEVELS)),
            "queue_order_strategy": "round_robin",
            "socket_timeout": 30,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 25,
        },
        "result_backend_transport_options": {
            "socket_timeout": 30,
            "socket_connect_timeout": 5,
            "retry_policy": {"timeout": 5.0},
        },
        "redis_socket_keepalive": True,
        "redis_backend_health_check_interval": 25,
        # fork breaks CUDA; CPU children share the parent's imports
        "worker_pool_start_method": "spawn" if os.environ.get("RETORT_GPU_WORKER") else "fork",
        "timezone": "UTC",
        "beat_schedule": {
            "sweep": {
                "task": "retort.sweep",
                "schedule": settings.sweep_seconds,
                # no `expires`: it compares the clocks of two machines
                "options": {"queue": CONTROL},
            },
            "track-models": {
                "task": "retort.track_models",
                "schedule": TRACK_SECONDS,
                "options": {"queue": CONTROL},
            },
            "clean-up": {
                "task": "retort.clean_up",
                "schedule": CLEAN_UP_SECONDS,
                "options": {"queue": CONTROL},
            },
        },
    }


def create_celery(settings: Settings) -> Celery:
    celery = Celery("retort")
    celery.conf.update(_configuration(settings))
    celery.steps["worker"].add(LeaseKeeper)
    return celery


@setup_logging.connect
def _log_to_stderr(**_: object) -> None:
    configure_logging(get_settings().log_level)


@worker_process_init.connect
def _limit_threads(**_: object) -> None:
    """Concurrency x threads stays within the cores: two OpenMP pools on two cores cost 9x."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(get_settings().worker_threads)


celery_app = create_celery(get_settings())
