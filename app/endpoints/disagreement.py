"""How far two models' answers to the same inputs lie apart, and how wrong each was."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """Of one target. Of numbers `differences` holds |first - second|; of classes 0 or 1."""

    target: str
    is_class: bool
    differences: Sequence[float]

    @property
    def value(self) -> float | None:
        """Mean absolute difference in the target's unit, or share of different classes."""
        return math.fsum(self.differences) / len(self.differences) if self.differences else None


def targets_of(output: Any) -> Mapping[str, Any]:
    """The targets of a stored answer: of a whole item, or the targets themselves."""
    if not isinstance(output, Mapping):
        return {}
    inner = output.get("targets", output)
    return inner if isinstance(inner, Mapping) else {}


def compare_pairs(pairs: Iterable[tuple[Any, Any]]) -> list[Disagreement]:
    """By target; what one side has no answer for is left out."""
    found: dict[tuple[str, bool], list[float]] = {}
    for first, second in pairs:
        others = targets_of(second)
        for target, mine in targets_of(first).items():
            other = others.get(target)
            if not isinstance(mine, Mapping) or not isinstance(other, Mapping):
                continue
            if "class" in mine and "class" in other:
                found.setdefault((target, True), []).append(float(mine["class"] != other["class"]))
            elif (gap := _gap(mine.get("value"), other.get("value"))) is not None:
                found.setdefault((target, False), []).append(gap)
    return [
        Disagreement(target=target, is_class=is_class, differences=values)
        for (target, is_class), values in sorted(found.items())
    ]


def error_of(output: Any, target: str, *, number: float | None, label: str | None) -> float | None:
    """How wrong an answer was: |predicted - measured|, or 1 for a wrong class; None: it gave none
    for this target.
    """
    answer = targets_of(output).get(target)
    if not isinstance(answer, Mapping):
        return None
    if label is not None:
        return float(str(answer["class"]) != label) if "class" in answer else None
    return None if "class" in answer else _gap(answer.get("value"), number)


def _gap(first: Any, second: Any) -> float | None:
    if not isinstance(first, int | float) or not isinstance(second, int | float):
        return None
    gap = abs(float(first) - float(second))
    return gap if math.isfinite(gap) else None
