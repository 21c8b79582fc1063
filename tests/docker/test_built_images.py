"""Do the built images work, read-only and without rights? Skips where no engine answers."""

import httpx
import pytest

from retort import Retort
from tests.support.waiting import wait_for

pytestmark = pytest.mark.docker
SMILES = "smiles,y\n" + "".join(f"{'C' * n}O,{n}\n" for n in range(1, 9))


@pytest.fixture
def migrated(postgres, gateway):
    def migrate():
        return gateway.exec_run("python -m alembic upgrade head").exit_code == 0

    wait_for(migrate, "Postgres takes the tables", 120)
    return gateway


@pytest.fixture
def address(migrated):
    host, port = migrated.get_addr("8000/tcp")
    url = f"http://{host}:{port}"

    def ready():
        try:
            return httpx.get(f"{url}/health/ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    wait_for(ready, "the gateway is ready", 60)
    return url


@pytest.mark.parametrize("image", ["gateway_image", "cpu_image"])
def test_an_image_runs_as_nobody_in_particular_without_a_compiler(image, request):
    built = request.getfixturevalue(image)
    assert built.attrs["Config"]["User"] == "10001:10001"
    assert built.attrs["Config"]["Healthcheck"]["Test"]


def test_the_gateway_s_image_holds_no_science(gateway):
    for name in ("torch", "rdkit", "sklearn"):
        assert gateway.exec_run(f"python -c 'import {name}'").exit_code != 0
    assert gateway.exec_run("which gcc cc make").exit_code != 0


def test_a_file_becomes_a_data_set(address, migrated, control_worker, cpu_worker, tmp_path):
    key = migrated.exec_run("python create_key.py smoke").output.decode().strip()
    (tmp_path / "alcohols.csv").write_text(SMILES)
    with Retort(address, key) as client:
        made = client.datasets.create(tmp_path / "alcohols.csv", "alcohols", roles={"y": "target"})
        assert client.datasets.report(made["id"])["counts"]["rows_ok"] == 8
    assert "ready." in cpu_worker.logs()
    assert control_worker.status == "running"
