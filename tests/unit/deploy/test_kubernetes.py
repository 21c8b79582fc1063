"""deploy/kubernetes: every object keeps its schema, may do little, and runs what the table says."""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from app.core.settings import Settings
from tests.support.compose import read
from workers.processes import MIGRATE, Shape, kafka_bridge, processes
from workers.queues import OF_JOBS

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "deploy/kubernetes"
KUBERNETES = json.loads((ROOT / "tests/schemas/kubernetes-1.34.json").read_text())
KEDA = json.loads((ROOT / "tests/schemas/keda-2.16.json").read_text())
SPECS = {
    spec.name: spec
    for spec in (*processes(Shape(host="0.0.0.0")), kafka_bridge())  # noqa: S104 - in a container
}
OVERLAYS = ("base", "migrate", "keda", "rabbitmq")


def _objects(folder):
    """What a kustomization applies, before its patches: {(kind, name): object}."""
    found = {}
    settings = yaml.safe_load((folder / "kustomization.yaml").read_text())
    for name in settings["resources"]:
        if name.endswith(".yaml"):
            for item in yaml.safe_load_all((folder / name).read_text()):
                found[item["kind"], item["metadata"]["name"]] = item
        else:
            found |= _objects((folder / name).resolve())
    return found


RABBITMQ = _objects(FOLDER / "rabbitmq")
OBJECTS = {
    key: item
    for name in ("keda", "migrate", "kafka", "rabbitmq")
    for key, item in _objects(FOLDER / name).items()
}
DEPLOYMENTS = {name: item for (kind, name), item in OBJECTS.items() if kind == "Deployment"}
TRAIN = OBJECTS["ScaledJob", "train"]["spec"]
#: every pod that we run, by what runs it
PODS = {name: item["spec"]["template"] for name, item in DEPLOYMENTS.items()} | {
    "migrate": OBJECTS["Job", "migrate"]["spec"]["template"],
    "train": TRAIN["jobTargetRef"]["template"],
}
SETTINGS = OBJECTS["ConfigMap", "retort-settings"]["data"]


def _container(name):
    [container] = PODS[name]["spec"]["containers"]
    return container


def _errors(schema, value):
    found = Draft202012Validator(schema).iter_errors(value)
    return [f"{list(error.path)}: {error.message[:300]}" for error in found]


@pytest.mark.parametrize("key", OBJECTS, ids=" ".join)
def test_every_object_keeps_its_schema(key):
    item = OBJECTS[key]
    if item["apiVersion"].startswith("keda.sh/"):
        schema = KEDA["kinds"][item["kind"]] | {"$defs": KEDA["$defs"]}
    else:
        schema = KUBERNETES["kinds"][f"{item['apiVersion']} {item['kind']}"]
        schema = schema | {"$defs": KUBERNETES["$defs"]}
    assert _errors(schema, item) == []


def test_the_job_of_the_scaled_job_keeps_the_schema_of_jobs():
    schema = KUBERNETES["$defs"]["io.k8s.api.batch.v1.JobSpec"] | {"$defs": KUBERNETES["$defs"]}
    assert _errors(schema, TRAIN["jobTargetRef"]) == []


def test_the_schemas_refuse_what_they_do_not_know():
    service = json.loads(json.dumps(OBJECTS["Service", "gateway"]))
    service["spec"]["prots"] = []
    schema = KUBERNETES["kinds"]["v1 Service"] | {"$defs": KUBERNETES["$defs"]}
    assert "prots" in _errors(schema, service)[0]
    scaled = json.loads(json.dumps(OBJECTS["ScaledObject", "cpu"]))
    scaled["spec"]["minReplicas"] = 1
    schema = KEDA["kinds"]["ScaledObject"] | {"$defs": KEDA["$defs"]}
    assert "minReplicas" in _errors(schema, scaled)[0]


def test_every_file_is_applied_by_a_kustomization():
    named = set()
    for path in FOLDER.glob("*/kustomization.yaml"):
        settings = yaml.safe_load(path.read_text())
        assert settings["namespace"] == "retort"
        named |= {path.parent / name for name in settings["resources"] if name.endswith(".yaml")}
    assert named == set(FOLDER.glob("*/*.yaml")) - set(FOLDER.glob("*/kustomization.yaml"))


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not on this machine")
def test_kustomize_builds_it(overlay):
    built = subprocess.run(
        ["kubectl", "kustomize", FOLDER / overlay], check=True, capture_output=True, text=True
    ).stdout
    items = {(item["kind"], item["metadata"]["name"]): item for item in yaml.safe_load_all(built)}
    expected = _objects(FOLDER / overlay).keys()
    if overlay == "keda":
        expected = expected - {("Deployment", "gpu"), ("PodDisruptionBudget", "gpu")}
        assert "replicas" not in items["Deployment", "cpu"]["spec"], "KEDA decides"
        settings = items["ConfigMap", "retort-settings"]["data"]
        assert settings["RETORT_TAKE_ONE_QUEUES"] == _container("train")["command"][-1]
    assert items.keys() == expected


