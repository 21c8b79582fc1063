"""Params of trainings, from how people say them."""

from collections.abc import Mapping, Sequence
from typing import Any

from retort.errors import InvalidRequest, WrongInput

#: of a job, not of its params
FIELDS = frozenset(
    {
        *("needs", "labels", "deadline_seconds", "priority", "client_ref", "correlation_id"),
        "idempotency_key",
    }
)


def divide(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(params, fields of the job); what is None was not said."""
    said = {name: value for name, value in given.items() if value is not None}
    fields = {name: said.pop(name) for name in list(said) if name in FIELDS}
    return said, fields


def spec(value: Any) -> Any:
    """A plug-in by its name alone, or as it is."""
    return {"name": value} if isinstance(value, str) else value


def specs(value: Any) -> list[Any]:
    """One plug-in or several."""
    one = isinstance(value, str | Mapping)
    return [spec(entry) for entry in ([value] if one else value)]


def learn_params(dataset: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """`target="y"` is `targets=["y"]`; features and split may be said by their names alone."""
    params: dict[str, Any] = {"dataset": dataset, **given}
    target = params.pop("target", None)
    if target is not None:
        params["targets"] = [target] if isinstance(target, str) else list(target)
    if "features" in params:
        params["features"] = specs(params["features"])
    if "split" in params:
        params["split"] = spec(params["split"])
    return params


def candidate(value: Any) -> Any:
    """One of a comparison: an algorithm by its name alone, or {"algorithm", "features", "name"}
    with algorithm and features said as for a training.
    """
    if isinstance(value, str):
        return {"algorithm": spec(value)}
    said = dict(value)
    if "algorithm" in said:
        said["algorithm"] = spec(said["algorithm"])
    if "features" in said:
        said["features"] = specs(said["features"])
    return said


def chunks_of(items: Any, size: int) -> Any:
    """Lists of at most `size` items, as they are asked for."""
    chunk: list[Any] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def refused(inputs: Sequence[Any], detail: str) -> list[dict[str, Any]]:
    """Answers to inputs that the server would not take."""
    return [
        {
            "id": given.get("id") if isinstance(given, Mapping) else None,
            "input": given.get("smiles", given) if isinstance(given, Mapping) else given,
            "canonical_smiles": None,
            "status": "error",
            "reason": detail,
            "targets": {},
        }
        for given in inputs
    ]


def about_single_inputs(error: InvalidRequest, inputs: Sequence[Any]) -> bool:
    """Whether others of the inputs may do. Not when all are of the wrong kind (SMILES for a model
    of a table): that is a mistake of the call. The server names the first 20.
    """
    named = [field for field in error.fields if field.get("pointer", "").startswith("/inputs")]
    all_wrong = isinstance(error, WrongInput) and len(named) >= min(len(inputs), 20)
    return bool(named) and not all_wrong
