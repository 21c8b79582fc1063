"""Aliases on real Postgres, Redis and blobs: moved only to versions whose files are as stored."""

import hashlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FuturesTimeoutError

import numpy as np
import orjson
import psycopg
import pytest
from redis import Redis

from app.access.keys import create_key
from app.algorithms.base import LearningTask, Predictions
from app.core.errors import Conflict
from app.core.hashing import sha256_of_file
from app.core.ids import new_id
from app.db.base import DEFAULT_PROJECT_ID
from app.db.datasets import DatasetRow, SplitRow
from app.db.evaluations import EvaluationRow
from app.db.files import FileRow
from app.db.models import AliasRow, ModelVersionRow
from app.db.projects import ProjectRow
from app.models.pointers import POINTERS_KEY
from app.models.warming import Loading
from app.registry.archive import Dependant, archive
from app.registry.evaluated_rows import rows_as_bytes
from app.registry.training import point_after_training
from app.storage import keys
from tests.support.gateway import calling
from tests.support.waiting import wait_for
from tests.support.worker_here import WorkerHere
from workers.servers import free_port

FILES = ("weights/model.txt", "weights/scale.bin", "assessment/a.npz", "metrics.json", "card.md")
N = 200
TASK = LearningTask(type="regression", targets=("y",), classes=())


@pytest.fixture(autouse=True)
def worker(resources, monkeypatch):
    here = WorkerHere(resources)
    monkeypatch.setattr(here.celery, "send_task", here.answer)
    return here


@pytest.fixture
def lab(resources, api):
    return Lab(resources, api)


