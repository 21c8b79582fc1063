"""Every featurizer of table columns: a new file is tested at once. Numbers against scikit-learn."""

import numpy as np
import orjson
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler

from app.featurizers.base import ColumnFeaturizer, featurizers
from app.featurizers.columns import TypedColumns
from tests.support.molecules import DATA

ALL = pytest.mark.parametrize(
    "name", [cls.name for cls in featurizers if issubclass(cls, ColumnFeaturizer)]
)
COLUMNS = [
    {"name": "tenure", "type": "number"},
    {"name": "TotalCharges", "type": "number"},
    {"name": "Contract", "type": "class"},
    {"name": "gender", "type": "binary"},
    {"name": "since", "type": "date"},
]


def words(*values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


@pytest.fixture(scope="module")
def frame():
    frame = pd.read_csv(DATA / "telco_churn.csv")
    frame["TotalCharges"] = pd.to_numeric(frame["TotalCharges"], errors="coerce")
    frame["since"] = pd.Timestamp("2020-01-31") + pd.to_timedelta(frame["tenure"], unit="D")
    return frame


def cells(frame, rows=slice(None)):
    part = frame.iloc[rows]
    return {
        "tenure": part["tenure"].to_numpy(float),
        "TotalCharges": part["TotalCharges"].to_numpy(float),
        "Contract": part["Contract"].to_numpy(object),
        "gender": part["gender"].to_numpy(object),
        "since": part["since"].to_numpy("datetime64[us]"),
    }


@ALL
def test_finite_numbers_of_the_shape_it_says(name, frame):
    fitted = featurizers.get(name)().fit(COLUMNS, cells(frame))
    matrix = fitted.transform(cells(frame))
    assert matrix.shape == (len(frame), len(fitted.columns))
    assert matrix.dtype == np.float32
    assert np.isfinite(matrix).all()
    assert len(set(fitted.columns)) == len(fitted.columns) == len(fitted.sources)
    assert set(fitted.sources) <= {column["name"] for column in COLUMNS}


@ALL
def test_what_it_learned_survives_json(name, frame):
    featurizer = featurizers.get(name)()
    fitted = featurizer.fit(COLUMNS, cells(frame))
    again = featurizer.load(orjson.loads(orjson.dumps(fitted.state())))
    np.testing.assert_array_equal(again.transform(cells(frame)), fitted.transform(cells(frame)))
    assert again.columns == fitted.columns


@ALL
def test_a_row_alone_is_as_among_others(name, frame):
    fitted = featurizers.get(name)().fit(COLUMNS, cells(frame, slice(0, 5000)))
    among = fitted.transform(cells(frame))
    alone = fitted.transform(cells(frame, slice(6000, 6001)))
    np.testing.assert_array_equal(alone[0], among[6000])


@ALL
def test_it_learns_from_the_rows_that_it_is_shown_and_from_no_others(name, frame):
    train = cells(frame, slice(0, 1000))
    fitted = featurizers.get(name)().fit(COLUMNS, train)
    before = fitted.transform(train)
    fitted.transform({**train, "tenure": train["tenure"] * 1000})
    np.testing.assert_array_equal(fitted.transform(train), before)


@ALL
def test_it_says_what_it_is(name):
    featurizer = featurizers.get(name)
    assert featurizer.summary
    assert featurizer.reference
    assert featurizer.input == "table"


def test_equal_to_scikit_learn(frame):
    """SimpleImputer(median, add_indicator) and OneHotEncoder on the same 5,000 training rows."""
    train, test = cells(frame, slice(0, 5000)), cells(frame, slice(5000, None))
    columns = [column for column in COLUMNS if column["name"] in ("TotalCharges", "Contract")]
    fitted = TypedColumns().fit(columns, train)
    imputer = SimpleImputer(strategy="median", add_indicator=True)
    imputer.fit(train["TotalCharges"][:, None])
    numbers = imputer.transform(test["TotalCharges"][:, None])
    encoder = OneHotEncoder(sparse_output=False).fit(train["Contract"][:, None])
    order = [
        list(encoder.categories_[0]).index(name.removeprefix("Contract = "))
        for name in fitted.columns
        if name.startswith("Contract = ")
    ]
    expected = np.hstack([numbers, encoder.transform(test["Contract"][:, None])[:, order]])
    np.testing.assert_allclose(fitted.transform(test), expected, rtol=1e-6)


def test_dates_in_parts():
    """Against datetime of the standard library, by way of pandas."""
    stamps = pd.to_datetime(["2024-02-29 13:30", "1999-12-31 23:59", "2026-11-21 00:00"])
    values = stamps.to_numpy("datetime64[us]")
    fitted = TypedColumns().fit([{"name": "d", "type": "date"}], {"d": values})
    assert fitted.columns == ["d days", "d month", "d weekday", "d hour"]
    found = fitted.transform({"d": values})
    np.testing.assert_array_equal(found[:, 1], stamps.month)
    np.testing.assert_array_equal(found[:, 2], stamps.weekday)
    np.testing.assert_array_equal(found[:, 3], stamps.hour)
    days = (stamps - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)
    np.testing.assert_allclose(found[:, 0], days, rtol=1e-6)


def test_what_is_constant_is_left_out_and_what_was_missing_is_told():
    train = {
        "same": np.array([1.0, 1.0, np.nan]),
        "x": np.array([1.0, 3.0, 9.0]),
        "word": words("a", "a", "a"),
        "two": words("a", "b", None),
    }
    columns = [
        {"name": name, "type": "class" if values.dtype == object else "number"}
        for name, values in train.items()
    ]
    fitted = TypedColumns().fit(columns, train)
    assert fitted.columns == [
        "same is missing", "x", "two = a", "two = b", "two is missing",
    ]  # fmt: skip
    assert fitted.transform(train).tolist() == [
        [0, 1, 1, 0, 0],
        [0, 3, 0, 1, 0],
        [1, 9, 0, 0, 1],
    ]


def test_new_words_and_gaps_are_said_never_silent():
    train = {"x": np.array([1.0, 3.0, 9.0]), "w": words("a", "b", "c")}
    columns = [{"name": "x", "type": "number"}, {"name": "w", "type": "class"}]
    fitted = TypedColumns().fit(columns, train)
    new = {"x": np.array([np.nan, 2.0, 2.0]), "w": words("a", "zz", None)}
    assert fitted.transform(new).tolist() == [[3, 1, 0, 0], [2, 0, 0, 0], [2, 0, 0, 0]]
    assert fitted.notes(new) == [
        ["x is missing: the training median 3 is used"],
        ["w: no training row has 'zz'"],
        ["w is missing, as in no training row"],
    ]


def test_a_number_beyond_float32_stays_a_number():
    train = {"x": np.array([1.0, 1e40, -1e300])}
    fitted = TypedColumns().fit([{"name": "x", "type": "number"}], train)
    largest = np.finfo(np.float32).max
    assert fitted.transform(train)[:, 0].tolist() == [1, largest, -largest]


@pytest.mark.parametrize("scale", ["standard", "min_max"])
@pytest.mark.parametrize("impute", ["median", "mean"])
def test_impute_and_scale_equal_to_scikit_learn(frame, impute, scale):
    train, test = cells(frame, slice(0, 5000)), cells(frame, slice(5000, None))
    options = {"impute": impute, "scale": scale}
    columns = [column for column in COLUMNS if column["type"] == "number"]
    fitted = TypedColumns.from_values(options).fit(columns, train)
    scaler = StandardScaler() if scale == "standard" else MinMaxScaler()
    pipeline = make_pipeline(SimpleImputer(strategy=impute), scaler)
    names = [column["name"] for column in columns]
    pipeline.fit(np.column_stack([train[name] for name in names]))
    expected = pipeline.transform(np.column_stack([test[name] for name in names]))
    places = [fitted.columns.index(name) for name in names]
    np.testing.assert_allclose(fitted.transform(test)[:, places], expected, rtol=1e-4, atol=1e-6)


def test_parts_of_dates_are_scaled_too():
    values = pd.to_datetime(["2024-01-01", "2024-06-01", None, "2025-01-01"]).to_numpy(
        "datetime64[us]"
    )
    fitted = TypedColumns.from_values({"scale": "min_max"}).fit(
        [{"name": "d", "type": "date"}], {"d": values}
    )
    found = fitted.transform({"d": values})
    assert fitted.columns == ["d days", "d month", "d weekday", "d is missing"]
    assert found.min(axis=0).tolist() == [0, 0, 0, 0]
    assert found.max(axis=0).tolist() == [1, 1, 1, 1]


def test_what_older_models_say_of_themselves_still_holds():
    """A later parameter at its default changes no key: a stored model stays usable."""
    before = {"name": "columns", "version": 1, "params": {"max_categories": 30}}
    assert TypedColumns().key == before
    assert TypedColumns.from_values({"scale": "none"}).key == before
    assert TypedColumns.from_values({"scale": "standard"}).key != before
    state = [{"type": "number", "name": "x", "missing": False, "fill": 2.0}]
    assert TypedColumns().load(state).transform({"x": np.array([np.nan, 7.0])}).tolist() == [
        [2],
        [7],
    ]


def test_rare_words_share_a_column():
    train = {"w": words(*"aaabbbccd")}
    fitted = TypedColumns.from_values({"max_categories": 2}).fit(
        [{"name": "w", "type": "class"}], train
    )
    assert fitted.columns == ["w = a", "w = b", "w: other"]
    assert fitted.transform({"w": words("d", "new")}).tolist() == [[0, 0, 1], [0, 0, 1]]
