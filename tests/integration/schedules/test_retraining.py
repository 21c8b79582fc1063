"""Retraining on real molecules, end to end: trained, measured, compared by the registry's gate."""

import pytest

from app.access.keys import create_key
from app.db.base import DEFAULT_PROJECT_ID
from app.db.models import AliasRow, ModelVersionRow
from app.jobs.outages import is_outage
from app.schedules import deciding
from app.schedules.settling import settle_runs
from tests.support.datasets import ingested
from tests.support.molecules import rows_of
from tests.support.worker_here import WorkerHere

pytestmark = [
    pytest.mark.req("K-9", "S1-31", "goal-85"),
    # the first one also imports the algorithms
    pytest.mark.timeout(900),
]

RECIPE = {
    "targets": ["expt"],
    "features": [{"name": "maccs"}],
    "algorithm": {"name": "ridge"},
    "calibration": "split",
    "bootstrap": 0,
}


def csv_of(rows):
    return "smiles,expt\n" + "".join(f"{row['smiles']},{row['expt']}\n" for row in rows)


@pytest.fixture(autouse=True)
def worker(resources, monkeypatch):
    here = WorkerHere(resources)
    monkeypatch.setattr(here.celery, "send_task", here.answer)
    return here


@pytest.fixture
def lab(resources, api, worker):
    return Lab(resources, api, worker)


class Lab:
    """FreeSolv in parts: a holdout that nobody learns from, and two versions of `sol`, of which the
    second has ten times the molecules.
    """

    def __init__(self, resources, api, worker):
        self.resources, self.api, self.worker = resources, api, worker
        rows = rows_of("freesolv.csv")
        options = {"roles": {"expt": "target"}}
        ingested(resources, csv_of(rows[:150]), name="holdout", **options)
        ingested(resources, csv_of(rows[150:190]), name="sol", **options)
        ingested(resources, csv_of(rows[150:]), name="sol", **options)

    def train(self, dataset, **more):
        params = {**RECIPE, "dataset": dataset, "name": "sol", **more}
        answer = self.api.post("jobs", json={"kind": "train", "params": params})
        assert answer.status_code == 202, answer.text
        self.worker.run_all()

    def schedule(self, **retrain):
        said = {"model": "sol", "evaluate_on": "holdout:1", **retrain}
        body = {"name": "nightly", "cron": "0 2 * * SUN", "timezone": "Europe/Berlin"}
        return self.api.post("schedules", json={**body, "retrain": said})

    def run(self, **retrain):
        """Fired by hand, worked off, decided; the run."""
        answer = self.schedule(**retrain)
        assert answer.status_code == 201, answer.text
        return self.again()

    def again(self):
        answer = self.api.post("schedules/nightly/run")
        assert answer.status_code == 202, answer.text
        self.work()
        return self.api.get(f"schedules/nightly/runs/{answer.json()['id']}").json()

    def work(self):
        self.worker.run_all()
        settle_runs(self.resources)

    def champion(self):
        with self.resources.database.session() as session:
            row = session.get(AliasRow, (DEFAULT_PROJECT_ID, "sol", "champion"))
            return None if row is None else session.get(ModelVersionRow, row.model_id).number

    def states(self):
        found = self.api.get("jobs", params={"label": "schedule:nightly"}).json()["items"]
        return sorted((job["kind"], job["state"]) for job in found)


def checks(run):
    return {check["check"]: check["passed"] for check in run["details"]["gate"]["checks"]}


def test_a_better_version_is_promoted_by_the_recipe_of_the_champion(lab):
    lab.train("sol:1", alias="champion")
    run = lab.run(dataset="sol", then="promote")
    assert (run["state"], run["outcome"]) == ("succeeded", "promoted"), run
    assert lab.champion() == 2
    assert run["details"]["dataset"] == "sol:2"
    assert (run["details"]["champion"], run["details"]["candidate"]) == ("sol:1", "sol:2")
    assert all(checks(run).values())
    assert lab.states() == [("evaluate", "succeeded")] * 2 + [("train", "succeeded")]
    with lab.resources.database.session() as session:
        first, second = (
            session.query(ModelVersionRow).filter_by(name="sol", number=n).one() for n in (1, 2)
        )
        same = {"dataset", "dataset_id", "alias"}
        assert {k: v for k, v in first.training_config.items() if k not in same} == {
            k: v for k, v in second.training_config.items() if k not in same
        }
    (move, _) = lab.api.get("registry/sol/history").json()["items"]
    assert (move["before"], move["after"], move["by"]) == (1, 2, "key:test")
    assert "schedule nightly" in move["note"]
    assert move["gate"]["passed"]


