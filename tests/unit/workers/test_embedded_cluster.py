"""What the settings of the environment change in the cluster."""

import base64

import pytest

from app.core.settings import Settings
from app.exporting.signing import Signer
from workers.embedded.cluster import Cluster
from workers.embedded.home import Home

POSTGRES = "postgresql://someone@db.example/retort"
REDIS = "redis://broker.example/0"


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    def build(**environment):
        for name in ("DATABASE_URL", "REDIS_URL", "CACHE_URL", "MLFLOW_TRACKING_URI", "PORT"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(f"RETORT_{name}", raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return Cluster(Home(tmp_path).make(), Settings())

    return build


def test_servers_of_its_own_by_default(cluster):
    assert list(cluster().servers()) == ["postgres", "redis", "cache"]


def test_servers_that_the_environment_names_are_used_instead(cluster):
    one = cluster(DATABASE_URL=POSTGRES, REDIS_URL=REDIS, CACHE_URL=REDIS[:-1] + "1")
    assert one.servers() == {}
    assert one.environment["RETORT_DATABASE_URL"] == POSTGRES
    assert one.environment["RETORT_REDIS_URL"] == REDIS
    assert one._mlflow_database().startswith("sqlite:///")


def test_only_who_needs_a_secret_is_given_it(cluster):
    one = cluster(DATABASE_URL=POSTGRES, REDIS_URL=REDIS, CACHE_URL=REDIS)
    password = one.home.secret("flower")
    assert password not in str(one.environment)
    assert one._secrets_of("flower") == {"FLOWER_BASIC_AUTH": f"retort:{password}"}
    assert one._secrets_of("predict") == {}


def test_models_are_signed_with_a_key_that_stays_and_that_one_process_knows(cluster):
    one = cluster(DATABASE_URL=POSTGRES, REDIS_URL=REDIS, CACHE_URL=REDIS)
    (key,) = one._secrets_of("cpu").values()
    assert Signer.of(Settings(signing_key=key)).public_key
    assert key == one._secrets_of("cpu")["RETORT_SIGNING_KEY"] == one.home.key("signing")
    assert key not in str(one.environment)
    mine = base64.b64encode(b"m" * 32).decode()
    other = cluster(
        DATABASE_URL=POSTGRES, REDIS_URL=REDIS, CACHE_URL=REDIS, RETORT_SIGNING_KEY=mine
    )
    assert other._secrets_of("cpu") == {"RETORT_SIGNING_KEY": mine}


def test_another_mlflow_replaces_ours(cluster):
    one = cluster(RETORT_MLFLOW_TRACKING_URI="http://mlflow.example")
    assert "mlflow" not in {spec.name for spec in one.specs()}
    assert one.addresses()["MLflow"] == "http://mlflow.example"
    assert "mlflow" in {spec.name for spec in cluster().specs()}


def test_workers_share_the_cores_with_their_threads(cluster, monkeypatch):
    monkeypatch.setattr("workers.embedded.cluster.available_cores", lambda: 8)
    one = cluster(
        DATABASE_URL=POSTGRES, REDIS_URL=REDIS, CACHE_URL=REDIS, RETORT_WORKER_THREADS="4"
    )
    assert one.shape.cpu_children == one.shape.predict_children == 2
    assert one.environment["OMP_NUM_THREADS"] == "4"


def test_the_port_that_the_user_wants_and_an_address_that_can_be_opened(cluster):
    one = cluster(RETORT_PORT="8123", RETORT_HOST="0.0.0.0")  # noqa: S104 - compared only
    assert one.address("gateway") == "http://127.0.0.1:8123"


@pytest.mark.req("S1-46")
def test_the_bridge_and_tensorboard_run_where_they_are_asked_for(cluster):
    stores = {"DATABASE_URL": POSTGRES, "REDIS_URL": REDIS, "CACHE_URL": REDIS}
    plain = cluster(**stores)
    assert not {"kafka", "tensorboard"} & {spec.name for spec in plain.specs()}
    assert "TensorBoard" not in plain.addresses()
    assert plain.environment["RETORT_TENSORBOARD_URL"] == ""
    more = cluster(**stores, RETORT_TENSORBOARD="1", RETORT_KAFKA_BOOTSTRAP="kafka.example:9092")
    found = {spec.name: spec for spec in more.specs()}
    assert {"kafka", "tensorboard"} <= found.keys()
    address = f"http://127.0.0.1:{found['tensorboard'].command[-1]}"
    assert more.addresses()["TensorBoard"] == address
    assert more.environment["RETORT_TENSORBOARD_URL"] == address
    elsewhere = cluster(**stores, RETORT_TENSORBOARD_URL="http://board.example")
    assert elsewhere.addresses()["TensorBoard"] == "http://board.example"
