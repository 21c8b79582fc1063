"""A short storm in CI; `make soak` lets a long one blow."""

import pytest

from tests.faults.storm import Storm, plan

pytestmark = pytest.mark.slow


def test_the_same_seed_is_the_same_storm():
    assert plan(7, 30, pause=(6, 22)) == plan(7, 30, pause=(6, 22))
    assert plan(7, 30, pause=(6, 22)) != plan(8, 30, pause=(6, 22))


def test_storm(scene):
    """a storm of random faults"""
    seed = 20261121
    storm = Storm(scene.cluster, scene, plan(seed, 0.5, pause=(2, 5)), seed)
    storm.blow()
    assert sum(storm.counts.values()) >= 7
    assert len(scene.jobs) >= 10
