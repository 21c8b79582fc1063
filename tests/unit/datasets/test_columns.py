"""Roles, types and units of columns, and cells by type."""

import math
from datetime import UTC, datetime

import pytest

from app.core.errors import InvalidInput, UnknownName
from app.datasets.cells import read_cell, read_value
from app.datasets.columns import Column, guess_columns, kind_of, stored_name
from app.datasets.dates import date_format, parse_date
from app.datasets.numbers import parse_number, why_no_number
from app.datasets.units import unit_of


def sample(**columns):
    return list(columns), [
        dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
    ]


def by_name(columns):
    return {column["name"]: column for column in columns}


@pytest.mark.parametrize(
    ("text", "decimal", "value"),
    [
        ("1.5", ".", 1.5),
        (" -1e-3 ", ".", -0.001),
        ("1,234.5", ".", 1234.5),
        ("1,5", ",", 1.5),
        ("1.234,5", ",", 1234.5),
        ("-1.234.567,25", ",", -1234567.25),
        ("1,5e3", ",", 1500.0),
        (".5", ".", 0.5),
        ("7.", ".", 7.0),
    ],
)
def test_numbers_as_people_write_them(text, decimal, value):
    assert parse_number(text, decimal) == value


@pytest.mark.parametrize(
    "text", ["", "abc", "1,5", "1,234", "nan", "inf", "-Infinity", "1_000", "0x10", "1e999", ">5"]
)
def test_what_is_no_number(text):
    assert parse_number(text) is None


def test_why_a_cell_is_no_number():
    assert "bound" in why_no_number(">10")
    assert "finite" in why_no_number("-inf")
    assert "units" in why_no_number("5 nM")
    assert why_no_number("many") == "is not a number: 'many'"


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["2024-03-01", "2024-12-31T10:00:00Z"], "iso"),
        (["01.03.2024", "31.12.2024"], "%d.%m.%Y"),
        (["03/31/2024", "12/01/2024"], "%m/%d/%Y"),
        (["31/03/2024", "01/12/2024"], "%d/%m/%Y"),
        (["05-Mar-2024"], "%d-%b-%Y"),
        (["20240301"], None),
        (["2024-03-01", "soon, maybe"], None),
        ([], None),
    ],
)
def test_the_one_format_that_reads_every_date(cells, expected):
    assert date_format(cells) == expected


def test_a_time_zone_is_turned_to_utc():
    assert parse_date("2024-03-01T01:00:00+02:00", "iso") == datetime(
        2024, 2, 29, 23, tzinfo=UTC
    ).replace(tzinfo=None)


@pytest.mark.parametrize(
    ("header", "unit"),
    [
        ("expt (kcal/mol)", "kcal/mol"),
        ("IC50 [nM]", "nM"),
        ("logS (log mol/L)", "log mol/L"),
        ("T [°C]", "°C"),
        ("measured log solubility in mols per litre", "log mol/L"),
        ("LogP(RRCK)", None),
        ("Name (trivial)", None),
        ("expt", None),
    ],
)
def test_units_of_headers(header, unit):
    assert unit_of(header) == unit


def test_yes_and_no_are_no_molecules():
    names, rows = sample(
        has_partner=["No", "No", "Yes", "No", "No", "No"],
        months=["1", "2", "30", "4", "5", "6"],
        churn=["No", "Yes", "No", "No", "Yes", "No"],
    )
    columns = guess_columns(names, rows, {})
    assert kind_of(columns) == "table"
    assert {name: c["role"] for name, c in by_name(columns).items()} == {
        "has_partner": "feature",
        "months": "feature",
        "churn": "target",
    }


def test_letters_are_no_molecules():
    names, rows = sample(group=list("abcnab"), x=list("123456"))
    assert kind_of(guess_columns(names, rows, {})) == "table"
    names, rows = sample(compound=["CCO", "CCN", "C", "CC#N"], x=["1", "2", "3", "4"])
    assert kind_of(guess_columns(names, rows, {})) == "molecule"


