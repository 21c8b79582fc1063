"""Celery finds every task, by the names that dispatch uses."""

import importlib
from pathlib import Path

from app.kinds import KINDS
from workers.celery_app import TASK_MODULES, celery_app
from workers.queues import NAMES

ROOT = Path(__file__).resolve().parents[3]


def test_every_module_of_tasks_is_included():
    files = {f"tasks.{p.stem}" for p in (ROOT / "tasks").glob("*.py") if p.stem != "__init__"}
    assert files == set(TASK_MODULES)


def test_every_kind_has_its_tasks_under_the_names_that_dispatch_uses():
    for module in TASK_MODULES:
        importlib.import_module(module)
    names = {name for name in celery_app.tasks if name.startswith("retort.")}
    for kind in KINDS.values():
        wanted = {f"retort.{kind.name}"}
        if kind.divided:
            wanted |= {f"retort.{kind.name}_chunk", f"retort.{kind.name}_finalize"}
        assert wanted <= names
        assert kind.queue in NAMES


def test_settings_that_reliability_stands_on():
    conf = celery_app.conf
    assert conf.task_acks_late
    assert not conf.task_reject_on_worker_lost
    assert conf.worker_prefetch_multiplier == 1
    assert not conf.task_create_missing_queues
    assert conf.accept_content == ["json"]
    limit = conf.broker_transport_options["visibility_timeout"]
    assert limit > conf.task_time_limit
