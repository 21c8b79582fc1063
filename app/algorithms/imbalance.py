"""Rare classes: one meaning of `class_weight` for every classifier, a weight of each row."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from app.core.errors import InvalidInput
from app.core.plugin import PluginParams

if TYPE_CHECKING:
    from app.algorithms.per_target import Sample

#: "balanced": n / (number of classes * rows of the class), as in scikit-learn; or {class: weight},
#: where a class that is not named weighs 1
ClassWeight = Literal["balanced"] | dict[str, Annotated[float, Field(gt=0, le=1e6)]]


class WeightedClasses(PluginParams):
    """Parameters of a classifier whose rows can count by their class. `balanced: true` and
    `scale_pos_weight` (of LightGBM and XGBoost) are other words for the same.

    Probabilities shift with the weights: what is ranked or decided gets better, what is believed
    as a frequency does not.
    """

    #: regression ignores it
    class_weight: ClassWeight | None = None

    @model_validator(mode="before")
    @classmethod
    def _in_other_words(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not {"balanced", "scale_pos_weight"} & values.keys():
            return values
        rest = {k: v for k, v in values.items() if k not in ("balanced", "scale_pos_weight")}
        said = [values.get("class_weight")]
        if values.get("balanced"):
            said.append("balanced")
        if values.get("scale_pos_weight") is not None:
            said.append({POSITIVE: values["scale_pos_weight"]})
        said = [word for word in said if word is not None]
        if len(said) > 1:
            raise ValueError("class_weight, balanced and scale_pos_weight say the same: give one")
        return rest | {"class_weight": said[0] if said else None}


#: in a {class: weight}: the second of two classes, whatever it is called
POSITIVE = "positive"


def row_weights(
    params: Any, sample: "Sample", classes: Sequence[str]
) -> NDArray[np.float64] | None:
    """(n,): the data set's weight of each row times its class's; None where all count the same.

    `classes`: the words of all classes, empty for numbers. Raises InvalidInput for weights of
    classes that there are not, or where no row counts.
    """
    weights = sample.weights
    if weights is not None and not weights.sum() > 0:
        raise InvalidInput(
            "every training row has the weight 0",
            remedy="Give some rows a weight above 0, or leave the weights out.",
        )
    class_weight = getattr(params, "class_weight", None)
    if class_weight is None or not classes or class_weight == "balanced_subsample":
        return weights
    present, inverse, counts = np.unique(sample.labels, return_inverse=True, return_counts=True)
    if class_weight == "balanced":
        of_class = len(sample.y) / (len(present) * counts)
    else:
        by_name = _by_name(class_weight, classes)
        of_class = np.array([by_name.get(classes[index], 1.0) for index in present])
    found: NDArray[np.float64] = of_class[inverse]
    return found if weights is None else found * weights


def _by_name(given: Mapping[str, float], classes: Sequence[str]) -> dict[str, float]:
    named = dict(given)
    if POSITIVE in named and POSITIVE not in classes and len(classes) == 2:  # noqa: PLR2004 - two
        named[classes[1]] = named.pop(POSITIVE)
    unknown = sorted(named.keys() - set(classes))
    if unknown:
        raise InvalidInput(
            f"class_weight names the class {unknown[0]!r}, which the target does not have",
            remedy=f"Its classes are: {', '.join(map(repr, classes[:20]))}.",
        )
    return named
