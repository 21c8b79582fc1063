"""What every server behind the client does, the real one and the one in memory alike.

`client` is a fixture of the module that imports these tests; names are unique in each run.
"""

import json
import time
import uuid
from datetime import datetime, timedelta

import pandas as pd
import pytest

from retort import (
    Conflict,
    GateFailed,
    InvalidReference,
    InvalidRequest,
    JobFailed,
    ModelInUse,
    NoEarlierHolder,
    NotFound,
)

ROWS = [
    {"smiles": smiles, "y": float(n)}
    for n, smiles in enumerate(
        ["CCO", "CCC", "CCCC", "CCN", "CCCl", "c1ccccc1", "CC(=O)O", "CCOC", "CCS", "CCF"] * 3
    )
] + [{"smiles": "C1CC(", "y": 1.0}, {"smiles": "", "y": 2.0}]
RIDGE = {"name": "ridge", "params": {}}
FAST = {"features": ["maccs"], "algorithm": "ridge"}


@pytest.fixture(scope="module")
def name():
    return f"t{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def dataset(client, name):
    return client.datasets.create(ROWS, name, target="y", duplicates="merge")


@pytest.fixture(scope="module")
def model(client, dataset, name):
    return client.train(name, target="y", **FAST).result()


def test_rows_in_are_ok_rejected_or_merged(client, dataset, name):
    assert dataset["ref"] == f"{name}:1"
    assert dataset["state"] == "ready"
    counts = client.datasets.report(name)["counts"]
    assert counts["rows_in"] == len(ROWS)
    assert counts["rows_in"] == sum(counts[f"rows_{w}"] for w in ("ok", "rejected", "merged"))
    assert (counts["rows_rejected"], counts["rows_merged"]) == (2, 20)
    assert len(dataset.rejected().strip().splitlines()) == 3
    assert len(client.datasets.rows(name, limit=4)) == 4
    assert "<html" in dataset.report_html().lower()
    assert {c["name"]: c["role"] for c in dataset["columns"]}["y"] == "target"


def test_a_preview_shows_roles_before_anything_is_made(client, name):
    found = client.datasets.preview(ROWS, target="y")
    assert {c["name"]: c["role"] for c in found["columns"]} == {"smiles": "smiles", "y": "target"}
    assert found["rows_sampled"] == len(ROWS)
    file = client.files.get(found["file_id"])
    made = client.datasets.create(file, f"{name}-p", target="y")
    assert made["file_id"] == found["file_id"]


def test_labels_lineage_and_lists_of_data_sets(client, dataset, model, name):
    assert client.datasets.label(name, {"team": "a", "old": "x"})["labels"]["team"] == "a"
    assert "old" not in client.datasets.label(name, {"old": None})["labels"]
    assert [d["ref"] for d in client.datasets.list(name)] == [f"{name}:1"]
    found = client.datasets.lineage(name)
    assert found["file"]["id"] == dataset["file_id"]
    assert model["id"] in [m["id"] for m in found["models"]]


def test_a_model_has_metrics_and_a_name(client, model, name):
    assert model["ref"] == f"{name}:1"
    rmse = model.metrics["test"]["y"]["rmse"]
    assert rmse["value"] is not None
    assert client.models.get(f"{name}:1")["id"] == model["id"]
    assert [m["ref"] for m in client.models.list(name)] == [f"{name}:1"]
    assert "files" in client.models.manifest(name)


def test_a_model_is_taken_elsewhere(client, model, name, tmp_path):
    made = client.models.export(model, "bundle").download(tmp_path / "b.zip")
    assert made["size"] == (tmp_path / "b.zip").stat().st_size
    assert made["model_ref"] == model["ref"]
    copy = client.models.import_bundle(tmp_path / "b.zip", f"{name}-x", sha256=made["sha256"])
    assert copy["ref"] == f"{name}-x:1"
    assert copy["dataset_id"] is None
    assert copy["imported_from"]["name"] == name
    lineage = copy.lineage()
    assert lineage["file"] is lineage["dataset"] is None
    (origin,) = lineage["parents"]
    assert (origin["kind"], origin["ref"]) == ("imported_from", model.ref)
    assert copy.metrics == model.metrics
    (tmp_path / "no.zip").write_bytes(b"no bundle")
    with pytest.raises(JobFailed) as refused:
        client.models.import_bundle(tmp_path / "no.zip")
    assert refused.value.code == "bundle_refused"


