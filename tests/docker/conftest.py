"""The built images in containers, by pytest-celery: `make test-docker`; needs an engine."""

import os

import pytest
from pytest_docker_tools import build, container, volume

from tests.support.compose import ROOT, interpolated, read
from workers.processes import MIGRATE

SERVICES = interpolated(read()["services"], {})
#: as in docker-compose.yml
HARDENED = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
    "tmpfs": {"/tmp": ""},
    "init": True,
}
SETTINGS = {
    "RETORT_DATABASE_URL": "postgresql://retort:smoke@{postgres.ips.primary}:5432/retort",
    "RETORT_REDIS_URL": "redis://{default_redis_broker.ips.primary}:6379/0",
    "RETORT_STORAGE_ROOT": "/var/lib/retort",
}
NETWORK = "{default_pytest_celery_network.name}"


def pytest_collection_modifyitems(items):
    if why := _no_engine():
        for item in items:
            if "docker" in item.keywords:
                item.add_marker(pytest.mark.skip(reason=why))


def _no_engine():
    """None when one answers, else a sentence."""
    import docker

    try:
        client = docker.from_env(timeout=5)
        client.ping()
    except docker.errors.DockerException as error:
        return f"no container engine answers on this machine, so no image was run: {error}"[:200]
    client.close()
    return None


def _image(target):
    arguments = {"CPU_PIP_ARGS": os.environ.get("RETORT_CPU_PIP_ARGS", "")}
    return build(
        path=str(ROOT),
        dockerfile="deploy/docker/Dockerfile",
        target=target,
        tag=f"retort-{target}:smoke",
        buildargs=arguments if target == "cpu" else {},
        scope="session",
    )


def _process(name, image, **options):
    """A service of the compose file: its command, its hardening."""
    return container(
        image=f"{{{image}.id}}",
        command=SERVICES[name]["command"] if name in SERVICES else list(MIGRATE),
        environment=SETTINGS,
        network=NETWORK,
        volumes={"{blobs.name}": {"bind": "/var/lib/retort", "mode": "rw"}},
        **HARDENED,
        **options,
    )


gateway_image = _image("gateway")
cpu_image = _image("cpu")
blobs = volume()
postgres = container(
    image=SERVICES["postgres"]["image"],
    environment={
        "POSTGRES_USER": "retort",
        "POSTGRES_DB": "retort",
        "POSTGRES_PASSWORD": "smoke",
    },
    ports={"5432/tcp": None},
    network=NETWORK,
)
gateway = _process("gateway", "gateway_image", ports={"8000/tcp": None})
control_worker = _process("control", "cpu_image")
cpu_worker = _process("cpu", "cpu_image")


@pytest.fixture
def default_redis_broker_image():
    """pytest-celery's broker, with the cluster's Redis."""
    return SERVICES["redis"]["image"]
