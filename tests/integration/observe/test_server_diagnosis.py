"""What the server finds wrong with itself: each thing is broken for real, found, and told."""

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest
from redis import Redis

from app.core.code_revision import code_revision
from app.core.ids import new_id
from app.core.settings import Settings
from app.core.variables import known_variables
from app.db.schema_version import known_revisions
from app.jobs.workers import WorkerInfo, announce
from app.monitoring.worker_reports import WorkerUsage, report_usage
from workers.doctor import machine
from workers.doctor.examination import examine
from workers.embedded.home import Home
from workers.embedded.state import ClusterState, ProcessState, this_process
from workers.queues import NAMES

ROOT = Path(__file__).resolve().parents[3]
#: in two parts: a test holds that every name in the repository is one that something reads
MISTYPED = "RETORT_LEASE_" + "SECOND"


@pytest.fixture
def healthy(resources):
    """With somebody at each queue."""
    info = WorkerInfo(name="all@a#1", queues=list(NAMES), processes=[1], started_at=0.0)
    announce(resources.cache, info)
    return resources


def look(resources, environment=None):
    """{name: finding}; of a name that comes twice the last."""
    found = examine(resources, environment or {})
    for finding in found:
        assert bool(finding.remedy) == bool(finding.why) == (finding.state != "ok"), finding
    return {finding.name: finding for finding in found}


def broken(resources, name, state, words, **environment):
    finding = look(resources, environment)[name]
    assert (finding.state, words in finding.said) == (state, True), finding
    return finding


def usage(**fields):
    every = {"worker": "cpu@b", "host": "b", "memory": 1, "largest_child": 1, "child_limit": 2}
    return WorkerUsage(**{**every, **fields})


def execute(resources, query, *values):
    with resources.database.cursor() as cursor:
        cursor.execute(query, values)


def job(resources, **columns):
    """A row as it is found when something went wrong."""
    given = {"state": "'queued'", "kind": "'train'", "queue": "'cpu'", "params": "'{}'", **columns}
    made = str(new_id())
    execute(
        resources,
        f"INSERT INTO jobs (id, project_id, created_by, {', '.join(given)})"
        f" SELECT %s, id, 'test', {', '.join(given.values())} FROM projects LIMIT 1",
        made,
    )
    return made


def test_all_is_well(healthy):
    found = look(healthy)
    assert {finding.state for finding in found.values()} == {"ok"}, found
    assert {"schema", "clocks", "broker", "queues", "leases", "jobs", "settings"} <= set(found)


def test_migrations_that_were_not_run(healthy):
    newest, before = list(known_revisions())[-1], list(known_revisions())[-2]
    assert known_revisions()[newest] == before
    execute(healthy, "UPDATE alembic_version SET version_num = %s", before)
    finding = broken(healthy, "schema", "fail", f"the database is at {before}")
    assert finding.remedy == "python -m alembic upgrade head"
    execute(healthy, "UPDATE alembic_version SET version_num = '9999'")
    broken(healthy, "schema", "warn", "9999")
    execute(healthy, "DROP TABLE alembic_version")
    broken(healthy, "schema", "fail", "nothing")


