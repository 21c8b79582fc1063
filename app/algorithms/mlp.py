"""Multilayer perceptron in torch: one network for all targets, missing labels masked."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from app.algorithms.base import (
    Algorithm,
    Examples,
    FitContext,
    FittedModel,
    LearningTask,
    algorithms,
)
from app.algorithms.imbalance import WeightedClasses

if TYPE_CHECKING:
    from optuna.trial import Trial


@algorithms.register
class Mlp(Algorithm):
    """Trained by Lightning with AdamW and early stopping on the validation part; the weights of
    the best epoch are kept. CUDA when there is one (and `device` allows it), else CPU. The same
    seed gives the same model on CPU, also when another worker goes on from a checkpoint: the order
    of the rows and the dropout depend on seed and epoch alone.
    """

    name = "mlp"
    version = 2
    aliases = ("MLPClassifier", "MLPRegressor", "dnn", "neural_network")
    summary = "Feed-forward neural network (torch), many targets at once"
    reference = "Srivastava et al. 2014 (dropout); Loshchilov & Hutter 2019 (AdamW)"
    tasks = frozenset({"regression", "binary", "multiclass"})
    device = "gpu"
    needs_validation = True
    uses_weights = True

    class Params(WeightedClasses):
        also_called: ClassVar[Mapping[str, str]] = {
            "hidden_layer_sizes": "hidden_sizes",
            "learning_rate_init": "learning_rate",
            "max_iter": "max_epochs",
            "n_iter_no_change": "patience",
        }

        #: units of each hidden layer
        hidden_sizes: tuple[int, ...] = Field(default=(512, 256), min_length=1, max_length=10)
        dropout: float = Field(default=0.25, ge=0, lt=1)
        learning_rate: float = Field(default=1e-3, gt=0, le=1)
        weight_decay: float = Field(default=1e-4, ge=0, le=1)
        batch_size: int = Field(default=64, ge=1, le=65_536)
        max_epochs: int = Field(default=100, ge=1, le=10_000)
        #: epochs without a better validation loss before it stops
        patience: int = Field(default=15, ge=1, le=1_000)

    def fit(
        self,
        task: LearningTask,
        train: Examples,
        validation: Examples | None,
        context: FitContext,
    ) -> FittedModel:
        from app.algorithms.networks.mlp import fit_mlp

        return fit_mlp(self.params, task, train, validation, context)

    @classmethod
    def load(cls, folder: Path, task: LearningTask) -> FittedModel:
        from app.algorithms.networks.mlp import MlpModel

        return MlpModel.load(folder, task)

    @classmethod
    def suggest(cls, trial: "Trial", task: LearningTask) -> dict[str, Any]:
        del task
        width = trial.suggest_categorical("width", [128, 256, 512])
        depth = trial.suggest_int("depth", 1, 3)
        return {
            "hidden_sizes": [max(32, width // 2**layer) for layer in range(depth)],
            "dropout": trial.suggest_float("dropout", 0.0, 0.5),
            "learning_rate": trial.suggest_float("learning_rate", 1e-4, 5e-3, log=True),
            "weight_decay": trial.suggest_float("weight_decay", 1e-6, 1e-2, log=True),
        }
