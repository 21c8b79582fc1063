"""The state file tells the truth after a crash or a reboot."""

import os
import sys
from dataclasses import replace

import pytest

from workers.child import Child
from workers.embedded.home import Home
from workers.embedded.state import (
    ClusterState,
    end_orphans,
    find,
    is_supervised,
    observe,
    only_supervisor,
    read_state,
    this_process,
)


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path).make()


@pytest.fixture
def child(tmp_path):
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    child = Child(command, log=tmp_path / "log", cwd=tmp_path)
    yield child
    child.kill()


def test_state_survives_the_way_through_the_file(home):
    state = ClusterState(
        phase="running",
        supervisor=this_process(),
        processes=(observe("cpu", os.getpid(), 2),),
        addresses={"API": "http://x"},
    )
    state.write(home)
    assert read_state(home) == state


def test_a_reused_process_id_is_not_taken_for_the_process(child):
    recorded = observe("cpu", child.pid)
    assert find(recorded).pid == child.pid
    assert find(replace(recorded, started_at=recorded.started_at - 60)) is None
    assert find(replace(recorded, pid=0)) is None


def test_orphans_are_ended_and_strangers_left_alone(child):
    orphan = observe("cpu", child.pid)
    stranger = replace(observe("gpu", os.getpid()), started_at=1.0)
    state = ClusterState(phase="running", supervisor=this_process(), processes=(orphan, stranger))
    assert end_orphans(state, timeout=5) == ["cpu"]
    assert child.exit_code() is not None


def test_one_supervisor_per_data_folder(home):
    assert not is_supervised(home)
    with only_supervisor(home) as first, only_supervisor(home, patience=0) as second:
        assert (first, second) == (True, False)
        assert is_supervised(home)
    assert not is_supervised(home)
