"""An interrupted network is fitted to its end by another process, to the very same numbers."""

import logging

import numpy as np
import pytest

from app.algorithms.base import Examples, FitContext, LearningTask, algorithms
from app.algorithms.networks import mlp as mlp_network
from app.algorithms.networks import resuming
from app.core.errors import (
    DeadlineExceeded,
    JobCancelled,
    LeaseLost,
    RetortError,
    Retryable,
)
from app.core.ids import new_id
from app.core.work import SilentContext
from app.storage.local import LocalStorage
from app.training.checkpoints import BlobCheckpoints

RNG = np.random.default_rng(1)
X = RNG.normal(size=(300, 10)).astype(np.float32)
SIGNAL = X[:, 0] + 0.8 * X[:, 1] - 0.5 * X[:, 2]
TASKS = {
    "regression": (LearningTask(type="regression", targets=("y",)), SIGNAL),
    "binary": (
        LearningTask(type="binary", targets=("y",), classes=(("no", "yes"),)),
        (SIGNAL > 0).astype(float),
    ),
    "multiclass": (
        LearningTask(type="multiclass", targets=("y",), classes=(("a", "b", "c"),)),
        np.digitize(SIGNAL, [-0.6, 0.6]).astype(float),
    ),
}
#: 13 batches an epoch, the last one of 8 rows; dropout, so that randomness matters
PARAMS = {
    "hidden_sizes": [16, 8],
    "max_epochs": 12,
    "batch_size": 16,
    "dropout": 0.3,
    "learning_rate": 5e-3,
}
BATCHES = 13
JOB = new_id()


@pytest.fixture
def storage(tmp_path):
    return LocalStorage(tmp_path)


class Stopped(RetortError):
    """As the engine's Drained, which algorithms do not know."""


class StopAfter(SilentContext):
    """Stops at a batch of the epoch after `epochs`, or at an epoch's end (batch None)."""

    def __init__(self, epochs, *, batch=None, error=None):
        super().__init__()
        self.asked = 0
        #: asked once a batch, and once more at an epoch's end
        self._limit = (BATCHES + 1) * epochs + (batch or 0)
        self._error = error or Stopped("the worker is shutting down")

    def raise_if_cancelled(self):
        self.asked += 1
        if self.asked >= self._limit:
            raise self._error


def fit(kind="regression", *, work=None, checkpoints=None, validation=True, **params):
    task, y = TASKS[kind]
    y = y[:, None]
    return (
        algorithms.get("mlp")
        .from_values(PARAMS | params)
        .fit(
            task,
            Examples(X=X[:200], y=y[:200]),
            Examples(X=X[200:250], y=y[200:250]) if validation else None,
            FitContext(seed=5, device="cpu", work=work or SilentContext(), checkpoints=checkpoints),
        )
    )


def kept(storage, *, attempt=1, fit_id="a"):
    return BlobCheckpoints(storage, job_id=JOB, attempt=attempt, fit={"fit": fit_id})


def interrupted(work, storage, kind="regression", **options):
    with pytest.raises(type(work._error)):
        fit(kind, work=work, checkpoints=kept(storage), **options)


def resumed(storage, kind="regression", **options):
    """The model of another attempt, and the epochs it told of."""
    work = SilentContext()
    model = fit(kind, work=work, checkpoints=kept(storage, attempt=2), **options)
    return model, [told["done"] for told in work.told], work


def messages(work):
    return [event for event in work.events if event[0] == "message"]


def drawn(work):
    """Epochs of the curve."""
    return [data["epoch"] for type_, data in work.events if type_ == "metric"]


def same(first, second):
    assert first.describe() == second.describe()
    a, b = first.predict(X[250:]), second.predict(X[250:])
    assert np.abs(a.values - b.values).max() <= 1e-6
    for p, q in zip(a.probabilities or [], b.probabilities or [], strict=True):
        assert np.abs(p - q).max() <= 1e-6


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize(("epochs", "batch"), [(1, None), (5, None), (5, 1), (5, 13), (11, 7)])
def test_the_resumed_model_is_the_undisturbed_one(kind, epochs, batch, storage):
    interrupted(StopAfter(epochs, batch=batch), storage, kind)
    model, told, work = resumed(storage, kind)
    assert told == list(range(epochs + 1, 13))
    assert drawn(work) == told, "the curve goes on where it was"
    assert messages(work) == [
        (
            "message",
            {
                "code": "resumed",
                "detail": f"training resumed after epoch {epochs}",
                "epoch": epochs,
            },
        )
    ]
    same(model, fit(kind))


def test_on_this_cpu_it_is_equal_to_the_bit(storage):
    interrupted(StopAfter(4, batch=3), storage)
    a, b = (model.predict(X[250:]).values for model in (resumed(storage)[0], fit()))
    np.testing.assert_array_equal(a, b)


def test_interrupted_again_and_again_it_still_comes_to_the_same_end(storage):
    for _ in range(3):  # three epochs and some batches each time
        interrupted(StopAfter(3, batch=5), storage)
    model, told, _ = resumed(storage)
    assert told == [10, 11, 12]
    same(model, fit())


def test_without_a_validation_part_too(storage):
    interrupted(StopAfter(6), storage, validation=False)
    same(resumed(storage, validation=False)[0], fit(validation=False))


