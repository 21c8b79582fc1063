"""The same optimize request tries the same parameters, in whatever order its trials end."""

from types import SimpleNamespace

import pytest

from app.core.work import SilentContext
from app.tuning import service as tuning
from app.tuning.params import OptimizeParams
from app.tuning.study import list_trials
from tests.support.datasets import PROJECT, ingested
from tests.support.inprocess import run_fan_out
from tests.support.molecules import ESOL_TARGET, rows_of

#: TPE begins with the ninth that a draw knows of
TRIALS = 13


class InAnyOrder(SilentContext):
    """Knows which rows have ended; a chunk that would have to wait is a mistake of the test."""

    def __init__(self):
        super().__init__(project_id=PROJECT)
        self.ended = set()

    def wait_until_ended(self, before):
        assert set(range(before)) <= self.ended


@pytest.fixture
def search(resources):
    lines = [f"{row['smiles']},{row[ESOL_TARGET]}" for row in rows_of("esol.csv")[:150]]
    content = "\n".join(["smiles,y", *lines])
    dataset_id, _ = ingested(resources, content, name="d", roles={"y": "target"})

    def searched(order, **options):
        """(the result, all trials) of a search whose chunks run in this order."""
        params = OptimizeParams(
            dataset="d",
            dataset_id=dataset_id,
            algorithm="ridge",
            features=({"name": "physchem"},),
            folds=2,
            then="none",
            **options,
        )
        context = InAnyOrder()

        def run_chunk(resources, context, params, spec):
            result = tuning.run_chunk(resources, context, params, spec)
            context.ended |= set(range(spec.start_row, spec.stop_row))
            return result

        service = SimpleNamespace(plan=tuning.plan, run_chunk=run_chunk, finalize=tuning.finalize)
        found = run_fan_out(service, resources, context, params, order=order).result
        trials = list_trials(resources.database, f"job-{context.job_id}")
        found.pop("study_id")
        return found, [(t["number"], t["value"], t["params"]) for t in trials]

    return searched


def backwards(at_once):
    """As many at a time as may be, the last of them done first."""

    def order(chunks):
        for start in range(0, chunks, at_once):
            yield from reversed(range(start, min(start + at_once, chunks)))

    return order


def test_the_order_in_which_trials_end_changes_nothing(search):
    """Four at once, as nobody says otherwise."""
    result, trials = search(range, n_trials=TRIALS)
    assert [number for number, _, _ in trials] == list(range(TRIALS))
    assert search(backwards(4), n_trials=TRIALS) == (result, trials)
    _, others = search(range, n_trials=9, at_once=1)
    assert others[:8] == trials[:8], "the defaults, and what is drawn at random"
    assert others[8] != trials[8], "it knows eight others, and not five"


def test_chunks_of_several_trials(search, monkeypatch):
    """A thousand trials are 200 chunks; here 13 are five, of three."""
    monkeypatch.setattr(tuning, "_MAX_CHUNKS", 6)
    result, trials = search(range, n_trials=TRIALS, at_once=2)
    assert [number for number, _, _ in trials] == list(range(TRIALS))
    assert search(backwards(2), n_trials=TRIALS, at_once=2) == (result, trials)


def test_random_draws_wait_for_nobody(search):
    result, trials = search(range, n_trials=6, sampler="random", at_once=1)
    found = search(backwards(6), n_trials=6, sampler="random", at_once=1)
    assert found == (result, trials)
    assert len({str(params) for _, _, params in trials}) == 6
