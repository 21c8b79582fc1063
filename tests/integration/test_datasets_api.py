"""What a person looks at before they train, over HTTP: preview, labels, lineage."""

import os
import subprocess
import sys
import time

import orjson
import pytest

from app.core.ids import new_id
from app.db.datasets import DatasetRow, SplitRow
from app.db.models import AliasRow, ModelVersionRow
from tests.support.cluster import ROOT
from tests.support.datasets import ingested
from tests.support.molecules import DATA


@pytest.fixture
def warm_worker(retort_environment, tmp_path):
    """The interactive worker, as docker-compose.yml starts it."""
    log = tmp_path / "interactive.log"
    command = [sys.executable, "-m", "celery", "-A", "workers.celery_app", "worker"]
    command += ["-Q", "predict_now", "-c", "1", "--without-gossip", "--without-mingle"]
    with log.open("ab") as stream:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **retort_environment},
            stdout=stream,
            stderr=stream,
        )
    try:
        end = time.monotonic() + 120
        while " ready." not in log.read_text():
            assert process.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < end, log.read_text()[-2000:]
            time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        process.wait(timeout=60)


def upload(api, content, name="f.csv"):
    return api.post("files", files={"file": (name, content)}).json()["id"]


# ---- preview


def test_a_preview_tells_what_was_understood_and_honours_what_a_person_says(
    api, resources, warm_worker
):
    text = "Name;SMILES;logS (mol/L);note\n"
    text += "".join(
        f"m{n};{'C' * (n % 30 + 1)}O;{n}.5;{'' if n % 2 else 'x'}\n" for n in range(700)
    )
    file_id = upload(api, text)
    found = api.post(f"files/{file_id}/preview").json()
    assert (found["format"], found["kind"], found["rows_sampled"]) == ("csv", "molecule", 500)
    assert found["encoding"] == "utf-8"
    columns = {column["name"]: column for column in found["columns"]}
    assert columns["SMILES"]["role"] == "smiles"
    assert columns["SMILES"]["distinct"] == 30
    assert columns["SMILES"]["examples"] == ["CO", "CCO", "CCCO", "CCCCO", "CCCCCO"]
    assert columns["Name"]["role"] == "id"
    assert columns["logS (mol/L)"]["role"] == "target"
    assert (columns["note"]["missing"], columns["note"]["distinct"]) == (250, 1)

    said = api.post(f"files/{file_id}/preview", json={"roles": {"logS (mol/L)": "ignore"}}).json()
    roles = {column["name"]: column["role"] for column in said["columns"]}
    assert roles["logS (mol/L)"] == "ignore"

    wrong = api.post(f"files/{file_id}/preview", json={"roles": {"log S": "target"}})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "unknown_name")
    assert "'logS (mol/L)'" in wrong.json()["remedy"]
    assert wrong.json()["errors"][0]["pointer"] == "/roles/log S"

    header_only = api.post(f"files/{upload(api, 'smiles,y')}/preview")
    assert (header_only.status_code, header_only.json()["code"]) == (422, "no_rows")
    blocks = upload(api, (DATA / "membrane_permeability.sdf.gz").read_bytes(), "m.sdf.gz")
    sdf = api.post(f"files/{blocks}/preview").json()
    assert (sdf["format"], sdf["rows_sampled"]) == ("sdf", 201)
    structure = next(c for c in sdf["columns"] if c["role"] == "smiles")
    assert all("\n" not in text for text in structure["examples"]), "SMILES, not Mol blocks"


