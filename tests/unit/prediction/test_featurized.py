"""Features of a file packed and unpacked: what comes out is what went in, to the last bit."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rdkit import Chem
from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator

from app.chem.standardize import standardized_or_reason
from app.core.requests import PluginSpec
from app.features.compute import FeatureSet
from app.prediction.featurized import GIVEN, Featurized, packed, unpacked

SMILES = ["CCO", "C((", "c1ccccc1C(=O)O", "", "C" * 400, "[NH4+].[Cl-]", "CC(C)Cc1ccc(C)cc1"]
SETS = [
    ["morgan_counts"],
    ["morgan_bits"],
    ["maccs"],  # 167 columns: not whole bytes
    ["physchem"],
    ["smiles_tokens"],
    ["maccs", "morgan_counts", "physchem"],
]


def featurized(names):
    feature_set = FeatureSet([PluginSpec(name=name) for name in names])
    given = {
        "row": pa.array(range(1, len(SMILES) + 1), pa.int64()),
        "id": pa.array([None, *"bcdefg"], pa.string()),
        "input": pa.array(SMILES),
    }
    rows = Featurized.of(feature_set, given, map(standardized_or_reason, SMILES), None)
    return feature_set, rows


@pytest.mark.parametrize("names", SETS, ids=" ".join)
def test_what_is_unpacked_is_what_was_packed(names):
    feature_set, rows = featurized(names)
    buffer = io.BytesIO()
    # in row groups, as several batches are written
    pq.write_table(packed(rows, feature_set), buffer, row_group_size=3, compression="zstd")
    found = unpacked(pq.read_table(buffer), feature_set)
    assert found.canonical == rows.canonical
    assert found.reasons == rows.reasons
    assert sum(reason is not None for reason in rows.reasons) >= 2
    assert found.matrix.dtype == rows.matrix.dtype
    np.testing.assert_array_equal(found.matrix, rows.matrix)
    np.testing.assert_array_equal(found.bits, rows.bits)
    for name in GIVEN:
        assert found.given[name].equals(rows.given[name])


@pytest.mark.parametrize("names", SETS, ids=" ".join)
def test_fingerprints_are_morgan_bits_whether_or_not_the_features_hold_them(names):
    _, rows = featurized(names)
    generator = GetMorganGenerator(radius=2, fpSize=2048)
    mols = [
        Chem.MolFromSmiles(canonical)
        for canonical, why in zip(rows.canonical, rows.reasons, strict=True)
        if why is None
    ]
    expected = [generator.GetFingerprintAsNumPy(mol) for mol in mols]
    np.testing.assert_array_equal(rows.bits, expected)


def test_a_slice_is_its_rows():
    feature_set, rows = featurized(["morgan_counts"])
    found = unpacked(packed(rows, feature_set).slice(2, 4), feature_set)
    good = [n for n, reason in enumerate(rows.reasons) if reason is None]
    wanted = [place for place, row in enumerate(good) if 2 <= row < 6]
    np.testing.assert_array_equal(found.matrix, rows.matrix[wanted])


def test_a_count_that_two_bytes_do_not_hold_is_not_packed():
    feature_set, rows = featurized(["morgan_counts"])
    assert rows.matrix.max() > 255  # a chain of 400 carbons: one byte would not do
    rows.matrix[0, 0] = 65_536
    assert packed(rows, feature_set) is None
    rows.matrix[0, 0] = 0.5
    assert packed(rows, feature_set) is None