def test_a_table_says_types_and_the_target_a_person_chose():
    names, rows = sample(
        sampleID=["a1", "a2", "a3", "a4"],
        taken=["2024-01-01", "2024-02-01", "2024-03-01", "2024-03-02"],
        site=["north", "south", "north", "east"],
        dose=["1,5", "2,5", "3", "9,25"],
        note=["one text", "another text", "a third", "a fourth"],
        response=["1", "0", "1", "0"],
        last=["5", "6", "7", "8"],
    )
    found = by_name(guess_columns(names, rows, {"last": "target"}, decimal=","))
    assert {name: (c["role"], c["type"]) for name, c in found.items()} == {
        "sampleID": ("id", "text"),
        "taken": ("feature", "date"),
        "site": ("feature", "class"),
        "dose": ("feature", "number"),
        "note": ("ignore", "text"),
        "response": ("feature", "binary"),
        "last": ("target", "number"),
    }
    assert found["taken"]["format"] == "iso"


def test_a_file_with_a_broken_smiles_column_is_not_read_as_a_table_in_silence():
    names, rows = sample(smiles=["xx", "yy", "zz", "qq"], y=["1", "2", "3", "4"], x=["a"] * 4)
    with pytest.raises(InvalidInput, match="'smiles' holds no SMILES") as refused:
        guess_columns(names, rows, {})
    assert '"kind": "table"' in refused.value.problem()["remedy"]
    columns = guess_columns(names, rows, {"x": "feature"}, kind="table")
    assert kind_of(columns) == "table"


def test_other_columns_of_structures_are_seen_and_ignored():
    names, rows = sample(
        smiles=["CCO", "CCN", "CCC"], product_smiles=["CC=O", "CC=N", "C=CC"], y=["1", "2", "3"]
    )
    found = by_name(guess_columns(names, rows, {}))
    assert found["smiles"]["role"] == "smiles"
    assert (found["product_smiles"]["role"], found["product_smiles"]["type"]) == (
        "ignore",
        "structure",
    )


@pytest.mark.parametrize(
    ("roles", "kind", "match"),
    [
        ({"a": "smiles", "b": "smiles"}, "auto", "two columns"),
        ({"a": "smiles"}, "table", "kind is table"),
    ],
)
def test_roles_that_contradict_each_other(roles, kind, match):
    names, rows = sample(a=["CCO", "CCN"], b=["CCC", "CCF"])
    with pytest.raises(InvalidInput, match=match) as refused:
        guess_columns(names, rows, roles, kind=kind)
    assert refused.value.problem()["code"] == "conflicting_roles"


def test_a_unit_or_role_of_a_column_that_is_not_there():
    names, rows = sample(smiles=["CCO", "CCN"], y=["1", "2"])
    with pytest.raises(UnknownName, match="no column 'z'"):
        guess_columns(names, rows, {}, units={"z": "nM"})
    assert by_name(guess_columns(names, rows, {}, units={"y": "nM"}))["y"]["unit"] == "nM"


def column(type_, role="feature", **more):
    return Column(name="c", role=role, type=type_, **more)


@pytest.mark.parametrize(
    ("col", "text", "value"),
    [
        (column("number"), " 1.50 ", 1.5),
        (column("number"), "", None),
        (column("class"), "None", "None"),
        (column("class", "target"), "None", None),
        (column("binary"), "1.0", "1"),
        (column("class"), " red ", "red"),
        (column("date", format="%d.%m.%Y"), "01.02.2024", datetime(2024, 2, 1)),  # noqa: DTZ001
    ],
)
def test_cells_by_type(col, text, value):
    assert read_cell(col, text) == (value, None)


def test_a_cell_that_cannot_be_read_says_why():
    assert read_cell(column("number"), "many")[1] == "c is not a number: 'many'"
    assert "not a date" in read_cell(column("date"), "soon")[1]


def test_json_values_are_read_as_cells_are():
    value = True
    assert read_value(column("number"), 2) == (2.0, None)
    assert read_value(column("binary"), value) == ("1", None)
    assert read_value(column("class"), None) == (None, None)
    assert read_value(column("number"), math.inf)[0] is None


def test_names_that_clean_parquet_uses_itself():
    assert stored_name("row") == "row_"
    assert stored_name("expt") == "expt"
