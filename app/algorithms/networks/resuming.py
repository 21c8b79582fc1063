"""What lets a torch training stop and go on elsewhere: its state after each epoch.

A network's module is expected to hold the network as `network` and to have one AdamW optimizer.
"""

import copy
import logging
import math
import time
from dataclasses import dataclass
from typing import Any, Self

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from app.algorithms.base import Checkpoints

logger = logging.getLogger(__name__)

#: a checkpoint is stored at the end of an epoch, not more often than this
_SAVE_SECONDS = 30.0
#: what AdamW remembers of each parameter
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


class BestWeights(Callback):
    """Keeps the weights of the best epoch; stops `patience` epochs after it (None: never), or when
    the loss is no number.
    """

    def __init__(self, watched: str, patience: int | None) -> None:
        self._watched = watched
        self._patience = patience
        self.weights: dict[str, Tensor] = {}
        self.loss = float("inf")
        self.epoch = 0
        self.stopped = False

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        loss, epoch = float(trainer.callback_metrics[self._watched]), trainer.current_epoch + 1
        if loss < self.loss:
            self.loss, self.epoch = loss, epoch
            self.weights = copy.deepcopy(pl_module.network.state_dict())
        if self._patience is not None:
            self.stopped = epoch - self.epoch >= self._patience or not math.isfinite(loss)
            trainer.should_stop = self.stopped

    def restore(self, module: Any) -> None:
        if self.weights:
            module.network.load_state_dict(self.weights)


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """All that the epochs after a whole one depend on; their randomness is seeded anew.

    Stored as one safetensors file: no pickle comes from the blob store.
    """

    epoch: int
    best_epoch: int
    best_loss: float
    stopped: bool
    #: part (weights, best, AdamW's moments) -> parameter -> tensor
    parts: dict[str, dict[str, Tensor]]

    def to_bytes(self) -> bytes:
        tensors = {f"{p}/{name}": t for p, part in self.parts.items() for name, t in part.items()}
        figures = [self.epoch, self.best_epoch, self.best_loss, self.stopped]
        return save({**tensors, "figures": torch.tensor(figures, dtype=torch.float64)})

    @classmethod
    def from_bytes(cls, data: bytes, network: nn.Module) -> Self:
        """Raises ValueError for what is not the state of such a network."""
        try:
            tensors = load(data)
            epoch, best_epoch, best_loss, stopped = tensors.pop("figures").tolist()
        except (SafetensorError, KeyError, TypeError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error
        shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
        names = ("weights", *(("best",) if best_epoch else ()), *_MOMENTS)
        expected = {
            f"{part}/{name}": torch.Size() if part == "step" else shape
            for part in names
            for name, shape in shapes.items()
        }
        if {key: tensor.shape for key, tensor in tensors.items()} != expected:
            raise ValueError("it is of another network")
        parts = {part: {name: tensors[f"{part}/{name}"] for name in shapes} for part in names}
        return cls(
            epoch=int(epoch),
            best_epoch=int(best_epoch),
            best_loss=best_loss,
            stopped=bool(stopped),
            parts=parts,
        )


class Keeping(Callback):
    """Takes a snapshot after each epoch, and stores the last one now and then or when told to."""

    def __init__(self, checkpoints: Checkpoints | None, best: BestWeights) -> None:
        self._checkpoints = checkpoints
        self._best = best
        #: not stored yet
        self._last: Snapshot | None = None
        self._moments: dict[str, dict[str, Tensor]] | None = None
        self._saved_at = time.monotonic()

    def resume(self, module: Any) -> int:
        """Set `module` and the best weights to the stored state; the epochs it has behind it."""
        data = None if self._checkpoints is None else self._checkpoints.load()
        if data is None:
            return 0
        try:
            state = Snapshot.from_bytes(data, module.network)
        except ValueError as error:
            logger.warning("a checkpoint is ignored, training begins anew: %s", error)
            return 0
        module.network.load_state_dict(state.parts["weights"])
        self._best.weights = state.parts.get("best", {})
        self._best.loss, self._best.epoch = state.best_loss, state.best_epoch
        self._best.stopped = state.stopped
        self._moments = state.parts
        return state.epoch

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        if self._moments is None:
            return
        state = trainer.optimizers[0].state_dict()
        state["state"] = {
            number: {moment: self._moments[moment][name] for moment in _MOMENTS}
            for number, (name, _) in enumerate(pl_module.network.named_parameters())
        }
        trainer.optimizers[0].load_state_dict(state)
        self._moments = None

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        if self._checkpoints is None:
            return
        moments = trainer.optimizers[0].state
        named = dict(pl_module.network.named_parameters())
        self._last = Snapshot(
            epoch=trainer.current_epoch + 1,
            best_epoch=self._best.epoch,
            best_loss=self._best.loss,
            stopped=self._best.stopped,
            parts={
                "weights": {name: _copied(p) for name, p in named.items()},
                "best": self._best.weights,
                **{
                    m: {name: _copied(moments[p][m]) for name, p in named.items()} for m in _MOMENTS
                },
            },
        )
        if time.monotonic() - self._saved_at >= _SAVE_SECONDS:
            self.save()

    def save(self) -> None:
        """The last whole epoch, unless it is stored already."""
        if self._checkpoints is None or self._last is None:
            return
        self._checkpoints.save(self._last.epoch, self._last.to_bytes())
        self._last, self._saved_at = None, time.monotonic()


def _copied(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", copy=True)
