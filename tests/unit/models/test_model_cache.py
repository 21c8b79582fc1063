"""Warm models of a process are bounded by the memory that they take."""

from types import SimpleNamespace

import pytest

from app.core.errors import NotFound
from app.core.ids import new_id
from app.models.cache import ModelCache

A, B, C = new_id(), new_id(), new_id()


def cache(sizes, budget):
    loaded = []

    def load(model_id):
        if model_id not in sizes:
            raise NotFound("no such model")
        loaded.append(model_id)
        return SimpleNamespace(memory_bytes=sizes[model_id])

    return ModelCache(load, budget_bytes=budget), loaded


def test_the_least_recently_used_goes_when_the_budget_is_spent():
    models, loaded = cache({A: 40, B: 40, C: 40}, 100)
    models.warm([A, B])
    models.get(A)
    models.get(C)
    assert [A in models, B in models, C in models] == [True, False, True]
    assert models.held_bytes == 80
    models.get(A)
    models.get(B)
    assert loaded == [A, B, C, B]


def test_many_small_models_stay():
    ids = [new_id() for _ in range(50)]
    models, loaded = cache(dict.fromkeys(ids, 1), 100)
    models.warm([*ids, *ids])
    assert loaded == ids


def test_one_that_is_larger_than_the_budget_stays_alone():
    models, loaded = cache({A: 10, B: 500}, 100)
    models.warm([A, B, B])
    assert B in models
    assert A not in models
    assert loaded == [A, B]


def test_what_cannot_be_loaded_is_not_kept():
    models, _ = cache({}, 100)
    with pytest.raises(NotFound):
        models.get(A)
    assert A not in models
    assert models.held_bytes == 0