def test_a_better_version_is_held_until_somebody_approves(lab):
    lab.train("sol:1", alias="champion")
    run = lab.run(dataset="sol", then="hold")
    assert (run["state"], run["outcome"]) == ("held", None), run
    assert f"retort schedule approve nightly {run['id']}" in run["reason"]
    assert lab.champion() == 1
    # one at a time, also while somebody thinks about it
    busy = lab.api.post("schedules/nightly/run")
    assert (busy.status_code, busy.json()["code"]) == (409, "run_open")
    answer = lab.api.post(f"schedules/nightly/runs/{run['id']}/approve", json={"note": "fine"})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["outcome"], answer.json()["decided_by"]) == ("promoted", "key:test")
    assert lab.champion() == 2
    again = lab.api.post(f"schedules/nightly/runs/{run['id']}/approve", json={})
    assert (again.status_code, again.json()["code"]) == (409, "run_not_held")


@pytest.mark.parametrize("then", ["promote", "hold"])
def test_serving_processes_load_a_new_champion_before_its_name_means_it(lab, warmed, then):
    lab.train("sol:1", alias="champion")
    ((first, told_at),) = warmed.told
    word, _, aliases = warmed.meaning()
    assert set(aliases) == first
    assert told_at[0] != word, "of a version that nobody could load before the commit"
    run = lab.run(dataset="sol", then=then)
    if then == "hold":
        before = warmed.meaning()
        assert len(warmed.told) == 1, "held is not promoted"
        lab.api.post(f"schedules/nightly/runs/{run['id']}/approve", json={})
        assert warmed.told[1][1] == before
    _, (second, meant) = warmed.told
    assert lab.champion() == 2
    word, _, aliases = warmed.meaning()
    assert set(aliases) == second
    assert set(meant[2]) == first
    assert meant[0] != word


def test_a_rejected_version_is_kept_and_the_champion_stays(lab):
    lab.train("sol:1", alias="champion")
    run = lab.run(dataset="sol")
    answer = lab.api.post(f"schedules/nightly/runs/{run['id']}/reject", json={"note": "too slow"})
    assert (answer.json()["outcome"], answer.json()["reason"]) == ("rejected", "too slow")
    assert lab.champion() == 1
    assert lab.api.get("models/sol:2").status_code == 200
    assert lab.api.post("schedules/nightly/run").status_code == 202


def test_a_worse_version_is_kept_with_the_figures(lab):
    lab.train("sol:2", alias="champion")
    run = lab.run(dataset="sol:1", then="promote")
    assert (run["state"], run["outcome"]) == ("succeeded", "kept")
    assert lab.champion() == 1
    assert checks(run)["not_worse"] is False
    assert "rmse of sol:2" in run["reason"]


def test_the_first_version_must_beat_the_trivial_one_and_a_kept_one_moves_nothing(lab):
    run = lab.run(train=RECIPE, dataset="sol:2", then="promote")
    assert (run["outcome"], run["details"]["champion"]) == ("promoted", None), run
    assert lab.champion() == 1
    etag = lab.api.get("schedules/nightly").headers["ETag"]
    changed = {"retrain": {"model": "sol", "evaluate_on": "holdout:1", "then": "keep"}}
    lab.api.patch("schedules/nightly", json=changed, headers={"If-Match": etag})
    run = lab.again()
    assert run["outcome"] == "kept"
    assert lab.champion() == 1


def test_rows_that_were_learned_from_prove_nothing(lab):
    lab.train("sol:1", alias="champion")
    run = lab.run(dataset="sol", evaluate_on="sol:1", then="promote")
    assert run["outcome"] == "kept"
    assert checks(run)["unseen_rows"] is False


def test_who_trained_may_not_approve_where_four_eyes_are_asked_for(lab):
    lab.train("sol:1", alias="champion")
    lab.api.put("registry/sol/policies/champion", json={"four_eyes": True, "min_delta": 0.0})
    run = lab.run(dataset="sol", then="promote")
    assert run["state"] == "held"
    path = f"schedules/nightly/runs/{run['id']}/approve"
    mine = lab.api.post(path, json={})
    assert (mine.status_code, mine.json()["code"]) == (409, "gate_failed")
    with lab.resources.database.session() as session:
        other = create_key(session, name="bob")
    theirs = lab.api.post(path, json={}, headers={"Authorization": f"Bearer {other.text}"})
    assert theirs.status_code == 200, theirs.text
    assert theirs.json()["decided_by"] == "key:bob"
    assert lab.champion() == 2


