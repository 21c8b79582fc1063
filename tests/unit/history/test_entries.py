"""What is remembered: by policy, with the bytes of the answer as they were sent."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest
from pydantic import ValidationError

from app.history.policy import ALL, NONE, HistoryPolicy
from tests.support.predictions import CALLER, Named, answered, entries


def bodies(made):
    return [orjson.loads(entry.body) for entry in made]


def test_bytes_and_dicts_make_the_same_row():
    model, told = Named(), {"canonical": "CCO", "id_": "a", "value": 0.1, "cached": True}
    [one] = bodies(entries(answered("OCC", **told), model=model))
    [other] = bodies(entries(answered("OCC", as_bytes=True, **told), model=model))
    for row in (one, other):
        row.pop("id")
        row.pop("created_at")
    assert one == other
    assert one["input"] == {"smiles": "OCC", "id": "a"}
    assert "input" not in one["output"]
    assert one["output"]["canonical_smiles"] == "CCO"


def test_each_entry_says_who_asked_whom_and_when():
    model = Named(name="esol", number=3)
    made = entries("C", "CC", model=model, request_id="r", mode="shadow", endpoint_revision=2)
    assert [str(entry.id) for entry in made] == [row["id"] for row in bodies(made)]
    assert made[0].id < made[1].id
    row = bodies(made)[0]
    assert (row["model_id"], row["model_name"], row["model_number"]) == (str(model.id), "esol", 3)
    assert (row["created_by"], row["project_id"]) == ("key:test", str(CALLER.project_id))
    assert (row["mode"], row["request_id"], row["endpoint_revision"]) == ("shadow", "r", 2)
    made_at = datetime.fromisoformat(row["created_at"])
    assert abs(datetime.now(UTC) - made_at) < timedelta(minutes=1)


def test_a_policy_of_nothing_keeps_nothing():
    assert entries("C", policy=NONE) == []
    assert entries("C", policy=HistoryPolicy()) == []
    assert len(entries("C", "C", policy=ALL)) == 2


def test_a_sample_is_a_share_of_the_inputs():
    kept = entries(*["C"] * 4_000, policy=HistoryPolicy(store="sample", share=0.25))
    # 1,000 with a standard deviation of 27
    assert 850 < len(kept) < 1_150


def test_days_of_the_policy_are_an_end():
    [row] = bodies(entries("C", policy=HistoryPolicy(store="all", keep_days=3)))
    ends = datetime.fromisoformat(row["expires_at"]) - datetime.fromisoformat(row["created_at"])
    assert ends == timedelta(days=3)
    assert bodies(entries("C"))[0]["expires_at"] is None


@pytest.mark.parametrize(
    "wrong", [{"store": "some"}, {"share": 0}, {"share": 1.1}, {"keep_days": 0}, {"keep": 3}]
)
def test_a_wrong_policy_is_refused(wrong):
    with pytest.raises(ValidationError):
        HistoryPolicy(**wrong)
