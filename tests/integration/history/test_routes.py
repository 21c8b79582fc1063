"""Past predictions over HTTP; the hit rate of the cache."""

import time
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import uuid4

import orjson
import pytest

from app.access.keys import create_key
from app.access.principal import Principal
from app.db.audit import AuditRow
from app.db.base import DEFAULT_PROJECT_ID
from app.db.projects import ProjectRow
from app.history import cache_statistics, records
from app.history.cache_statistics import record
from app.history.records import structure_key
from app.history.sink import PENDING, drain, push
from app.prediction.answer_cache import answer_key, input_key
from app.prediction.answer_cache import structure_key as cache_key
from tests.support.predictions import Named, answered, entries

ROUTE = "api.routes.prediction_history.ask"


def bearer(resources, **options):
    with resources.database.session() as session:
        return {"Authorization": f"Bearer {create_key(session, name='other', **options).text}"}


@pytest.fixture
def admin(resources):
    return bearer(resources, is_admin=True)


@pytest.fixture
def strangers(resources):
    with resources.database.session() as session:
        project = ProjectRow(name="strangers")
        session.add(project)
        session.flush()
        return project.id


def remember(resources, *smiles, **options):
    made = entries(*smiles, **options)
    push(resources.redis, made)
    drain(resources)
    return [str(entry.id) for entry in made]


def listed(api, **query):
    answer = api.get("predictions", params=query)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


def audited(resources):
    with resources.database.session() as session:
        return list(session.query(AuditRow).order_by(AuditRow.id))


@pytest.fixture(autouse=True)
def no_worker(monkeypatch):
    """Nobody is asked unless a test says so."""

    def ask(*_):
        raise AssertionError("a worker was asked")

    monkeypatch.setattr(ROUTE, ask)


def test_one_is_shown_whole(api, resources):
    model = Named(name="esol", number=3)
    item = answered("OCC", canonical="CCO", id_="mine", value=-0.77, cached=True)
    [id_] = remember(resources, item, model=model, request_id="r-9", latency_ms=2.5)
    found = api.get(f"predictions/{id_}").json()
    assert found.pop("id") == id_
    assert found.pop("model") == {"id": str(model.id), "name": "esol", "number": 3}
    made = datetime.fromisoformat(found.pop("created_at"))
    assert abs((datetime.now(UTC) - made).total_seconds()) < 300
    assert found.pop("output") == {
        "canonical_smiles": "CCO",
        "status": "ok",
        "reason": None,
        "notes": [],
        "targets": {"y": {"value": -0.77, "unit": None}},
        "domain": None,
    }
    assert found == {
        "endpoint_id": None,
        "endpoint_revision": None,
        "mode": "live",
        "structure": "CCO",
        "inchikey": None,
        "input": {"smiles": "OCC", "id": "mine"},
        "cached": True,
        "latency_ms": 2.5,
        "request_id": "r-9",
        "created_by": "key:test",
        "expires_at": None,
    }


def test_pages_are_whole_and_say_what_is_on_them(api, resources):
    made = remember(resources, *"CNOS", model=Named(name="a", number=1))
    made += remember(resources, "C", model=Named(name="b", number=2))
    page = api.get("predictions", params={"limit": 2}).json()
    assert [item["id"] for item in page["items"]] == [made[4], made[3]]
    assert (page["count"], page["models_used"]) == (2, ["a:1", "b:2"])
    found = [item["id"] for item in page["items"]]
    while page["next_cursor"] is not None:
        query = {"limit": 2, "cursor": page["next_cursor"]}
        page = api.get("predictions", params=query).json()
        found += [item["id"] for item in page["items"]]
    assert found == made[::-1]
    assert api.get("predictions", params={"limit": 201}).status_code == 422
    assert api.get("predictions", params={"limit": 0}).status_code == 422


def test_filters_of_the_address(api, resources):
    [a] = remember(resources, answered("OCC", canonical="CCO"), model=Named(name="esol"))
    [b] = remember(resources, "CCO", model=Named(name="esol", number=2), mode="shadow")
    [c] = remember(resources, "N", model=Named(name="logp"), request_id="mine")
    assert listed(api, model="esol") == [b, a]
    assert listed(api, model="esol:2") == [b]
    assert listed(api, structure="CCO") == listed(api, structure="OCC") == [b, a]
    assert listed(api, structure="OCC", model="esol:1") == [a]
    assert listed(api, mode="shadow") == [b]
    assert listed(api, request_id="mine") == [c]
    assert listed(api, created_after=datetime.now(UTC).isoformat()) == []
    assert listed(api, created_before=datetime.now(UTC).isoformat()) == [c, b, a]
    assert listed(api, model="no-such-name") == []
    assert api.get("predictions", params={"mode": "dead"}).status_code == 422
    assert api.get("predictions", params={"model": "Not A Name"}).status_code == 422
    assert api.get("predictions", params={"model": str(uuid4())}).status_code == 404