# ---- what runs


@pytest.mark.req("S0-21")
def test_every_process_of_the_table_is_deployed_but_mlflow():
    assert DEPLOYMENTS.keys() == SPECS.keys() - {"mlflow"}


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_deployment_runs_the_command_and_settings_of_the_table(name):
    container = _container(name)
    assert container["command"] == list(SPECS[name].command)
    given = {item["name"]: item.get("value") for item in container.get("env", [])}
    assert SPECS[name].environment.items() <= given.items()


def test_migrations_and_trainings_run_their_commands():
    assert _container("migrate")["command"] == list(MIGRATE)
    *start, queue = _container("train")["command"]
    assert start == ["python", "-m", "workers.take_one", "--queue"]
    assert queue in OF_JOBS


def test_images_are_of_this_version_and_hold_what_runs():
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    services = read()["services"]
    for name in PODS:
        image, _, tag = _container(name)["image"].partition(":")
        assert tag == pyproject["project"]["version"]
        if name not in ("gpu", "train"):
            assert services[name]["image"].partition(":")[0] == image
        else:
            assert image == "retort-gpu"


@pytest.mark.parametrize("name", PODS)
def test_every_variable_is_a_setting_and_no_secret_is_among_them(name):
    known = {f"RETORT_{field.upper()}" for field in Settings.model_fields} | {"RETORT_GPU_WORKER"}
    env = _container(name).get("env", [])
    for variable in [*SETTINGS, *(item["name"] for item in env)]:
        if variable.startswith("RETORT_"):
            assert variable in known, variable
        assert not re.search(r"PASSWORD|SECRET$|_KEY$|TOKEN", variable)
    text = "".join(path.read_text() for path in FOLDER.glob("*/*.yaml"))
    assert not re.search(r"kind: Secret\b|redis://|postgresql://|rt_[0-9a-f]{8}_", text)


# ---- what it may do


@pytest.mark.parametrize("name", PODS)
def test_a_pod_keeps_the_restricted_standard(name):
    """Of the Pod Security Standards; the namespace enforces it."""
    pod, container = PODS[name]["spec"], _container(name)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    assert pod["serviceAccountName"] == "retort"
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert {next(iter(volume.keys() - {"name"})) for volume in pod["volumes"]} <= {
        "emptyDir",
        "secret",
    }
    labels = OBJECTS["Namespace", "retort"]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert OBJECTS["ServiceAccount", "retort"]["automountServiceAccountToken"] is False


@pytest.mark.parametrize("name", PODS)
def test_a_pod_asks_for_what_it_needs_and_is_limited(name):
    resources = _container(name)["resources"]
    assert {"cpu", "memory"} <= resources["requests"].keys()
    assert {"cpu", "memory"} <= resources["limits"].keys()
    if name in ("gpu", "train"):
        assert resources["limits"]["nvidia.com/gpu"] == "1"


def test_the_default_is_that_nothing_passes():
    spec = OBJECTS["NetworkPolicy", "default-deny"]["spec"]
    assert spec == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    opened = [item["spec"] for (kind, _), item in OBJECTS.items() if kind == "NetworkPolicy"]
    for spec in opened:
        for rule in (*spec.get("ingress", ()), *spec.get("egress", ())):
            assert rule["ports"], "an open rule names its ports"
            assert rule.get("from") or rule.get("to")


def _ways_out(objects, name):
    """TCP ports that the pod may reach by its labels."""
    labels = PODS[name]["metadata"]["labels"].items()
    found = set()
    for (kind, _), item in objects.items():
        if kind == "NetworkPolicy":
            selector, rules = item["spec"]["podSelector"], item["spec"].get("egress", ())
            if (
                "matchExpressions" not in selector
                and selector.get("matchLabels", {}).items() <= labels
            ):
                found |= {p["port"] for r in rules for p in r["ports"] if p["protocol"] == "TCP"}
    return found


@pytest.mark.parametrize("name", PODS)
def test_the_way_to_rabbitmq_is_opened_where_it_is_the_broker_only(name):
    amqp, management = {5671, 5672}, {15671, 15672}
    plain = {key: item for key, item in OBJECTS.items() if key not in RABBITMQ}
    assert not _ways_out(plain, name) & (amqp | management)
    opened = _ways_out(RABBITMQ, name)
    assert opened == (amqp | management if name == "flower" else amqp)
    assert {6379, 5432} <= _ways_out(OBJECTS, name), "Redis and Postgres stay"


