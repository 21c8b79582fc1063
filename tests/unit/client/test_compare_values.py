"""Comparisons from Python objects and from the command line, against the server in memory."""

import math

import numpy as np
import pandas as pd
import pytest

from retort.comparing import comparison_of, stored_comparison_of


@pytest.mark.req("S2-11")
def test_what_people_have_in_hands_becomes_items():
    one = [{"predicted": {"gap": 1.0}, "reference": {"gap": 2.0}}]
    frame = pd.DataFrame({"gap": [1.0, None]})
    assert comparison_of({"gap": np.float32(1.0)}, {"gap": 2}, None, None, None)["items"] == one
    rows = comparison_of(frame, [{"gap": 2.0}, {"gap": math.nan}], None, None, None)["items"]
    assert rows == [*one, {"predicted": {"gap": None}, "reference": {"gap": None}}]
    plain = comparison_of(np.array([1.0]), pd.Series([2.0]), "eV", None, 0.5)
    assert plain == {
        "items": [{"predicted": {"value": 1.0}, "reference": {"value": 2.0}}],
        "units": {"value": "eV"},
        "tolerances": {"value": 0.5},
    }


def test_sides_of_different_length_are_no_comparison():
    with pytest.raises(ValueError, match="2 predicted and 1 reference"):
        comparison_of([1.0, 2.0], [1.0], None, None, None)


def test_objects_are_sent_by_their_names():
    body = stored_comparison_of(
        {"model": {"ref": "m:3", "id": "x"}, "unit": None},
        {"dataset": {"ref": "d:1"}, "column": "y"},
        None,
    )
    assert body == {"predicted": {"model": "m:3"}, "reference": {"dataset": "d:1", "column": "y"}}


def test_values_on_the_command_line(shell):
    found = shell.json("compare-values", "--value", "gap=1.2,1.0", "--value", "d=0,0")
    assert found["properties"]["gap"]["mae"] == pytest.approx(0.2)
    assert found["properties"]["d"]["mae"] == 0.0
    shown = shell.run("compare-values", "--value", "gap=1.2,1.0", "--unit", "eV")
    assert "gap" in shown.out
    assert "eV" in shown.out


def test_columns_on_the_command_line(shell):
    shell.run("data", "push", "mols.csv", "--target", "y")
    same = shell.json("compare-values", "mols", "--predicted", "y", "--reference", "y")
    assert same["properties"]["y"]["rmse"] == 0.0
    dry = shell.run(
        "compare-values", "mols", "--model", "m@champion", "--reference", "y", "--dry-run"
    )
    assert '{"model": "m@champion"}' in dry.out
    assert '"reference": {"dataset": "mols", "column": "y"}' in dry.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name a data set"),
        (("mols", "--predicted", "y"), "--reference"),
        (("mols", "--reference", "y"), "name the predictions"),
        (("--value", "gap=1.2"), "PROPERTY=PREDICTED,REFERENCE"),
        (("--value", "gap=a,b"), "PROPERTY=PREDICTED,REFERENCE"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_sent(shell, words, said):
    shell.server.calls.clear()
    refused = shell.run("compare-values", *words)
    assert refused.code == 2
    assert said in " ".join(refused.err.replace("│", " ").split())
    assert shell.server.calls == []
