"""Commands as OSDR's programs write them, where the bridge is set to read them."""

import orjson
import pytest

from app.commands.door import read_command
from app.core.errors import InvalidInput, UnknownName

SENT = {
    "Type": "TrainModel",
    "Id": "c1",
    "UserId": "ada",
    "CorrelationId": "k1",
    "DatasetId": "esol",
    "Method": "randomforestregressor",
    "HyperParameters": {"n_estimators": 20},
    "Params": {"targets": ["y"]},
}
OURS = {
    "type": "TrainModel",
    "id": "c1",
    "user_id": "ada",
    "correlation_id": "k1",
    "dataset_id": "esol",
    "algorithm": "randomforestregressor",
    "hyperparameters": {"n_estimators": 20},
    "params": {"targets": ["y"]},
}


def read(said, **how):
    return read_command(orjson.dumps(said), **how)[0]


@pytest.mark.req("U-02")
def test_it_is_the_same_command():
    assert read(SENT, pascal=True) == read(OURS)
    assert read(OURS, pascal=True) == read(OURS)
    loud = {name.upper(): value for name, value in SENT.items()}
    assert read(loud, pascal=True) == read(OURS), "names are read in any case"


@pytest.mark.req("U-07")
def test_one_structure():
    said = {
        "Type": "PredictStructure",
        "Id": "c1",
        "UserId": "ada",
        "Structure": "CCO",
        "Format": "SMILES",
        "PropertyName": "logS",
        "Models": ["esol"],
    }
    found = read(said, pascal=True)
    assert (found.structure, found.property_name, found.models) == ("CCO", "logS", ("esol",))


def test_without_the_setting_such_names_are_unknown():
    with pytest.raises(UnknownName):
        read(SENT)
    with pytest.raises(InvalidInput):
        read({**OURS, "UserId": "ada"})


def test_an_error_names_the_field_as_it_was_written():
    with pytest.raises(InvalidInput) as caught:
        read({**SENT, "UserId": ""}, pascal=True)
    assert [entry["pointer"] for entry in caught.value.errors] == ["/UserId"]
    with pytest.raises(InvalidInput) as caught:
        read({**SENT, "ClassName": "y"}, pascal=True)
    assert [entry["pointer"] for entry in caught.value.errors] == ["/ClassName"]
