"""The Celery application: transport only. Its settings were measured or sourced (design 3)."""

import os
import sys
from typing import Any

from celery import Celery
from celery.signals import (
    celeryd_after_setup,
    celeryd_init,
    setup_logging,
    task_postrun,
    task_prerun,
    worker_process_init,
    worker_process_shutdown,
)

from app.core.log_fields import name_process
from app.core.settings import Settings, get_settings
from app.core.tracing import start_tracing, stop_tracing
from workers import busy
from workers.bootsteps import LeaseKeeper
from workers.broker import on_redis
from workers.flower_guard import close_metrics, guard_flower
from workers.gpus import take_gpu
from workers.logs import configure_logging
from workers.preloading import preload
from workers.queues import CONTROL, LEVELS, QUEUES, RABBITMQ_QUEUES
from workers.serving.supervision import ServingStep
from workers.usage_reports import UsageStep

#: every module of tasks/ (a test compares); names only, the layers forbid the import
TASK_MODULES = (
    "tasks.commands",
    "tasks.compare",
    "tasks.endpoints",
    "tasks.evaluate",
    "tasks.events",
    "tasks.export",
    "tasks.featurize",
    "tasks.import_model",
    "tasks.ingest",
    "tasks.interactive",
    "tasks.maintenance",
    "tasks.optimize",
    "tasks.predict",
    "tasks.predict_structure",
    "tasks.schedules",
    "tasks.train",
)

#: how often beat asks for them
PUBLISH_SECONDS = 1.0
WEBHOOK_SECONDS = 2.0
COMMAND_SECONDS = 1.0
STORE_SECONDS = 2.0
TRACK_SECONDS = 15.0
CANARY_SECONDS = 5.0
SEAL_SECONDS = 5.0
ANCHOR_SECONDS = 600.0
SCHEDULE_SECONDS = 5.0
CLEAN_UP_SECONDS = 3600.0
KEY_SECONDS = 3600.0


def _configuration(settings: Settings) -> dict[str, Any]:
    return {
        "broker_url": settings.celery_broker_url,
        "result_backend": settings.redis_url,
        "include": TASK_MODULES,
        "task_queues": QUEUES if on_redis(settings.celery_broker_url) else RABBITMQ_QUEUES,
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
        # one that is gone without a word is noticed (RabbitMQ only; seconds)
        "broker_heartbeat": 30,
        "broker_transport_options": _transport_options(settings),
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
            "publish-events": {
                "task": "retort.publish_events",
                "schedule": PUBLISH_SECONDS,
                "options": {"queue": CONTROL},
            },
            "take-commands": {
                "task": "retort.take_commands",
                "schedule": COMMAND_SECONDS,
                "options": {"queue": CONTROL},
            },
            "send-webhooks": {
                "task": "retort.send_webhooks",
                "schedule": WEBHOOK_SECONDS,
                "options": {"queue": CONTROL},
            },
            "store-predictions": {
                "task": "retort.store_predictions",
                "schedule": STORE_SECONDS,
                "options": {"queue": CONTROL},
            },
            "track-models": {
                "task": "retort.track_models",
                "schedule": TRACK_SECONDS,
                "options": {"queue": CONTROL},
            },
            "step-canaries": {
                "task": "retort.step_canaries",
                "schedule": CANARY_SECONDS,
                "options": {"queue": CONTROL},
            },
            "seal-audit": {
                "task": "retort.seal_audit",
                "schedule": SEAL_SECONDS,
                "options": {"queue": CONTROL},
            },
            "anchor-audit": {
                "task": "retort.anchor_audit",
                "schedule": ANCHOR_SECONDS,
                "options": {"queue": CONTROL},
            },
            "run-schedules": {
                "task": "retort.run_schedules",
                "schedule": SCHEDULE_SECONDS,
                "options": {"queue": CONTROL},
            },
            "tell-expiring-keys": {
                "task": "retort.tell_expiring_keys",
                "schedule": KEY_SECONDS,
                "options": {"queue": CONTROL},
            },
            "clean-up": {
                "task": "retort.clean_up",
                "schedule": CLEAN_UP_SECONDS,
                "options": {"queue": CONTROL},
            },
        },
    }


def _transport_options(settings: Settings) -> dict[str, Any]:
    if not on_redis(settings.celery_broker_url):
        # a message counts as sent when the broker has it
        return {"confirm_publish": True}
    return {
        "visibility_timeout": settings.hard_time_limit + 3600,
        # one list per priority; among equals a worker's queues take turns
        "priority_steps": list(range(LEVELS)),
        "queue_order_strategy": "round_robin",
        "socket_timeout": 30,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 25,
    }


def create_celery(settings: Settings) -> Celery:
    celery = Celery("retort")
    celery.conf.update(_configuration(settings))
    celery.steps["worker"].add(LeaseKeeper)
    celery.steps["worker"].add(ServingStep)
    celery.steps["worker"].add(UsageStep)
    return celery


@setup_logging.connect
def _log_to_stderr(**_: object) -> None:
    configure_logging(get_settings(), role=_role())


def _role() -> str:
    """What this process was started as: `celery -A ... worker`, `beat`, `flower`."""
    return next((word for word in sys.argv if word in ("worker", "beat", "flower")), "celery")


@celeryd_init.connect
def _only_lines_of_json(instance: Any, **_: object) -> None:
    """No banner among them, and the warnings that come before Celery sets up logging."""
    if get_settings().log_format == "json":
        instance.quiet = True
        configure_logging(get_settings(), role=_role())


celeryd_after_setup.connect(preload)
task_prerun.connect(busy.begin_task)
task_postrun.connect(busy.end_task)


@worker_process_init.connect
def _begin_child(**_: object) -> None:
    name_process("child")
    start_tracing(get_settings(), role="worker")


@worker_process_shutdown.connect
def _end_child(**_: object) -> None:
    stop_tracing()


@worker_process_init.connect
def _limit_threads(**_: object) -> None:
    """Concurrency x threads stays within the cores: two OpenMP pools on two cores cost 9x."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(get_settings().worker_threads)


@worker_process_init.connect
def _take_gpu(**_: object) -> None:
    if os.environ.get("RETORT_GPU_WORKER"):
        take_gpu(get_settings().gpu_locks)


celery_app = create_celery(get_settings())

if _role() == "flower":
    guard_flower(os.environ, sys.argv)
    close_metrics()
