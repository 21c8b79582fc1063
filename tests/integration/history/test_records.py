"""Lists of past predictions: each by its index; and what is removed when."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from app.access.principal import Principal
from app.core.errors import NotFound
from app.core.ids import new_id
from app.db.database import Database
from app.db.projects import ProjectRow
from app.history import clean_up, records
from app.history.clean_up import remove_old
from app.history.policy import HistoryPolicy
from app.history.records import (
    PredictionFilter,
    delete_predictions,
    get_prediction,
    known_structure,
    latest_predictions,
    list_predictions,
    models_used,
    structure_key,
)
from app.history.sink import store
from app.prediction.answer_cache import input_key
from tests.support.predictions import CALLER, Named, answered, entries, fill_predictions

MINE = CALLER.project_id
MANY = 10_000


def keep(database, *smiles, **options):
    made = entries(*smiles, **options)
    assert store(database, [entry.body for entry in made]) == len(made)
    return [entry.id for entry in made]


def ids(rows):
    return [row["id"] for row in rows]


def listed(database, limit=100, before_id=None, **filters):
    return ids(
        list_predictions(
            database, MINE, PredictionFilter(**filters), limit=limit, before_id=before_id
        )
    )


@pytest.fixture
def stranger(database):
    with database.session() as session:
        project = ProjectRow(name="strangers")
        session.add(project)
        session.flush()
        return Principal(project_id=project.id, name="key:stranger")


def test_each_filter_gives_what_it_names_newest_first(database, stranger):
    esol, other = Named(name="esol", number=1), Named(name="logp", number=2)
    endpoint = new_id()
    [a] = keep(database, "C", model=esol, request_id="r-1")
    [b] = keep(database, "CC", model=esol, mode="shadow", endpoint_id=endpoint)
    [c] = keep(database, "C", model=other, mode="fallback", request_id="r-2")
    [d] = keep(database, "C", model=Named(name="esol", number=2))
    keep(database, "C", model=esol, caller=stranger)
    assert listed(database) == [d, c, b, a]
    assert listed(database, model_name="esol") == [d, b, a]
    assert listed(database, model_name="esol", model_number=1) == [b, a]
    assert listed(database, structure_key=structure_key("C")) == [d, c, a]
    assert listed(database, structure_key=structure_key("C"), model_name="esol") == [d, a]
    assert listed(database, endpoint_id=endpoint) == [b]
    assert listed(database, mode="shadow") == [b]
    assert listed(database, mode="fallback") == [c]
    assert listed(database, mode="live") == [d, a]
    assert listed(database, request_id="r-1") == [d, b, a]
    assert listed(database, limit=2) == [d, c]
    assert listed(database, limit=2, before_id=c) == [b, a]
    assert models_used(list_predictions(database, MINE, PredictionFilter(), limit=9)) == [
        "esol:1",
        "esol:2",
        "logp:2",
    ]


def test_times_are_exact(database):
    [first] = keep(database, "C")
    [second] = keep(database, "CC")
    at = get_prediction(database, MINE, first)["created_at"]
    then = get_prediction(database, MINE, second)["created_at"]
    assert abs(then - datetime.now(UTC)) < timedelta(minutes=5)
    assert listed(database, created_after=at) == [second]
    assert listed(database, created_before=then) == [first]
    assert listed(database, created_after=at, created_before=then) == []
    assert listed(database, created_before=at) == []


def test_the_latest_of_each_name(database, stranger):
    for number in (1, 2):
        for name in ("b", "a", "c"):
            keep(database, "C", "C", model=Named(name=name, number=number))
    [newest] = keep(database, "C", model=Named(name="b", number=1))
    keep(database, "CC", model=Named(name="z"))
    keep(database, "C", model=Named(name="s"), caller=stranger)
    found = latest_predictions(database, MINE, structure_key("C"))
    assert [(row["model_name"], row["model_number"]) for row in found] == [
        ("a", 2),
        ("b", 1),
        ("c", 2),
    ]
    assert found[1]["id"] == newest
    assert len(latest_predictions(database, MINE, structure_key("C"), limit=2)) == 2
    assert latest_predictions(database, MINE, structure_key("CCC")) == []


def test_a_structure_is_known_by_itself_and_by_what_was_sent(database, stranger):
    keep(database, answered("OCC", canonical="CCO"))
    keep(database, "N", caller=stranger)

    def known(text):
        return known_structure(database, MINE, text, input_key({"smiles": text}))

    assert known("CCO") == known("OCC") == structure_key("CCO")
    assert known("C(O)C") is None
    assert known("N") is None


def test_one_of_another_project_is_not_there(database, stranger):
    [theirs] = keep(database, "C", caller=stranger)
    with pytest.raises(NotFound):
        get_prediction(database, MINE, theirs)
    with database.cursor() as cursor:
        assert not records.delete_prediction(cursor, MINE, theirs)
        assert delete_predictions(cursor, MINE, PredictionFilter()) == 0
    assert get_prediction(database, stranger.project_id, theirs)["id"] == theirs


def test_a_call_deletes_a_bounded_number_oldest_first(database, monkeypatch):
    monkeypatch.setattr(records, "MOST_DELETED", 2)
    kept = keep(database, "C", "C", "C", "CC")
    only = PredictionFilter(structure_key=structure_key("C"))
    with database.cursor() as cursor:
        assert delete_predictions(cursor, MINE, only) == 2
    assert listed(database) == [kept[3], kept[2]]
    with database.cursor() as cursor:
        assert delete_predictions(cursor, MINE, only) == 1
    assert listed(database) == [kept[3]]


def test_old_ones_are_removed_by_their_own_date_or_the_rule(database, monkeypatch):
    monkeypatch.setattr(clean_up, "_BATCH", 2)
    [short] = keep(database, "C", policy=HistoryPolicy(store="all", keep_days=1))
    [long] = keep(database, "C", policy=HistoryPolicy(store="all", keep_days=400))
    plain = keep(database, *"CNOSP")
    with database.cursor() as cursor:
        cursor.execute(
            "UPDATE predictions SET created_at = created_at - interval '91 days',"
            " expires_at = expires_at - interval '91 days' WHERE id <> %s",
            (plain[4],),
        )
    assert remove_old(database, days=100) == 1
    assert short not in listed(database)
    assert remove_old(database, days=90) == 4
    assert listed(database) == [plain[4], long]
    assert remove_old(database, days=90) == 0


# ---- by an index


class Explaining:
    """A cursor that keeps the plan of every query of `predictions`, with what each step did."""

    def __init__(self, cursor, plans):
        self._cursor, self._plans = cursor, plans

    def execute(self, query, values=None):
        if "predictions" in query and not query.startswith("DELETE"):
            self._cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", values)
            self._plans.append(self._cursor.fetchone()["QUERY PLAN"][0]["Plan"])
        return self._cursor.execute(query, values)

    def __getattr__(self, name):
        return getattr(self._cursor, name)


def steps(plan):
    yield plan
    for child in plan.get("Plans", ()):
        yield from steps(child)


def looked_at(step):
    removed = ("Rows Removed by Filter", "Rows Removed by Index Recheck")
    return (step["Actual Rows"] + sum(step.get(name, 0) for name in removed)) * step["Actual Loops"]


@pytest.fixture
def filled(database):
    return fill_predictions(database, MANY)


@pytest.fixture
def plans(filled, database, monkeypatch):
    found = []
    original = Database.cursor

    @contextmanager
    def cursor(self):
        with original(self) as plain:
            yield Explaining(plain, found)

    monkeypatch.setattr(Database, "cursor", cursor)
    return found


def _used(plans):
    scans = [step for plan in plans for step in steps(plan) if "Index Name" in step]
    assert not [s for plan in plans for s in steps(plan) if s["Node Type"] == "Seq Scan"]
    return {step["Index Name"] for step in scans}, max(looked_at(step) for step in scans)


@pytest.mark.req("S2-19")
def test_each_list_uses_its_index(database, plans, filled):
    with database.session() as session:
        endpoint = (
            session.connection()
            .exec_driver_sql(
                "SELECT endpoint_id FROM predictions WHERE endpoint_id IS NOT NULL LIMIT 1"
            )
            .scalar_one()
        )
    key, late = structure_key("C" * 7), datetime.now(UTC) + timedelta(days=1)
    lists = {
        "ix_predictions_newest": {},
        "ix_predictions_structure": {"structure_key": key},
        "ix_predictions_model": {"model_name": "model-3"},
        "ix_predictions_structure_model": {"structure_key": key, "model_name": "model-6"},
        "ix_predictions_version": {"model_name": "model-3", "model_number": 2},
        "ix_predictions_request": {"request_id": "request-7"},
        "ix_predictions_endpoint": {"endpoint_id": endpoint},
        "ix_predictions_mode": {"mode": "shadow"},
    }
    for index, filters in lists.items():
        for before in (None, filled[MANY // 2]):
            plans.clear()
            found = listed(database, limit=11, before_id=before, **filters)
            assert found, index
            names, rows = _used(plans)
            assert names == {index}, (index, plans)
            assert rows <= 11
    plans.clear()
    assert len(listed(database, limit=11, created_before=late)) == 11
    assert _used(plans) == ({"ix_predictions_newest"}, 11)


def test_the_latest_takes_a_step_for_each_name(database, plans):
    found = latest_predictions(database, MINE, structure_key("C" * 7))
    assert len(found) == 1
    names, rows = _used(plans)
    assert "ix_predictions_structure_model" in names
    assert rows <= 2
    plans.clear()
    text = "C" * 9
    assert known_structure(database, MINE, text, "") == structure_key(text)
    assert known_structure(database, MINE, "no", input_key({"smiles": text}))
    assert "ix_predictions_input" in _used(plans)[0]
    assert _used(plans)[1] <= 1
