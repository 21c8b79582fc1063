"""Each operation of the API is reached by the client and by the command line, or is excused here.

Nothing is believed: every call below is made, and what it sends to the server in memory counts.
"""

import re
from types import SimpleNamespace

import pytest

from api.main import create_api
from retort import cli
from retort.testing import FakeRetort, FakeServer

pytestmark = pytest.mark.req("goal-99")

#: operation: (call of the client, words of the command line); `s` is the scene below
REACHED = {
    "GET /api/v1": (lambda c, s: c.about(), ["status"]),
    # keys
    "GET /api/v1/keys/whoami": (lambda c, s: c.keys.whoami(), ["whoami"]),
    "GET /api/v1/keys": (lambda c, s: list(c.keys.list()), ["keys", "ls"]),
    "POST /api/v1/keys": (
        lambda c, s: c.keys.create("reader", "viewer", expires="90d"),
        ["keys", "new", "reader", "--role", "viewer", "--expires", "90d"],
    ),
    "GET /api/v1/keys/{}": (lambda c, s: c.keys.get(s.key), ["keys", "show", "{key}"]),
    "POST /api/v1/keys/{}/rotate": (
        lambda c, s: c.keys.rotate(s.key),
        ["keys", "rotate", "{key}", "--overlap", "24h"],
    ),
    "DELETE /api/v1/keys/{}": (lambda c, s: c.keys.revoke(s.key), ["keys", "revoke", "{key}"]),
    "GET /health/live": (lambda c, s: c.alive(), ["doctor"]),
    "GET /health/ready": (lambda c, s: c.health(), ["doctor"]),
    "GET /problems": (lambda c, s: c.problems(), ["problems", "ls"]),
    "GET /problems/{}": (lambda c, s: c.problem("not_found"), ["problems", "show", "not_found"]),
    "GET /api/v1/admin/queues": (lambda c, s: c.admin.queues(), ["status"]),
    "GET /api/v1/admin/diagnosis": (lambda c, s: c.admin.diagnosis(), ["doctor"]),
    "GET /api/v1/admin/workers": (lambda c, s: c.admin.workers(), ["workers"]),
    "GET /api/v1/catalog/{}": (lambda c, s: c.catalog("metrics"), ["catalog", "metrics"]),
    "GET /api/v1/catalog/{}/{}": (
        lambda c, s: c.catalog("metrics", "rmse"),
        ["catalog", "metrics", "rmse"],
    ),
    # files
    "POST /api/v1/files": (lambda c, s: c.files.upload(s.path), ["files", "push", "{path}"]),
    "GET /api/v1/files": (lambda c, s: list(c.files.list()), ["files", "ls"]),
    "GET /api/v1/files/{}": (lambda c, s: c.files.get(s.file), ["files", "show", "{file}"]),
    "GET /api/v1/files/{}/content": (
        lambda c, s: c.files.content(s.file),
        ["files", "download", "{file}", "-o", "{out}"],
    ),
    "POST /api/v1/files/{}/preview": (
        lambda c, s: c.datasets.preview(s.path),
        ["data", "preview", "{path}"],
    ),
    "POST /api/v1/files/uploads": (
        lambda c, s: c.files.upload(s.large),
        ["files", "push", "{large}"],
    ),
    "GET /api/v1/files/uploads": (lambda c, s: list(c.files.uploads.list()), ["files", "uploads"]),
    "GET /api/v1/files/uploads/{}": (
        lambda c, s: c.files.uploads.get(s.upload),
        ["files", "upload-status", "{upload}"],
    ),
    "PUT /api/v1/files/uploads/{}/parts/{}": (
        lambda c, s: c.files.upload(s.large),
        ["files", "push", "{large}"],
    ),
    "POST /api/v1/files/uploads/{}/complete": (
        lambda c, s: c.files.upload(s.large),
        ["files", "push", "{large}"],
    ),
    "DELETE /api/v1/files/uploads/{}": (
        lambda c, s: c.files.uploads.abort(s.upload),
        ["files", "upload-abort", "{upload}"],
    ),
    # data sets
    "POST /api/v1/datasets": (
        lambda c, s: c.datasets.create(s.path, "new"),
        ["data", "push", "{path}", "--yes"],
    ),
    "GET /api/v1/datasets": (lambda c, s: list(c.datasets.list()), ["data", "ls"]),
    "GET /api/v1/datasets/{}": (lambda c, s: c.datasets.get("d"), ["data", "show", "d"]),
    "PATCH /api/v1/datasets/{}": (
        lambda c, s: c.datasets.label("d", {"a": "b"}),
        ["data", "label", "d", "--label", "a=b"],
    ),
    "GET /api/v1/datasets/{}/report": (
        lambda c, s: c.datasets.report("d"),
        ["data", "report", "d"],
    ),
    "GET /api/v1/datasets/{}/report.html": (
        lambda c, s: c.datasets.report_html("d"),
        ["data", "report", "d", "--html", "{out}"],
    ),
    "GET /api/v1/datasets/{}/rejected": (
        lambda c, s: c.datasets.rejected("d"),
        ["data", "rejected", "d"],
    ),
    "GET /api/v1/datasets/{}/rows": (lambda c, s: c.datasets.rows("d"), ["data", "rows", "d"]),
    "GET /api/v1/datasets/{}/splits": (
        lambda c, s: c.datasets.splits("d"),
        ["data", "splits", "d"],
    ),
    "GET /api/v1/datasets/{}/splits/{}": (
        lambda c, s: c.datasets.split("d", s.split),
        ["data", "split", "d", "{split}"],
    ),
    "GET /api/v1/datasets/{}/diff": (lambda c, s: c.datasets.diff("d"), ["data", "diff", "d"]),
    "GET /api/v1/datasets/{}/lineage": (
        lambda c, s: c.datasets.lineage("d"),
        ["data", "lineage", "d"],
    ),
    "POST /api/v1/comparisons": (
        lambda c, s: c.compare_values({"gap": 1.2}, {"gap": 1.0}),
        ["compare-values", "--value", "gap=1.2,1.0"],
    ),
    # jobs
    "POST /api/v1/jobs": (
        lambda c, s: c.train("d", target="y"),
        ["train", "d", "--target", "y"],
    ),
    "GET /api/v1/jobs": (lambda c, s: list(c.jobs.list()), ["jobs", "ls"]),
    "GET /api/v1/jobs/{}": (lambda c, s: c.jobs.get(s.job), ["jobs", "show", "{job}"]),
    "PATCH /api/v1/jobs/{}": (
        lambda c, s: c.jobs.label(s.job, {"a": "b"}),
        ["jobs", "label", "{job}", "--label", "a=b"],
    ),
    "GET /api/v1/jobs/{}/events": (
        lambda c, s: list(c.jobs.follow(s.job)),
        ["jobs", "follow", "{job}"],
    ),
    "GET /api/v1/jobs/{}/logs": (lambda c, s: list(c.jobs.logs(s.job)), ["jobs", "logs", "{job}"]),
    "GET /api/v1/jobs/{}/artifacts": (
        lambda c, s: c.jobs.artifacts(s.job),
        ["jobs", "artifacts", "{job}"],
    ),
    "GET /api/v1/jobs/{}/attempts": (
        lambda c, s: c.jobs.attempts(s.job),
        ["jobs", "attempts", "{job}"],
    ),
    "GET /api/v1/jobs/{}/chunks": (lambda c, s: c.jobs.chunks(s.job), ["jobs", "chunks", "{job}"]),
    "GET /api/v1/jobs/{}/predictions": (
        lambda c, s: list(c.jobs.rows(s.batch)),
        ["jobs", "rows", "{batch}"],
    ),
    "POST /api/v1/jobs/{}/cancel": (lambda c, s: c.jobs.cancel(s.job), ["jobs", "cancel", "{job}"]),
    "POST /api/v1/jobs/{}/retry": (
        lambda c, s: c.jobs.retry(s.failed),
        ["jobs", "retry", "{failed}"],
    ),
    "POST /api/v1/jobs/{}/rerun": (lambda c, s: c.jobs.rerun(s.job), ["jobs", "rerun", "{job}"]),
    "POST /api/v1/jobs/bulk": (
        lambda c, s: c.jobs.bulk("retry", state="failed"),
        ["jobs", "bulk", "retry", "--state", "failed", "--dry-run"],
    ),
    "POST /api/v1/jobs/estimate": (
        lambda c, s: c.jobs.estimate("train", {"dataset": "d"}),
        ["jobs", "estimate", "train", '{{"dataset": "d"}}'],
    ),
    "POST /api/v1/workflows": (
        lambda c, s: c.workflows.run(FLOW),
        ["workflow", "run", "{flow}"],
    ),
    "GET /api/v1/workflows/{}": (
        lambda c, s: c.workflows.get(s.workflow),
        ["workflow", "show", "{workflow}"],
    ),
    # models
    "GET /api/v1/models": (lambda c, s: list(c.models.list()), ["models", "ls"]),
    "POST /api/v1/models": (
        lambda c, s: c.models.import_bundle(s.bundle),
        ["models", "import", "{bundle}", "--name", "theirs"],
    ),
    "POST /api/v1/models/{}/export": (
        lambda c, s: c.models.export("d", "onnx").download(s.out),
        ["models", "export", "d", "--format", "pyfunc", "-o", "{out}"],
    ),
    "GET /api/v1/models/{}": (lambda c, s: c.models.get("d"), ["models", "show", "d"]),
    "GET /api/v1/models/{}/manifest": (
        lambda c, s: c.models.manifest("d"),
        ["models", "manifest", "d"],
    ),
    "GET /api/v1/models/{}/files/{}": (
        lambda c, s: c.models.download("d", "metrics.json", s.out),
        ["models", "files", "d", "{folder}"],
    ),
    "GET /api/v1/models/{}/evaluations": (
        lambda c, s: c.models.evaluations("d"),
        ["models", "evaluations", "d"],
    ),
    "GET /api/v1/evaluations/{}": (
        lambda c, s: c.models.evaluation(s.evaluation),
        ["models", "evaluation", "{evaluation}"],
    ),
    "GET /api/v1/registry": (lambda c, s: c.registry.names(), ["models", "names"]),
    "GET /api/v1/registry/{}": (lambda c, s: c.registry["d"].get(), ["models", "names", "d"]),
    "PUT /api/v1/registry/{}/aliases/{}": (
        lambda c, s: c.registry["d"].promote(1),
        ["models", "promote", "d:1"],
    ),
    "DELETE /api/v1/registry/{}/aliases/{}": (
        lambda c, s: c.registry["d"].remove("old"),
        ["models", "unalias", "d", "old"],
    ),
    "POST /api/v1/registry/{}/aliases/{}/rollback": (
        lambda c, s: c.registry["d"].rollback("both"),
        ["models", "rollback", "d", "--alias", "both"],
    ),
    "GET /api/v1/registry/{}/history": (
        lambda c, s: list(c.registry["d"].history()),
        ["models", "history", "d"],
    ),
    "PUT /api/v1/registry/{}/policies/{}": (
        lambda c, s: c.registry["d"].set_policy(metric="rmse"),
        ["models", "policy", "d", "--metric", "rmse"],
    ),
    "GET /api/v1/registry/{}/policies/{}": (
        lambda c, s: c.registry["d"].policy("both"),
        ["models", "policy", "d", "--alias", "both"],
    ),
    "DELETE /api/v1/registry/{}/policies/{}": (
        lambda c, s: c.registry["d"].drop_policy("both"),
        ["models", "policy", "d", "--alias", "both", "--drop"],
    ),
    "PATCH /api/v1/registry/{}": (
        lambda c, s: c.registry["d"].change(labels={"a": "b"}),
        ["models", "tag", "d", "--label", "a=b"],
    ),
    "PATCH /api/v1/models/{}": (
        lambda c, s: c.models.change("d:1", semver="1.0.0"),
        ["models", "tag", "d:1", "--semver", "1.0.0"],
    ),
    "DELETE /api/v1/models/{}": (
        lambda c, s: c.models.archive("e:1"),
        ["models", "archive", "e:1"],
    ),
    "POST /api/v1/models/{}/restore": (
        lambda c, s: c.models.restore("e:1"),
        ["models", "restore", "e:1"],
    ),
    "GET /api/v1/models/{}/lineage": (
        lambda c, s: c.models.lineage("d:1"),
        ["models", "lineage", "d:1"],
    ),
    "GET /api/v1/models/{}/report": (
        lambda c, s: c.models.report("d"),
        ["report", "d", "-o", "{out}"],
    ),
    "GET /api/v1/models/{}/card": (
        lambda c, s: c.models.card("d"),
        ["report", "d", "--template", "card"],
    ),
    "GET /api/v1/models/{}/qmrf": (
        lambda c, s: c.models.qmrf("d"),
        ["report", "d", "--template", "qmrf", "-o", "{out}"],
    ),
    "POST /api/v1/predictions": (lambda c, s: c.predict("d", ["CCO"]), ["predict", "d", "CCO"]),
    "GET /api/v1/predictions": (
        lambda c, s: list(c.past_predictions.list(model="d")),
        ["predictions", "ls", "--model", "d"],
    ),
    "GET /api/v1/predictions/latest": (
        lambda c, s: c.past_predictions.latest("CCC"),
        ["predictions", "latest", "CCC"],
    ),
    "GET /api/v1/predictions/{}": (
        lambda c, s: c.past_predictions.get(s.prediction),
        ["predictions", "show", "{prediction}"],
    ),
    "DELETE /api/v1/predictions/{}": (
        lambda c, s: c.past_predictions.remove(s.prediction),
        ["predictions", "rm", "{prediction}", "--yes"],
    ),
    "DELETE /api/v1/predictions": (
        lambda c, s: c.past_predictions.remove_all(model="d"),
        ["predictions", "rm", "--model", "d", "--yes"],
    ),
    "GET /api/v1/admin/prediction-cache": (
        lambda c, s: c.past_predictions.cache_statistics(),
        ["predictions", "cache"],
    ),
    "DELETE /api/v1/admin/prediction-cache/{}": (
        lambda c, s: c.past_predictions.forget_answers("d"),
        ["predictions", "cache", "--forget", "d"],
    ),
    # the audit log
    "GET /api/v1/audit": (lambda c, s: list(c.audit.list(since="2026-01-01")), ["audit", "ls"]),
    "GET /api/v1/audit/export": (
        lambda c, s: c.audit.export(s.out, format="csv"),
        ["audit", "export", "--format", "csv", "-o", "{out}"],
    ),
    "GET /api/v1/audit/verify": (lambda c, s: c.audit.verify(), ["audit", "verify"]),
    # quotas
    "GET /api/v1/usage": (lambda c, s: c.quotas.usage(), ["usage"]),
    "GET /api/v1/admin/quotas": (lambda c, s: c.quotas.list(), ["quota", "ls"]),
    "PUT /api/v1/admin/quotas": (
        lambda c, s: c.quotas.set(queued_jobs=100),
        ["quota", "set", "--key", "fake", "--burst", "9"],
    ),
    # endpoints
    "GET /api/v1/endpoints": (lambda c, s: list(c.endpoints.list()), ["endpoint", "ls"]),
    "POST /api/v1/endpoints": (
        lambda c, s: c.endpoints.create("new", {"routes": [{"model": "d"}]}),
        ["endpoint", "apply", "{endpoint}", "--new"],
    ),
    "GET /api/v1/endpoints/{}": (lambda c, s: c.endpoints.get("e"), ["endpoint", "show", "e"]),
    "PUT /api/v1/endpoints/{}": (
        lambda c, s: c.endpoints.apply("e", {"routes": [{"model": "d"}]}),
        ["endpoint", "apply", "{endpoint}"],
    ),
    "PATCH /api/v1/endpoints/{}": (
        lambda c, s: c.endpoints.update("e", cache=False),
        ["endpoint", "set", "e", "--set", "cache=false"],
    ),
    "DELETE /api/v1/endpoints/{}": (
        lambda c, s: c.endpoints.archive("e"),
        ["endpoint", "rm", "e"],
    ),
    "GET /api/v1/endpoints/{}/revisions": (
        lambda c, s: c.endpoints.revisions("e"),
        ["endpoint", "revisions", "e"],
    ),
    "GET /api/v1/endpoints/{}/revisions/{}": (
        lambda c, s: c.endpoints.revision("e", 1),
        ["endpoint", "revisions", "e", "1"],
    ),
    "POST /api/v1/endpoints/{}/rollback": (
        lambda c, s: c.endpoints.rollback("e", 1),
        ["endpoint", "rollback", "e"],
    ),
    "GET /api/v1/endpoints/{}/canary": (
        lambda c, s: c.endpoints.canary("e"),
        ["endpoint", "canary", "e"],
    ),
    "POST /api/v1/endpoints/{}/canary": (
        lambda c, s: c.endpoints.act("e", "step"),
        ["endpoint", "step", "e"],
    ),
    "GET /api/v1/endpoints/{}/metrics": (
        lambda c, s: c.endpoints.metrics("e"),
        ["endpoint", "metrics", "e"],
    ),
    "GET /api/v1/endpoints/{}/comparison": (
        lambda c, s: c.endpoints.compare("e", minutes=60),
        ["endpoint", "compare", "e", "--minutes", "60"],
    ),
    "POST /api/v1/endpoints/{}/outcomes": (
        lambda c, s: c.endpoints.outcomes("e", [OUTCOME]),
        ["endpoint", "outcomes", "e", "{outcomes}"],
    ),
    # schedules
    "GET /api/v1/schedules": (lambda c, s: list(c.schedules.list()), ["schedule", "ls"]),
    "POST /api/v1/schedules": (
        lambda c, s: c.schedules.create("new", "0 2 * * SUN", job=s.template),
        [
            *("schedule", "create", "new", "--cron", "0 2 * * SUN", "--tz", "Europe/Berlin"),
            *("--retrain", "d", "--data", "d", "--evaluate-on", "d:1", "--then", "keep"),
        ],
    ),
    "POST /api/v1/schedules/preview": (
        lambda c, s: c.schedules.preview("0 2 * * SUN"),
        ["schedule", "next", "0 2 * * SUN"],
    ),
    "GET /api/v1/schedules/{}": (lambda c, s: c.schedules.get("n"), ["schedule", "show", "n"]),
    "PATCH /api/v1/schedules/{}": (
        lambda c, s: c.schedules.update("n", missed="all"),
        ["schedule", "set", "n", "--set", "cron=30 2 * * *"],
    ),
    "DELETE /api/v1/schedules/{}": (
        lambda c, s: c.schedules.remove("n"),
        ["schedule", "rm", "n"],
    ),
    "POST /api/v1/schedules/{}/pause": (
        lambda c, s: c.schedules.pause("n"),
        ["schedule", "pause", "n"],
    ),
    "POST /api/v1/schedules/{}/resume": (
        lambda c, s: c.schedules.resume("n"),
        ["schedule", "resume", "n"],
    ),
    "POST /api/v1/schedules/{}/run": (
        lambda c, s: c.schedules.run("n"),
        ["schedule", "run", "n"],
    ),
    "GET /api/v1/schedules/{}/runs": (
        lambda c, s: list(c.schedules.history("n")),
        ["schedule", "history", "n"],
    ),
    "GET /api/v1/schedules/{}/runs/{}": (
        lambda c, s: c.schedules.get_run("held", s.run),
        ["schedule", "history", "held", "{run}"],
    ),
    "POST /api/v1/schedules/{}/runs/{}/approve": (
        lambda c, s: c.schedules.approve("held", s.run),
        ["schedule", "approve", "held", "{run}"],
    ),
    "POST /api/v1/schedules/{}/runs/{}/reject": (
        lambda c, s: c.schedules.reject("held", s.run),
        ["schedule", "reject", "held", "{run}"],
    ),
    # events and webhooks
    "GET /api/v1/events": (
        lambda c, s: list(c.events.list(type="ModelTrained")),
        ["events", "ls", "--type", "ModelTrained"],
    ),
    "GET /api/v1/events/stream": (
        lambda c, s: next(c.events.follow(since="2020-01-01")),
        ["events", "tail", "--since", "2020-01-01", "--limit", "1"],
    ),
    "GET /schemas": (lambda c, s: c.events.types(), ["events", "types"]),
    "GET /schemas/{}/{}": (
        lambda c, s: c.events.schema("ModelTrained"),
        ["events", "schema", "ModelTrained"],
    ),
    "GET /asyncapi.json": (lambda c, s: c.events.asyncapi(), ["events", "asyncapi"]),
    "GET /api/v1/webhooks": (lambda c, s: list(c.webhooks.list()), ["webhooks", "ls"]),
    "POST /api/v1/webhooks": (
        lambda c, s: c.webhooks.create("https://lab.example/", types=["ModelTrained"]),
        ["webhooks", "add", "https://lab.example/", "--events", "ModelTrained"],
    ),
    "GET /api/v1/webhooks/{}": (
        lambda c, s: c.webhooks.get(s.webhook),
        ["webhooks", "show", "{webhook}"],
    ),
    "PATCH /api/v1/webhooks/{}": (
        lambda c, s: c.webhooks.update(s.webhook, state="paused"),
        ["webhooks", "set", "{webhook}", "--state", "paused"],
    ),
    "DELETE /api/v1/webhooks/{}": (
        lambda c, s: c.webhooks.remove(s.webhook),
        ["webhooks", "rm", "{webhook}"],
    ),
    "POST /api/v1/webhooks/{}/rotate": (
        lambda c, s: c.webhooks.rotate(s.webhook),
        ["webhooks", "rotate", "{webhook}"],
    ),
    "POST /api/v1/webhooks/{}/test": (
        lambda c, s: c.webhooks.test(s.webhook),
        ["webhooks", "test", "{webhook}"],
    ),
    "GET /api/v1/webhooks/{}/deliveries": (
        lambda c, s: list(c.webhooks.deliveries(s.webhook)),
        ["webhooks", "deliveries", "{webhook}"],
    ),
    "GET /api/v1/webhooks/{}/deliveries/{}": (
        lambda c, s: c.webhooks.delivery(s.webhook, s.delivery),
        ["webhooks", "deliveries", "{webhook}", "{delivery}"],
    ),
    "POST /api/v1/webhooks/{}/replay": (
        lambda c, s: c.webhooks.replay(s.webhook, [s.delivery]),
        ["webhooks", "replay", "{webhook}", "{delivery}"],
    ),
    "GET /api/v1/studies": (lambda c, s: c.studies.list(), ["studies", "ls"]),
    "GET /api/v1/studies/{}": (lambda c, s: c.studies.get(s.study), ["studies", "show", "{study}"]),
    "GET /api/v1/studies/{}/trials": (
        lambda c, s: c.studies.trials(s.study),
        ["studies", "trials", "{study}"],
    ),
}
#: beginnings of paths, and why neither client nor command line speaks them
EXCUSED = {
    "/compat/": "for programs of other systems, in their words; ours use the routes above",
    "/metrics": "for Prometheus, in its text format; people read `GET /api/v1/admin/queues`",
}
OUTCOME = {"structure": "CCO", "target": "y", "measured": 1.0}
FLOW = {"a": {"kind": "train", "params": {"dataset": "d", "targets": ["y"]}}}


