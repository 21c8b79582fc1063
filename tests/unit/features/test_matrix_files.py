"""A matrix written a part at a time is the file that numpy writes of the whole."""

import io
import weakref

import numpy as np
import pytest

from app.features.matrix_files import write_features
from app.featurizers.base import Features, featurizers


def some(featurizer, rows, seed=0):
    """Numbers of the featurizer's kind, one of ten a NaN where there may be one."""
    values = np.random.default_rng(seed).integers(0, 2, (rows, featurizer.width))
    matrix = values.astype(featurizer.dtype)
    if matrix.dtype == np.float32:
        matrix[::10] = np.nan
    return matrix


def written(featurizer, rows, parts, **options):
    buffer = io.BytesIO()
    errors = write_features(buffer, featurizer, rows, parts, **options)
    return buffer.getvalue(), errors


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("maccs", True),
        ("maccs", False),
        ("morgan_bits", True),
        ("morgan_counts", False),
        ("smiles_tokens", False),
    ],
)
@pytest.mark.parametrize("sizes", [(), (0,), (1,), (16, 16, 3), (5, 0, 7)])
def test_the_bytes_are_those_of_the_whole(name, packed, sizes):
    """MACCS has 166 bits: the last byte of a packed row is not full."""
    featurizer = featurizers.get(name)()
    parts = [some(featurizer, rows, seed) for seed, rows in enumerate(sizes)]
    whole = np.concatenate([featurizer.empty(0), *parts])
    each = (Features(matrix=part) for part in parts)
    found, errors = written(featurizer, len(whole), each, packed=packed)
    expected = io.BytesIO()
    np.save(expected, np.packbits(whole, axis=1) if packed else whole)
    assert found == expected.getvalue()
    assert errors == {}


def test_columns_of_a_wider_matrix_are_written_as_they_are():
    featurizer = featurizers.get("morgan_counts")()
    wide = np.hstack([some(featurizer, 4), some(featurizer, 4, seed=1)])
    held = wide[:, featurizer.width :]
    assert not held.flags.c_contiguous
    found, _ = written(featurizer, 4, [Features(matrix=held)])
    np.testing.assert_array_equal(np.load(io.BytesIO(found)), held)


def test_errors_are_numbered_by_the_row_of_the_whole():
    featurizer = featurizers.get("maccs")()
    first = Features(matrix=some(featurizer, 3), errors={2: "too large"})
    second = Features(matrix=some(featurizer, 2), errors={0: "no atoms", 1: "odd"})
    _, errors = written(featurizer, 5, [first, second])
    assert errors == {2: "too large", 3: "no atoms", 4: "odd"}


@pytest.mark.parametrize("rows", [2, 4])
def test_another_number_of_rows_is_refused(rows):
    featurizer = featurizers.get("maccs")()
    with pytest.raises(ValueError, match=f"features of 3 rows where {rows} were asked for"):
        written(featurizer, rows, [Features(matrix=some(featurizer, 3))])


def test_a_part_is_gone_before_the_one_after_the_next_is_made():
    featurizer = featurizers.get("morgan_counts")()
    seen = []

    def parts():
        for seed in range(6):
            assert [seed - at for at, part in enumerate(seen) if part() is not None] in ([], [1])
            matrix = some(featurizer, 16, seed)
            seen.append(weakref.ref(matrix))
            yield Features(matrix=matrix)
            del matrix

    written(featurizer, 96, parts())
    assert len(seen) == 6
