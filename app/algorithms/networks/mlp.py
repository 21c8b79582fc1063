"""The network behind `mlp`: torch and Lightning, imported only when one is fitted or loaded."""

import logging
import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import lightning
import numpy as np
import orjson
import torch
from lightning.pytorch.callbacks import Callback
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Sampler, TensorDataset

from app.algorithms.base import (
    Examples,
    FitContext,
    LearningTask,
    Matrix,
    Predictions,
)
from app.algorithms.imbalance import row_weights
from app.algorithms.networks.resuming import BestWeights, Keeping
from app.algorithms.per_target import labelled
from app.algorithms.scaling import Scaling
from app.core.errors import DeadlineExceeded, InvalidInput, JobCancelled, LeaseLost
from app.core.work import WorkContext

logger = logging.getLogger(__name__)

_MIN_CLASSES = 2
#: of a curve
_MOST_POINTS = 500


class Network(nn.Module):
    """Hidden layers of Linear, ReLU, dropout; one linear output."""

    def __init__(self, n_in: int, n_out: int, hidden: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width in hidden:
            layers += [nn.Linear(n_in, width), nn.ReLU(), nn.Dropout(dropout)]
            n_in = width
        self.layers = nn.Sequential(*layers, nn.Linear(n_in, n_out))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layers(x)
        return out


class Training(lightning.LightningModule):
    """Masked loss: mean squared error of standardized targets, or cross-entropy per target. A batch
    is x, y and, where rows do not count the same, their weights (rows, targets).
    """

    def __init__(self, network: Network, task: LearningTask, params: Any, seed: int) -> None:
        super().__init__()
        self.network = network
        self.task = task
        self.params = params
        self.seed = seed

    def on_train_epoch_start(self) -> None:
        torch.manual_seed(_epoch_seed(self.seed, self.current_epoch))

    def training_step(self, batch: tuple[Tensor, ...], _: int) -> Tensor:
        loss = self._loss(batch)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, ...], _: int) -> None:
        self.log("validation_loss", self._loss(batch), batch_size=len(batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(
            self.network.parameters(),
            lr=self.params.learning_rate,
            weight_decay=self.params.weight_decay,
        )

    def _loss(self, batch: tuple[Tensor, ...]) -> Tensor:
        x, y, *rest = batch
        out, known = self.network(x), torch.isfinite(y)
        weights = rest[0] if rest else None
        how = "mean" if weights is None else "none"
        if self.task.type == "regression":
            loss = functional.mse_loss(out[known], y[known], reduction=how)
            return _mean(loss, weights, known)
        if self.task.type == "binary":
            loss = functional.binary_cross_entropy_with_logits(out[known], y[known], reduction=how)
            return _mean(loss, weights, known)
        losses = []
        for number, logits in enumerate(out.split(_widths(self.task), dim=1)):
            mask = known[:, number]
            if mask.any():
                labels = y[mask, number].long()
                loss = functional.cross_entropy(logits[mask], labels, reduction=how)
                losses.append(_mean(loss, None if weights is None else weights[:, number], mask))
        return torch.stack(losses).mean()


def _mean(loss: Tensor, weights: Tensor | None, known: Tensor) -> Tensor:
    """Of the known labels' losses; without weights it is the mean already."""
    if weights is None:
        return loss
    counting = weights[known]
    return (loss * counting).sum() / counting.sum().clamp_min(torch.finfo(loss.dtype).tiny)


class Shuffle(Sampler[int]):
    """An order of the rows that depends on seed and epoch alone; Lightning tells the epoch."""

    def __init__(self, n: int, seed: int) -> None:
        self._n = n
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self._epoch = epoch

    def __len__(self) -> int:
        return self._n

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(_epoch_seed(self._seed, self._epoch))
        yield from torch.randperm(self._n, generator=generator).tolist()


class Telling(Callback):
    """Progress after each epoch; stops when the job should, after a last checkpoint if somebody
    will go on with it. The state is that of the last whole epoch.
    """

    def __init__(
        self, work: WorkContext, max_epochs: int, keeping: "Keeping", *, curves: bool
    ) -> None:
        """`curves`: figures are kept in the log of the job, at most `_MOST_POINTS` of them."""
        self._work = work
        self._max_epochs = max_epochs
        self._keeping = keeping
        self._every = math.ceil(max_epochs / _MOST_POINTS) if curves else 0

    def _stop_if_asked(self) -> None:
        try:
            self._work.raise_if_cancelled()
        except (JobCancelled, DeadlineExceeded, LeaseLost):
            raise
        except Exception:
            self._keeping.save()
            raise

    def on_train_batch_end(self, *_: Any) -> None:
        self._stop_if_asked()

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        del pl_module
        self._stop_if_asked()
        figures = {name: float(value) for name, value in trainer.callback_metrics.items()}
        epoch = trainer.current_epoch + 1
        self._work.progress(
            epoch,
            self._max_epochs,
            unit="epoch",
            stage="fit",
            message=", ".join(f"{name} {value:.4g}" for name, value in sorted(figures.items())),
        )
        if self._every and epoch % self._every == 0:
            self._work.event("metric", {"epoch": epoch, **figures})


class MlpModel:
    """A fitted network with its scaling; predicts on the CPU, in batches."""

    def __init__(
        self,
        *,
        network: Network,
        task: LearningTask,
        scaling: Scaling,
        shape: dict[str, Any],
        facts: dict[str, Any],
    ) -> None:
        self._network = network.eval()
        self._task = task
        self._scaling = scaling
        self._shape = shape
        self._facts = facts

    @property
    def task(self) -> LearningTask:
        return self._task

    @property
    def scaling(self) -> Scaling:
        return self._scaling

    def layers(self) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Weights (out, in) and bias (out,) of each linear layer; all but the last are followed by
        ReLU.
        """
        linear = [layer for layer in self._network.layers if isinstance(layer, nn.Linear)]
        return [(x.weight.detach().numpy(), x.bias.detach().numpy()) for x in linear]

    def target_scale(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and scale of each target: a number is out * scale + mean."""
        return np.array(self._facts["y_mean"]), np.array(self._facts["y_scale"])

    def predict(self, X: Matrix) -> Predictions:
        with torch.inference_mode():
            parts = [
                self._network(torch.from_numpy(self._scaling.transform(X[i : i + 4096])))
                for i in range(0, len(X), 4096)
            ]
        width = sum(_widths(self._task))
        out = torch.cat(parts).double() if parts else torch.zeros((0, width)).double()
        if self._task.type == "regression":
            mean, scale = self.target_scale()
            return Predictions(values=out.numpy() * scale + mean)
        probabilities = self._probabilities(out)
        values = np.column_stack([p.argmax(axis=1).astype(np.float64) for p in probabilities])
        return Predictions(values=values, probabilities=probabilities)

    def _probabilities(self, out: Tensor) -> list[NDArray[np.float64]]:
        if self._task.type == "binary":
            positive = torch.sigmoid(out).numpy()
            return [np.column_stack([1 - column, column]) for column in positive.T]
        return [
            torch.softmax(logits, dim=1).numpy()
            for logits in torch.split(out, _widths(self._task), dim=1)
        ]

    def save(self, folder: Path) -> None:
        save_file(self._network.state_dict(), folder / "network.safetensors")
        self._scaling.save(folder / "scaling.safetensors")
        (folder / "network.json").write_bytes(
            orjson.dumps({"shape": self._shape, "facts": self._facts})
        )

    @classmethod
    def load(cls, folder: Path, task: LearningTask) -> Self:
        stored = orjson.loads((folder / "network.json").read_bytes())
        network = Network(**stored["shape"])
        network.load_state_dict(load_file(folder / "network.safetensors"))
        scaling = Scaling.load(folder / "scaling.safetensors")
        return cls(network=network, task=task, scaling=scaling, **stored)

    def describe(self) -> dict[str, Any]:
        return {name: self._facts[name] for name in ("epochs", "best_epoch", "device", "loss")}


def fit_mlp(
    params: Any,
    task: LearningTask,
    train: Examples,
    validation: Examples | None,
    context: FitContext,
) -> MlpModel:
    """Fit on `train`, stop early on `validation` (without one: all epochs). Raises InvalidInput
    when a single target has one class only.
    """
    _check_labels(task, train)
    torch.set_num_threads(context.threads)
    lightning.seed_everything(context.seed, verbose=False)
    scaling = Scaling.fit(train.X)
    mean, scale = _target_scale(task, train.y)
    shape = {
        "n_in": int(scaling.kept.sum()),
        "n_out": sum(_widths(task)),
        "hidden": tuple(params.hidden_sizes),
        "dropout": params.dropout,
    }
    module = Training(Network(**shape), task, params, context.seed)

    weights = _weights(params, task, train)

    def loader(examples: Examples, *, shuffle: bool) -> DataLoader[Any]:
        arrays: list[NDArray[Any]] = [scaling.transform(examples.X), (examples.y - mean) / scale]
        if shuffle and weights is not None:
            arrays.append(weights)
        data = TensorDataset(*(torch.from_numpy(array.astype(np.float32)) for array in arrays))
        return DataLoader(
            data,
            batch_size=params.batch_size if shuffle else 4096,
            sampler=Shuffle(len(data), context.seed) if shuffle else None,
            generator=torch.Generator(),  # its own, so that it draws nothing from the dropout's
        )

    facts = _train(
        module,
        loader(train, shuffle=True),
        None if validation is None else loader(validation, shuffle=False),
        context,
    )
    facts |= {"y_mean": mean.tolist(), "y_scale": scale.tolist()}
    return MlpModel(
        network=module.network.cpu(), task=task, scaling=scaling, shape=shape, facts=facts
    )


def _train(
    module: Training,
    train: DataLoader[Any],
    validation: DataLoader[Any] | None,
    context: FitContext,
) -> dict[str, Any]:
    params = module.params
    watched = "validation_loss" if validation is not None else "train_loss"
    best = BestWeights(watched, params.patience if validation is not None else None)
    keeping = Keeping(context.checkpoints, best)
    done = keeping.resume(module)
    # what has checkpoints is the model itself, not a fit of its folds
    curves = context.checkpoints is not None
    telling = Telling(context.work, params.max_epochs, keeping, curves=curves)
    trainer = lightning.Trainer(
        accelerator=_accelerator(context.device),
        devices=1,
        max_epochs=params.max_epochs,
        callbacks=[best, keeping, telling],
        enable_checkpointing=False,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        deterministic=True,
        inference_mode=False,
    )
    if done:
        detail = f"training resumed after epoch {done}"
        context.work.event("message", {"code": "resumed", "detail": detail, "epoch": done})
        current = trainer.fit_loop.epoch_progress.current
        current.ready = current.started = current.processed = current.completed = done
    if done < params.max_epochs and not best.stopped:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # advice about data loader processes
            trainer.fit(module, train, validation)
    best.restore(module)
    return {
        "epochs": trainer.current_epoch,
        "best_epoch": best.epoch,
        "loss": best.loss,
        "device": str(trainer.strategy.root_device.type),
    }


def _epoch_seed(seed: int, epoch: int) -> int:
    return (seed * 1_000_003 + epoch) % 2**63


def _accelerator(device: str) -> str:
    if device == "cuda" or (device == "auto" and torch.cuda.is_available()):
        return "cuda"
    return "cpu"


def _widths(task: LearningTask) -> list[int]:
    """Outputs per target: one for a number or a binary class, else one per class."""
    if task.type == "multiclass":
        return [len(classes) for classes in task.classes]
    return [1] * len(task.targets)


def _target_scale(
    task: LearningTask, y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if task.type != "regression":
        return np.zeros(y.shape[1]), np.ones(y.shape[1])
    spread = np.nanstd(y, axis=0)
    return np.nanmean(y, axis=0), np.where(spread > 0, spread, 1.0)


def _weights(params: Any, task: LearningTask, train: Examples) -> NDArray[np.float64] | None:
    """(n, targets): of each row, times that of its class; None where all count the same."""
    columns = []
    for number in range(len(task.targets)):
        sample = labelled(train, number)
        words = task.classes[number] if task.is_classification else ()
        found = row_weights(params, sample, words)
        if found is None:
            return None
        column = np.zeros(len(train.y))
        column[np.isfinite(train.y[:, number])] = found
        columns.append(column)
    return np.column_stack(columns)


def _check_labels(task: LearningTask, train: Examples) -> None:
    for number, target in enumerate(task.targets):
        labels = train.y[:, number]
        seen = np.unique(labels[np.isfinite(labels)])
        if not len(seen):
            raise InvalidInput(f"target {target!r} has no labelled training row", code="no_labels")
        if task.is_classification and len(seen) < _MIN_CLASSES and len(task.targets) == 1:
            raise InvalidInput(
                f"every training row of {target!r} is of one class",
                code="one_class",
                remedy="Give rows of at least two classes, or use a stratified split.",
            )


for _noisy in ("lightning.pytorch", "lightning.fabric"):
    logging.getLogger(_noisy).setLevel(logging.ERROR)
