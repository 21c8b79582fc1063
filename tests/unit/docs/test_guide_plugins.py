"""The plug-ins that the guides show really run."""

import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

from app.algorithms.base import Examples, FitContext, LearningTask, algorithms
from app.featurizers.base import featurizers

DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.fixture
def shown():
    """The first Python block of a page, as a module; its plug-in is forgotten afterwards."""
    before = [
        (r, dict(r._classes), dict(r._aliases)) for r in (algorithms, featurizers) if r.names()
    ]

    def load(page):
        code = re.search(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)[1]
        module = types.ModuleType(f"guide_{page[:-3].replace('-', '_')}")
        sys.modules[module.__name__] = module
        exec(compile(code, page, "exec"), module.__dict__)
        return module

    yield load
    for registry, classes, aliases in before:
        registry._classes, registry._aliases = classes, aliases


@pytest.mark.req("S4-16")
def test_the_algorithm_of_the_guide(shown):
    shown("add-an-algorithm.md")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3)).astype(np.float32)
    examples = Examples(X=X, y=X[:, :1].astype(float))
    model = (
        algorithms.get("DecisionTreeRegressor")
        .from_values({"max_depth": 4})
        .fit(LearningTask(type="regression", targets=("y",)), examples, None, FitContext())
    )
    assert np.corrcoef(model.predict(X).values[:, 0], X[:, 0])[0, 1] > 0.9


def test_the_featurizer_of_the_guide(shown):
    shown("add-a-featurizer.md")
    found = featurizers.get("ring_sizes")().featurize([Chem.MolFromSmiles("c1ccccc1C1CC1")])
    assert found.matrix.tolist() == [[1.0, 0.0, 0.0, 1.0, 0.0, 0.0]]