def test_a_champion_that_changed_meanwhile_is_not_overtaken(lab):
    lab.train("sol:1", alias="champion")
    lab.train("sol:1")
    run = lab.run(dataset="sol")
    assert lab.api.put("registry/sol/aliases/champion", json={"version": 2}).status_code == 200
    answer = lab.api.post(f"schedules/nightly/runs/{run['id']}/approve", json={})
    assert (answer.status_code, answer.json()["code"]) == (409, "run_outdated")
    assert lab.champion() == 2


def test_a_deleted_schedule_leaves_nothing_held_that_would_block_another(lab):
    lab.train("sol:1", alias="champion")
    run = lab.run(dataset="sol")
    assert run["state"] == "held"
    assert lab.api.delete("schedules/nightly", headers={"If-Match": "*"}).status_code == 204
    assert lab.schedule(dataset="sol").status_code == 201
    assert lab.api.post("schedules/nightly/run").status_code == 202


def test_without_newer_data_nothing_is_trained(lab):
    lab.train("sol", alias="champion")
    run = lab.run(only_new_data=True)
    assert (run["state"], run["job_ids"]) == ("skipped", [])
    assert "no newer version" in run["reason"]


def test_the_last_step_survives_the_death_of_its_worker(lab, monkeypatch):
    """It dies when all is computed and nothing is stored, then when the alias was moved and the
    transaction was not committed; whoever looks next does it, once.
    """
    lab.train("sol:1", alias="champion")
    assert lab.schedule(dataset="sol", then="promote").status_code == 201
    started = lab.api.post("schedules/nightly/run").json()
    lab.worker.run_all()
    for place in ("_promote", "record"):
        with monkeypatch.context() as patched:
            patched.setattr(deciding, place, died)
            with pytest.raises(ConnectionError) as error:
                settle_runs(lab.resources)
            assert is_outage(error.value)
        assert lab.champion() == 1
        run = lab.api.get(f"schedules/nightly/runs/{started['id']}").json()
        assert run["state"] == "running"
    for _ in range(2):
        settle_runs(lab.resources)
    assert lab.champion() == 2
    moves = lab.api.get("registry/sol/history").json()["items"]
    assert len(moves) == 2


def died(*_, **__):
    raise ConnectionError("the worker is no more")


def test_a_failed_training_fails_the_run_and_says_which_job(lab):
    lab.train("sol:1", alias="champion")
    tiny = {"targets": ["expt"], "algorithm": {"name": "ridge"}, "split": {"name": "column"}}
    answer = lab.schedule(dataset="sol", train={**tiny, "split": {"name": "no_such"}})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/retrain/train/split"
    assert lab.schedule(dataset="sol").status_code == 201
    lab.api.post("schedules/nightly/run")
    with lab.resources.database.cursor() as cursor:
        cursor.execute("UPDATE jobs SET state = 'failed' WHERE state = 'queued' AND kind = 'train'")
        cursor.execute("UPDATE jobs SET state = 'failed' WHERE state = 'waiting'")
    lab.work()
    run = lab.api.get("schedules/nightly/runs").json()["items"][0]
    assert run["state"] == "failed"
    assert "train job" in run["reason"]
    assert lab.champion() == 1


WRONG = [
    ({"evaluate_on": "nowhere"}, "/retrain/evaluate_on"),
    ({"dataset": "nowhere"}, "/retrain/dataset"),
    ({"model": "unknown"}, "/retrain/model"),
    ({"metric": "rmsd"}, "/retrain/metric"),
    ({"alias": "archived"}, "/retrain/alias"),
    ({"train": {"algorithm": {"name": "rigde"}}}, "/retrain/train/algorithm"),
]


def test_what_could_never_run_is_refused_when_it_is_written(lab):
    lab.train("sol:1", alias="champion")
    for said, pointer in WRONG:
        answer = lab.schedule(**said)
        assert answer.status_code in (404, 422), answer.text
        body = answer.json()
        assert body["errors"][0]["pointer"] == pointer
        assert body["remedy"]
    overlapping = {"name": "n", "cron": "@daily", "overlap": "allow"}
    spec = {"model": "sol", "evaluate_on": "holdout:1"}
    answer = lab.api.post("schedules", json={**overlapping, "retrain": spec})
    assert answer.json()["errors"][0]["pointer"] == "/overlap"
