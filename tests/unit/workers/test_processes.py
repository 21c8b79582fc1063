"""The table of processes: one worker per queue, threads within the cores."""

import importlib

import pytest

from app.core.settings import Settings
from workers.processes import Shape, children_for, processes, thread_limits, workers
from workers.queues import NAMES
from workers.serving.supervision import process_count


def test_every_queue_has_exactly_one_worker():
    assert sorted(name for spec in workers(Shape()) for name in spec.queues) == sorted(NAMES)


def test_every_celery_command_names_our_application():
    for spec in processes(Shape()):
        if "celery" in spec.command:
            module = spec.command[spec.command.index("-A") + 1]
            assert importlib.import_module(module).celery_app.main == "retort"


@pytest.mark.parametrize(
    ("cores", "threads", "children"), [(2, 1, 2), (8, 2, 4), (4, 3, 1), (1, 4, 1)]
)
def test_children_times_threads_stay_within_the_cores(cores, threads, children):
    assert children_for(cores, threads) == children


def test_openmp_is_limited_before_anything_is_imported():
    assert thread_limits(3)["OMP_NUM_THREADS"] == "3"


def test_only_the_gpu_worker_spawns_its_children():
    marked = [spec.name for spec in workers(Shape()) if "RETORT_GPU_WORKER" in spec.environment]
    assert marked == ["gpu"]


@pytest.mark.parametrize(
    ("cores", "configured", "count"), [(1, 0, 1), (2, 0, 2), (3, 0, 2), (8, 0, 4), (8, 1, 1)]
)
def test_serving_processes_leave_half_of_many_cores_to_others(
    cores, configured, count, monkeypatch
):
    monkeypatch.setattr("workers.serving.supervision.available_cores", lambda: cores)
    assert process_count(Settings(serving_processes=configured)) == count
