"""Events for programs that were written for OSDR's messages: its names, letter by letter."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from app.events.envelope import Event, envelope
from app.events.osdr import osdr_envelope
from app.events.types import TYPES

OF_A_JOB = {"id": "c1", "user_id": "ada", "correlation_id": "k1", "job_id": "j1"}


def event(type_name, **data):
    said = TYPES[type_name](**OF_A_JOB, **data).model_dump(mode="json")
    return Event(
        id=UUID(int=1),
        seq=3,
        project_id=UUID(int=2),
        at=datetime(2026, 11, 29, 10, 0, tzinfo=UTC),
        type=type_name,
        type_version=1,
        subject="jobs/j1",
        correlation_id="k1",
        data=said,
    )


TRAINED = event(
    "ModelTrained",
    model_id="m1",
    name="solubility",
    version=2,
    metrics={"test": {"log_s": {"rmse": 0.6}}},
    property={"category": "regression", "name": "log_s", "units": "mol/L"},
    dataset={"title": "esol:1"},
    method_display_name="random_forest",
    available_single_structure_prediction=True,
    artifact="models/m1",
)
FAILED = event("PredictionFailed", message="no such model")


@pytest.mark.req("S0-03", "S0-07", "S0-13", "U-01", "U-03", "U-04")
def test_the_fields_that_osdr_names_are_there_by_its_names():
    told = osdr_envelope(TRAINED, pascal=True, legacy_names=False)
    data = told["data"]
    # requirements U-03
    named = {
        *("Id", "CorrelationId", "UserId", "TimeStamp", "Property", "Dataset", "Modi"),
        *("AvailableSingleStructurePrediction", "MethodDisplayName"),
    }
    assert named <= data.keys()
    assert data["Property"] == {
        "Category": "regression",
        "Name": "log_s",
        "Units": "mol/L",
        "Description": "",
    }
    assert data["Dataset"] == {"Title": "esol:1", "Description": ""}
    assert data["Metrics"] == {"test": {"log_s": {"rmse": 0.6}}}
    assert data["TimeStamp"] == told["time"] == "2026-11-29T10:00:00Z"
    # U-01, U-04, U-05
    vectors = event(
        "FeatureVectorsCalculated",
        dataset_id="d1",
        feature_artifact="f",
        fingerprints=["maccs"],
        structures=3,
        columns=5,
        failed=1,
    )
    said = osdr_envelope(vectors, pascal=True, legacy_names=False)["data"]
    assert [said[name] for name in ("CorrelationId", "Structures", "Columns", "Failed")] == [
        *("k1", 3, 5, 1)
    ]
    failed = event("TrainingFailed", message="no rows")
    said = osdr_envelope(failed, pascal=True, legacy_names=False)["data"]
    named = {"Id", "CorrelationId", "UserId", "Message", "IsModelTrained", "IsThumbnailGenerated"}
    assert named <= said.keys()


def test_the_envelope_stays_but_for_the_schema_that_does_not_fit():
    told = osdr_envelope(TRAINED, pascal=True, legacy_names=False)
    ours = envelope(TRAINED)
    assert {**ours, "data": None} == {**told, "data": None, "dataschema": ours["dataschema"]}
    assert "dataschema" not in told


@pytest.mark.req("U-06")
def test_a_failed_prediction_by_the_name_of_osdrs_code():
    told = osdr_envelope(FAILED, pascal=False, legacy_names=True)
    assert told == {**envelope(FAILED), "type": "PropertiesPredictionFailed"}
    assert osdr_envelope(TRAINED, pascal=False, legacy_names=True) == envelope(TRAINED)


def test_without_either_it_is_our_envelope():
    assert osdr_envelope(FAILED, pascal=False, legacy_names=False) == envelope(FAILED)


def test_every_type_of_event_has_a_pascal_name_of_its_own_for_each_field():
    for cls in TYPES.values():
        made = event_of_nothing(cls)
        told = osdr_envelope(made, pascal=True, legacy_names=False)["data"]
        assert len(told) == len(cls.model_fields) + 1, cls
        assert all(name[0].isupper() and "_" not in name for name in told), cls


def event_of_nothing(cls):
    return Event(
        **{name: getattr(TRAINED, name) for name in ("id", "seq", "project_id", "at", "subject")},
        type=cls.__name__,
        type_version=1,
        correlation_id=None,
        data=dict.fromkeys(cls.model_fields),
    )