class Lab:
    """Versions of `sol`, made without training; their errors are what a test says."""

    def __init__(self, resources, api):
        self.resources, self.api = resources, api
        self.y = np.random.default_rng(7).normal(size=N)
        with resources.database.session() as session:
            file = FileRow(
                name="d.csv", sha256="0" * 64, size=1, media_type="text/csv", storage_key="u/x"
            )
            session.add(file)
            session.flush()
            self.dataset, self.other = (
                DatasetRow(name=name, number=1, file_id=file.id, sha256="0" * 64)
                for name in ("named", "other")
            )
            session.add_all([self.dataset, self.other])
            session.flush()
            split = SplitRow(
                dataset_id=self.dataset.id,
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
            self.split_id = split.id

    def version(self, number, *, name="sol", created_by="key:ana"):
        storage = self.resources.storage
        row = ModelVersionRow(
            name=name,
            number=number,
            task="regression",
            algorithm="ridge",
            hyperparameters={},
            training_config={},
            targets=[{"name": "y"}],
            metrics={"mean": {"rmse": {"value": 0.6}}},
            dataset_id=self.other.id,
            split_id=self.split_id,
            feature_set_hash="f",
            device="cpu",
            created_by=created_by,
            manifest_key="",
            sha256="",
        )
        with self.resources.database.session() as session:
            session.add(row)
            session.flush()
            hashes = {}
            for file in FILES:
                storage.write(keys.model(row.id, file), f"{file} of {number}".encode() * 20)
                hashes[file] = sha256_of_file(storage.local_path(keys.model(row.id, file)))
            row.manifest_key = keys.model(row.id, "manifest.json")
            manifest = {"files": hashes, "code": {"version": "0.1.0", "revision": None}}
            storage.write(row.manifest_key, orjson.dumps(manifest))
            row.sha256 = sha256_of_file(storage.local_path(row.manifest_key))
        return row

    def evaluate(self, model, error=0.5, *, dataset=None, rows=None, seed=0, **changed):
        """As an evaluate job stores it: predictions of the labels with a normal error."""
        rows = np.arange(N) if rows is None else rows
        noise = np.random.default_rng(seed).normal(size=N)[rows] * error
        predictions = Predictions(values=(self.y[rows] + noise)[:, np.newaxis])
        stored = rows_as_bytes(TASK, rows, self.y[rows][:, np.newaxis], predictions)
        rmse = float(np.sqrt(np.mean(noise**2)))
        details = {
            "mean": {"rmse": {"value": rmse}, "mae": {"value": float(np.abs(noise).mean())}},
            "baseline_mean": {"rmse": {"value": 1.0}, "mae": {"value": 0.8}},
            "rows": {"evaluated": len(rows), "seen_in_training": 0},
            "latency_ms": {"p50": 1.0, "p95": 2.0, "rows": 20},
        }
        row = EvaluationRow(
            model_id=model.id,
            dataset_id=(dataset or self.dataset).id,
            part="all",
            metrics={},
            details=details | changed,
        )
        with self.resources.database.session() as session:
            session.add(row)
            session.flush()
            row.rows_key = keys.evaluation(row.id, "rows.parquet")
            row.rows_sha256 = hashlib.sha256(stored).hexdigest()
            self.resources.storage.write(row.rows_key, stored)
        return row

    def put(self, number, alias="champion", name="sol", headers=None, **body):
        return self.api.put(
            f"registry/{name}/aliases/{alias}", json={"version": number, **body}, headers=headers
        )

    def promoted(self, number, alias="champion", **body):
        answer = self.put(number, alias, **body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def rollback(self, alias="champion", **body):
        return self.api.post(f"registry/sol/aliases/{alias}/rollback", json=body)

    def holder(self, alias="champion"):
        with self.resources.database.session() as session:
            row = session.get(AliasRow, (DEFAULT_PROJECT_ID, "sol", alias))
            return None if row is None else session.get(ModelVersionRow, row.model_id).number

    def policy(self, alias="champion", **body):
        answer = self.api.put(f"registry/sol/policies/{alias}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def history(self, **params):
        answer = self.api.get("registry/sol/history", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]


def refused(answer, code, status=409):
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["code"] == code, body
    assert body["remedy"]
    return body


def checks(body):
    return {e["pointer"].removeprefix("/checks/"): e["code"] for e in body["errors"]}


# ---- moving


@pytest.mark.req("S1-18", "goal-56")
def test_who_when_from_to_and_why_is_remembered(lab):
    for number in (1, 2):
        lab.version(number)
    first = lab.promoted(1, note="the first")
    assert (first["before"], first["version"], first["gate"]) == (None, 1, None)
    lab.promoted(2, note="better on the scaffold split")
    assert lab.api.delete("registry/sol/aliases/champion").status_code == 204
    removed, second, first = lab.history()
    assert [e["kind"] for e in (first, second, removed)] == ["promoted", "promoted", "removed"]
    assert [(e["before"], e["after"]) for e in (first, second, removed)] == [
        (None, 1),
        (1, 2),
        (2, None),
    ]
    assert second["note"] == "better on the scaffold split"
    assert {e["by"] for e in (first, second, removed)} == {"key:test"}
    assert first["at"] <= second["at"] <= removed["at"]


def test_the_history_is_paged_by_alias_and_only_appended_to(lab, resources):
    lab.version(1)
    for alias in ("champion", "challenger", "champion", "staging", "champion"):
        lab.promoted(1, alias)
    page = lab.api.get("registry/sol/history", params={"alias": "champion", "limit": 2}).json()
    assert len(page["items"]) == 2
    rest = lab.api.get(
        "registry/sol/history",
        params={"alias": "champion", "limit": 2, "cursor": page["next_cursor"]},
    ).json()
    assert len(rest["items"]) == 1
    assert rest["next_cursor"] is None
    ids = {e["id"] for e in page["items"] + rest["items"]}
    assert ids == {e["id"] for e in lab.history() if e["alias"] == "champion"}
    assert lab.api.get("registry/none/history").status_code == 404
    for change in ("DELETE FROM alias_history", "UPDATE alias_history SET note = 'x'"):
        with (
            pytest.raises(psycopg.errors.RaiseException, match="append-only"),
            resources.database.cursor() as cursor,
        ):
            cursor.execute(change)


@pytest.mark.req("F-10")
def test_the_approver_is_who_asks_and_no_field(lab):
    lab.version(1)
    body = refused(lab.put(1, approved_by="the boss"), "invalid_request", 422)
    assert body["errors"][0]["pointer"] == "/approved_by"
    assert lab.promoted(1)["changed_by"] == "key:test"


@pytest.mark.req("S1-18")
def test_words_of_stages_are_understood(lab):
    lab.version(1)
    lab.version(2)
    assert lab.promoted(1, "production")["alias"] == "champion"
    assert lab.api.get("models/sol@production").json()["number"] == 1
    assert lab.promoted(1, "staging")["alias"] == "staging"
    refused(lab.put(1, "archived"), "model_in_use")
    assert lab.promoted(2, "archived")["version"] == 2
    assert lab.api.get("models/sol:2").status_code == 404
    assert lab.api.get("models/sol@archived").json()["code"] == "invalid_reference"


def test_a_stale_reader_does_not_move_the_alias(lab):
    for number in (1, 2, 3):
        lab.version(number)
    first = lab.put(1)
    assert first.headers["etag"] == first.json()["etag"]
    assert lab.put(2, headers={"If-Match": first.headers["etag"]}).status_code == 200
    refused(lab.put(3, headers={"If-Match": first.headers["etag"]}), "precondition_failed", 412)
    stale = lab.api.delete(
        "registry/sol/aliases/champion", headers={"If-Match": first.headers["etag"]}
    )
    refused(stale, "precondition_failed", 412)
    refused(lab.put(3, "new", headers={"If-Match": "*"}), "precondition_failed", 412)
    assert lab.holder() == 2
    (shown,) = lab.api.get("registry/sol").json()["aliases"]
    assert lab.put(3, headers={"If-Match": shown["etag"]}).status_code == 200


def test_every_move_is_announced(lab, resources):
    lab.version(1)
    lab.version(2)
    words = []
    for change in (
        lambda: lab.promoted(1),
        lambda: lab.promoted(2),
        lab.rollback,
        lambda: lab.api.delete("registry/sol/aliases/champion"),
    ):
        change()
        words.append(resources.cache.get(POINTERS_KEY))
    assert None not in words
    assert len(set(words)) == 4


def test_serving_processes_load_a_version_before_an_alias_points_to_it(lab, warmed):
    one, two = lab.version(1), lab.version(2)
    for change, model in (
        (lambda: lab.promoted(1), one),
        (lambda: lab.promoted(2), two),
        (lab.rollback, one),
    ):
        before = warmed.meaning()
        change()
        assert warmed.told == [({model.id}, before)]
        assert warmed.meaning()[2] == [model.id]
        assert warmed.meaning()[0] != before[0]
        warmed.told.clear()
    lab.api.delete("registry/sol/aliases/champion")
    assert warmed.told == []


def test_a_promotion_waits_for_serving_processes_and_a_rollback_does_not(
    lab, resources, monkeypatch
):
    """A serving process that loads until the test says that it has."""
    for number in (1, 2):
        lab.version(number)
    lab.promoted(1)
    with resources.redis.pubsub(ignore_subscribe_messages=True) as process:
        process.subscribe("serving:warm")
        wait_for(lambda: resources.redis.pubsub_numsub("serving:warm")[0][1] == 1, "it listens", 5)
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(lab.promoted, 2)
            told = wait_for(process.get_message, "the process is told", 30)
            with pytest.raises(FuturesTimeoutError):
                answer.result(1.0)
            assert lab.holder() == 1
            resources.redis.rpush(orjson.loads(told["data"])["reply_to"], b"1")
            answer.result(30)
        assert lab.holder() == 2
        monkeypatch.setattr(Loading, "wait", lambda _: pytest.fail("it was waited for"))
        lab.rollback()
        assert lab.holder() == 1
        assert wait_for(process.get_message, "it is told all the same", 30)


def test_an_alias_moves_while_nobody_can_be_told(lab, resources, monkeypatch):
    nobody = Redis(port=free_port(), socket_connect_timeout=2)
    monkeypatch.setitem(resources.__dict__, "publisher", nobody)
    lab.version(1)
    lab.promoted(1)
    assert lab.holder() == 1


def test_two_who_promote_at_once_leave_one_history(lab):
    for number in (1, 2, 3):
        lab.version(number)
    lab.promoted(1)
    answers = []
    threads = [
        threading.Thread(target=lambda n=n: answers.append(lab.put(n))) for n in (2, 3, 2, 3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {a.status_code for a in answers} <= {200, 409}
    assert all(a.json()["code"] == "alias_changed" for a in answers if a.status_code == 409)
    moves = lab.history()[::-1]
    assert [m["before"] for m in moves] == [None, *(m["after"] for m in moves[:-1])]
    assert moves[-1]["after"] == lab.holder()


# ---- back


@pytest.mark.req("F-16", "goal-59")
def test_each_rollback_goes_further_back(lab):
    for number in (1, 2, 3):
        lab.version(number)
        lab.promoted(number)
    started = time.perf_counter()
    back = lab.rollback(note="wrong units")
    assert time.perf_counter() - started < 1.0
    assert (back.json()["version"], back.json()["before"]) == (2, 3)
    assert lab.rollback().json()["version"] == 1
    refused(lab.rollback(), "no_earlier_holder")
    refused(lab.rollback("never"), "not_found", 404)
    assert lab.holder() == 1
    newest = lab.history()[1]
    assert (newest["kind"], newest["note"], newest["by"]) == (
        "rolled_back",
        "wrong units",
        "key:test",
    )
    # what is promoted after a rollback stands on what the rollback led to
    lab.promoted(3)
    assert lab.rollback().json()["version"] == 1


def test_a_rollback_that_is_sent_again_goes_back_once(lab):
    for number in (1, 2, 3):
        lab.version(number)
        lab.promoted(number)
    path, headers = "registry/sol/aliases/champion/rollback", {"Idempotency-Key": "k" * 20}
    first = lab.api.post(path, json={}, headers=headers)
    again = lab.api.post(path, json={}, headers=headers)
    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert lab.holder() == 2
    other = lab.api.post(path, json={}, headers={"Idempotency-Key": "o" * 20})
    assert other.json()["version"] == 1


def test_back_to_an_earlier_holder_by_its_number(lab):
    for number in (1, 2, 3, 4):
        lab.version(number)
    for number in (1, 2, 3):
        lab.promoted(number)
    refused(lab.rollback(version=4), "no_earlier_holder")
    assert lab.rollback(version=1).json()["version"] == 1
    refused(lab.rollback(), "no_earlier_holder")


def test_an_alias_that_was_taken_away_comes_back(lab):
    for number in (1, 2):
        lab.version(number)
        lab.promoted(number)
    lab.api.delete("registry/sol/aliases/champion")
    assert lab.rollback().json()["version"] == 2
    assert lab.rollback().json()["version"] == 1


def test_what_an_earlier_release_moved_is_seen(lab, resources):
    one, two = lab.version(1), lab.version(2)
    lab.version(3)
    with resources.database.session() as session:
        row = AliasRow(name="sol", alias="champion", model_id=one.id, project_id=one.project_id)
        session.add(row)
    lab.promoted(3)
    assert lab.rollback().json()["version"] == 1
    with resources.database.session() as session:
        key = (DEFAULT_PROJECT_ID, "sol", "champion")
        session.get(AliasRow, key).model_id = two.id
    assert lab.rollback().json()["version"] == 1


def test_no_way_back_to_an_archived_version(lab):
    for number in (1, 2):
        lab.version(number)
        lab.promoted(number)
    assert lab.api.delete("models/sol:1").status_code == 200
    refused(lab.rollback(), "model_archived")
    assert lab.holder() == 2
    assert lab.api.post("models/sol:1/restore").status_code == 200
    assert lab.rollback().json()["version"] == 1


def test_no_policy_stands_in_the_way_back(lab):
    for number in (1, 2):
        lab.version(number)
        lab.promoted(number)
    lab.policy(evaluation_dataset="named", four_eyes=True)
    assert lab.rollback().status_code == 200


# ---- files


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("file", [*FILES, "manifest.json"])
def test_one_altered_byte_keeps_the_alias_on_the_last_good_version(lab, resources, file):
    for number in (1, 2, 3):
        lab.version(number)
    bad = lab.version(4)
    for number in (1, 2):
        lab.promoted(number)
    flip(resources.storage.local_path(keys.model(bad.id, file)))
    body = refused(lab.put(4), "model_altered")
    assert file in body["detail"]
    assert "sol:4" in body["detail"]
    assert lab.holder() == 2
    first = lab.api.get("models/sol:1").json()["id"]
    flip(resources.storage.local_path(keys.model(first, file)))
    body = refused(lab.rollback(), "model_altered")
    assert file in body["detail"]
    assert lab.holder() == 2
    assert len(lab.history()) == 2
    lab.promoted(3)


def test_a_missing_file_keeps_it_too(lab, resources):
    lab.version(1)
    bad = lab.version(2)
    lab.promoted(1)
    resources.storage.local_path(keys.model(bad.id, FILES[0])).unlink()
    assert "is missing" in refused(lab.put(2), "model_altered")["detail"]
    assert lab.holder() == 1


# ---- the gate


@pytest.mark.req("F-14", "goal-57")
def test_a_better_version_passes_and_a_worse_one_does_not(lab):
    good, better, worse = (lab.version(number) for number in (1, 2, 3))
    lab.promoted(1)
    lab.policy(evaluation_dataset="named", metric="rmse")
    for model, error in ((good, 0.5), (better, 0.3), (worse, 0.7)):
        lab.evaluate(model, error, seed=model.number)
    body = refused(lab.put(3), "gate_failed")
    assert checks(body)["not_worse"] == "failed"
    assert checks(body)["beats_baseline"] == checks(body)["same_rows"] == "passed"
    assert lab.holder() == 1
    answer = lab.promoted(2)
    (found,) = [c for c in answer["gate"]["checks"] if c["check"] == "not_worse"]
    assert found["facts"]["low"] > 0
    assert found["facts"]["rows"] == N
    kept = lab.history()[0]
    assert kept["gate"] == answer["gate"]
    assert kept["evaluation_id"] == answer["gate"]["evaluation_id"]
    assert answer["gate"]["policy"]["evaluation_dataset"] == "named:1"


@pytest.mark.req("F-07", "F-14")
def test_errors_of_targets_in_unlike_units_are_judged_relative_to_the_baseline(lab):
    """The second target is a thousand times as large, and no better than its baseline."""
    lab.version(1)
    lab.policy(evaluation_dataset="named", metric="rmse")
    model, figures = lab.version(2), {"a": 0.5, "b": 1001.0}
    row = lab.evaluate(
        model,
        mean={"rmse": {"value": None}},
        baseline_mean={"rmse": {"value": None}},
        baseline={"a": {"rmse": {"value": 1.0}}, "b": {"rmse": {"value": 1000.0}}},
    )
    with lab.resources.database.session() as session:
        stored = session.get(EvaluationRow, row.id)
        stored.metrics = {t: {"rmse": {"value": value}} for t, value in figures.items()}
    gate = lab.promoted(2)["gate"]
    (found,) = [check for check in gate["checks"] if check["check"] == "beats_baseline"]
    assert found["detail"].startswith("rmse relative to the baseline of sol:2 0.7505")


@pytest.mark.req("F-14")
def test_what_is_missing_fails(lab):
    good, new = lab.version(1), lab.version(2)
    lab.promoted(1)
    lab.policy(evaluation_dataset="named", metric="rmse")
    body = refused(lab.put(2), "gate_failed")
    assert checks(body) == {"evaluated": "failed"}
    assert "`retort evaluate sol:2 --data named:1`" in body["remedy"]
    lab.evaluate(new, 0.1, dataset=lab.other)  # of another data set: it does not count
    lab.evaluate(good)
    refused(lab.put(2), "gate_failed")
    lab.evaluate(new, 0.1)
    lab.policy(evaluation_dataset="named", metric="r2")  # which no evaluation has
    body = refused(lab.put(2), "gate_failed")
    assert checks(body)["not_worse"] == checks(body)["beats_baseline"] == "failed"
    lab.policy(evaluation_dataset="named", metric="mae")
    lab.promoted(2)


def test_a_missing_evaluation_of_the_holder_fails(lab):
    lab.version(1)
    new = lab.version(2)
    lab.promoted(1)
    lab.policy(evaluation_dataset="named")
    lab.evaluate(new, 0.1)
    body = refused(lab.put(2), "gate_failed")
    assert "sol:1 has no evaluation on named:1" in body["detail"]
    assert "`retort evaluate sol:1 --data named:1`" in body["remedy"]


def test_the_first_must_beat_the_trivial_baseline(lab):
    bad, good = lab.version(1), lab.version(2)
    lab.policy(evaluation_dataset="named")
    lab.evaluate(bad, 1.5)
    lab.evaluate(good, 0.9)
    body = refused(lab.put(1), "gate_failed")
    assert checks(body) == {
        "evaluated": "passed",
        "unseen_rows": "passed",
        "beats_baseline": "failed",
    }
    assert "not_worse" not in [c["check"] for c in lab.promoted(2)["gate"]["checks"]]


@pytest.mark.req("goal-57")
def test_a_version_is_not_compared_with_itself(lab):
    """mlflow#12213: a candidate that was compared with itself, and nobody noticed."""
    good, twin = lab.version(1), lab.version(2)
    for model in (good, twin):
        lab.evaluate(model, 0.4, seed=1)  # the same predictions of two versions
    lab.policy(evaluation_dataset="named")
    lab.promoted(1)
    again = lab.promoted(1)
    assert [c["check"] for c in again["gate"]["checks"]] == ["another_version"]
    assert "not compared with itself" in again["gate"]["checks"][0]["detail"]
    found = {c["check"]: c for c in lab.promoted(2)["gate"]["checks"]}["not_worse"]
    assert found["facts"]["identical_predictions"] is True
    assert (found["facts"]["low"], found["facts"]["high"]) == (0.0, 0.0)
    assert "predict the same for every row" in found["detail"]
    assert found["facts"]["evaluation_of_holder"] != lab.history()[0]["evaluation_id"]
    lab.policy(evaluation_dataset="named", min_delta=0.01)
    assert checks(refused(lab.put(1), "gate_failed"))["not_worse"] == "failed"


def test_rows_that_it_learned_from_do_not_speak_for_it(lab):
    good, new = lab.version(1), lab.version(2)
    lab.evaluate(good)
    lab.promoted(1)
    flattered = lab.evaluate(new, 0.01)
    with lab.resources.database.session() as session:
        row = session.get(EvaluationRow, flattered.id)
        row.details = {**row.details, "rows": {"evaluated": N, "seen_in_training": 3}}
    lab.policy(evaluation_dataset="named")
    assert checks(refused(lab.put(2), "gate_failed"))["unseen_rows"] == "failed"


def test_only_shared_rows_are_compared_and_few_are_too_few(lab):
    good, new = lab.version(1), lab.version(2)
    lab.promoted(1)
    lab.evaluate(good, rows=np.arange(100))
    lab.policy(evaluation_dataset="named")
    lab.evaluate(new, 0.01, rows=np.arange(95, N))
    body = refused(lab.put(2), "gate_failed")
    assert "share 5 rows" in body["detail"]
    lab.evaluate(new, 0.01, rows=np.arange(50, N))
    found = {c["check"]: c for c in lab.promoted(2)["gate"]["checks"]}["not_worse"]
    assert found["facts"]["rows"] == 50


def test_altered_rows_of_an_evaluation_fail(lab, resources):
    good, new = lab.version(1), lab.version(2)
    lab.promoted(1)
    lab.policy(evaluation_dataset="named")
    lab.evaluate(good)
    stored = lab.evaluate(new, 0.01)
    flip(resources.storage.local_path(stored.rows_key))
    assert checks(refused(lab.put(2), "gate_failed"))["same_rows"] == "failed"


@pytest.mark.req("goal-57")
def test_four_eyes(lab, resources):
    lab.version(1, created_by="key:test")
    lab.version(2, created_by="system")
    lab.policy(four_eyes=True, required=True)
    for number, why in ((1, "somebody else"), (2, "not known")):
        with resources.database.session() as session:
            model = session.get(ModelVersionRow, lab.api.get(f"models/sol:{number}").json()["id"])
        lab.evaluate(model, 0.1)
        body = refused(lab.put(number), "gate_failed")
        assert checks(body)["four_eyes"] == "failed"
        assert why in body["detail"]
    with calling(resources) as other:
        with resources.database.session() as session:
            key = create_key(session, name="bea")
        other.headers["Authorization"] = f"Bearer {key.text}"
        answer = other.put("registry/sol/aliases/champion", json={"version": 1})
    assert answer.status_code == 200, answer.text
    assert answer.json()["changed_by"] == "key:bea"


def test_slow_versions_and_unmeasured_ones_fail(lab):
    slow, unmeasured = lab.version(1), lab.version(2)
    lab.policy(evaluation_dataset="named", max_latency_ms=1.5)
    lab.evaluate(slow, 0.1)
    assert "2 ms" in refused(lab.put(1), "gate_failed")["detail"]
    lab.evaluate(unmeasured, 0.1, latency_ms=None)
    assert checks(refused(lab.put(2), "gate_failed"))["latency"] == "failed"
    lab.policy(evaluation_dataset="named", max_latency_ms=2.5)
    lab.promoted(1)


def test_an_advisory_policy_records_and_lets_through(lab):
    lab.version(1)
    lab.policy(evaluation_dataset="named", required=False)
    answer = lab.promoted(1)
    assert answer["gate"]["passed"] is False
    assert lab.history()[0]["gate"]["passed"] is False


def test_a_policy_is_read_replaced_and_dropped(lab):
    refused(lab.api.put("registry/sol/policies/champion", json={}), "not_found", 404)
    lab.version(1)
    refused(lab.api.get("registry/sol/policies/champion"), "not_found", 404)
    wrong = lab.api.put("registry/sol/policies/champion", json={"metric": "rsme"})
    assert "rmse" in refused(wrong, "unknown_name", 422)["remedy"]
    lab.policy("production", evaluation_dataset="named", metric="mae")
    shown = lab.api.get("registry/sol/policies/champion").json()
    assert (shown["metric"], shown["evaluation_dataset"]) == ("mae", "named:1")
    assert shown["changed_by"] == "key:test"
    lab.policy(metric="rmse")
    assert lab.api.get("registry/sol/policies/champion").json()["evaluation_dataset"] is None
    assert lab.api.delete("registry/sol/policies/champion").status_code == 204
    lab.promoted(1)


def test_a_policy_that_changes_meanwhile_is_asked_again(lab, worker, monkeypatch):
    lab.version(1)
    answer = worker.answer

    def change_first(*args, **options):
        found = answer(*args, **options)
        lab.policy(evaluation_dataset="named")
        return found

    monkeypatch.setattr(worker.celery, "send_task", change_first)
    refused(lab.put(1), "alias_changed")
    assert lab.holder() is None


def test_a_named_evaluation_must_be_of_the_version(lab):
    one, two = lab.version(1), lab.version(2)
    lab.policy(evaluation_dataset="named")
    bad, good = lab.evaluate(one, 2.0), lab.evaluate(one, 0.2)
    refused(lab.put(1, evaluation_id=str(lab.evaluate(two).id)), "not_found", 404)
    refused(lab.put(1, evaluation_id=str(bad.id)), "gate_failed")
    assert lab.promoted(1, evaluation_id=str(good.id))
    assert lab.history()[0]["evaluation_id"] == str(good.id)


def test_without_a_worker_the_alias_stays(lab, worker, resources, monkeypatch):
    lab.version(1)
    monkeypatch.setattr(worker.celery, "send_task", lambda *_, **__: None)
    impatient = resources.settings.model_copy(update={"interactive_timeout_seconds": 0.2})
    monkeypatch.setattr(resources, "settings", impatient)
    answer = lab.put(1)
    assert answer.status_code == 503
    assert answer.json()["code"] == "no_worker_answered"
    assert lab.holder() is None


# ---- training


def test_a_training_gives_a_free_alias_and_not_a_protected_one(lab, resources):
    one, two = lab.version(1), lab.version(2)
    told_of = []
    with resources.database.session() as session:
        told = point_after_training(session, one, "production", by="job:1", warm=told_of.extend)
    assert told == {"alias": "champion", "set": True}
    assert lab.history()[0]["by"] == "job:1"
    lab.policy(evaluation_dataset="named")
    with resources.database.session() as session:
        told = point_after_training(session, two, "champion", by="job:2", warm=told_of.extend)
    assert told["set"] is False
    assert "gate" in told["why"]
    assert lab.holder() == 1
    with resources.database.session() as session:
        told = point_after_training(session, two, "archived", by="job:2", warm=told_of.extend)
    assert told["set"] is False
    assert told_of == [one.id]


# ---- what is said of versions and names


@pytest.mark.req("S1-14")
def test_labels_are_set_merged_searched_and_removed(lab):
    for number in (1, 2):
        lab.version(number)
    lab.api.patch("models/sol:1", json={"labels": {"team": "a", "draft": "yes"}})
    changed = lab.api.patch(
        "models/sol:1", json={"labels": {"draft": None}, "description": "of the spring"}
    ).json()
    assert changed["labels"] == {"team": "a"}
    assert changed["description"] == "of the spring"
    lab.api.patch("models/sol:2", json={"labels": {"team": "b"}})

    def found(**params):
        return [m["ref"] for m in lab.api.get("models", params=params).json()["items"]]

    assert found(label="team:a") == ["sol:1"]
    lab.api.patch("models/sol:2", json={"labels": {"draft": "no"}})
    assert found(label=["team:b", "draft:no"]) == ["sol:2"]
    assert found(label=["team:a", "draft:no"]) == []
    assert found(label="team:c") == []
    assert found(label="draft:yes") == []
    assert lab.api.get("models", params={"label": "team"}).status_code == 422
    entry = lab.api.patch(
        "registry/sol", json={"labels": {"unit": "logS"}, "description": "Solubility"}
    ).json()
    assert (entry["labels"], entry["description"]) == ({"unit": "logS"}, "Solubility")
    assert lab.api.get("registry/sol").json() == entry
    assert lab.api.patch("registry/none", json={}).status_code == 404


def test_semantic_versions(lab):
    lab.version(1)
    lab.version(2)
    for wrong in ("1.2", "v1.2.3", "1.02.3", "1.2.3-", "1.2.3 ", "1.2.\u0663"):
        body = lab.api.patch("models/sol:1", json={"semver": wrong})
        refused(body, "invalid_semver", 422)
    for right in ("1.2.3", "2.0.0-rc.1+build.5"):
        assert lab.api.patch("models/sol:1", json={"semver": right}).json()["semver"] == right
    taken = lab.api.patch("models/sol:2", json={"semver": "2.0.0-rc.1+build.5"})
    assert "sol:1" in refused(taken, "semver_taken")["detail"]
    assert lab.api.patch("models/sol:1", json={"semver": None}).json()["semver"] is None
    assert lab.api.patch("models/sol:2", json={"semver": "2.0.0-rc.1+build.5"}).status_code == 200


def test_a_version_changes_only_as_it_was_read(lab):
    lab.version(1)
    etag = lab.api.get("models/sol:1").headers["etag"]
    headers = {"If-Match": etag}
    body = {"labels": {"a": "b"}}
    assert lab.api.patch("models/sol:1", json=body, headers=headers).status_code == 200
    stale = lab.api.patch("models/sol:1", json=body, headers=headers)
    refused(stale, "precondition_failed", 412)
    refused(lab.api.delete("models/sol:1", headers=headers), "precondition_failed", 412)


# ---- put away and brought back


@pytest.mark.req("goal-66")
def test_archived_hidden_and_brought_back(lab, resources):
    one = lab.version(1)
    lab.version(2)
    lab.promoted(1)
    lab.promoted(1, "staging")
    body = refused(lab.api.delete("models/sol:1"), "model_in_use")
    assert [e["pointer"] for e in body["errors"]] == ["sol@champion", "sol@staging"]
    for alias in ("champion", "staging"):
        lab.api.delete(f"registry/sol/aliases/{alias}")
    refused(lab.api.delete("models/sol"), "invalid_reference", 422)
    gone = lab.api.delete("models/sol:1").json()
    assert gone["state"] == "archived"
    assert gone["archived_at"]
    assert lab.api.delete("models/sol:1").json() == gone
    assert [m["ref"] for m in lab.api.get("models").json()["items"]] == ["sol:2"]
    shown = lab.api.get("models", params={"state": "archived"}).json()["items"]
    assert [m["ref"] for m in shown] == ["sol:1"]
    refused(lab.put(1), "model_archived")
    assert lab.api.get(f"models/{one.id}").json()["state"] == "archived"
    assert lab.api.post("models/sol:1/restore").json()["state"] == "candidate"
    assert lab.api.get("models/sol:1").status_code == 200
    lab.promoted(1)


def test_whatever_else_depends_on_it_is_listed(lab, resources):
    """As endpoints will say of theirs."""
    one = lab.version(1)
    finders = (lambda session, row: [Dependant(kind="endpoint", name=f"e-{row.number}")],)
    with (
        pytest.raises(Conflict, match="endpoint e-1 depends on it"),
        resources.database.session() as session,
    ):
        archive(session, one, by="key:test", finders=finders)


# ---- lineage


def test_the_lineage_of_a_version(lab, resources):
    lab.version(1)
    lab.promoted(1)
    found = lab.api.get("models/sol:1/lineage").json()
    assert found["model"]["ref"] == "sol:1"
    assert found["file"]["name"] == "d.csv"
    assert found["dataset"]["ref"] == "other:1"
    assert found["split"]["splitter"] == "random"
    assert found["code"]["version"] == "0.1.0"
    assert found["aliases"] == ["sol@champion"]
    assert found["parents"] == found["endpoints"] == found["predictions"] == []


def test_another_project_sees_and_moves_nothing(lab, resources):
    lab.version(1)
    lab.promoted(1)
    with resources.database.session() as session:
        project = ProjectRow(id=new_id(), name="other")
        session.add(project)
        session.flush()
        key = create_key(session, name="stranger", project_id=project.id)
    lab.api.headers["Authorization"] = f"Bearer {key.text}"
    for answer in (
        lab.put(1),
        lab.rollback(),
        lab.api.delete("registry/sol/aliases/champion"),
        lab.api.get("registry/sol/history"),
        lab.api.get("registry/sol/policies/champion"),
        lab.api.put("registry/sol/policies/champion", json={}),
        lab.api.patch("models/sol:1", json={"labels": {"a": "b"}}),
        lab.api.delete("models/sol:1"),
        lab.api.post("models/sol:1/restore"),
        lab.api.get("models/sol:1/lineage"),
        lab.api.patch("registry/sol", json={"description": "x"}),
    ):
        assert answer.status_code in (404, 409), answer.text
        assert answer.json()["code"] in ("not_found", "no_earlier_holder")
    assert lab.holder() == 1