def test_aliases_are_set_and_taken_away(client, model, name):
    entry = client.registry[name].promote(1, alias="champion", note="best")
    assert (entry["alias"], entry["version"]) == ("champion", 1)
    assert client.models.get(f"{name}@champion")["aliases"] == ["champion"]
    assert name in [e["name"] for e in client.registry.names()]
    client.registry[name].remove("champion")
    assert client.registry[name].get()["aliases"] == []
    with pytest.raises(NotFound):
        client.models.get(f"{name}@champion")


def test_versions_are_gated_rolled_back_and_put_away(client, dataset, name):
    ours = client.registry[f"{name}-r"]
    for _ in range(2):
        client.train(name, target="y", name=ours.name, **FAST).result()
    assert ours.promote(1, note="the first")["before"] is None
    ours.set_policy(evaluation_dataset=name)
    with pytest.raises(GateFailed) as gate:
        ours.promote(2)
    assert {"pointer": "/checks/evaluated", "code": "failed"}.items() <= gate.value.fields[
        0
    ].items()
    assert "retort evaluate" in gate.value.remedy
    ours.drop_policy()
    assert ours.promote(2, alias="production")["alias"] == "champion"
    with pytest.raises(ModelInUse):
        client.models.archive(f"{ours.name}:2")
    back = ours.rollback(note="wrong units")
    assert (back["version"], back["before"]) == (1, 2)
    with pytest.raises(NoEarlierHolder):
        ours.rollback()
    moves = list(ours.history("champion"))
    assert [m["kind"] for m in moves] == ["rolled_back", "promoted", "promoted"]
    assert [(m["before"], m["after"]) for m in moves] == [(2, 1), (1, 2), (None, 1)]
    second = client.models.change(f"{ours.name}:2", labels={"suite": name}, semver="1.1.0")
    assert [m["semver"] for m in client.models.list(label={"suite": name})] == ["1.1.0"]
    assert client.models.lineage(second.id)["dataset"]["ref"] == dataset["ref"]
    assert second.archive()["state"] == "archived"
    assert [m.ref for m in client.models.list(ours.name)] == [f"{ours.name}:1"]
    assert second.restore()["state"] == "candidate"
    with pytest.raises(InvalidReference):
        client.models.archive(ours.name)


def test_predictions_keep_order_and_say_why_not(client, model):
    given = ["CCO", "C1CC(", {"smiles": "CCN", "id": "third"}]
    found = client.predict(model, given)
    assert [item.status for item in found] == ["ok", "error", "ok"]
    assert found[1].reason
    assert found[2]["id"] == "third"
    assert isinstance(found[0].value, float)
    again = client.predict(model, given)  # known now, and the same
    assert [{**item, "cached": None} for item in again] == [
        {**item, "cached": None} for item in found
    ]
    frame = found.to_pandas()
    assert list(frame["status"]) == ["ok", "error", "ok"]
    assert len(frame) == 3


def test_many_inputs_are_mapped_in_order(client, model):
    smiles = ["C" * (n % 17 + 1) for n in range(230)]
    smiles[100] = "C1CC("
    found = list(client.map(model, iter(smiles), chunk=50, concurrency=2))
    assert [item.input for item in found] == smiles
    assert [n for n, item in enumerate(found) if not item.ok] == [100]
    again = client.predict(model, smiles)
    for one, other in zip(again, found, strict=True):
        assert one.ok == other.ok
        assert not one.ok or one.value == pytest.approx(other.value, rel=1e-5)


