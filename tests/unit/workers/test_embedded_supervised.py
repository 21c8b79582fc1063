"""A process that dies is started again, slower when it keeps dying."""

import logging
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from workers.child import Child, describe_exit
from workers.embedded.supervised import Supervised


@pytest.fixture
def supervise(tmp_path):
    started = []

    def make(code, **options):
        def launch():
            command = [sys.executable, "-c", code]
            return Child(command, log=tmp_path / "x.log", cwd=tmp_path)

        started.append(Supervised("x", launch, log=tmp_path / "x.log", **options))
        started[-1].start()
        return started[-1]

    yield make
    for one in started:
        one.wait(0)


def until(condition, seconds=10):
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def test_a_killed_process_is_restarted_and_said_so(supervise, caplog):
    caplog.set_level(logging.INFO, "retort")
    one = supervise("import time; time.sleep(60)")
    first = one.state().pid
    os.kill(first, signal.SIGKILL)
    until(lambda: not one.is_running())
    assert one.check(now=100.0)
    assert one.state().pid == 0
    assert not one.check(now=100.4), "not before its backoff of 0.5 s"
    assert one.check(now=100.6)
    assert one.state().pid not in {0, first}
    assert one.restarts == 1
    assert "x died (signal 9); restarting (1)" in caplog.text


def test_what_keeps_dying_is_retried_slowly_and_said_so(supervise, caplog):
    one = supervise("raise SystemExit(3)")
    now = 0.0
    for _ in range(6):
        until(lambda: not one.is_running())
        assert one.check(now)
        now += 59.0
        one.check(now)
    assert "x keeps dying (exit code 3, 6 times in a row)" in caplog.text
    assert not one.is_running()
    assert one.check(now + 2.0), "a minute after its sixth death"


def test_a_process_that_ignores_its_signal_is_killed(supervise):
    code = "import signal,time; signal.signal(15, signal.SIG_IGN); print('on'); time.sleep(60)"
    one = supervise(f"import sys; sys.stdout.reconfigure(line_buffering=True); {code}")
    pid = one.state().pid
    until(lambda: "on" in one.log.read_text())
    one.signal_stop()
    one.wait(time.monotonic() + 0.3)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_children_of_a_dead_process_end_with_it(supervise, tmp_path):
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "open('pid', 'w').write(str(child.pid)); time.sleep(60)"
    )
    one = supervise(code)
    until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    os.kill(one.state().pid, signal.SIGKILL)
    until(lambda: not one.is_running())
    one.check()
    child = int((tmp_path / "pid").read_text())
    until(lambda: not Path(f"/proc/{child}").exists() or _is_zombie(child))


def _is_zombie(pid):
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal at a parent's death")
def test_children_get_their_signal_when_the_parent_is_killed(tmp_path):
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from workers.child import Child\n"
        "child = Child([sys.executable, '-c', 'import time; time.sleep(60)'],"
        " log=Path(sys.argv[1]) / 'log', cwd=Path(sys.argv[1]))\n"
        "(Path(sys.argv[1]) / 'pid').write_text(str(child.pid)); time.sleep(60)"
    )
    root = Path(__file__).resolve().parents[3]
    parent = Child([sys.executable, "-c", code, str(tmp_path)], log=tmp_path / "p", cwd=root)
    until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    child = int((tmp_path / "pid").read_text())
    os.kill(parent.pid, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{child}").exists() or _is_zombie(child))
    parent.kill()


def test_how_a_process_ended_is_said_plainly():
    assert describe_exit(-9) == "signal 9"
    assert describe_exit(1) == "exit code 1"
