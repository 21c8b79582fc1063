"""Parents that fork children who compute load the libraries for them; others do not."""

import gc
import subprocess
import sys
from types import SimpleNamespace

import pytest

from app.core.settings import Settings
from workers import preloading
from workers.celery_app import create_celery
from workers.queues import consumed_with


@pytest.fixture
def loads(monkeypatch):
    calls = []
    monkeypatch.setattr(preloading, "load_libraries", lambda: calls.append(gc.get_freeze_count()))
    yield calls
    gc.unfreeze()


def worker(*queues, gpu=""):
    celery = create_celery(Settings())
    if gpu:
        celery.conf.worker_pool_start_method = "spawn"
    celery.amqp.queues.select(queues)
    return SimpleNamespace(app=celery)


@pytest.mark.parametrize("queue", ["cpu", "predict"])
def test_workers_that_compute_load_before_they_fork(loads, queue):
    preloading.preload(instance=worker(*consumed_with(queue)), sender="w", conf={})
    assert loads == [0]
    assert gc.get_freeze_count() > 10_000  # the collector leaves alone what was loaded


@pytest.mark.parametrize(
    ("queue", "gpu"), [("control", ""), ("predict_now", ""), ("gpu", "1"), ("cpu", "1")]
)
def test_others_do_not(loads, queue, gpu):
    preloading.preload(instance=worker(*consumed_with(queue), gpu=gpu), sender="w", conf={})
    assert loads == []
    assert gc.get_freeze_count() == 0


def test_celery_tells_it_before_the_pool_starts():
    """In a process of its own: receivers are the process's."""
    code = (
        "from celery.signals import celeryd_after_setup as told\n"
        "import workers.celery_app, workers.preloading\n"
        "assert workers.preloading.preload in [r() for _, r in told.receivers]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_library_that_a_first_prediction_needs_is_there():
    """A ridge is read by skops and assessed by LightGBM, whatever was loaded before."""
    code = (
        "from app.models.libraries import load_libraries; import sys; load_libraries()\n"
        "assert {'sklearn', 'scipy', 'skops.io', 'lightgbm', 'rdkit.Chem'} <= set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