def test_a_spelling_that_nobody_sent_is_asked_of_a_worker(api, resources, monkeypatch):
    [a] = remember(resources, "CCO")
    asked = []

    def ask(_, payload, timeout):
        asked.append(payload)
        return {"canonical_smiles": "CCO"}

    monkeypatch.setattr(ROUTE, ask)
    assert listed(api, structure="C(O)C") == [a]
    assert asked == [{"question": "standardize", "smiles": "C(O)C"}]


def test_the_latest_of_each_model(api, resources):
    remember(resources, "C", model=Named(name="b", number=1))
    [second] = remember(resources, "C", model=Named(name="b", number=2))
    [other] = remember(resources, "C", model=Named(name="a", number=1))
    found = api.get("predictions/latest", params={"structure": "C"}).json()
    assert [item["id"] for item in found["items"]] == [other, second]
    assert (found["structure"], found["count"]) == ("C", 2)
    assert found["models_used"] == ["a:1", "b:2"]
    assert api.get("predictions/latest").status_code == 422


def test_strangers_see_and_delete_nothing(api, resources, strangers):
    theirs = Principal(project_id=strangers, name="key:stranger")
    [id_] = remember(resources, "C", caller=theirs)
    assert api.get(f"predictions/{id_}").status_code == 404
    assert listed(api) == []
    [mine] = remember(resources, "C")
    other = bearer(resources, is_admin=True, project_id=strangers)
    assert api.delete(f"predictions/{mine}", headers=other).status_code == 404
    assert api.delete("predictions?structure=C", headers=other).json()["deleted"] == 1
    assert listed(api) == [mine]


# ---- deletion


@pytest.mark.req("S2-06", "S2-17")
def test_only_administrators_delete(api, resources):
    [id_] = remember(resources, "C")
    for path in (f"predictions/{id_}", "predictions?structure=C", "admin/prediction-cache/esol"):
        refused = api.delete(path)
        assert refused.status_code == 403
        assert refused.json()["code"] == "forbidden"
        assert refused.json()["remedy"]
    assert listed(api) == [id_]
    assert audited(resources) == []


@pytest.mark.req("S2-06")
def test_one_is_deleted_and_that_is_written_down(api, resources, admin):
    [id_, other] = remember(resources, "C", "CC")
    headers = admin | {"X-Request-ID": "why-1"}
    assert api.delete(f"predictions/{id_}", headers=headers).status_code == 204
    assert listed(api) == [other]
    assert api.delete(f"predictions/{id_}", headers=headers).status_code == 404
    [row] = audited(resources)
    assert (row.principal, row.action) == ("key:other", "predictions.delete")
    assert (row.resource, row.details) == (f"predictions/{id_}", {"deleted": 1})
    assert (row.request_id, row.project_id) == ("why-1", DEFAULT_PROJECT_ID)


def test_what_still_waits_is_deleted_too(api, resources, admin):
    [waits] = entries("C")
    push(resources.redis, [waits])
    assert api.delete(f"predictions/{waits.id}", headers=admin).status_code == 204
    push(resources.redis, entries("C", "CC"))
    assert api.delete("predictions?structure=C", headers=admin).json()["deleted"] == 1
    assert resources.redis.llen(PENDING) == 0
    drain(resources)
    assert len(listed(api)) == 1


def test_many_are_deleted_by_filters_in_bounded_calls(api, resources, admin, monkeypatch):
    monkeypatch.setattr(records, "MOST_DELETED", 2)
    remember(resources, "C", "C", "C", model=Named(name="esol"))
    [kept] = remember(resources, "C", model=Named(name="logp"))
    path = "predictions?structure=C&model=esol"
    assert api.delete(path, headers=admin).json() == {"deleted": 2, "more": True}
    assert api.delete(path, headers=admin).json() == {"deleted": 1, "more": False}
    assert listed(api) == [kept]
    assert [row.details["deleted"] for row in audited(resources)] == [2, 1]
    assert audited(resources)[0].details["asked"] == {"structure": "C", "model": "esol"}


