"""docker-compose.yml runs the processes of workers/processes.py; hardened, secrets in files."""

import json
import re
import runpy
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from app.core.settings import Settings
from tests.support.compose import FILES, interpolated, read
from workers.processes import MIGRATE, Shape, kafka_bridge, processes, tensorboard, thread_limits
from workers.servers.redis import BROKER_SETTINGS, CACHE_SETTINGS

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = json.loads((ROOT / "tests/schemas/compose-spec.json").read_text())
COMPOSE = read()
SERVICES = COMPOSE["services"]
SHAPE = Shape(
    host="0.0.0.0",  # noqa: S104 - inside a container
    cpu_children="${RETORT_CPU_CHILDREN:-2}",
    gpu_children="${RETORT_GPU_CHILDREN:-1}",
    predict_children="${RETORT_PREDICT_CHILDREN:-2}",
)
SPECS = {spec.name: spec for spec in (*processes(SHAPE), kafka_bridge(), tensorboard(SHAPE))}
STORES = {"postgres", "redis", "cache", "s3"}
ONCE = {"migrate", "bucket"}
WATCHING = {"prometheus", "grafana"}
OURS = SPECS.keys() | ONCE


@pytest.mark.parametrize("name", FILES)
def test_the_file_keeps_the_compose_specification(name):
    found = list(Draft202012Validator(SCHEMA).iter_errors(read(name)))
    assert [f"{list(error.path)}: {error.message}" for error in found] == []


@pytest.mark.parametrize("name", FILES)
def test_every_variable_has_a_default(name):
    text = json.dumps(interpolated(read(name), {}))
    assert "${" not in text
    assert interpolated("${A-x} ${B:-y} $$HOME", {"A": "", "B": ""}) == " y $HOME"
    with pytest.raises(KeyError):
        interpolated("${A:?say it}", {})


@pytest.mark.req("S1-22", "K-7")
def test_every_process_is_a_service_and_nothing_else_is():
    assert SERVICES.keys() - STORES - ONCE - WATCHING == SPECS.keys()


@pytest.mark.parametrize("name", SPECS)
def test_command_and_settings_are_those_of_the_table(name):
    assert SERVICES[name]["command"] == list(SPECS[name].command)
    assert SPECS[name].environment.items() <= SERVICES[name]["environment"].items()


def test_what_one_service_names_is_declared():
    for name, service in SERVICES.items():
        assert set(service.get("depends_on", ())) <= SERVICES.keys(), name
        assert set(service.get("networks", ())) <= COMPOSE["networks"].keys(), name
        assert set(service.get("secrets", ())) <= COMPOSE["secrets"].keys(), name
        for source in filter(None, map(_source, service.get("volumes", ()))):
            if source.startswith("./"):
                assert (ROOT / source).exists(), source
            else:
                assert source in COMPOSE["volumes"], (name, source)


def _source(volume):
    """None: a volume without a name."""
    return volume.split(":")[0] if isinstance(volume, str) else volume.get("source")