@pytest.mark.parametrize("seconds", [-120.0, 120.0])
def test_a_machine_whose_clock_is_wrong(healthy, seconds):
    report_usage(healthy.cache, usage(clock_ahead=seconds))
    broken(healthy, "clocks", "warn", f"b by {seconds:+.0f} s")
    report_usage(healthy.cache, usage(clock_ahead=0.5))
    assert look(healthy)["clocks"].state == "ok"


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("maxmemory-policy", "allkeys-lru", "evicts"),
        ("appendonly", "no", "in memory only"),
        ("maxmemory", "", "of its memory"),
    ],
)
def test_a_broker_that_may_lose_messages(healthy, setting, value, words):
    with Redis.from_url(healthy.settings.celery_broker_url) as client:
        before = client.config_get(setting)[setting]
        # half: what tests before have left is given back meanwhile
        client.config_set(setting, value or client.info("memory")["used_memory"] // 2)
        try:
            broken(healthy, "broker", "fail", words)
        finally:
            client.config_set("maxmemory", 0)
            client.config_set(setting, before)
    assert look(healthy)["broker"].state == "ok"


@pytest.mark.parametrize(("free", "state"), [(1 << 20, "fail"), (2 << 30, "warn")])
def test_no_room_for_blobs(healthy, monkeypatch, free, state):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    broken(healthy, "blobs", state, "GiB free")


def test_a_queue_without_a_worker(resources):
    job(resources)
    finding = broken(resources, "queues", "fail", "cpu (1 wait)")
    assert "make up" in finding.remedy
    served = [name for name in NAMES if not name.startswith("gpu")]
    info = WorkerInfo(name="all@a#1", queues=served, processes=[1], started_at=0.0)
    announce(resources.cache, info)
    broken(resources, "queues", "warn", "gpu")
    job(resources, queue="'gpu'")
    broken(resources, "queues", "fail", "gpu (1 wait)")


def serve(processes, resources):
    """Listens as each serving process does."""
    listener = processes.enter_context(resources.redis.pubsub())
    listener.subscribe("serving:warm")
    assert listener.get_message(timeout=5)


def test_fewer_serving_processes_than_an_endpoint_asks_for(healthy):
    for name, state, wanted in (("e", "active", 2), ("f", "active", 1), ("g", "archived", 9)):
        execute(
            healthy,
            "WITH made AS (INSERT INTO endpoints (id, project_id, created_by, name, salt, state)"
            " SELECT gen_random_uuid(), id, 'test', %s, 's', %s FROM projects LIMIT 1 RETURNING id)"
            " INSERT INTO endpoint_revisions (id, endpoint_id, number, active, reason, created_by,"
            " spec, resolved, buckets) SELECT gen_random_uuid(), id, 1, true, 'created', 'test',"
            " jsonb_build_object('min_replicas', %s::int), '{}', '[]' FROM made",
            *(name, state, wanted),
        )
    broken(healthy, "replicas", "warn", "live: 0")
    with ExitStack() as processes:
        serve(processes, healthy)
        finding = broken(healthy, "replicas", "warn", "live: 1")
        assert finding.said.endswith(": e 2")
        serve(processes, healthy)
        assert look(healthy)["replicas"].state == "ok"


def test_another_release_among_the_workers(healthy):
    report_usage(healthy.cache, usage(version=code_revision()["version"] or ""))
    assert look(healthy)["versions"].state == "ok"
    report_usage(healthy.cache, usage(version="0.0.1"))
    broken(healthy, "versions", "warn", "cpu@b 0.0.1")


def test_work_in_the_hands_of_the_dead(healthy):
    claimed = {
        "state": "'running'",
        "claim_token": "gen_random_uuid()",
        "worker": "'cpu@gone#1'",
        "worker_pid": "1",
        "lease_expires_at": "now() + interval '1 hour'",
    }
    job(healthy, **claimed)
    broken(healthy, "claims", "warn", "cpu@gone#1")
    assert look(healthy)["leases"].state == "ok"
    expired = job(healthy, **{**claimed, "lease_expires_at": "now() - interval '10 min'"})
    finding = broken(healthy, "leases", "fail", expired)
    assert "600 s ago" in finding.said


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"dispatch_count": "9"}, "never taken"),
        ({"state": "'retrying'", "run_at": "now() - interval '10 min'"}, "overdue"),
        (
            {
                "state": "'running'",
                "claim_token": "gen_random_uuid()",
                "worker": "'all@a#1'",
                "worker_pid": "1",
                "lease_expires_at": "now() + interval '1 min'",
                "cancel_requested_at": "now() - interval '10 min'",
            },
            "should have stopped",
        ),
    ],
)
def test_jobs_that_go_nowhere(healthy, columns, words):
    stuck = job(healthy, **columns)
    finding = broken(healthy, "jobs", "fail", words)
    assert stuck in finding.said
    assert f"retort jobs show {stuck}" in finding.remedy


