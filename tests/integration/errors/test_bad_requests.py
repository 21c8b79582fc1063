"""What people get wrong: each refusal's remedy is followed to the letter, and then it works."""

import io
import re

import numpy as np
import pytest

RIDGE = {"name": "ridge"}
MACCS = [{"name": "maccs"}]
CHAIN = ["C" * n + "O" for n in range(1, 31)]
GOOD = "smiles,y\n" + "".join(f"{s},{n}.5\n" for n, s in enumerate(CHAIN))
CLASSES = "smiles,y\n" + "".join(f"{s},{'ab'[n % 2]}\n" for n, s in enumerate(CHAIN))

pytestmark = pytest.mark.req("goal-5")


@pytest.fixture
def lab(api, worker):
    return Lab(api, worker)


class Lab:
    """The API as a person uses it, with a worker that works when something is waiting."""

    def __init__(self, api, worker):
        self.api, self.worker = api, worker

    def upload(self, content, name="mols.csv"):
        data = content.encode() if isinstance(content, str) else content
        answer = self.api.post("files", files={"file": (name, io.BytesIO(data))})
        return answer.json()["id"] if answer.status_code == 201 else answer

    def ingest(self, content, name="mols", file_name="mols.csv", **params):
        """The ended ingest job."""
        body = {"file_id": self.upload(content, file_name), "name": name, **params}
        answer = self.api.post("datasets", json=body)
        assert answer.status_code == 202, answer.text
        return self.ended(answer.json()["job_id"])

    def train(self, dataset="mols", **params):
        """The answer of a refused request, else the ended job."""
        params = {"algorithm": RIDGE, "features": MACCS, "bootstrap": 0} | params
        body = {"kind": "train", "params": {"dataset": dataset, **params}}
        return self.submit(body)

    def submit(self, body, **headers):
        answer = self.api.post("jobs", json=body, headers=headers)
        return self.ended(answer.json()["id"]) if answer.status_code == 202 else answer

    def ended(self, job_id):
        self.worker.run_all()
        return self.api.get(f"jobs/{job_id}").json()


def failed(job, code):
    """The problem of a failed job, which is the same object as a refused request's."""
    assert isinstance(job, dict), job.text
    assert job["state"] == "failed", job
    error = job["error"]
    assert error["code"] == code, error
    assert error["type"] == f"/problems/{code}"
    assert error["remedy"]
    return error


def succeeded(job):
    assert isinstance(job, dict), job.text
    assert job["state"] == "succeeded", job["error"]
    return job


# ---- files


def test_an_empty_file(lab, problem):
    assert "rows" in problem(lab.upload(""), 422, "empty_file")["remedy"]
    blank = failed(lab.ingest("  \n\n"), "empty_file")
    assert "Upload" in blank["remedy"]
    succeeded(lab.ingest(GOOD))


def test_a_header_without_a_row(lab):
    assert "row below the header" in failed(lab.ingest("smiles,y\n"), "no_rows")["remedy"]
    succeeded(lab.ingest("smiles,y\n" + "CCO,1.5\n"))


def test_binary_junk(lab):
    junk = np.random.default_rng(3).bytes(5000)
    job = lab.ingest(b"\x00\x01" + junk, file_name="junk.csv")
    assert "CSV" in failed(job, "not_a_table")["remedy"]
    succeeded(lab.ingest(GOOD))


def test_no_usable_column(lab):
    only_names = "name,comment\n" + "".join(f"molecule {n},fine {n}\n" for n in range(20))
    error = failed(lab.ingest(only_names), lab_code(lab, only_names))
    assert "roles" in error["remedy"]
    named = "name,structure\n" + "".join(f"molecule {n},{s}\n" for n, s in enumerate(CHAIN))
    succeeded(lab.ingest(named, roles={"structure": "smiles"}))


def lab_code(lab, content):
    """A file without structures is a table; one without columns to learn from is none."""
    return lab.ingest(content, name="probe")["error"]["code"]


def test_molecules_are_asked_for_and_no_column_has_any(lab):
    error = failed(lab.ingest("a,b\n1,2\n3,4\n", kind="molecule"), "no_structure_column")
    assert '"smiles"' in error["remedy"]
    structures = "a,b\n" + "".join(f"{s},{n}\n" for n, s in enumerate(CHAIN))
    succeeded(lab.ingest(structures, kind="molecule", roles={"a": "smiles"}))