def test_what_must_be_healthy_has_a_check_and_what_must_complete_ends():
    for service in SERVICES.values():
        for other, needs in service.get("depends_on", {}).items():
            if needs["condition"] == "service_healthy":
                assert SERVICES[other]["healthcheck"]["test"]
            else:
                assert needs["condition"] == "service_completed_successfully"
                assert SERVICES[other]["restart"] == "no"


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


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_may_do_little(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not any("docker.sock" in str(volume) for volume in service.get("volumes", ()))
    limits = service["deploy"]["resources"]["limits"]
    assert limits.keys() == {"cpus", "memory", "pids"}
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - ONCE))
def test_a_container_that_stays_is_watched_and_started_again(name):
    assert SERVICES[name]["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_images_are_pinned_to_a_release():
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    for name, service in interpolated(SERVICES, {}).items():
        image, _, tag = service["image"].partition(":")
        assert re.match(r"v?\d+\.\d+", tag), (name, image)
        if name in OURS:
            assert tag == version[1]


def test_the_stores_are_reached_from_within_alone():
    assert COMPOSE["networks"]["data"] == {"internal": True}
    for name in STORES:
        assert SERVICES[name]["networks"] == ["data"]
        assert "ports" not in SERVICES[name]
    for service in SERVICES.values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        if "ports" in service:
            assert "front" in service["networks"], "an internal network publishes no port"


def test_no_secret_is_in_the_file_or_in_the_environment():
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|KEY|TOKEN", name):
                assert name.upper().endswith(("_FILE", "_DIR")), name
                assert value.startswith("/run/secrets"), name
    assert not re.search(r"redis://|postgresql\S*://", json.dumps(COMPOSE))
    for secret in COMPOSE["secrets"].values():
        assert secret["file"].startswith("deploy/secrets/")
    assert "deploy/secrets/*" in (ROOT / ".gitignore").read_text().splitlines()


def test_the_script_makes_every_secret_once_and_keeps_what_is_there(tmp_path):
    make = runpy.run_path(str(ROOT / "deploy/docker/make_secrets.py"))["make"]
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/postgres_password").write_text("chosen")
    make(tmp_path / "secrets")
    named = {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()}
    named |= {Path(name).name for s in SERVICES.values() for name in s.get("env_file", [])}
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert made.keys() == named
    assert made["retort_database_url"] == "postgresql://retort:chosen@postgres:5432/retort"
    assert make(tmp_path / "secrets") == []
    assert {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()} == made


def test_what_the_script_makes_are_settings(tmp_path, monkeypatch):
    runpy.run_path(str(ROOT / "deploy/docker/make_secrets.py"))["make"](tmp_path)
    for name in ("RETORT_DATABASE_URL", "DATABASE_URL", "RETORT_REDIS_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    settings = Settings(_secrets_dir=tmp_path)
    assert settings.database_url == (tmp_path / "retort_database_url").read_text()
    assert settings.effective_cache_url == (tmp_path / "retort_cache_url").read_text()
    assert settings.s3_secret == (tmp_path / "retort_s3_secret").read_text()
    monkeypatch.setenv("RETORT_REDIS_URL", "redis://elsewhere:6379/1")
    assert Settings(_secrets_dir=tmp_path).redis_url == "redis://elsewhere:6379/1"


def test_the_kafka_bridge_and_tensorboard_run_where_they_are_asked_for():
    assert SERVICES["kafka"]["profiles"] == ["kafka"]
    assert SERVICES["tensorboard"]["profiles"] == ["tensorboard"]
    always = SERVICES.keys() - {"kafka", "tensorboard"}
    assert not any("profiles" in SERVICES[name] for name in always)
    assert "retort_kafka_password" in SERVICES["kafka"]["secrets"]


def test_beat_runs_twice_and_gpus_are_reserved_where_they_are():
    assert SERVICES["beat"]["deploy"]["replicas"] == 2
    gpu = read("docker-compose.gpu.yml")["services"]["gpu"]
    [device] = gpu["deploy"]["resources"]["reservations"]["devices"]
    assert device["driver"] == "nvidia"
    assert device["capabilities"] == ["gpu"]
    assert gpu["build"]["target"] == "gpu"


def test_every_setting_is_a_setting():
    names = {f"RETORT_{name.upper()}" for name in Settings.model_fields} | {"RETORT_GPU_WORKER"}
    gpu = read("docker-compose.gpu.yml")["services"]["gpu"]["environment"]
    for name in OURS:
        given = {*SERVICES[name].get("environment", {}), *gpu}
        assert {key for key in given if key.startswith("RETORT_")} <= names


def test_grafana_finds_its_source_and_its_boards():
    provisioning = ROOT / "deploy/grafana/provisioning"
    [source] = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())[
        "datasources"
    ]
    assert source["url"] == "http://prometheus:9090"
    assert "prometheus" in SERVICES
    [provider] = yaml.safe_load((provisioning / "dashboards/retort.yml").read_text())["providers"]
    assert f"./deploy/grafana:{provider['options']['path']}:ro" in SERVICES["grafana"]["volumes"]
    assert list((ROOT / "deploy/grafana").glob("*.json"))


def test_prometheus_scrapes_the_gateway_with_the_key_of_the_secret():
    [job] = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())[
        "scrape_configs"
    ]
    assert job["static_configs"] == [{"targets": ["gateway:8000"]}]
    key = Path(job["authorization"]["credentials_file"])
    assert key.name in SERVICES["prometheus"]["secrets"]
    assert set(SERVICES["prometheus"]["networks"]) & set(SERVICES["gateway"]["networks"])