def test_a_file_is_predicted_row_by_row(client, model, tmp_path):
    job = client.predict_file(model, ROWS)
    job.result()
    assert job["counts"]["rows_total"] == len(ROWS)
    job.download("predictions.csv", tmp_path / "out.csv")
    assert len((tmp_path / "out.csv").read_text().splitlines()) == len(ROWS) + 1
    rows = list(job.rows(start=2, limit=2))
    assert [(row["row"], row["status"]) for row in rows] == [(2, "ok"), (3, "ok")]
    assert isinstance(rows[0]["y"], float)
    page = client.jobs.row_range(job, start=len(ROWS), limit=5)
    assert [row["row"] for row in page["items"]] == [len(ROWS)]
    assert (page["missing"], page["rows_total"]) == ([], len(ROWS))
    assert (page["state"], page["next_cursor"]) == ("succeeded", None)
    with pytest.raises(NotFound, match=r"predictions\.csv"):
        job.download("nothing.csv", tmp_path / "x")


def test_a_failed_job_raises_its_problem(client, dataset, name):
    job = client.train(name, target="nope", **FAST)
    with pytest.raises(JobFailed) as failed:
        job.result()
    assert failed.value.job["id"] == job["id"]
    assert failed.value.remedy
    assert job.refresh().state == "failed"


def test_events_end_with_the_job(client, dataset, name):
    job = client.train(name, target="y", labels={"suite": name}, **FAST)
    with client.jobs.follow(job) as events:
        states = [event.state for event in events if event.state]
    assert states[-1] == "succeeded"
    assert len(states) == len(set(states))
    assert [e["data"]["state"] for e in client.jobs.events(job) if e["type"] == "state"] == states
    assert len(client.jobs.attempts(job)) == 1


def test_a_job_tells_its_log_and_such_jobs_are_estimated(client, model, name):
    lines = list(client.jobs.logs(model["job_id"]))
    assert lines
    assert [line["id"] for line in lines] == sorted(line["id"] for line in lines)
    assert list(client.jobs.logs(model["job_id"], after=lines[-1]["id"])) == []
    word = lines[0]["text"].split()[0]
    assert all(word in line["text"] for line in client.jobs.logs(model["job_id"], q=word))
    found = client.jobs.estimate("train", {"dataset": name, "targets": ["y"]})
    assert {"seconds", "peak_memory_bytes", "basis"} <= found.keys()


def test_lists_are_lazy_complete_and_filtered(client, dataset, name):
    jobs = [client.featurize(name, labels={"list": name}, features=["maccs"]) for _ in range(5)]
    listed = [job["id"] for job in client.jobs.list(label={"list": name})]
    assert listed == [job["id"] for job in reversed(jobs)]
    assert len(list(client.jobs.list(limit=3))) == 3
    tomorrow = datetime.now() + timedelta(days=1)  # noqa: DTZ005 - as somebody would write it
    assert list(client.jobs.list(label={"list": name}, created_after=tomorrow)) == []
    assert len(list(client.jobs.list(label={"list": name}, created_before=tomorrow))) == 5
    for job in jobs:
        job.wait()
    done = client.jobs.list(label={"list": name}, state="succeeded", kind="featurize")
    assert len(list(done)) == 5


def test_the_same_key_is_the_same_job(client, dataset, name):
    key = uuid.uuid4().hex
    params = {"dataset": name, "features": [{"name": "maccs"}]}
    first = client.jobs.submit("featurize", params, idempotency_key=key)
    again = client.jobs.submit("featurize", params, idempotency_key=key)
    assert first["id"] == again["id"]
    with pytest.raises(InvalidRequest) as refused:
        client.jobs.submit("featurize", {"dataset": name}, idempotency_key=key)
    assert refused.value.code == "idempotency_key_reused"


def test_a_job_is_rerun_with_edits(client, dataset, name):
    job = client.train(name, target="y", **FAST).wait()
    edit = {"algorithm": {"params": {"alpha": 3.0}}}
    dry = job.rerun(edit, dry_run=True)
    assert "id" not in dry
    changed = {entry["pointer"]: entry["after"] for entry in dry["difference"]}
    assert changed == {"/params/algorithm/params/alpha": 3.0}
    again = job.rerun(edit)
    assert again["rerun_of"] == job["id"]
    assert again.result()["hyperparameters"]["alpha"] == 3.0


