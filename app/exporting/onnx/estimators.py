"""One target's estimator as nodes, by whoever can convert it."""

import tempfile
from pathlib import Path
from typing import Any

import onnx

from app.core.errors import InvalidInput
from app.exporting.onnx.graph import OPSET, OPSET_ML, Graph

#: why there is no graph of these; other algorithms of scikit-learn are tried
NOT_POSSIBLE = {
    "k_neighbors": "it compares molecules by their Tanimoto similarity to every training molecule, "
    "which ONNX's nearest neighbours do not know",
    "gaussian_process": "its kernel (Tanimoto or learned length scales) has no form in ONNX",
    "kernel_ridge": "its kernel over the training rows has no form in the converter",
    "hist_gradient_boosting": "the converter does not write the trees of this version of "
    "scikit-learn",
}


def not_possible(name: str, why: str) -> InvalidInput:
    return InvalidInput(
        f"{name} cannot be written as ONNX: {why}",
        code="export_not_possible",
        remedy='Export it as "bundle" or "pyfunc", or train e.g. lightgbm or random_forest.',
    )


def check_possible(name: str) -> None:
    """Raises InvalidInput for an algorithm that is known to have no graph. `name`: of it."""
    if name in NOT_POSSIBLE:
        raise not_possible(name, NOT_POSSIBLE[name])


def estimated(
    graph: Graph, given: str, name: str, estimator: Any, width: int, *, classes: bool
) -> str:
    """(n, 1) numbers, or (n, seen classes) probabilities. `name`: of the algorithm. Raises
    InvalidInput where nothing can convert it.
    """
    convert = {"lightgbm": _lightgbm, "xgboost": _xgboost, "catboost": _catboost}.get(name)
    try:
        model = convert(estimator, width) if convert else _sklearn(estimator, width, classes)
    except InvalidInput:
        raise
    except Exception as error:
        # converters raise errors of every kind for what they do not know
        said = str(error).partition("\n")[0][:200]
        raise not_possible(name, f"its converter says {type(error).__name__}: {said}") from error
    return graph.embed(model, given, 1 if classes else 0)


def _sklearn(estimator: Any, width: int, classes: bool) -> Any:
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType

    return to_onnx(
        estimator,
        initial_types=[("X", FloatTensorType([None, width]))],
        options={id(estimator): {"zipmap": False}} if classes else None,
        target_opset={"": OPSET, "ai.onnx.ml": OPSET_ML},
    )


def _lightgbm(booster: Any, width: int) -> Any:
    import onnxmltools
    from onnxmltools.convert.common.data_types import FloatTensorType

    types = [("X", FloatTensorType([None, width]))]
    return onnxmltools.convert_lightgbm(booster, initial_types=types, zipmap=False, target_opset=15)


def _xgboost(booster: Any, width: int) -> Any:
    import onnxmltools
    from onnxmltools.convert.common.data_types import FloatTensorType

    types = [("X", FloatTensorType([None, width]))]
    return onnxmltools.convert_xgboost(booster, initial_types=types, target_opset=15)


def _catboost(model: Any, width: int) -> Any:
    del width
    with tempfile.TemporaryDirectory(prefix="retort-catboost-") as name:
        path = Path(name) / "model.onnx"
        model.save_model(str(path), format="onnx")
        return onnx.load(path)