def test_a_misspelt_setting(healthy):
    finding = broken(healthy, "settings", "warn", MISTYPED, **{MISTYPED: "60"})
    assert "do you mean RETORT_LEASE_SECONDS?" in finding.said
    known = dict.fromkeys(known_variables(Settings), "x")
    services = {
        "RETORT_GATEWAY_PORT": "tcp://10.0.0.1:8000",
        "RETORT_GATEWAY_SERVICE_HOST": "10.0.0.1",
        "RETORT_GATEWAY_PORT_8000_TCP_ADDR": "10.0.0.1",
    }
    (told,) = machine.variables({**known, **services, "OTHER": "x"})
    assert told.state == "ok", told.said


def test_files_with_secrets_that_others_may_read(healthy, tmp_path):
    home = Home(tmp_path / "home").make()
    assert home.secret("flower")
    environment = {"RETORT_HOME": str(home.root)}
    assert look(healthy, environment)["secrets"].state == "ok"
    (home.root / "secrets.json").chmod(0o644)
    finding = broken(healthy, "secrets", "fail", "secrets.json", **environment)
    assert f"chmod go= {home.root / 'secrets.json'}" in finding.remedy
    login = tmp_path / "login"
    login.write_text("a:b")
    login.chmod(0o640)
    for variable in ("FLOWER_BASIC_AUTH_FILE", "RETORT_REDIS_URL_FILE"):
        broken(healthy, "secrets", "fail", str(login), **{variable: str(login)})
    # files that are named by a setting, but hold no secret
    for variable in ("RETORT_S3_CA_FILE", "RETORT_KAFKA_CA_FILE", "RETORT_BEAT_FILE"):
        assert look(healthy, {variable: str(login)})["secrets"].state == "ok"


def test_processes_of_an_embedded_cluster_that_died(healthy, tmp_path):
    home = Home(tmp_path / "home").make()
    environment = {"RETORT_HOME": str(home.root)}
    assert "processes" not in look(healthy, environment)
    gone = ProcessState(name="cpu", pid=2**22 - 1, started_at=1.0)
    ClusterState(phase="running", supervisor=this_process()).write(home)
    assert look(healthy, environment)["processes"].state == "ok"
    ClusterState(phase="running", supervisor=this_process(), processes=(gone,)).write(home)
    finding = broken(healthy, "processes", "fail", "cpu died", **environment)
    assert "cpu.log" in finding.remedy
    alone = ProcessState(name="supervisor", pid=2**22 - 1, started_at=1.0)
    ClusterState(phase="running", supervisor=alone).write(home)
    assert look(healthy, environment)["processes"].remedy == "make up"


def test_mlflow_that_does_not_answer(healthy, monkeypatch):
    changed = healthy.settings.model_copy(update={"mlflow_tracking_uri": "http://127.0.0.1:9"})
    monkeypatch.setattr(healthy, "settings", changed)
    broken(healthy, "tracking", "warn", "does not answer")


def test_a_store_that_is_away_does_not_end_the_examination(healthy, monkeypatch):
    monkeypatch.setitem(healthy.__dict__, "cache", Redis(port=9))
    found = look(healthy)
    assert found["clocks"].state == found["queues"].state == "fail"
    assert found["schema"].state == found["leases"].state == "ok"


def test_the_route_tells_it(api, healthy):
    told = api.get("admin/diagnosis").json()
    assert {item["name"] for item in told["items"]} >= {"schema", "broker", "jobs"}
    execute(healthy, "UPDATE alembic_version SET version_num = '0001'")
    told = api.get("admin/diagnosis").json()
    assert told["state"] == "fail"
    (schema,) = [item for item in told["items"] if item["name"] == "schema"]
    assert schema["why"]
    assert api.get("admin/diagnosis", headers={"Authorization": "Bearer x"}).status_code == 401


@pytest.mark.slow
def test_the_command_fails_when_something_is_wrong(healthy, retort_environment):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("RETORT_")}

    def run(*options):
        return subprocess.run(
            [sys.executable, "-m", "workers.doctor", *options],
            cwd=ROOT,
            env={**kept, **retort_environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    well = run()
    assert well.returncode == 0, well.stdout + well.stderr
    assert well.stdout.startswith("ok   schema")
    execute(healthy, "UPDATE alembic_version SET version_num = '0001'")
    ill = run()
    assert ill.returncode == 1
    assert "→ python -m alembic upgrade head" in ill.stdout
    told = json.loads(run("--json").stdout)
    assert told[0]["name"] == "schema"