def test_a_difference_is_answered_by_a_worker(api, resources, warm_worker):
    for text in ("smiles,y\nCCO,1\nCCC,2\n", "smiles,y\nCCO,1\nCCC,3\nCCN,4\n"):
        ingested(resources, text, name="mols")
    found = api.get("datasets/mols/diff").json()
    assert (found["dataset"], found["against"], found["equal"]) == ("mols:2", "mols:1", False)
    assert (found["rows"]["added"], found["rows"]["changed"]) == (1, 1)
    back = api.get("datasets/mols:1/diff?against=mols:2").json()
    assert [row["smiles"] for row in back["examples"]["removed"]] == ["CCN"]
    alone = api.get("datasets/mols:1/diff")
    assert (alone.status_code, alone.json()["code"]) == (404, "not_found")
    assert "against=" in alone.json()["remedy"]
    ingested(resources, "a,b,y\n1,2,3\n2,3,4\n", name="plain", roles={"y": "target"})
    other = api.get("datasets/plain/diff?against=mols")
    assert other.status_code == 422, "the worker's refusal has the gateway's status"
    assert "kind" in other.json()["detail"]


def test_a_question_of_a_newer_gateway_is_to_be_asked_again():
    """A rolling upgrade mixes versions: predictions keep their task and their form."""
    from app.core.errors import Unavailable
    from tasks.interactive import QUESTIONS, _find

    assert _find({"question": "preview"}) is QUESTIONS["preview"]
    with pytest.raises(Unavailable, match="upgraded"):
        _find({"question": "of tomorrow"})


def test_which_task_a_payload_goes_to(resources):
    import orjson

    from app.core.errors import Unavailable
    from workers.interactive import ask

    for payload in ({"model_id": "m", "inputs": []}, {"question": "preview"}):
        with pytest.raises(Unavailable):
            ask(resources, payload, 0.2)
    sent = [
        orjson.loads(m)["headers"]["task"] for m in resources.redis.lrange("predict_now", 0, -1)
    ]
    assert sorted(sent) == ["retort.answer", "retort.predict_now"]


def test_a_file_of_another_project_cannot_be_previewed(api):
    assert api.post(f"files/{new_id()}/preview").status_code == 404
    wrong = api.post(f"files/{upload(api, 'smiles,y')}/preview", json={"rolls": {}})
    assert wrong.json()["errors"][0]["detail"].startswith("there is no field 'rolls'")


# ---- labels, lists


def test_labels_are_merged_and_null_removes_one(api):
    create(api, "mols")
    first = api.patch("datasets/mols", json={"labels": {"team": "a", "checked": "yes"}})
    assert first.json()["labels"] == {"team": "a", "checked": "yes"}
    second = api.patch("datasets/mols:1", json={"labels": {"team": None, "by": "me"}})
    assert second.json()["labels"] == {"checked": "yes", "by": "me"}
    assert api.get("datasets/mols").json()["labels"] == {"checked": "yes", "by": "me"}
    many = {"labels": {f"l{n}": "x" for n in range(49)}}
    assert api.patch("datasets/mols", json=many).status_code == 422
    assert api.patch("datasets/mols", json={"name": "other"}).status_code == 422


def test_the_list_is_filtered_by_name_and_kind(api, resources):
    for name in ("a", "b", "a"):
        create(api, name)
    with resources.database.session() as session:
        row = session.query(DatasetRow).filter_by(name="b").one()
        row.kind = "table"
    shown = [row["ref"] for row in api.get("datasets?name=a").json()["items"]]
    assert shown == ["a:2", "a:1"]
    assert [row["ref"] for row in api.get("datasets?kind=table").json()["items"]] == ["b:1"]
    assert api.get("datasets?kind=tabel").status_code == 422
    page = api.get("datasets?name=a&limit=1").json()
    rest = api.get(f"datasets?name=a&limit=1&cursor={page['next_cursor']}").json()
    assert [row["ref"] for row in page["items"] + rest["items"]] == ["a:2", "a:1"]


def create(api, name):
    file_id = upload(api, "smiles,y\nCCO,1\n")
    return api.post("datasets", json={"file_id": file_id, "name": name}).json()


# ---- the report's page


def test_the_page_may_run_nothing(api, resources):
    dataset = create(api, "mols")
    assert api.get("datasets/mols/report.html").status_code == 409, "not ready"
    with resources.database.session() as session:
        row = session.get_one(DatasetRow, dataset["id"])
        row.manifest_key, row.sha256 = f"datasets/{row.id}/1/manifest.json", "0" * 64
    old = api.get("datasets/mols/report.html")
    assert (old.status_code, old.json()["code"]) == (404, "not_found")
    resources.storage.write(f"datasets/{dataset['id']}/1/report.html", b"<!doctype html>")
    page = api.get("datasets/mols/report.html")
    assert page.text == "<!doctype html>"
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script" not in policy, "nothing gives back what default-src takes"
    assert "sandbox" in policy.split("; ")


