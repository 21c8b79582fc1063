"""MLflow's registry follows ours: a real store of MLflow's, and a twin in memory for the rounds."""

import pytest
from sqlalchemy import func, select

from app.core.errors import Retryable
from app.db.models import ModelVersionRow
from app.db.registry import RegistryNameRow
from app.registry.mirror import mirror_changes
from app.tracking.mirrored import MemoryMirror, MirroredName, MirroredVersion
from app.tracking.mlflow_registry import MlflowRegistry
from tests.integration.test_model_registry import Lab, lab, worker

__all__ = ["lab", "worker"]


def tracked(resources, **values):
    with resources.database.session() as session:
        for row in session.scalars(select(ModelVersionRow)):
            row.tracked_at, row.mlflow_run_id = func.now(), f"run-{row.number}"
            for name, value in values.items():
                setattr(row, name, value)


def rounds(resources, mirror):
    return mirror_changes(resources, mirror=mirror)


@pytest.mark.req("S1-16", "goal-56")
def test_what_changed_is_shown_once(lab: Lab, resources):
    one = lab.version(1)
    mirror = MemoryMirror()
    assert rounds(resources, mirror) == 0, "its run is not there yet"
    tracked(resources)
    assert rounds(resources, mirror) == 1
    assert rounds(resources, mirror) == 0
    shown = mirror.names["sol"]
    assert shown.aliases == {}
    assert [(v.model_id, v.number, v.run_id) for v in shown.versions] == [(str(one.id), 1, "run-1")]
    changes = (
        lambda: lab.promoted(1),
        lambda: lab.api.patch("models/sol:1", json={"labels": {"team": "a"}, "semver": "1.0.0"}),
        lambda: lab.api.patch("registry/sol", json={"description": "Solubility"}),
        lambda: lab.api.delete("registry/sol/aliases/champion"),
        lambda: lab.api.delete("models/sol:1"),
    )
    told = []
    for change in changes:
        change()
        assert rounds(resources, mirror) == 1
        assert rounds(resources, mirror) == 0
        told.append(mirror.names["sol"])
    assert told[0].aliases == {"champion": 1}
    assert told[1].versions[0].tags["team"] == "a"
    assert told[1].versions[0].tags["retort.semver"] == "1.0.0"
    assert told[2].description == "Solubility"
    assert told[3].aliases == {}
    assert told[4].versions[0].tags["retort.state"] == "archived"


def test_an_outage_is_made_good_by_the_next_round(lab: Lab, resources):
    class Away:
        def show(self, name):
            raise Retryable("MLflow is away")

    lab.version(1)
    lab.promoted(1)
    tracked(resources)
    with pytest.raises(Retryable):
        rounds(resources, Away())
    mirror = MemoryMirror()
    assert rounds(resources, mirror) == 1
    assert mirror.names["sol"].aliases == {"champion": 1}
    with resources.database.session() as session:
        row = session.scalars(select(RegistryNameRow)).one()
        row.mirrored_at = func.now() - func.make_interval(0, 0, 0, 2)
    assert rounds(resources, mirror) == 1, "compared anew each day"


def test_without_mlflow_nothing_is_asked(lab: Lab, resources):
    lab.version(1)
    tracked(resources)
    assert mirror_changes(resources) == 0


# ---- MLflow's own store


def named(*numbers, aliases=None, tags=None, **of_version):
    versions = tuple(
        MirroredVersion(
            model_id=f"id-{n}",
            number=n,
            run_id=None,
            description=of_version.get("description", ""),
            tags={"retort.version": str(n)} | of_version.get("tags", {}),
        )
        for n in numbers
    )
    return MirroredName(
        name="sol",
        description="Solubility",
        tags=tags or {},
        versions=versions,
        aliases=aliases or {},
    )


def pointed(model):
    """MLflow gives numbers from its database, texts from its server."""
    return {alias: str(version) for alias, version in model.aliases.items()}


@pytest.fixture
def uri(tmp_path):
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


def test_mlflows_page_shows_the_same(uri):
    from mlflow.tracking import MlflowClient

    mirror, client = MlflowRegistry(uri), MlflowClient(tracking_uri=uri, registry_uri=uri)
    mirror.show(named(1, 2, aliases={"champion": 1, "staging": 2}, tags={"unit/of": "logS"}))
    model = client.get_registered_model("sol")
    assert model.description == "Solubility"
    assert model.tags == {"unit/of": "logS"}
    assert pointed(model) == {"champion": "1", "staging": "2"}
    run = client.create_run(client.create_experiment("sol"))
    # again, with a run, a moved and a dropped alias, a tag that went and one that came
    third = MirroredVersion(
        model_id="id-3", number=3, run_id=run.info.run_id, description="new", tags={"a(b)": "c"}
    )
    before = named(1, 2, tags={"team": "a"})
    wanted = MirroredName(
        name="sol",
        description="Solubility in water",
        tags={"team": "a"},
        versions=(*before.versions, third),
        aliases={"champion": 3},
    )
    for _ in range(2):
        mirror.show(wanted)
        model = client.get_registered_model("sol")
        assert (pointed(model), model.tags) == ({"champion": "3"}, {"team": "a"})
        assert model.description == "Solubility in water"
        found = {v.version: v for v in client.search_model_versions("name='sol'")}
        assert sorted(map(str, found)) == ["1", "2", "3"]
        newest = client.get_model_version_by_alias("sol", "champion")
        assert newest.run_id == run.info.run_id
        assert newest.source == run.info.artifact_uri
        assert newest.tags == {"a_b_": "c", "retort.model_id": "id-3"}
        assert newest.description == "new"


def test_a_server_that_is_away_is_an_outage(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(Retryable, match="MLflow"):
        MlflowRegistry("http://127.0.0.1:9").show(named(1))