# ---- how long it lives


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_pod_is_watched_without_redis_ending_its_jobs(name):
    container = _container(name)
    assert "startupProbe" in container
    if SPECS[name].queues:
        # a ping goes through Redis: its outage must not restart workers that compute
        assert "livenessProbe" not in container
        check = container["readinessProbe"]["exec"]["command"]
        expected = read()["services"][name]["healthcheck"]["test"][1].replace("$$", "$")
        assert check == ["sh", "-c", f"exec {expected}"]
    else:
        assert "livenessProbe" in container
    if "ports" in container:
        assert container["readinessProbe"]["httpGet"]["port"] == "http"


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_its_grace_is_above_what_it_takes_to_drain(name):
    grace = PODS[name]["spec"]["terminationGracePeriodSeconds"]
    assert grace > SPECS[name].drain_seconds
    assert grace > Settings.model_fields["drain_seconds"].default


def test_a_training_may_run_to_its_hard_limit():
    limit = Settings.model_fields["hard_time_limit"].default
    assert PODS["train"]["spec"]["terminationGracePeriodSeconds"] > limit
    assert TRAIN["jobTargetRef"]["activeDeadlineSeconds"] > limit
    assert TRAIN["jobTargetRef"]["backoffLimit"] == 0, "the job engine decides about retries"


def test_every_deployment_has_a_budget_and_spreads():
    for name, item in DEPLOYMENTS.items():
        labels = item["spec"]["template"]["metadata"]["labels"]
        assert item["spec"]["selector"]["matchLabels"] == labels
        [spread] = item["spec"]["template"]["spec"]["topologySpreadConstraints"]
        assert spread["labelSelector"]["matchLabels"] == labels
        if name == "flower":
            continue
        budget = OBJECTS["PodDisruptionBudget", name]["spec"]
        assert budget["selector"]["matchLabels"] == labels
        assert {"minAvailable", "maxUnavailable"} & budget.keys()
    assert DEPLOYMENTS["gateway"]["spec"]["replicas"] == 2
    assert DEPLOYMENTS["beat"]["spec"]["replicas"] == 2


def test_what_one_object_names_is_there():
    for (kind, _), item in OBJECTS.items():
        if kind == "Service":
            selector = item["spec"]["selector"]
            [pod] = [pod for pod in PODS.values() if pod["metadata"]["labels"] == selector]
            ports = {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
            assert {port["targetPort"] for port in item["spec"]["ports"]} <= ports
        if kind == "ScaledObject":
            assert item["spec"]["scaleTargetRef"]["name"] in DEPLOYMENTS
    [rule] = OBJECTS["Ingress", "gateway"]["spec"]["rules"]
    [path] = rule["http"]["paths"]
    assert ("Service", path["backend"]["service"]["name"]) in OBJECTS


# ---- how it grows


def _triggers():
    scaled = [item["spec"] for (kind, _), item in OBJECTS.items() if kind.startswith("Scaled")]
    return [trigger for spec in scaled for trigger in spec["triggers"]]


@pytest.mark.parametrize("trigger", _triggers(), ids=lambda t: t["metadata"]["valueLocation"])
def test_a_trigger_asks_the_gateway_for_a_queue_that_is(trigger):
    assert trigger["type"] == "metrics-api"
    told = trigger["metadata"]
    assert told["url"] == "http://gateway.retort.svc:8000/api/v1/admin/queues"
    assert told["authMode"] == "bearer"
    queue, field = re.fullmatch(
        r'items\.#\(queue=="(\w+)"\)\.(queued|running)', told["valueLocation"]
    ).groups()
    assert queue in OF_JOBS
    source = (ROOT / "api/routes/admin.py").read_text()
    assert f'"{field}":' in source
    assert '"queue": name' in source
    login = OBJECTS["TriggerAuthentication", trigger["authenticationRef"]["name"]]["spec"]
    assert login["secretTargetRef"] == [
        {"parameter": "token", "name": "retort-keda", "key": "api_key"}
    ]


def test_keda_may_ask_the_gateway():
    [rule] = OBJECTS["NetworkPolicy", "gateway"]["spec"]["ingress"]
    [source] = rule["from"]
    assert "keda" in source["namespaceSelector"]["matchExpressions"][0]["values"]


@pytest.mark.parametrize("name", ["cpu", "predict"])
def test_a_warm_pool_stays_warm_and_is_kept_by_what_runs(name):
    spec = OBJECTS["ScaledObject", name]["spec"]
    assert spec["minReplicaCount"] >= 1
    assert [
        re.search(r'"(\w+)"\)\.(\w+)', trigger["metadata"]["valueLocation"]).groups()
        for trigger in spec["triggers"]
    ] == [(name, "queued"), (name, "running")]
