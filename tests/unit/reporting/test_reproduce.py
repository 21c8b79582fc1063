"""What the report says to make the model again is what was asked for."""

import ast
import json
import shlex

import pytest

from app.reporting import reproduce
from app.training.params import TrainParams
from retort import cli
from retort.learning import learn_params
from retort.testing import FakeRetort, FakeServer
from tests.support.model_files import number_model

pytestmark = pytest.mark.req("S0-10")
TARGET = "measured log solubility, in mols 'per' litre"


def called(python):
    """(positional arguments, keywords) of the train call in it."""
    call = ast.parse(python).body[-1].value
    return (
        [ast.literal_eval(a) for a in call.args],
        {k.arg: ast.literal_eval(k.value) for k in call.keywords},
    )


def test_the_python_call_is_the_whole_request():
    split = {"name": "scaffold", "params": {"test": 0.2}, "seed": 7, "hash": "h", "sizes": {}}
    model = number_model(TARGET, split=split, seed=3)
    (dataset,), said = called(reproduce.python(model))
    params = TrainParams(**learn_params(dataset, said))
    assert params.dataset == "sol:1"
    assert params.targets == (TARGET,)
    assert params.algorithm.params == {"n_estimators": 600, "learning_rate": 0.03}
    assert [spec.name for spec in params.features] == ["morgan_counts", "erg"]
    assert (params.split.name, params.split.params, params.split.seed) == (
        "scaffold",
        {"test": 0.2},
        7,
    )
    assert (params.seed, params.name, params.task) == (3, "sol", "regression")


def test_the_command_says_the_same(monkeypatch, capsys):
    split = {"name": "scaffold", "params": {"test": 0.2}, "seed": 3, "hash": "h", "sizes": {}}
    calibration = {"method": "cross_conformal", "level": 0.9, "n": {TARGET: 60}}
    model = number_model(TARGET, split=split, seed=3, calibration=calibration)
    words = shlex.split(reproduce.command(model).replace("\\\n", " "))
    monkeypatch.setattr("retort.cli.session.Retort", lambda: FakeRetort(FakeServer()))
    monkeypatch.setattr("sys.argv", [*words, "--dry-run"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    curl = shlex.split(capsys.readouterr().out.replace("\\\n", " "))
    sent = json.loads(next(word for word in curl if word.startswith("{")))["params"]
    asked = TrainParams(**reproduce.request(model))
    assert TrainParams(**sent) == asked
    assert asked.calibration == "cross"


def test_no_command_where_it_could_not_say_all():
    split = {"name": "random", "params": {}, "seed": 1, "hash": "h", "sizes": {}}
    assert reproduce.command(number_model(split=split, seed=2)) is None
    params = [{"name": "morgan_counts", "params": {"radius": 3}}]
    assert reproduce.command(number_model(features=params)) is None
