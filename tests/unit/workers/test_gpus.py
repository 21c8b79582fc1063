"""Each process of a GPU worker is shown a GPU of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workers.gpus import take_gpu

ROOT = Path(__file__).resolve().parents[3]
TAKE = """
import os, sys
from pathlib import Path
from workers.gpus import take_gpu
taken = take_gpu(Path(sys.argv[1]), Path(sys.argv[2]))
print(taken, os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def devices(tmp_path):
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.fixture
def start(tmp_path, devices, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    started = []

    def start():
        process = subprocess.Popen(
            [sys.executable, "-c", TAKE, str(tmp_path / "locks"), str(devices)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process, process.stdout.readline().split()

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_no_two_processes_hold_one_gpu_and_a_dead_one_gives_it_back(start):
    first, told = start()
    assert told == ["0", "0"]
    assert start()[1] == ["1", "1"]
    assert start()[1] == ["None", "None"], "both are taken: this one shares"
    first.kill()
    first.wait()
    assert start()[1] == ["0", "0"]


def test_without_a_gpu_nothing_changes(tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert take_gpu(tmp_path / "locks", tmp_path) is None
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_what_the_operator_allows_is_what_is_taken(tmp_path, devices, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5, 7")
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    assert take_gpu(tmp_path / "locks", devices) == "5"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "5"
