"""A worker's parent knows which children have a task without being told by Celery."""

import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest

from workers import bootsteps, busy


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("RETORT_BUSY_FOLDER", "")
    return busy.prepare("boot")


_CHILD = """
import os
from celery import Celery
from workers import busy
import workers.celery_app  # connects the signals
during = Celery().task(busy.pids, name="look").apply().get()
print(during == {os.getpid()}, busy.pids() == set())
"""


def test_a_child_is_busy_while_its_task_runs(folder):
    """As in a spawned child; one that is forked has the same environment."""
    ran = subprocess.run([sys.executable, "-c", _CHILD], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["True", "True"]
    assert folder.exists()


def test_one_that_was_killed_is_no_living_child_and_leaves_nothing_behind_in_the_end(folder):
    folder.mkdir()
    (folder / "123").touch()
    assert busy.pids() == {123}
    busy.end()
    assert not folder.exists()


def test_what_a_killed_parent_has_left_goes_when_another_starts(folder):
    folder.mkdir()
    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    ended.wait()
    left = folder.with_name(f"retort-busy-other-{ended.pid}")
    left.mkdir()
    (left / "123").touch()
    busy.prepare("next")
    assert not left.exists()
    assert folder.exists()  # its parent, this process, lives


def test_a_folder_that_the_system_tidied_up_is_made_again(folder):
    assert busy.pids() == set()
    for _ in range(2):
        busy.begin_task()
        assert busy.pids() == {os.getpid()}
        shutil.rmtree(folder)
        assert busy.pids() == set()
        busy.end_task()


def test_what_celery_knows_counts_too(folder, monkeypatch):
    """As where the folder was tidied up while a task ran."""
    monkeypatch.setattr(bootsteps, "active_requests", [SimpleNamespace(worker_pid=5)])
    assert bootsteps.busy_pids() == {5}
    folder.mkdir()
    (folder / "6").touch()
    assert bootsteps.busy_pids() == {5, 6}


def test_a_task_outside_of_a_worker_tells_nobody(monkeypatch):
    monkeypatch.delenv("RETORT_BUSY_FOLDER", raising=False)
    busy.begin_task()
    busy.end_task()
    assert busy.pids() == set()
