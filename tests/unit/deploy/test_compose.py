"""docker-compose.yml runs the processes of workers/processes.py, with secrets from outside."""

import re
from pathlib import Path

import pytest
import yaml

from workers.processes import MIGRATE, Shape, processes, thread_limits
from workers.servers.redis import BROKER_SETTINGS, CACHE_SETTINGS

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docker-compose.yml").read_text()
SERVICES = yaml.safe_load(TEXT)["services"]
SHAPE = Shape(
    host="0.0.0.0",  # noqa: S104 - inside a container
    cpu_children="${RETORT_CPU_CHILDREN:-2}",
    gpu_children="${RETORT_GPU_CHILDREN:-1}",
    predict_children="${RETORT_PREDICT_CHILDREN:-2}",
)
SPECS = {spec.name: spec for spec in processes(SHAPE)}
NOT_OURS = {"postgres", "redis", "cache", "migrate", "s3"}


@pytest.mark.req("S1-22")
def test_every_process_is_a_service_and_nothing_else_is():
    assert SERVICES.keys() - NOT_OURS == SPECS.keys()


@pytest.mark.parametrize("name", SPECS)
def test_command_and_settings_are_those_of_the_table(name):
    assert SERVICES[name]["command"] == list(SPECS[name].command)
    assert SPECS[name].environment.items() <= SERVICES[name]["environment"].items()


def test_migration_is_the_same_command_and_runs_before_the_workers():
    assert SERVICES["migrate"]["command"] == list(MIGRATE)
    for name in SPECS.keys() - {"mlflow"}:
        needs = SERVICES[name]["depends_on"]
        assert needs["migrate"] == {"condition": "service_completed_successfully"}


@pytest.mark.parametrize(
    ("name", "settings"), [("redis", BROKER_SETTINGS), ("cache", CACHE_SETTINGS)]
)
def test_redis_runs_with_the_settings_of_the_embedded_one(name, settings):
    expected = " ".join(f"--{key} {value or chr(34) * 2}" for key, value in settings.items())
    assert f"redis-server {expected} " in SERVICES[name]["command"][-1]


def test_workers_drain_longer_than_they_need_and_are_watched():
    for spec in SPECS.values():
        if spec.queues:
            assert SERVICES[spec.name]["stop_grace_period"] == f"{spec.drain_seconds:.0f}s"
            assert f"-d {spec.name}@$$HOSTNAME" in SERVICES[spec.name]["healthcheck"]["test"][1]


def test_threads_are_limited_in_every_worker():
    settings = SERVICES["cpu"]["environment"]
    assert thread_limits(1).keys() <= settings.keys()


def test_no_secret_is_written_down_and_nothing_is_open_to_the_network():
    passwords = re.findall(r"(?:PASSWORD|SECRET|KEY)\"?: \"?(\S+)", TEXT)
    assert passwords
    assert all(value.startswith("${") for value in passwords)
    for service in SERVICES.values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_the_image_starts_the_gateway_by_default():
    lines = (ROOT / "deploy/docker/Dockerfile").read_text().splitlines()
    command = next(line for line in lines if line.startswith("CMD "))
    assert yaml.safe_load(command.removeprefix("CMD ")) == list(SPECS["gateway"].command)
    assert "USER retort" in lines
