"""Curves of jobs as TensorBoard's own server tells them; the process is the product's."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager

import psutil
import pytest

from app.access.principal import Principal
from app.db.base import DEFAULT_PROJECT_ID
from app.jobs.claim import append_event
from app.jobs.figures import FigureLog
from app.jobs.store import get_job
from app.jobs.submit import NewJob, submit_job
from app.kinds import Submission, submit
from app.training.params import TrainParams
from tests.support.datasets import ingested
from tests.support.servers import ROOT
from tests.support.waiting import wait_for
from tests.support.worker_here import WorkerHere
from workers.servers import free_port

pytestmark = pytest.mark.req("S1-46")


def a_job(database, kind="optimize", name="solubility"):
    new = NewJob(
        project_id=DEFAULT_PROJECT_ID, kind=kind, queue="cpu", params={"name": name}, created_by="t"
    )
    return submit_job(database, new).job.id


@contextmanager
def board(environment):
    """`python -m workers.tensorboard`; gives a function that asks it."""
    port = free_port()
    words = ["-m", "workers.tensorboard", "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, env={**os.environ, **environment}
    )

    def ask(path, **query):
        url = f"http://127.0.0.1:{port}/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)
        except (urllib.error.URLError, ConnectionError):
            return None

    try:
        yield ask, process
    finally:
        process.terminate()
        assert process.wait(30) == 0


def tags(ask):
    return {run: set(found) for run, found in (ask("data/plugin/scalars/tags") or {}).items()}


def points(ask, run, tag):
    found = ask("data/plugin/scalars/scalars", run=run, tag=tag) or []
    return [(step, value) for _, step, value in found]


def test_a_search_is_drawn_while_it_runs(database, retort_environment):
    job = a_job(database)
    append_event(database, job, "metric", {"trial": 0, "value": 0.75, "metric": "rmse"})
    append_event(database, job, "message", {"detail": "no figure"})
    with board(retort_environment) as (ask, _):
        run = f"optimize-solubility-{job}"
        wait_for(lambda: tags(ask) == {run: {"rmse"}}, "its run is there", 90)
        assert points(ask, run, "rmse") == [(0, 0.75)]
        append_event(database, job, "metric", {"trial": 1, "value": 0.5, "metric": "rmse"})
        wait_for(lambda: points(ask, run, "rmse") == [(0, 0.75), (1, 0.5)], "it grows", 60)


def test_the_epochs_of_a_network_are_those_of_its_record(resources, retort_environment):
    """A training fits several times for its intervals; the curve is that of the model itself."""
    rows = "".join(f"{'C' * n}O,{n}\n" for n in range(1, 41))
    ingested(resources, "smiles,y\n" + rows, name="mols")
    params = TrainParams(
        dataset="mols",
        targets=("y",),
        name="net",
        bootstrap=0,
        features=({"name": "physchem"},),
        algorithm={"name": "mlp", "params": {"max_epochs": 6, "hidden_sizes": [8]}},
    )
    caller = Principal(project_id=DEFAULT_PROJECT_ID, name="t")
    job = submit(resources, caller, Submission(kind="train", params=params)).job
    WorkerHere(resources).run_all()
    ended = get_job(resources.database, DEFAULT_PROJECT_ID, job.id)
    assert ended.state.value == "succeeded", ended.error
    with board(retort_environment) as (ask, _):
        run = f"train-net-{job.id}"
        wanted = {run: {"train_loss", "validation_loss"}}
        wait_for(lambda: tags(ask) == wanted, "both curves are there", 90)
        assert [step for step, _ in points(ask, run, "train_loss")] == [1, 2, 3, 4, 5, 6]


def test_without_a_server_of_its_own_it_ends(retort_environment):
    with board(retort_environment) as (ask, process):
        wait_for(lambda: ask("data/environment"), "it answers", 90)
        (child,) = psutil.Process(process.pid).children()
        child.kill()
        assert process.wait(30) == 1
        process.returncode = 0


def test_figures_that_commit_late_are_told_once(database):
    """Places in the log are taken before the commit: a later one may be seen first."""
    now = [0.0]
    log = FigureLog(database, clock=lambda: now[0])
    job = a_job(database)
    with database.cursor() as slow:
        slow.execute(
            "INSERT INTO job_events (job_id, type, data)"
            """ VALUES (%s, 'metric', '{"epoch": 1, "loss": 2}')""",
            (job,),
        )
        append_event(database, job, "metric", {"epoch": 2, "loss": 1})
        assert [figure.step for figure in log.new()] == [2]
        now[0] += 30
        assert log.new() == []
    assert [figure.step for figure in log.new()] == [1]
    now[0] += 200
    assert log.new() == []
    assert log.new() == []
    append_event(database, job, "metric", {"epoch": 3, "loss": 0.5})
    (third,) = log.new()
    assert (third.step, third.values, third.kind, third.name) == (
        *(3, {"loss": 0.5}),
        *("optimize", "solubility"),
    )


def test_only_what_has_a_place_is_a_figure(database):
    job = a_job(database)
    for data in (
        {"mean": {"rmse": 1.0}, "algorithm": "ridge"},
        {"epoch": "first", "loss": 1.0},
        {"epoch": 1, "loss": "low", "member": "mlp", "chunk": 3, "done": True, "lr": 0.1},
    ):
        append_event(database, job, "metric", data)
    (only,) = FigureLog(database).new()
    assert only.values == {"lr": 0.1}


def test_a_long_history_is_not_read_whole(database):
    job = a_job(database)
    for n in range(20):
        append_event(database, job, "metric", {"epoch": n, "loss": 1.0})
    assert [figure.step for figure in FigureLog(database, history=5).new()] == list(range(15, 20))
