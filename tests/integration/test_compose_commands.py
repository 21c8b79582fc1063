"""Each of our services in docker-compose.yml starts by its exact command and becomes healthy by its
exact health check; the gateway, beat and Flower without what their image leaves out.
"""

import base64
import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from retort import Retort
from tests.support.compose import ROOT
from tests.support.containers import Host
from tests.support.kafka import kafka_brokers
from tests.support.s3 import s3_server
from tests.support.waiting import wait_for
from workers.processes import Shape, processes
from workers.servers import free_port

__all__ = ["kafka_brokers"]
pytestmark = pytest.mark.slow
NAMES = [spec.name for spec in processes(Shape())]
SMILES = "smiles,y\n" + "".join(f"{'C' * n}O,{n}\n" for n in range(1, 9))


@pytest.fixture(scope="module")
def host(postgres_server, redis_server, server_home, tmp_path_factory):
    """Every store ready and every secret of ours in its file; nothing of ours runs yet."""
    with s3_server() as s3:
        ports = {port: str(free_port()) for port in ("8000", "5555", "5000")}
        addresses = {f"127.0.0.1:{port}": f"127.0.0.1:{here}" for port, here in ports.items()}
        addresses |= {"mlflow:5000": f"127.0.0.1:{ports['5000']}", "http://s3:8333": s3}
        addresses |= {"0.0.0.0": "127.0.0.1", **ports}  # noqa: S104 - what containers listen on
        addresses |= {f"--port={port}": f"--port={here}" for port, here in ports.items()}
        host = Host(folder=tmp_path_factory.mktemp("containers"), addresses=addresses)
        host.ports = ports
        database = postgres_server.ensure_database("compose")
        _point(host, "retort_database_url", "postgres:5432/retort", database)
        _point(host, "retort_redis_url", "redis:6379/0", redis_server.url)
        _point(host, "retort_cache_url", "cache:6379/0", redis_server.url.replace("/0", "/1"))
        mlflow = postgres_server.ensure_database("compose_mlflow")
        mlflow = mlflow.replace("postgresql:", "postgresql+psycopg:")
        _point(host, "mlflow.env", "postgres:5432/mlflow", f"MLFLOW_BACKEND_STORE_URI={mlflow}")
        yield host
        host.kill()


def _point(host, name, expected, here):
    path = host.secrets / name
    assert expected in path.read_text()
    path.write_text(here)


@pytest.fixture(scope="module")
def cluster(host, postgres_server):
    """In the order of `depends_on`: migrations and bucket, then all at once, until healthy."""
    host.run("migrate")
    assert "bucket retort" in host.run("bucket")
    assert "bucket retort" in host.run("bucket"), "a second run finds it"
    for name in NAMES:
        host.start(name)
    # a check of a worker is a Celery of its own: two at a time, as there are cores
    with ThreadPoolExecutor(2) as pool:
        found = dict(zip(NAMES, pool.map(partial(_becomes_healthy, host), NAMES), strict=True))
    assert [name for name, healthy in found.items() if not healthy] == []
    return host