def test_many_jobs_are_changed_at_once(client, dataset, name):
    label = {"bulk": name}
    jobs = [client.train(name, target="nope", labels=label, **FAST) for _ in range(2)]
    for job in jobs:
        with pytest.raises(JobFailed):
            job.wait()
    dry = client.jobs.bulk("retry", label=label, state="failed")
    assert (dry["matched"], dry["changed"], dry["dry_run"]) == (2, 2, True)
    assert {j["state"] for j in client.jobs.list(label=label)} == {"failed"}
    done = client.jobs.bulk("relabel", label=label, labels={"seen": "yes"}, dry_run=False)
    assert done["changed"] == 2
    assert {j["labels"]["seen"] for j in client.jobs.list(label=label)} == {"yes"}
    with pytest.raises(InvalidRequest):
        client.jobs.bulk("cancel", dry_run=False)


def test_files_come_back_as_they_went(client, tmp_path):
    body = uuid.uuid4().hex.encode() * 100_000
    file = client.files.upload(body, "bytes.bin", resumable_above=1_000)
    assert client.files.get(file)["sha256"] == file["sha256"]
    assert client.files.upload(body, "other.bin", resumable_above=1_000)["sha256"] == file["sha256"]
    client.files.download(file, tmp_path / "back.bin")
    assert (tmp_path / "back.bin").read_bytes() == body
    assert file["id"] in [f["id"] for f in client.files.list(limit=10)]


def test_what_is_not_there_is_not_found(client):
    for ask in (
        lambda: client.jobs.get(str(uuid.uuid4())),
        lambda: client.models.get("nothing-here"),
        lambda: client.datasets.get("nothing-here"),
        lambda: client.files.get(str(uuid.uuid4())),
        lambda: client.problem("no_such_code"),
    ):
        with pytest.raises(NotFound) as missing:
            ask()
        assert missing.value.code == "not_found"
        assert missing.value.request_id
        assert missing.value.page == "/problems/not_found"


def test_a_field_that_is_not_known_is_named(client):
    with pytest.raises(InvalidRequest) as refused:
        client.datasets.create(ROWS, "x", sheeet="1", wait=False)
    assert refused.value.fields[0]["pointer"] == "/sheeet"


def test_the_server_tells_of_itself(client):
    assert client.about()["version"]
    assert client.health()["status"] == "ok"
    assert client.alive()["status"] == "ok"
    queues = {queue["queue"] for queue in client.admin.queues()}
    assert {"cpu", "predict"} <= queues
    assert client.admin.workers()
    assert "ridge" in [entry["name"] for entry in client.catalog("algorithms")]
    assert client.catalog("algorithms", "ridge")[0]["name"] == "ridge"
    codes = {problem["code"] for problem in client.problems()}
    assert {"unknown_name", "not_found"} <= codes
    assert client.problem("unknown_name")["remedy"]


def test_rows_of_a_table_are_predicted(client, name):
    rows = [{"age": n % 50, "plan": "ab"[n % 2], "churn": ("no", "yes")[n % 2]} for n in range(120)]
    frame = pd.DataFrame(rows)
    made = client.datasets.create(frame, f"{name}-t", target="churn", kind="table")
    assert (made["kind"], made["rows_ok"]) == ("table", 120)
    model = client.train(made, target="churn", algorithm="logistic_regression").result()
    asked = frame.drop(columns="churn").head(3)
    found = client.predict(model, asked)
    assert [item.status for item in found] == ["ok"] * 3
    assert len(found.to_pandas()) == 3
    again = client.predict(model, [{"features": {"age": 0, "plan": "a"}}, {"age": 1, "plan": "b"}])
    assert [item["targets"] for item in again] == [item["targets"] for item in found[:2]]


def test_two_versions_are_compared(client, dataset, name):
    client.datasets.create([*ROWS[1:10], {"smiles": "CCCCCC", "y": 1.0}], name, target="y")
    found = client.datasets.diff(f"{name}:2", f"{name}:1")
    assert (found["dataset"], found["against"]) == (f"{name}:2", f"{name}:1")
    assert (found["rows"]["before"], found["rows"]["after"]) == (10, 10)
    assert found["equal"] is False
    assert client.datasets.diff(f"{name}:2")["rows"] == found["rows"]