def test_early_stopping_remembers_the_best_epoch_of_the_first_worker(storage):
    options = {"learning_rate": 0.1, "max_epochs": 200, "patience": 4}
    whole = fit(**options)
    best, last = whole.describe()["best_epoch"], whole.describe()["epochs"]
    assert last == best + 4 < 200
    interrupted(StopAfter(best + 2), storage, **options)
    model, told, _ = resumed(storage, **options)
    assert told == [best + 3, best + 4]
    same(model, whole)


@pytest.mark.parametrize(
    "options",
    [{"max_epochs": 6}, {"learning_rate": 0.1, "max_epochs": 200, "patience": 4}],
    ids=["last epoch", "early stop"],
)
def test_stopped_after_its_last_epoch_nothing_is_trained_again(options, storage):
    whole = fit(**options)
    interrupted(StopAfter(whole.describe()["epochs"]), storage, **options)
    model, told, _ = resumed(storage, **options)
    assert told == []
    same(model, whole)


def test_stopped_in_the_first_epoch_it_begins_again(storage):
    interrupted(StopAfter(0, batch=4), storage)
    model, told, work = resumed(storage)
    assert told[0] == 1
    assert messages(work) == []
    same(model, fit())


def test_what_is_stored_is_safetensors_and_no_pickle(storage):
    interrupted(StopAfter(2), storage)
    tensors = resuming.load(kept(storage).load())
    assert {name.partition("/")[0] for name in tensors} == {
        *("weights", "best", "step", "exp_avg", "exp_avg_sq", "figures"),
    }


@pytest.mark.parametrize("error", [JobCancelled("x"), LeaseLost("x"), DeadlineExceeded("x")])
def test_where_nobody_will_go_on_nothing_is_stored(error, storage):
    interrupted(StopAfter(5, batch=2, error=error), storage)
    assert not list(storage.list(""))
    model, told, _ = resumed(storage)
    assert told[0] == 1
    same(model, fit())


def test_after_a_kill_the_periodic_checkpoint_counts(monkeypatch, storage):
    monkeypatch.setattr(resuming, "_SAVE_SECONDS", 0.0)
    interrupted(StopAfter(5, batch=2, error=LeaseLost("as after a kill")), storage)
    assert len(list(storage.list("work/"))) == 1
    model, told, _ = resumed(storage)
    assert told[0] == 6
    same(model, fit())


def test_checkpoints_are_not_stored_at_every_epoch(storage):
    fit(checkpoints=kept(storage))
    assert not list(storage.list("work/"))


def altered(storage, change):
    (key,) = storage.list("work/")
    storage.write(key, change(storage.read(key)))


def test_a_damaged_checkpoint_is_ignored(caplog, storage):
    interrupted(StopAfter(5), storage)
    altered(storage, lambda blob: blob[:-4] + b"\0\0\0\0")
    with caplog.at_level(logging.WARNING):
        model, told, _ = resumed(storage)
    assert "it is damaged" in caplog.text
    assert told[0] == 1
    same(model, fit())


class Foreign:
    """Gives what no fit of ours has saved."""

    def __init__(self, state):
        self._state = state

    def load(self):
        return self._state

    def save(self, epoch, state):
        raise AssertionError


def states(storage):
    interrupted(StopAfter(5), storage, hidden_sizes=[8, 8])
    other_network = kept(storage).load()
    return {
        "other network": other_network,
        "not safetensors": b"\x80\x02}q\x00.",
        "empty": b"",
        "cut": other_network[:200],
        "no tensors": resuming.save({}),
        "figures only": resuming.save({"figures": resuming.torch.zeros(4)}),
        "one figure": resuming.save({"figures": resuming.torch.zeros(())}),
    }


def test_an_unreadable_or_foreign_state_is_ignored(caplog, storage):
    whole = fit()
    for name, state in states(storage).items():
        caplog.clear()
        work = SilentContext()
        with caplog.at_level(logging.WARNING):
            model = fit(work=work, checkpoints=Foreign(state))
        assert "training begins anew" in caplog.text, name
        assert work.told[0]["done"] == 1
        same(model, whole)


def test_a_checkpoint_of_other_params_is_ignored(storage):
    """Of the same shape: only the identity of the fit tells them apart."""
    with pytest.raises(Stopped):
        fit(work=StopAfter(5), checkpoints=kept(storage, fit_id="b"), learning_rate=0.05)
    model, told, _ = resumed(storage)
    assert told[0] == 1
    same(model, fit())


class Down(LocalStorage):
    def write(self, key, data):
        raise Retryable("no space")


def test_an_outage_of_the_blob_store_does_not_fail_the_fit(monkeypatch, caplog, tmp_path):
    monkeypatch.setattr(resuming, "_SAVE_SECONDS", 0.0)
    with caplog.at_level(logging.WARNING):
        model = fit(checkpoints=kept(Down(tmp_path)))
    assert "was not stored" in caplog.text
    same(model, fit())


def test_an_outage_does_not_hide_why_the_work_stops(tmp_path):
    interrupted(StopAfter(3), Down(tmp_path))


def test_every_epoch_has_an_order_of_its_own(monkeypatch):
    orders = []

    class Noted(mlp_network.Shuffle):
        def __iter__(self):
            orders.append(tuple(super().__iter__()))
            yield from orders[-1]

    monkeypatch.setattr(mlp_network, "Shuffle", Noted)
    fit()
    assert len(set(orders)) == PARAMS["max_epochs"]
    assert all(sorted(order) == list(range(200)) for order in orders)