@pytest.mark.parametrize("query", ["", "?modell=esol", "?model=esol&created_befor=2020-01-01"])
def test_nothing_is_deleted_by_mistake(api, resources, admin, query):
    [id_] = remember(resources, "C", model=Named(name="esol"))
    refused = api.delete(f"predictions{query}", headers=admin)
    assert refused.status_code == 422
    assert "created_before" in refused.json()["remedy"]
    assert listed(api) == [id_]


def test_the_audit_log_is_only_added_to(resources, api, admin):
    [id_] = remember(resources, "C")
    api.delete(f"predictions/{id_}", headers=admin)
    for statement in ("UPDATE audit_log SET principal = 'nobody'", "DELETE FROM audit_log"):
        with pytest.raises(Exception, match="only added to"), resources.database.cursor() as cursor:
            cursor.execute(statement)
    assert len(audited(resources)) == 1


# ---- the cache


@pytest.fixture
def models(monkeypatch):
    """Versions that the route finds, without training them."""
    found = {"esol": Named(name="esol", number=3), "logp": Named(name="logp", number=1)}
    monkeypatch.setattr(
        "api.routes.prediction_cache.resolve_model", lambda session, project, ref: found[ref]
    )
    return SimpleNamespace(**found)


def count(resources, model_id, hits, misses):
    with resources.cache.pipeline() as pipe:
        record(pipe, model_id, hits, misses)
        pipe.execute()


@pytest.mark.req("S2-20", "goal-69")
def test_the_hit_rate_is_counted_by_model_and_day(resources, monkeypatch):
    esol, logp = uuid4(), uuid4()
    monkeypatch.setattr(cache_statistics, "_begun", {"day": 0})
    now = time.time()
    with monkeypatch.context() as yesterday:
        yesterday.setattr("time.time", lambda: now - 86_400)
        count(resources, esol, 1, 3)
    count(resources, esol, 8, 1)
    count(resources, esol, 1, 0)
    count(resources, logp, 0, 2)
    count(resources, logp, 0, 0)
    found = cache_statistics.read_statistics(resources.cache, days=2)
    assert found.total.as_json() == {"hits": 10, "misses": 6, "hit_rate": 0.625}
    assert found.by_model[esol].as_json() == {"hits": 10, "misses": 4, "hit_rate": 10 / 14}
    assert found.by_model[logp].hit_rate == 0.0
    assert [(c.hits, c.misses) for c in found.by_day.values()] == [(1, 3), (9, 3)]
    assert found.since == min(found.by_day)
    today = cache_statistics.read_statistics(resources.cache, days=1)
    assert (today.total.hits, today.total.misses) == (9, 3)
    for key in resources.cache.keys("prediction-cache:*"):
        assert 0 < resources.cache.ttl(key) <= 31 * 86_400


def test_nothing_asked_is_no_rate(api):
    found = api.get("admin/prediction-cache").json()
    days = found.pop("days")
    assert found == {"hits": 0, "misses": 0, "hit_rate": None, "since": None, "models": []}
    assert len(days) == 7


def test_a_model_of_nobody_here_is_not_shown(api, resources):
    count(resources, uuid4(), 5, 5)
    assert api.get("admin/prediction-cache").json()["hits"] == 0


def test_the_answers_of_one_model_are_forgotten(api, resources, admin, models):
    mine = [
        answer_key(models.esol.id, input_key({"smiles": "C"})),
        cache_key(models.esol.id, "C"),
    ]
    others = [answer_key(models.logp.id, input_key({"smiles": "C"})), "pointers"]
    for key in (*mine, *others):
        resources.cache.set(key, orjson.dumps({}))
    answer = api.delete("admin/prediction-cache/esol", headers=admin)
    assert answer.json()["deleted"] == 2
    assert answer.json()["model"]["number"] == 3
    assert not resources.cache.exists(*mine)
    assert resources.cache.exists(*others) == 2
    [row] = audited(resources)
    assert (row.action, row.resource) == ("prediction_cache.delete", f"models/{models.esol.id}")


def test_a_structure_is_found_by_the_same_key_in_python_and_sql(resources):
    odd = ["C", "é\u0301", "C" * 5_000]
    remember(resources, *odd)
    with resources.database.cursor() as cursor:
        cursor.execute("SELECT structure, structure_key FROM predictions")
        for row in cursor.fetchall():
            assert row["structure_key"] == structure_key(row["structure"])