def test_values_are_compared_property_by_property(client):
    found = client.compare_values(
        [{"gap": 1.5, "score": 7.0}, {"gap": 2.0}],
        [{"gap": 1.0, "score": 0.0}, {"gap": 2.0, "score": 1.0}],
        units={"gap": "eV"},
    )
    gap, score = found["properties"]["gap"], found["properties"]["score"]
    assert (gap["n"], gap["mae"], gap["bias"], gap["unit"]) == (2, 0.25, 0.25, "eV")
    assert (score["n"], score["mae"], score["mean_percent_error"]) == (1, 7.0, None)
    assert found["items"][0]["comparisons"]["gap"]["percent_error"] == 50.0
    assert found["items"][1]["missing"] == {"score": "predicted"}
    plain = client.compare_values([1.0, 2.0], pd.Series([1.0, 4.0]))
    assert plain["properties"]["value"]["max_absolute_error"] == 2.0


def test_stored_columns_are_compared(client, dataset, model, name):
    y = {"dataset": dataset, "column": "y"}
    same = client.compare_stored(y, y | {"unit": "kcal/mol"})
    assert (same["matched"]["both"], same["properties"]["y"]["rmse"]) == (10, 0.0)
    assert same["properties"]["y"]["unit"] == "kcal/mol"
    job = client.predict_file(model, ROWS[:10]).wait()
    told = client.compare_stored({"job": job}, y)
    assert told["properties"]["y"]["n"] == 10
    assert told["properties"]["y"]["mae"] > 0
    assert client.compare_stored({"model": model}, y)["properties"]["y"]["n"] > 0


def test_jobs_of_a_workflow_take_what_others_found(client, dataset, name):
    learn = {"dataset": f"{name}:1", "targets": ["y"], "features": [{"name": "maccs"}]}
    made = client.workflows.run(
        {
            "train": {"kind": "train", "params": {**learn, "name": f"{name}-w"}},
            "measure": {
                "kind": "evaluate",
                "params": {"model": {"$from": "train.result.model_ref"}},
            },
        }
    )
    client.jobs.wait(made["jobs"]["measure"])
    found = client.workflows.get(made)
    while found["state"] == "running":
        found = client.workflows.get(made)
    assert found["state"] == "succeeded"
    assert client.models.evaluations(f"{name}-w")


def test_a_study_is_searched_and_its_best_trained(client, dataset, name):
    job = client.optimize(
        name, target="y", algorithm="ridge", features=["maccs"], trials=2, name=f"{name}-o"
    )
    model = job.result()
    assert model["ref"] == f"{name}-o:1"
    study = client.studies.get(job)
    assert study["n_trials"] == 2
    assert len(client.studies.trials(study)) == 2
    assert study["id"] in [s["id"] for s in client.studies.list()]


def test_candidates_are_compared_on_the_same_folds(client, dataset, name, tmp_path):
    few = {"algorithm": "ridge", "features": "maccs", "name": "few"}
    asked = {"folds": 3, "repeats": 1, "metrics": ["mae"], "features": "morgan_counts"}
    job = client.compare(name, ["ridge", few], target="y", **asked)
    found = job.result()
    assert found["metric"] == "mae"
    scored = found["metrics"]["mae"]
    assert {one["name"] for one in scored["candidates"]} == {"ridge", "few"}
    assert scored["n_folds"] == 3
    assert found["conclusion"]
    names = {"comparison.json", "scores.parquet", "comparison.html"}
    assert {file["name"] for file in job.artifacts()} == names
    job.download("comparison.json", tmp_path / "c.json")
    stored = json.loads((tmp_path / "c.json").read_text())
    assert stored["metrics"]["mae"]["candidates"][0]["mean"] == scored["candidates"][0]["mean"]


