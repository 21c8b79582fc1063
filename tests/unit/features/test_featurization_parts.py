"""A featurize job's chunk stops soon after it is told to, and leaves no blob behind."""

import pytest

from app.core.errors import JobCancelled
from app.core.requests import PluginSpec
from app.core.work import SilentContext
from app.features.compute import FEW, FeatureSet
from app.featurization.parts import write_part
from app.storage.memory import MemoryStorage

SMILES = ["C" * (1 + n % 20) + "O" for n in range(8 * FEW)]


class ContextOfOneTold(SilentContext):
    """It is cancelled after it was asked some times."""

    def __init__(self, times):
        super().__init__()
        self.left = times

    def raise_if_cancelled(self):
        self.left -= 1
        if self.left < 0:
            raise JobCancelled("cancelled on request")


@pytest.mark.parametrize("name", ["morgan_counts", "molecular_graph"])
@pytest.mark.parametrize("times", [0, 1, 7])
def test_who_is_told_to_stop_writes_nothing(name, times):
    storage = MemoryStorage()
    spec = PluginSpec(name=name)
    (featurizer,) = FeatureSet([spec]).of_molecules
    context = ContextOfOneTold(times)
    with pytest.raises(JobCancelled), storage.writer("features/part") as stream:
        write_part(stream, context, featurizer, spec, SMILES, None)
    assert not storage.exists("features/part")
    whole = ContextOfOneTold(8)
    with storage.writer("features/part") as stream:
        assert write_part(stream, whole, featurizer, spec, SMILES, None) == {}
    assert whole.left == 0, "asked once for each few"
