"""What every typed request refuses beyond what pydantic does."""

from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError

from api.schemas.schedule import SchedulePatch
from app.core.requests import Instant, PluginSpec, RequestModel
from app.schedules.spec import ScheduleFields
from app.training.params import TrainParams


class Asked(RequestModel):
    flag: bool = False
    maybe: bool | None = None
    count: Annotated[int, Field(ge=0)] = 0
    share: float | None = None
    either: bool | int = 0
    word: bool | Literal["auto"] = "auto"
    at: Instant | None = None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("flag", wrong) for wrong in (0, 1, 1.0, "true", "1")],
        ("maybe", 0),
        ("count", True),
        ("count", False),
        ("share", True),
        *[("at", wrong) for wrong in (0, 0.5, "0.5", "1767225600", "2026-11-29T00:00:00")],
    ],
)
def test_one_is_not_taken_for_the_other(name, value):
    with pytest.raises(ValidationError) as refused:
        Asked.model_validate({name: value})
    (error,) = refused.value.errors()
    assert error["loc"] == (name,)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("flag", True), ("maybe", None), ("maybe", False), ("count", 3), ("count", 3.0)],
        *[("share", 1), ("share", None), ("either", True), ("either", 2)],
        *[("word", True), ("word", "auto")],
    ],
)
def test_what_is_meant_is_taken(name, value):
    assert getattr(Asked.model_validate({name: value}), name) == value


@pytest.mark.parametrize("model", [ScheduleFields, SchedulePatch])
@pytest.mark.parametrize("name", ["start_at", "end_at"])
def test_the_times_of_a_schedule_are_text(model, name):
    with pytest.raises(ValidationError) as refused:
        model.model_validate({"cron": "0 2 * * *", name: 0})
    assert (name,) in [error["loc"] for error in refused.value.errors()]


def test_a_time_with_its_offset_is_taken():
    read = Asked.model_validate({"at": "2026-11-29T12:00:00+02:00"}).at
    assert read.isoformat() == "2026-11-29T12:00:00+02:00"
    assert Asked(at=read).at == read


def test_what_was_dumped_is_taken_again():
    params = TrainParams(dataset="esol", features=({"name": "physchem"},), bootstrap=0)
    assert TrainParams.model_validate(params.model_dump(mode="json")) == params
    assert PluginSpec.model_validate({"name": "x", "params": {"a": True, "b": 1}}).params["a"]