def test_a_schedule_is_kept_run_and_taken_away(client, model, name):
    job = {"kind": "evaluate", "params": {"model": model["ref"]}}
    made = client.schedules.create(f"{name}-s", "0 2 * * SUN", timezone="Europe/Berlin", job=job)
    assert (made["kind"], made["enabled"], made["version"]) == ("evaluate", True, 1)
    assert made["job"]["params"]["model"] == model["ref"]
    assert client.schedules.update(f"{name}-s", missed="all")["missed"] == "all"
    assert client.schedules.pause(f"{name}-s")["enabled"] is False
    run = client.schedules.run(f"{name}-s")
    assert (run["trigger"], run["state"]) == ("manual", "running")
    client.jobs.wait(run["job_ids"][0])
    while client.schedules.get_run(f"{name}-s", run)["state"] == "running":
        time.sleep(0.2)
    (ended,) = client.schedules.history(f"{name}-s")
    assert (ended["id"], ended["state"]) == (run["id"], "succeeded")
    assert client.schedules.resume(f"{name}-s")["enabled"] is True
    assert f"{name}-s" in [one["name"] for one in client.schedules.list()]
    with pytest.raises(InvalidRequest, match="cron"):
        client.schedules.create(f"{name}-t", "whenever", job=job)
    client.schedules.remove(f"{name}-s")
    with pytest.raises(NotFound):
        client.schedules.get(f"{name}-s")


def test_a_model_is_evaluated(client, model):
    model.evaluate().result()
    found = client.models.evaluations(model)
    assert found[0]["model_id"] == model["id"]
    assert client.models.evaluation(found[0]["id"])["id"] == found[0]["id"]


def test_predictions_are_remembered_when_asked(client, model, name):
    client.predict(model, ["CCO", {"smiles": "CCN", "id": "mine"}], remember=True)
    client.predict(model, ["CCC"])
    ends = time.monotonic() + 60
    while len(list(client.past_predictions.list(model=name))) < 2 and time.monotonic() < ends:
        time.sleep(0.5)
    found = {past["structure"]: past for past in client.past_predictions.list(model=name)}
    assert found.keys() == {"CCO", "CCN"}
    past = found["CCN"]
    assert past["model"]["id"] == model["id"]
    assert past["input"] == {"smiles": "CCN", "id": "mine"}
    assert past["output"]["targets"]["y"]["value"] is not None
    assert client.past_predictions.get(past)["id"] == past["id"]
    latest = client.past_predictions.latest("CCN")
    assert past["id"] in [one["id"] for one in latest["items"]]
    assert f"{name}:1" in latest["models_used"]
    client.past_predictions.remove(past)
    with pytest.raises(NotFound):
        client.past_predictions.get(past)
    assert client.past_predictions.remove_all(model=name) == 1
    with pytest.raises(InvalidRequest):
        client.past_predictions.remove_all()


def test_the_cache_tells_how_often_it_knew(client, model):
    client.predict(model, ["CCCCO"])
    client.predict(model, ["CCCCO"])
    known = {
        one["model"]["id"]: one for one in client.past_predictions.cache_statistics()["models"]
    }
    assert known[model["id"]]["hits"] >= 1
    assert 0 < known[model["id"]]["hit_rate"] < 1
    assert client.past_predictions.forget_answers(model) >= 1


def test_a_key_is_made_shown_once_rotated_and_revoked(client, name):
    made = client.keys.create(f"{name} reader", "scientist", scopes=["read"], expires="90d")
    assert made["key"].startswith(f"rt_{made['prefix']}_")
    shown = client.keys.get(made["key"])
    assert (shown["role"], shown["scopes"], shown["state"]) == ("scientist", ["read"], "active")
    assert "key" not in shown
    assert shown["last_used_at"] is None
    with pytest.raises(Conflict, match="name"):
        client.keys.create(f"{name} reader", "viewer")
    new = client.keys.rotate(made["prefix"], overlap="1h")
    assert client.keys.get(made["prefix"])["state"] == "rotated"
    assert client.keys.revoke(new["prefix"])["state"] == "revoked"
    states = {key["prefix"]: key["state"] for key in client.keys.list()}
    assert (states[made["prefix"]], states[new["prefix"]]) == ("rotated", "revoked")
    with pytest.raises(Conflict, match="revoked"):
        client.keys.rotate(new["prefix"])


def test_everybody_may_ask_who_he_is(client):
    me = client.keys.whoami()
    assert me["name"] == client.about()["caller"]
    assert me["role"] == "admin"
    assert "jobs:write" in me["rights"]
