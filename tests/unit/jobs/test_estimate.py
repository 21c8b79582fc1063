"""Estimates from history: honest without one, within a factor of two with one."""

import random
from dataclasses import replace

import pytest

from app.jobs.history import PastJob
from app.kinds.estimate import Asked, estimate_from

FEATURES = [{"name": "erg", "params": {}}]


def past(rows, seconds, *, algorithm="ridge", dataset="a", kind="train", memory=1 << 28, **params):
    values = {"algorithm": {"name": algorithm, "params": {}}, "features": FEATURES}
    return PastJob(
        kind=kind,
        params={**values, "dataset_id": dataset, **params},
        rows=rows,
        file_bytes=rows * 40,
        seconds=seconds,
        peak_memory_bytes=memory,
    )


def asked(job):
    return Asked(kind=job.kind, params=job.params, rows=job.rows, file_bytes=job.file_bytes)


@pytest.mark.req("goal-23")
def test_without_history_there_is_no_number():
    found = estimate_from(asked(past(100, 1)), [past(100, 9, algorithm="mlp")])
    assert (found["seconds"], found["peak_memory_bytes"]) == (None, None)
    assert found["basis"]["jobs"] == 0
    assert "no train job with ridge" in found["basis"]["how"]


def test_the_same_job_again_takes_as_long():
    history = [past(1000, 4.0), past(1000, 4.4), past(1000, 4.2)]
    found = estimate_from(asked(past(1000, 0)), history)
    assert 3.9 < found["seconds"]["typical"] < 4.5
    assert found["seconds"]["low"] <= 4.0
    assert found["seconds"]["high"] >= 4.4
    assert found["basis"]["jobs"] == 3
    assert found["peak_memory_bytes"]["typical"] == 1 << 28


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 1.4])
def test_the_growth_is_learned_from_the_projects_own_jobs(power):
    history = [past(rows, (rows / 100) ** power) for rows in (100, 300, 1000, 3000)]
    found = estimate_from(asked(past(30_000, 0)), history)
    truth = 300**power
    assert truth / 1.3 < found["seconds"]["typical"] < truth * 1.3


def test_features_that_are_cached_already_make_it_shorter():
    cold = [past(1000, 60, dataset=str(n)) for n in range(5)]
    warm = [past(1000, 3, dataset=str(n)) for n in range(5)]
    history = warm + cold  # newest first: each cold one came before its warm one
    again = estimate_from(asked(past(1000, 0, dataset="2")), history)
    new = estimate_from(asked(past(1000, 0, dataset="new")), history)
    assert again["seconds"]["typical"] < 6
    assert new["seconds"]["typical"] > 30


def test_trials_count_as_size():
    history = [past(1000, 10, kind="optimize", n_trials=10, folds=3) for _ in range(3)]
    more = estimate_from(asked(past(1000, 0, kind="optimize", n_trials=100, folds=3)), history)
    assert more["seconds"]["typical"] > 30


def test_a_comparison_grows_with_candidates_repeats_and_permutations():
    def comparison(seconds, names, **params):
        candidates = [{"algorithm": {"name": name, "params": {}}} for name in names]
        return past(1000, seconds, kind="compare", candidates=candidates, folds=5, **params)

    history = [comparison(10, ("ridge", "svm"), repeats=1) for _ in range(3)]
    more = asked(comparison(0, ("ridge", "svm"), repeats=5, y_scrambling=25))
    found = estimate_from(more, history)
    assert found["seconds"]["typical"] > 30, "ten times as many fits"
    assert "with ridge and svm" in found["basis"]["how"]
    assert estimate_from(asked(comparison(0, ("mlp",))), history)["seconds"] is None


def test_jobs_that_were_not_measured_give_time_only():
    found = estimate_from(asked(past(10, 0)), [replace(past(10, 1), peak_memory_bytes=None)])
    assert found["seconds"] is not None
    assert found["peak_memory_bytes"] is None


@pytest.mark.req("goal-23")
def test_four_of_five_jobs_of_a_mixed_history_are_within_a_factor_of_two():
    """Leave one out, over seeded histories: a fixed part, a part that grows, noise, caches."""
    rng = random.Random(20261121)
    speed = {"ridge": 2e-4, "random_forest": 6e-3, "lightgbm": 2e-3}
    good = total = 0
    for _ in range(20):
        history, seen = [], set()
        for _ in range(40):
            algorithm, rows = rng.choice(list(speed)), int(10 ** rng.uniform(2, 4.5))
            dataset = str(rng.randrange(6))
            seconds = 0.5 + speed[algorithm] * rows + (dataset not in seen) * 2e-3 * rows
            seen.add(dataset)
            noisy = seconds * rng.lognormvariate(0, 0.25)
            history.insert(0, past(rows, noisy, algorithm=algorithm, dataset=dataset))
        for number in range(20):  # the newest half, each with what came before it
            found = estimate_from(asked(history[number]), history[number + 1 :])["seconds"]
            if found is not None:
                total += 1
                good += 0.5 <= found["typical"] / history[number].seconds <= 2
    assert total > 350
    assert good / total >= 0.8, good / total