def _becomes_healthy(host, name, seconds=240):
    """Asked once a second, not more: a check is a process that starts Python."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if host.is_healthy(name):
            return True
        time.sleep(1)
    return False


@pytest.fixture(scope="module")
def key(cluster):
    return cluster.run("gateway", "python", "create_key.py", "test", "--admin").strip()


def _get(cluster, port, path, authorization=None):
    """Status and body; a stream of events, which has no end, is only opened."""
    request = urllib.request.Request(f"http://127.0.0.1:{cluster.ports[port]}{path}")
    if authorization:
        request.add_header("Authorization", authorization)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            endless = answer.headers.get_content_type() == "text/event-stream"
            return answer.status, b"" if endless else answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@pytest.mark.req("S1-22", "S0-21")
def test_every_service_is_healthy(cluster):
    assert {name for name, process in cluster.processes.items() if process.poll() is None} == set(
        NAMES
    )


def test_flower_asks_for_the_password_of_its_file(cluster):
    user = cluster.environment("flower")["FLOWER_BASIC_AUTH"]
    said = base64.b64encode(user.encode()).decode()
    assert _get(cluster, "5555", "/workers")[0] == 401
    assert _get(cluster, "5555", "/workers", f"Basic {said}")[0] == 200


@pytest.mark.req("S0-25")
def test_a_file_becomes_a_data_set_across_the_containers(cluster, key, tmp_path):
    (tmp_path / "alcohols.csv").write_text(SMILES)
    with Retort(f"http://127.0.0.1:{cluster.ports['8000']}", key) as client:
        made = client.datasets.create(tmp_path / "alcohols.csv", "alcohols", roles={"y": "target"})
        assert client.datasets.report(made["id"])["counts"]["rows_ok"] == 8
        catboost = {item["name"]: item for item in client.catalog("algorithms")}["catboost"]
        assert catboost["available"], catboost


def test_no_page_of_the_gateway_needs_what_its_image_leaves_out(cluster, key):
    paths = json.loads(_get(cluster, "8000", "/openapi.json")[1])["paths"]
    asked = [path for path, item in paths.items() if "get" in item and "{" not in path]
    assert len(asked) >= 15
    answers = {path: _get(cluster, "8000", path, f"Bearer {key}") for path in asked}
    assert {path: said for path, said in answers.items() if said[0] >= 500} == {}


@pytest.mark.req("S0-21")
def test_what_keda_asks_the_gateway_is_answered(cluster, key):
    """The triggers of deploy/kubernetes/keda, their GJSON path followed by hand."""
    text = "".join(path.read_text() for path in (ROOT / "deploy/kubernetes/keda").glob("*.yaml"))
    asked = re.findall(r"url: http://[^/]+(\S+)\n\s+valueLocation: (.+)", text)
    assert len(asked) == 5
    for path, location in asked:
        queue, field = re.fullmatch(
            r'items\.#\(queue=="(\w+)"\)\.(\w+)', location.strip("'\" ")
        ).groups()
        assert _get(cluster, "8000", path)[0] == 401
        told = json.loads(_get(cluster, "8000", path, f"Bearer {key}")[1])
        [item] = [item for item in told["items"] if item["queue"] == queue]
        assert isinstance(item[field], int)


def test_the_kafka_bridge_starts_by_its_command_and_is_healthy(cluster, kafka_brokers):
    """From the gateway's image, which lacks the science; its profile is not among the defaults."""
    cluster.services["kafka"]["environment"]["RETORT_KAFKA_BOOTSTRAP"] = kafka_brokers
    cluster.start("kafka")
    assert _becomes_healthy(cluster, "kafka", 60)


@pytest.mark.skipif(not shutil.which("prometheus"), reason="Prometheus is not on this machine")
def test_prometheus_reads_the_gateway_by_its_command_and_files(cluster, key, tmp_path):
    """Debian's is older than the image's; the options and the files are those of 2 and 3."""
    shutil.copytree(ROOT / "deploy/prometheus", tmp_path / "etc")
    (tmp_path / "key").write_text(key)
    settings = tmp_path / "etc/prometheus.yml"
    text = settings.read_text().replace("/run/secrets/retort_metrics_key", str(tmp_path / "key"))
    text = text.replace("gateway:8000", f"127.0.0.1:{cluster.ports['8000']}")
    settings.write_text(text.replace("scrape_interval: 15s", "scrape_interval: 1s"))
    cluster.ports["9090"] = str(free_port())
    command = [
        word.replace("/etc/prometheus", str(tmp_path / "etc")).replace(
            "=/prometheus", f"={tmp_path / 'data'}"
        )
        for word in cluster.services["prometheus"]["command"]
    ]
    listening = f"--web.listen-address=127.0.0.1:{cluster.ports['9090']}"
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(["prometheus", *command, listening], stdout=log, stderr=log)
    try:
        wait_for(lambda: _says(cluster, "up%7Bjob%3D%22retort%22%7D") == 1, "it is scraped", 60)
        assert _says(cluster, "max(retort_up)") == 1
        _, rules = _get(cluster, "9090", "/api/v1/rules")
        assert json.loads(rules)["data"]["groups"][0]["rules"]
    finally:
        process.terminate()
        process.wait(timeout=30)


def _says(cluster, query):
    try:
        status, text = _get(cluster, "9090", f"/api/v1/query?query={query}")
    except OSError:  # it does not listen yet
        return None
    if status != 200:  # it still starts
        return None
    found = json.loads(text)["data"]["result"]
    return float(found[0]["value"][1]) if found else None


def test_nothing_is_written_beside_the_volumes(cluster):
    """The root file system is read-only: the working folder holds what the image put there."""
    assert {path.name for path in cluster.home.iterdir()} == {
        *("alembic.ini", "migrations", "create_key.py", "create_bucket.py")
    }


def test_each_ends_within_its_grace(cluster):
    ended = cluster.stop()
    assert [name for name, code in ended.items() if code is None] == []
    assert set(ended.values()) <= {0, -15}, ended