def test_the_gateway_sends_the_policy_that_the_page_was_made_for():
    from app.pages.policy import CONTENT_SECURITY_POLICY, PAGE_HEADERS

    sent = PAGE_HEADERS["Content-Security-Policy"]
    assert sent.startswith(f"{CONTENT_SECURITY_POLICY}; ")


# ---- lineage


@pytest.mark.req("goal-26")
def test_the_lineage_leads_from_the_file_to_the_predictions(api, resources):
    create(api, "mols")
    dataset = create(api, "mols")
    model = _model_of(resources, dataset["id"])
    other = create(api, "else")
    _model_of(resources, other["id"], name="stranger")
    job = api.post(
        "jobs", json={"kind": "predict", "params": {"model": "m:1", "dataset": "mols:2"}}
    ).json()
    found = api.get("datasets/mols:2/lineage").json()
    assert found["file"]["id"] == dataset["file_id"]
    assert len(found["file"]["sha256"]) == 64
    assert found["ingest"]["id"] == dataset["job_id"]
    assert [v["ref"] for v in found["versions"]] == ["mols:2", "mols:1"]
    assert [s["splitter"] for s in found["splits"]] == ["random"]
    (shown,) = found["models"]
    assert shown["id"] == str(model)
    assert shown["metric"] == {"name": "rmse", "part": "test", "value": 0.6}
    assert shown["aliases"] == ["champion", "trial"]
    assert shown["split_id"] == found["splits"][0]["id"]
    assert [(p["id"], p["model"]) for p in found["predictions"]] == [(job["id"], "m:1")]
    assert found["more"] == []
    assert api.get("datasets/mols:1/lineage").json()["models"] == []


@pytest.mark.req("goal-28")
def test_a_split_is_shown_with_its_rows(api, resources):
    dataset, other = create(api, "mols"), create(api, "else")
    _model_of(resources, dataset["id"])
    stored = {"hash": "h", "train": [0, 2], "validation": [], "test": [1]}
    resources.storage.write("splits/x", orjson.dumps(stored))
    (listed,) = api.get("datasets/mols/splits").json()["items"]
    shown = api.get(f"datasets/mols/splits/{listed['id']}").json()
    assert shown == {**listed, "train": [0, 2], "validation": [], "test": [1]}
    for ref, split in (("else", listed["id"]), ("mols", other["id"])):
        refused = api.get(f"datasets/{ref}/splits/{split}")
        assert refused.status_code == 404
        assert "splits" in refused.json()["remedy"]


def _model_of(resources, dataset_id, name="m"):
    with resources.database.session() as session:
        dataset = session.get_one(DatasetRow, dataset_id)
        dataset.manifest_key, dataset.sha256 = "datasets/x/1/manifest.json", "0" * 64
        split = SplitRow(
            dataset_id=dataset.id,
            splitter="random",
            params={},
            seed=0,
            params_hash="p",
            hash="h",
            storage_key="splits/x",
            sizes={"train": 1},
        )
        session.add(split)
        session.flush()
        model = ModelVersionRow(
            name=name,
            number=1,
            task="regression",
            algorithm="lightgbm",
            hyperparameters={},
            training_config={},
            targets=[{"name": "y"}],
            metrics={"test": {}, "mean": {"rmse": {"value": 0.6}}},
            dataset_id=dataset.id,
            split_id=split.id,
            feature_set_hash="f",
            device="cpu",
            manifest_key="models/x/manifest.json",
            sha256="0" * 64,
        )
        session.add(model)
        session.flush()
        for alias in ("trial", "champion"):
            session.add(
                AliasRow(project_id=model.project_id, name=name, alias=alias, model_id=model.id)
            )
        return model.id