def test_conflicting_roles(lab):
    two = "s1,s2,y\n" + "".join(f"{s},{s}C,{n}.5\n" for n, s in enumerate(CHAIN))
    error = failed(lab.ingest(two, roles={"s1": "smiles", "s2": "smiles"}), "conflicting_roles")
    assert "one column" in error["remedy"]
    succeeded(lab.ingest(two, roles={"s1": "smiles"}))


def test_a_mistyped_column_in_the_roles(lab):
    error = failed(lab.ingest(GOOD, roles={"smile": "smiles"}), "unknown_name")
    meant = re.search(r"smiles", error["remedy"])[0]
    succeeded(lab.ingest(GOOD, roles={meant: "smiles"}))


def test_all_rows_refused(lab):
    bad = "structure,y\nnot a molecule,1\nnor this(,2\n"
    error = failed(lab.ingest(bad, kind="molecule", roles={"structure": "smiles"}), "rows_refused")
    assert [entry["pointer"] for entry in error["errors"]] == ["row 1", "row 2"]
    assert "correct the rows" in error["remedy"]
    succeeded(lab.ingest("structure,y\nCCO,1\nCCN,2\n", roles={"structure": "smiles"}))


def test_a_damaged_archive(lab):
    import gzip

    whole = gzip.compress(GOOD.encode() * 50)
    error = failed(lab.ingest(whole[: len(whole) // 2], file_name="a.csv.gz"), "damaged_file")
    assert "again" in error["remedy"]
    succeeded(lab.ingest(whole, file_name="a.csv.gz"))


# ---- what cannot be learned


@pytest.fixture
def mols(lab):
    succeeded(lab.ingest(GOOD))


def test_one_class(lab):
    lab.ingest("smiles,y\n" + "".join(f"{s},yes\n" for s in CHAIN), roles={"y": "target"})
    job = lab.train(targets=["y"], algorithm={"name": "logistic_regression"})
    assert "two classes" in failed(job, "one_class")["remedy"]
    lab.ingest(CLASSES, roles={"y": "target"})
    succeeded(lab.train(targets=["y"], algorithm={"name": "logistic_regression"}))


def test_two_rows(lab):
    lab.ingest("smiles,y\nCCO,1.5\nCCC,2.5\n", roles={"y": "target"})
    error = failed(lab.train(), "too_few_rows")
    least = int(re.search(r"at least (\d+)", error["remedy"])[1])
    lab.ingest("".join(GOOD.splitlines(keepends=True)[: least + 1]), roles={"y": "target"})
    succeeded(lab.train())


@pytest.mark.parametrize("split", ["random", "stratified", "scaffold"])
@pytest.mark.parametrize("rows", range(1, 12))
def test_every_small_number_of_rows_is_learned_or_explained(lab, rows, split):
    rings = ["c1ccccc1", "c1ccncc1", "C1CCCCC1", "C1CCNCC1", "c1ccsc1", "C1CCOC1"]
    made = [f"{rings[n % 6]}{'C' * (n // 6)}" for n in range(rows)]
    content = "smiles,y\n" + "".join(f"{s},{n}.5\n" for n, s in enumerate(made))
    lab.ingest(content, roles={"smiles": "smiles", "y": "target"}, kind="molecule")
    job = lab.train(split={"name": split})
    if job["state"] == "failed":
        assert job["error"]["code"] in ("too_few_rows", "too_few_scaffolds", "constant_target")
        assert rows < 8 or job["error"]["code"] == "too_few_scaffolds"
    else:
        assert all(job["result"]["metrics"]["n"][part] for part in ("train", "test"))


@pytest.mark.parametrize("word", ["NaN", "inf", "-inf", "1e999", "nan", ""])
def test_nan_and_infinite_targets_are_missing_labels_and_counted(lab, word):
    rows = GOOD.splitlines()
    rows[1:4] = [f"{s},{word}" for s in CHAIN[:3]]
    job = succeeded(lab.ingest("\n".join(rows), roles={"y": "target"}))
    counts = lab.api.get("datasets/mols").json()
    assert counts["rows_in"] == 30
    assert counts["rows_in"] == counts["rows_ok"] + counts["rows_rejected"] + counts["rows_merged"]
    del job
    result = succeeded(lab.train())["result"]
    assert sum(result["metrics"]["n"].values()) == 27
    assert np.isfinite(result["metrics"]["mean"]["rmse"]["value"])


@pytest.mark.parametrize("word", ["NaN", "inf", ""])
def test_all_labels_missing(lab, word):
    content = "smiles,y\n" + "".join(f"{s},{word}\n" for s in CHAIN)
    job = lab.ingest(content, roles={"y": "target"})
    if job["state"] == "failed":  # every row was refused for its label, and says so
        failed(job, "rows_refused")
    else:
        # a column of nothing but `inf` is a column of words: one class
        code = "one_class" if word == "inf" else "no_labels"
        job = lab.train(targets=["y"])
        assert failed(job, code)["remedy"]
    lab.ingest(GOOD, roles={"y": "target"})
    succeeded(lab.train(targets=["y"]))


def test_a_constant_target(lab):
    two = "smiles,y,z\n" + "".join(f"{s},1.5,{n}.5\n" for n, s in enumerate(CHAIN))
    lab.ingest(two, roles={"y": "target", "z": "target"})
    error = failed(lab.train(targets=["y"], task="regression"), "constant_target")
    assert "Choose a column whose values differ" in error["remedy"]
    succeeded(lab.train(targets=["z"]))


def test_a_target_that_is_constant_in_the_training_rows_only(lab):
    """The other value is in the test rows: no estimator may be asked to make sense of it."""
    words = ["train"] * 24 + ["validation"] * 3 + ["test"] * 3
    rows = [
        f"{s},{1.0 if w == 'train' else n},{w}"
        for n, (s, w) in enumerate(zip(CHAIN, words, strict=True))
    ]
    lab.ingest("smiles,y,part\n" + "\n".join(rows), roles={"y": "target", "part": "split"})
    column = {"name": "column", "params": {"column": "part"}}
    job = lab.train(targets=["y"], split=column, task="regression")
    assert job["state"] == "succeeded" or failed(job, "constant_target")


def test_words_as_numbers_and_numbers_as_classes(lab):
    lab.ingest(CLASSES, roles={"y": "target"})
    error = failed(lab.train(targets=["y"], task="regression"), "target_not_numeric")
    task = re.search(r'"task": "(\w+)"', error["remedy"])[1]
    succeeded(lab.train(targets=["y"], task=task, algorithm={"name": "logistic_regression"}))


def test_too_many_classes(lab):
    many = "smiles,y\n" + "".join(f"{'C' * n}O,{n}.5\n" for n in range(1, 130))
    lab.ingest(many, roles={"y": "target"})
    job = lab.train(targets=["y"], task="multiclass", algorithm={"name": "logistic_regression"})
    task = re.search(r'"task": "(\w+)"', failed(job, "too_many_classes")["remedy"])[1]
    succeeded(lab.train(targets=["y"], task=task))


def test_a_split_column_that_is_none(lab):
    column = {"name": "column", "params": {"column": "part"}}
    parts = "smiles,y,part\n" + "".join(
        f"{s},{n}.5,{'training' if n % 5 else 'testing'}\n" for n, s in enumerate(CHAIN)
    )
    lab.ingest(GOOD, roles={"y": "target"})
    error = failed(lab.train(split=column), "bad_split_column")
    assert "role `split`" in error["remedy"]
    lab.ingest(parts.replace("testing", "tset"), roles={"y": "target", "part": "split"})
    error = failed(lab.train(split=column), "bad_split_column")
    assert re.search(r"Use one of: (\w+)", error["remedy"])[1] == "test"
    lab.ingest(parts, roles={"y": "target", "part": "split"})
    succeeded(lab.train(split=column))


def test_an_algorithm_for_another_task(lab, problem):
    lab.ingest(CLASSES, roles={"y": "target"})
    error = failed(lab.train(targets=["y"]), "task_mismatch")
    first = re.search(r"e\.g\. (\w+)", error["remedy"])[1]
    succeeded(lab.train(targets=["y"], algorithm={"name": first}))
    refused = problem(lab.train(targets=["y"], task="binary"), 422, "task_mismatch")
    first = re.search(r"for binary use one of: (\w+)", refused["remedy"])[1]
    succeeded(lab.train(targets=["y"], task="binary", algorithm={"name": first}))


# ---- names


@pytest.mark.parametrize(
    ("params", "field", "right"),
    [
        ({"algorithm": {"name": "rigde"}}, "/params/algorithm", {"algorithm": {"name": "{}"}}),
        ({"features": [{"name": "macs"}]}, "/params/features/0", {"features": [{"name": "{}"}]}),
        ({"split": {"name": "randon"}}, "/params/split", {"split": {"name": "{}"}}),
    ],
)
def test_a_mistyped_plug_in(lab, mols, problem, params, field, right):
    error = problem(lab.train(**params), 422, "unknown_name")
    assert error["errors"][0]["pointer"] == field
    meant = re.search(r"Use one of: (\w+)", error["remedy"])[1]
    succeeded(lab.train(**fill(right, meant)))


def fill(value, name):
    if isinstance(value, dict):
        return {key: fill(inner, name) for key, inner in value.items()}
    if isinstance(value, list):
        return [fill(inner, name) for inner in value]
    return value.format(name)


def test_a_mistyped_parameter(lab, mols, problem):
    wrong = {"name": "ridge", "params": {"alfa": 2.0}}
    error = problem(lab.train(algorithm=wrong), 422, "invalid_parameters")
    meant = re.search(r"Write '(\w+)' instead of 'alfa'", error["remedy"])[1]
    succeeded(lab.train(algorithm={"name": "ridge", "params": {meant: 2.0}}))


def test_a_mistyped_metric(lab, mols, problem):
    params = {"dataset": "mols", "algorithm": "ridge", "features": MACCS, "n_trials": 2}
    body = {"kind": "optimize", "params": params | {"metric": "rmsee"}}
    error = problem(lab.submit(body), 422, "unknown_name")
    assert error["errors"][0]["pointer"] == "/params/metric"
    meant = re.search(r"Use one of: (\w+)", error["remedy"])[1]
    assert meant == "rmse"
    succeeded(lab.submit({"kind": "optimize", "params": params | {"metric": meant, "folds": 2}}))


def test_a_mistyped_target(lab):
    named = GOOD.replace("smiles,y", "smiles,solubility")
    lab.ingest(named, roles={"solubility": "target"})
    error = failed(lab.train(targets=["solubilty"]), "unknown_name")
    succeeded(lab.train(targets=[re.search(r"nearest first: (\w+)", error["remedy"])[1]]))


def test_a_mistyped_data_set_and_model(server, lab, mols, problem):
    error = problem(lab.train("molz"), 404, "not_found")
    dataset = re.search(r"Known data sets: (\w+)", error["remedy"])[1]
    error = problem(predict(lab, "mols"), 404, "not_found")
    assert "train one" in error["remedy"]
    succeeded(lab.train(dataset))
    error = problem(predict(lab, "mol"), 404, "not_found")
    model = re.search(r"Known models: (\w+)", error["remedy"])[1]
    answer = predict(lab, model).json()
    assert answer.get("predictions", answer.get("items"))[0]["status"] == "ok", answer


def test_a_missing_version_and_a_missing_alias_name_what_there_is(server, lab, mols, problem):
    succeeded(lab.train(alias="champion"))
    for ref in ("mols:7", "mols@champoin"):
        error = problem(predict(lab, ref), 404, "not_found")
        known = re.search(r"mols exists: ([\w:@, ]+)\.", error["remedy"])[1].split(", ")
        assert known == ["mols:1", "mols@champion"]
    for ref in known:
        assert predict(lab, ref).status_code == 200
    error = problem(predict(lab, "My Model"), 422, "invalid_reference")
    assert "`name:3`" in error["remedy"]


def predict(lab, model, inputs=("CCO",)):
    return lab.api.post("predictions", json={"model": model, "inputs": list(inputs)})


def test_an_alias_to_a_missing_version(lab, mols, problem):
    succeeded(lab.train())
    error = problem(
        lab.api.put("registry/mols/aliases/production", json={"version": 9}), 404, "not_found"
    )
    number = int(re.search(r"mols:(\d+)", error["remedy"])[1])
    done = lab.api.put("registry/mols/aliases/production", json={"version": number})
    assert done.status_code == 200, done.text


# ---- predicting


def test_predicting_a_file_without_structures(lab, mols):
    succeeded(lab.train())
    rows = "id,weight\n" + "".join(f"m{n},{n}\n" for n in range(5))
    body = {"kind": "predict", "params": {"model": "mols", "file_id": lab.upload(rows)}}
    error = failed(lab.submit(body), "no_structure_column")
    assert "column" in error["remedy"]
    rows = "id,structure\n" + "".join(f"m{n},{s}\n" for n, s in enumerate(CHAIN))
    params = {"model": "mols", "file_id": lab.upload(rows), "smiles_column": "structure"}
    job = succeeded(lab.submit({"kind": "predict", "params": params}))
    assert job["counts"]["rows_ok"] == 30


@pytest.mark.req("C-25")
def test_too_many_interactive_inputs(lab, mols, problem):
    succeeded(lab.train())
    error = problem(predict(lab, "mols", CHAIN * 4), 422, "too_many_inputs")
    assert "file and post a job of kind predict" in error["remedy"]
    file_id = lab.upload("smiles\n" + "\n".join(CHAIN * 4))
    job = lab.submit({"kind": "predict", "params": {"model": "mols", "file_id": file_id}})
    assert succeeded(job)["counts"]["rows_ok"] == 120


# ---- requests


def test_a_body_over_the_limit(lab, problem):
    limit = lab.api.get("").json()["limits"]["body_bytes"]
    body = {"kind": "ingest", "params": {"name": "x" * limit}}
    answer = lab.api.post("jobs", json=body)
    assert "Split" in problem(answer, 413, "payload_too_large")["remedy"]


def limited(lab, **limits):
    """Settings are frozen, and made anew for each test."""
    lab.api.gateway.state.resources.settings.__dict__.update(limits)


def test_an_upload_over_the_limit_is_split(lab, problem):
    limited(lab, max_upload_bytes=1024)
    content = GOOD * 4
    problem(lab.upload(content), 413, "payload_too_large")
    lines = GOOD.splitlines(keepends=True)
    for part in (lines[:16], [lines[0], *lines[16:]]):
        assert isinstance(lab.upload("".join(part)), str)


def test_an_unknown_job_and_itself_among_the_needs(lab, mols, problem):
    body = {"kind": "train", "params": {"dataset": "mols", "features": MACCS, "algorithm": RIDGE}}
    nobody = "019aa3b2-7c4e-7d11-9c5e-2f6a4c3b1d00"
    answer = lab.api.post("jobs", json=body | {"needs": [nobody]})
    error = problem(answer, 404, "not_found")
    assert error["errors"][0]["pointer"] == "/needs/0"
    assert "GET /api/v1/jobs" in error["remedy"]
    (known,) = lab.api.get("jobs").json()["items"]
    succeeded(lab.submit(body | {"needs": [known["id"]]}))


def test_an_idempotency_key_with_another_body(lab, mols, problem):
    body = {"kind": "train", "params": {"dataset": "mols", "features": MACCS, "algorithm": RIDGE}}
    first = lab.submit(body, **{"Idempotency-Key": "key-one-1"})
    answer = lab.submit(body | {"priority": 1}, **{"Idempotency-Key": "key-one-1"})
    assert "fresh key" in problem(answer, 422, "idempotency_key_reused")["remedy"]
    other = lab.submit(body | {"priority": 1}, **{"Idempotency-Key": "key-two-2"})
    again = lab.submit(body, **{"Idempotency-Key": "key-one-1"})
    assert succeeded(other)["id"] != first["id"] == again["id"]


def test_a_data_set_that_is_not_ready(lab, problem):
    made = lab.api.post("datasets", json={"file_id": lab.upload(GOOD), "name": "mols"}).json()
    error = problem(lab.api.get("datasets/mols/report"), 409, "dataset_not_ready")
    assert made["job_id"] in error["remedy"]
    lab.worker.run_all()
    assert lab.api.get("datasets/mols/report").status_code == 200


def test_a_data_set_whose_ingest_failed(lab, problem):
    job = lab.ingest("smiles,y\n")
    error = problem(lab.train(), 422, "dataset_failed")
    assert job["id"] in error["remedy"]
    lab.ingest(GOOD)
    succeeded(lab.train())


def test_more_trials_than_allowed(lab, mols, problem):
    params = {"dataset": "mols", "algorithm": "ridge", "features": MACCS, "n_trials": 100_000}
    error = problem(lab.submit({"kind": "optimize", "params": params}), 422, "too_many_trials")
    allowed = int(re.search(r"Ask for (\d+) or fewer", error["remedy"])[1])
    body = {"kind": "optimize", "params": params | {"n_trials": allowed}}
    assert lab.api.post("jobs", json=body).status_code == 202


def test_no_worker_answers(lab, mols, problem, monkeypatch):
    """Nobody takes the question: the remedy is a job, which waits for its turn."""
    succeeded(lab.train())
    limited(lab, interactive_timeout_seconds=1.0)
    monkeypatch.setattr(lab.worker.celery, "send_task", lambda *_, **__: None)
    answer = predict(lab, "mols")
    error = problem(answer, 503, "no_worker_answered")
    assert answer.headers["retry-after"]
    assert "`predict` job" in error["remedy"]
    body = {"kind": "predict", "params": {"model": "mols", "file_id": lab.upload("smiles\nCCO\n")}}
    succeeded(lab.submit(body))