def _names(path):
    return re.sub(r"{[^}]*}", "{}", path)


@pytest.fixture(scope="module")
def operations():
    """`POST /api/v1/jobs/{}/cancel`, ... of the API that we serve."""
    paths = create_api().openapi()["paths"]
    return {f"{method.upper()} {_names(path)}" for path, found in paths.items() for method in found}


def test_every_operation_is_reached_or_excused(operations):
    excused = {op for op in operations if op.split(" ")[1].startswith(tuple(EXCUSED))}
    assert operations - excused - REACHED.keys() == set()


def test_nothing_is_reached_that_the_server_does_not_have(operations):
    assert REACHED.keys() - operations == set()


@pytest.fixture
def scene(tmp_path, monkeypatch):
    """A server with one of each, and files to send."""
    server = FakeServer()
    monkeypatch.setattr("retort.cli.session.Retort", lambda: FakeRetort(server))
    monkeypatch.setattr("retort.parts.RESUMABLE_ABOVE", 1)
    client = FakeRetort(server)
    path, large, flow = (tmp_path / name for name in ("d.csv", "large.csv", "flow.json"))
    path.write_text("smiles,y\nCCO,1\nCCC,2\n")
    with large.open("wb") as stream:
        stream.truncate(17 << 20)
    flow.write_text('{"a": {"kind": "train", "params": {"dataset": "d", "targets": ["y"]}}}')
    first = client.datasets.create(path, "d", target="y")
    client.datasets.create(path, "d", target="y")
    job = client.train("d", target="y", alias="old").wait()
    failed = client.train("d", target="nope")
    while not failed.refresh().done:
        pass
    study = client.studies.get(client.optimize("d", target="y").wait())
    client.evaluate("d").wait()
    client.predict("d", ["CCC"], remember=True)
    client.train("d", target="y", name="e").wait()
    for number in (1, 2):
        client.registry["d"].promote(number, "both")
    client.registry["d"].set_policy("both", required=False)
    client.endpoints.create("e", {"routes": [{"model": "d:1"}]})
    client.endpoints.apply("e", {"routes": [{"model": "d:1"}], "canary": {"model": "d:2"}})
    endpoint, outcomes = tmp_path / "endpoint.json", tmp_path / "outcomes.json"
    endpoint.write_text('{"name": "f", "routes": [{"model": "d"}]}')
    outcomes.write_text('[{"structure": "CCO", "target": "y", "measured": 1.0}]')
    body = {"name": "u", "size": 9, "sha256": "0" * 64}
    bundle = tmp_path / "bundle.zip"
    client.models.export("d").download(bundle)
    template = {"kind": "evaluate", "params": {"model": "d:1"}}
    client.schedules.create("n", "0 2 * * SUN", job=template)
    retrain = {"model": "d", "evaluate_on": "d:1"}
    client.schedules.create("held", "0 2 * * SUN", retrain=retrain)
    webhook = client.webhooks.create("https://lab.example/hook")["id"]
    found = SimpleNamespace(
        template=template,
        run=client.schedules.run("held")["id"],
        webhook=webhook,
        delivery=client.webhooks.test(webhook)["id"],
        bundle=bundle,
        client=client,
        server=server,
        path=path,
        large=large,
        flow=flow,
        endpoint=endpoint,
        outcomes=outcomes,
        out=tmp_path / "out",
        folder=tmp_path / "folder",
        file=first["file_id"],
        key=client.keys.create("robot", "scientist")["prefix"],
        job=job.id,
        batch=client.predict_file("d", path).wait().id,
        failed=failed.id,
        study=study["id"],
        split=client.datasets.splits("d")[0]["id"],
        prediction=next(client.past_predictions.list())["id"],
        evaluation=client.models.evaluations("d")[0]["id"],
        upload=client.transport.json("POST", "/files/uploads", json=body)["id"],
        workflow=client.workflows.run(FLOW)["id"],
    )
    server.calls.clear()
    return found


def _asked(server):
    return {_names(call) for call in server.calls}


@pytest.mark.parametrize("operation", REACHED)
def test_the_client_reaches_it(scene, operation):
    REACHED[operation][0](scene.client, scene)
    assert operation in _asked(scene.server)


@pytest.mark.parametrize("operation", REACHED)
def test_the_command_line_reaches_it(scene, operation, monkeypatch, capsys):
    words = [word.format(**vars(scene)) for word in REACHED[operation][1]]
    monkeypatch.setattr("sys.argv", ["retort", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    # the doctor finds that the server in memory is of no real version
    assert not ended.value.code or words == ["doctor"], capsys.readouterr().err
    assert operation in _asked(scene.server)
