"""Every registered featurizer: a new file is tested at once. Numbers against RDKit itself."""

import numpy as np
import pytest
from rdkit import DataStructs
from rdkit.Avalon import pyAvalonTools
from rdkit.Chem import Descriptors, MACCSkeys, rdFingerprintGenerator, rdReducedGraphs

from app.core.errors import InvalidInput
from app.featurizers.base import Featurizer, featurizers
from tests.support.molecules import standardized_esol

ALL = pytest.mark.parametrize(
    "name", [cls.name for cls in featurizers if issubclass(cls, Featurizer)]
)


@pytest.fixture(scope="module")
def mols():
    return [found.mol for found in standardized_esol(60)]


@ALL
def test_shape_type_and_columns(name, mols):
    featurizer = featurizers.get(name)()
    found = featurizer.featurize(mols)
    assert found.matrix.shape == (len(mols), featurizer.width)
    assert found.matrix.dtype == featurizer.dtype
    assert len(set(featurizer.columns())) == featurizer.width
    assert found.errors == {}
    if featurizer.output == "bits":
        assert set(np.unique(found.matrix)) <= {0, 1}


@ALL
def test_a_molecule_alone_is_as_in_a_batch_and_molecules_differ(name, mols):
    featurizer = featurizers.get(name)()
    batch = featurizer.featurize(mols).matrix
    again = featurizers.get(name)().featurize([mols[7]]).matrix
    np.testing.assert_array_equal(batch[7], again[0])
    assert len(np.unique(np.nan_to_num(batch), axis=0)) > 0.5 * len(mols)


@ALL
def test_a_missing_molecule_costs_only_its_own_row(name, mols):
    featurizer = featurizers.get(name)()
    found = featurizer.featurize([mols[0], None, mols[1]])
    assert list(found.errors) == [1]
    np.testing.assert_array_equal(found.matrix[2], featurizer.featurize([mols[1]]).matrix[0])


@ALL
def test_unknown_parameters_are_refused_by_name(name):
    with pytest.raises(InvalidInput) as refused:
        featurizers.get(name).from_values({"no_such_thing": 1})
    assert "/no_such_thing" in [field["pointer"] for field in refused.value.errors]


@ALL
def test_it_says_what_it_is(name):
    featurizer = featurizers.get(name)
    assert featurizer.summary
    assert featurizer.reference
    assert featurizer.output in ("bits", "counts", "floats")


def _array(vector):
    array = np.zeros(0)
    DataStructs.ConvertToNumpyArray(vector, array)
    return array


def _morgan(method):
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    return lambda mol: _array(getattr(generator, method)(mol))


def _descriptors(mol):
    values = np.array([function(mol) for _, function in Descriptors.descList], dtype=float)
    values[~np.isfinite(values) | (np.abs(values) > np.finfo(np.float32).max)] = np.nan
    return values.astype(np.float32)


RDKIT = {
    "morgan_bits": _morgan("GetFingerprint"),
    "morgan_counts": _morgan("GetCountFingerprint"),
    "maccs": lambda mol: _array(MACCSkeys.GenMACCSKeys(mol))[1:],
    "avalon_bits": lambda mol: _array(pyAvalonTools.GetAvalonFP(mol, nBits=1024)),
    "avalon_counts": lambda mol: _array(pyAvalonTools.GetAvalonCountFP(mol, nBits=1024)),
    "erg": lambda mol: np.asarray(rdReducedGraphs.GetErGFingerprint(mol), dtype=np.float32),
    "rdkit_descriptors": _descriptors,
}


@pytest.mark.parametrize("name", sorted(RDKIT))
@pytest.mark.req("S0-10", "S0-26")
def test_equal_to_rdkit_called_directly(name, mols):
    expected = np.array([RDKIT[name](mol) for mol in mols])
    np.testing.assert_array_equal(featurizers.get(name)().featurize(mols).matrix, expected)


def test_parameters_reach_rdkit(mols):
    featurizer = featurizers.get("ECFP").from_values({"radius": 3, "fp_size": 512})
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=3, fpSize=512)
    expected = np.array([_array(generator.GetFingerprint(mol)) for mol in mols])
    np.testing.assert_array_equal(featurizer.featurize(mols).matrix, expected)
