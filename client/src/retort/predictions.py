"""Answers to predictions: one for each input, in order, with or without a number."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

from retort import html
from retort.records import Record


class Prediction(Record):
    """The answer to one input; `status` is ok or error (then `reason` says why)."""

    @property
    def input(self) -> Any:
        return self["input"]

    @property
    def status(self) -> str:
        return str(self["status"])

    @property
    def ok(self) -> bool:
        return self.status != "error"

    @property
    def reason(self) -> str | None:
        return self.get("reason")

    @property
    def targets(self) -> dict[str, dict[str, Any]]:
        return dict(self.get("targets") or {})

    @property
    def value(self) -> Any:
        """Class or number of the only target; None where there is none.

        Raises ValueError when there are several: name one in `targets`.
        """
        if len(self.targets) > 1:
            raise ValueError(f"there are several targets: {', '.join(self.targets)}")
        return next((_value(found) for found in self.targets.values()), None)

    def __repr__(self) -> str:
        said = {name: _value(found) for name, found in self.targets.items()} or self.reason
        return f"<Prediction {self.get('input')}: {self.status}, {said}>"


class Predictions(Sequence[Prediction]):
    """Sequence of answers; `model` says which version gave them."""

    def __init__(
        self, items: Sequence[Mapping[str, Any]], model: Mapping[str, Any] | None = None
    ) -> None:
        self._items = [Prediction(item) for item in items]
        self.model = dict(model or {})

    @overload
    def __getitem__(self, index: int) -> Prediction: ...
    @overload
    def __getitem__(self, index: slice) -> list[Prediction]: ...
    def __getitem__(self, index: int | slice) -> Prediction | list[Prediction]:
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Prediction]:
        return iter(self._items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # equal by content, so not hashable

    @property
    def failed(self) -> list[Prediction]:
        return [item for item in self if not item.ok]

    def rows(self) -> list[dict[str, Any]]:
        """Flat, one for each input: id, input, canonical_smiles, status, reason; for each target
        `name`, `name_lower`, `name_upper`, `name_std` where given; for classes `name` is the class
        and `name_p[class]` its probability; `name_confidence`. Then in_domain, similarity and
        nearest: the training molecule (or row number) that is most like it.
        """
        return [_flat(item) for item in self]

    def to_pandas(self) -> Any:
        """A pandas DataFrame of `rows`."""
        import pandas as pd

        return pd.DataFrame(_rectangular(self.rows()))

    def to_polars(self) -> Any:
        """A polars DataFrame of `rows`."""
        import polars as pl

        rows = _rectangular(self.rows())
        return pl.DataFrame(rows, infer_schema_length=None)

    def __repr__(self) -> str:
        return f"<Predictions: {len(self)} inputs, {len(self.failed)} without an answer>"

    def _repr_html_(self) -> str:
        return html.predictions(self._items)


def _value(found: Mapping[str, Any]) -> Any:
    return found["class"] if found.get("class") is not None else found.get("value")


def _flat(item: Mapping[str, Any]) -> dict[str, Any]:
    row = {name: item.get(name) for name in ("id", "input", "canonical_smiles", "status", "reason")}
    if isinstance(row["input"], Mapping):
        row["input"] = str(dict(row["input"]))
    for target, found in (item.get("targets") or {}).items():
        row[target] = _value(found)
        if found.get("interval"):
            row[f"{target}_lower"], row[f"{target}_upper"] = found["interval"]
        if found.get("std") is not None:
            row[f"{target}_std"] = found["std"]
        for name, probability in (found.get("probabilities") or {}).items():
            row[f"{target}_p[{name}]"] = probability
        if found.get("confidence") is not None:
            row[f"{target}_confidence"] = found["confidence"]
    return row | _domain(item.get("domain"))


def _domain(domain: Mapping[str, Any] | None) -> dict[str, Any]:
    if not domain:
        return {}
    known = (domain.get("nearest") or [{}])[0]
    return {
        "in_domain": domain["inside"],
        "similarity": domain["similarity"],
        "nearest": known.get("smiles") or known.get("row"),
    }


def _rectangular(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    names = dict.fromkeys(name for row in rows for name in row)
    return [{name: row.get(name) for name in names} for row in rows]
