"""Checkpoints in the blob store: the latest of this fit, whole, or none."""

import logging
from uuid import uuid4

import pytest

from app.core.errors import Retryable
from app.storage.local import LocalStorage
from app.training.checkpoints import BlobCheckpoints

JOB = uuid4()
FIT = {"algorithm": "mlp", "seed": 1}


@pytest.fixture
def storage(tmp_path):
    return LocalStorage(tmp_path)


def checkpoints(storage, *, attempt=1, fit=FIT, job_id=JOB):
    return BlobCheckpoints(storage, job_id=job_id, attempt=attempt, fit=fit)


def stored(storage):
    return list(storage.list("work/"))


def test_another_worker_finds_the_latest_epoch_and_earlier_ones_are_gone(storage):
    first = checkpoints(storage)
    assert first.load() is None
    for epoch in (2, 9, 10):
        first.save(epoch, b"after %d" % epoch)
    assert checkpoints(storage, attempt=2).load() == b"after 10"
    assert len(stored(storage)) == 1
    assert stored(storage)[0].startswith(f"work/{JOB}/checkpoint/000010-0001-")


def test_a_state_may_hold_any_bytes(storage):
    state = bytes(range(256)) * 100
    checkpoints(storage).save(1, state)
    assert checkpoints(storage).load() == state


def test_other_jobs_and_other_work_are_left_alone(storage):
    storage.write(f"work/{JOB}/1/part", b"x")
    checkpoints(storage, job_id=uuid4()).save(9, b"theirs")
    assert checkpoints(storage).load() is None
    checkpoints(storage).save(1, b"a")
    checkpoints(storage).save(2, b"b")
    assert len(stored(storage)) == 3


def test_a_worker_that_lost_the_job_takes_nothing_away_from_the_one_that_has_it(storage):
    checkpoints(storage, attempt=2).save(12, b"new")
    checkpoints(storage, attempt=1).save(11, b"zombie's")
    assert checkpoints(storage, attempt=2).load() == b"new"


def test_the_same_epoch_again_never_changes_a_blob(storage):
    checkpoints(storage).save(3, b"one")
    before = stored(storage)
    checkpoints(storage).save(3, b"two")
    assert stored(storage) != before
    assert checkpoints(storage).load() == b"two"


def test_one_of_another_fit_is_ignored(storage, caplog):
    checkpoints(storage, fit=FIT | {"seed": 2}).save(5, b"other")
    with caplog.at_level(logging.WARNING):
        assert checkpoints(storage).load() is None
    assert "belongs to another training" in caplog.text
    assert checkpoints(storage, fit=FIT | {"seed": 2}).load() == b"other"


@pytest.mark.parametrize(
    "damage",
    [
        lambda blob: b"",
        lambda blob: blob[:-1],
        lambda blob: blob[:10],
        lambda blob: blob[:-1] + b"!",
        lambda blob: b"[1]\nstate",
        lambda blob: b"\x80\x04\x95pickle",
    ],
)
def test_a_damaged_one_is_ignored_and_an_earlier_one_found(storage, caplog, damage):
    checkpoints(storage).save(9, b"state")
    (key,) = stored(storage)
    blob = storage.read(key)
    storage.delete(key)
    checkpoints(storage).save(4, b"earlier")
    storage.write(key, damage(blob))
    with caplog.at_level(logging.WARNING):
        assert checkpoints(storage).load() == b"earlier"
    assert key in caplog.text


class Down(LocalStorage):
    def write(self, key, data):
        raise Retryable("no space")

    def list(self, prefix):
        raise Retryable("no network")


def test_an_outage_while_saving_is_a_warning_and_while_loading_an_outage(caplog, tmp_path):
    with caplog.at_level(logging.WARNING):
        checkpoints(Down(tmp_path)).save(1, b"state")
    assert "was not stored: no space" in caplog.text
    with pytest.raises(Retryable):
        checkpoints(Down(tmp_path)).load()


def test_a_mistake_while_saving_is_not_hidden(tmp_path):
    class Broken(LocalStorage):
        def write(self, key, data):
            raise TypeError("a bug")

    with pytest.raises(TypeError):
        checkpoints(Broken(tmp_path)).save(1, b"state")
