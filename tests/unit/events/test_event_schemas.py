"""Schemas and the AsyncAPI document are valid by the standards' own schemas, and say the names."""

import gzip
import json
import re
from pathlib import Path

import jsonschema
import pytest

from app.commands.types import COMMANDS
from app.core.errors import NotFound
from app.events import schemas
from app.events.asyncapi import asyncapi
from app.events.types import TYPES

ROOT = Path(__file__).resolve().parents[3]
ASYNCAPI = ROOT / "tests/support/asyncapi/3.0.0.json.gz"

#: of requirements 6.5, letter by letter
NAMES = {
    "FeatureVectorsCalculated",
    "FeatureVectorsCalculationFailed",
    "ModelTrainingStarted",
    "ModelTrained",
    "ModelThumbnailGenerated",
    "TrainingFailed",
    "TrainingOptimized",
    "TrainingOptimizationFailed",
    "PropertiesPredicted",
    "PredictionFailed",
    "PredictedResultReady",
    "ReportGenerated",
    "ReportGenerationFailed",
    "DatasetIngested",
    "DatasetIngestionFailed",
    "AutoMLCompleted",
    "AutoMLFailed",
    "ModelEvaluated",
    "ExplanationGenerated",
    "ModelPromoted",
    "ModelArchived",
    "EndpointRevised",
    "EndpointRolledBack",
    "DriftDetected",
    "PerformanceDegraded",
    "MonitorRan",
    "SampleFlagged",
    "JobStateChanged",
    "JobProgressed",
    "WebhookDisabled",
    "ApiKeyExpiring",
    "QuotaExceeded",
}


@pytest.mark.req("S0-03", "S0-07", "S0-13", "goal-16")
def test_the_names_are_exact():
    assert TYPES.keys() - {"WebhookTested"} == NAMES


@pytest.mark.parametrize("name", TYPES)
def test_each_schema_is_one(name):
    schema = schemas.schema(name, 1)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"/schemas/{name}/1"
    assert schema["properties"]["type"] == {"const": name}
    assert "additionalProperties" not in schema["properties"]["data"]


def test_jobs_repeat_what_the_command_carried():
    data = schemas.schema("ModelTrained", 1)["properties"]["data"]
    assert {"id", "user_id", "job_id"} <= set(data["required"])
    assert "correlation_id" in data["properties"]


@pytest.mark.parametrize(("name", "version"), [("Nothing", 1), ("ModelTrained", 2)])
def test_what_is_not_there_is_said(name, version):
    with pytest.raises(NotFound):
        schemas.schema(name, version)


@pytest.mark.req("S0-22", "goal-16")
def test_the_asyncapi_document_is_valid_by_its_json_schema():
    document = asyncapi("retort.example:8000", "1", COMMANDS)
    rules = json.loads(gzip.decompress(ASYNCAPI.read_bytes()))
    jsonschema.Draft7Validator(rules).validate(document)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(rules).validate({**document, "channels": []})
    sent = {name for name, cls in TYPES.items() if cls.sent}
    assert document["components"]["messages"].keys() == sent | COMMANDS.keys()
    topics = {name: one for name, one in document["channels"].items() if name.startswith("kafka_")}
    taken = topics.pop("kafka_commands")
    assert taken["messages"].keys() == COMMANDS.keys()
    lying = [name for one in topics.values() for name in one["messages"]]
    assert sorted(lying) == sorted(sent), "each event in one topic"


def test_every_reference_in_the_document_leads_somewhere():
    document = asyncapi("retort.example", "1", COMMANDS)
    for place in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)):
        node = document
        for word in place.split("/"):
            node = node[word]
