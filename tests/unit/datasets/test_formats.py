"""Each format against the library that owns it, reading the same real rows."""

import gzip
import io
import json
import zipfile

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rdkit import Chem

from app.chem.standardize import ChemistryError, standardize, standardize_molblock
from app.datasets.columns import STRUCTURE
from tests.support.molecules import DATA, rows_of

ESOL = rows_of("esol.csv")[:300]
NAMES = list(ESOL[0])
#: a title line, and no trailing blanks
EXPECTED = [{name: cell.strip() for name, cell in row.items()} for row in ESOL]


def frame():
    return pd.read_csv(DATA / "esol.csv", nrows=300)


def cells(rows):
    assert [row.row for row in rows] == list(range(1, len(rows) + 1))
    assert all(row.reason is None for row in rows)
    return [row.cells for row in rows]


def numbers(rows, name):
    return [float(row.cells[name]) for row in rows]


def zipped(content, name="f.csv", **more):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
        for other, data in more.items():
            archive.writestr(other, data)
    return buffer.getvalue()


def text_of_frame(**options):
    return frame().to_csv(index=False, **options).encode()


def sdf_text(count=50, v3000=False):
    mols = [Chem.MolFromSmiles(row["smiles"]) for row in ESOL[:count]]
    out = io.StringIO()
    with Chem.SDWriter(out) as writer:
        writer.SetForceV3000(v3000)
        for mol, row in zip(mols, ESOL, strict=False):
            mol.SetProp("_Name", row["Compound ID"])
            mol.SetProp("y", row[NAMES[-2]])
            writer.write(mol)
    return out.getvalue()


SMILES = [row["smiles"] for row in ESOL[:40]]


def mol2_block(smiles, name, *, hydrogens=True):
    """As Tripos writes it (Mol2 File Format, 2005); atom types by element and aromaticity."""
    mol = Chem.MolFromSmiles(smiles)
    mol = Chem.AddHs(mol) if hydrogens else mol
    atoms = "".join(
        f"{a.GetIdx() + 1} {a.GetSymbol()} {a.GetIdx()}.0 0.0 0.0 {sybyl(a)} 1 UNL 0.0\n"
        for a in mol.GetAtoms()
    )
    bonds = "".join(
        f"{n} {b.GetBeginAtomIdx() + 1} {b.GetEndAtomIdx() + 1} "
        f"{'ar' if b.GetIsAromatic() else int(b.GetBondTypeAsDouble())}\n"
        for n, b in enumerate(mol.GetBonds(), start=1)
    )
    counts = f"{mol.GetNumAtoms()} {mol.GetNumBonds()} 1"
    return (
        f"@<TRIPOS>MOLECULE\n{name}\n{counts}\nSMALL\nNO_CHARGES\n\n"
        f"@<TRIPOS>ATOM\n{atoms}@<TRIPOS>BOND\n{bonds}"
    )


def sybyl(atom):
    if atom.GetIsAromatic():
        return f"{atom.GetSymbol()}.ar"
    place = {"SP3": 3, "SP2": 2, "SP": 1}.get(str(atom.GetHybridization()))
    return f"{atom.GetSymbol()}.{place}" if atom.GetSymbol() in "CNO" else atom.GetSymbol()


def mol2_text():
    blocks = [mol2_block("c1ccccc1Cl", "chlorobenzene"), mol2_block("CC(=O)OCC", "ethyl acetate")]
    return "# made by hand\n" + "\n".join(blocks)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_delimited_files_are_read_as_pandas_reads_them(read, separator):
    content = text_of_frame(sep=separator)
    table, rows = read(content, "wrong.sdf")
    assert table.format == ("tsv" if separator == "\t" else "csv")
    assert table.separator == separator
    assert table.encoding == "utf-8"
    expected = pd.read_csv(io.BytesIO(content), sep=separator, dtype=str, keep_default_na=False)
    assert table.columns == NAMES
    assert cells(rows) == [
        {name: cell.strip() for name, cell in row.items()} for row in expected.to_dict("records")
    ]


@pytest.mark.req("goal-2")
def test_parquet_is_read_as_pyarrow_reads_it(read):
    buffer = io.BytesIO()
    frame().to_parquet(buffer)
    table, rows = read(buffer.getvalue(), "wrong.csv")
    assert table.format == "parquet"
    expected = pq.read_table(io.BytesIO(buffer.getvalue())).to_pydict()
    assert table.columns == list(expected)
    assert [row.cells["smiles"] for row in rows] == [s.strip() for s in expected["smiles"]]
    for name in NAMES[1:-1]:
        assert numbers(rows, name) == expected[name]


def test_parquet_types_become_text(read):
    buffer = io.BytesIO()
    times = pa.array([0, 86_400_000_000_000 + 1_000_000_000], pa.timestamp("ns"))
    values = pa.table(
        {
            "smiles": pa.array(["CCO", None]),
            "flag": pa.array([True, None]),
            "n": pa.array([3, None], pa.int32()),
            "x": pa.array([0.1, float("nan")]),
            "when": times,
            "many": pa.array([[1, 2], None], pa.list_(pa.int64())),
            "raw": pa.array([b"\x00", b"x"]),
        }
    )
    pq.write_table(values, buffer)
    table, rows = read(buffer.getvalue())
    assert rows[0].cells == {
        "smiles": "CCO",
        "flag": "true",
        "n": "3",
        "x": "0.1",
        "when": "1970-01-01",
        "many": "[1, 2]",
    }
    assert rows[1].cells["x"] == rows[1].cells["smiles"] == rows[1].cells["many"] == ""
    assert rows[1].cells["when"].startswith("1970-01-02T00:00:01")
    assert any("'raw'" in note for note in table.notes)


def excel(sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def test_excel_is_read_as_pandas_reads_it(read):
    buffer = io.BytesIO()
    frame().to_excel(buffer, index=False)
    table, rows = read(buffer.getvalue(), "wrong.csv")
    expected = pd.read_excel(io.BytesIO(buffer.getvalue()))
    assert (table.format, table.sheet) == ("excel", "Sheet1")
    assert table.columns == list(expected.columns)
    assert [row.cells["smiles"] for row in rows] == [s.strip() for s in expected["smiles"]]
    for name in NAMES[1:-1]:
        assert numbers(rows, name) == expected[name].tolist()


def test_the_first_sheet_with_content_is_read_and_all_are_named(read):
    content = excel(
        {"empty": [], "first": [["smiles", "y"], ["CCO", 1.5], ["CCC"]], "other": [["a"], ["b"]]}
    )
    table, rows = read(content)
    assert table.sheet == "first"
    assert [row.cells for row in rows] == [
        {"smiles": "CCO", "y": "1.5"},
        {"smiles": "CCC", "y": ""},
    ]
    assert any("'empty', 'other'" in note for note in table.notes)
    assert read(content, sheet="other")[0].columns == ["a"]


def test_workbooks_inside_gzip_and_zip(read):
    content = excel({"s": [["smiles", "y"], ["CCO", 1], ["CCC", 2]]})
    for packed in (gzip.compress(content), zipped(content, "inner.xlsx")):
        table, rows = read(packed)
        assert table.format == "excel"
        assert len(rows) == 2


@pytest.mark.parametrize("v3000", [False, True])
def test_sdf_records_are_those_that_rdkit_reads(read, v3000):
    text = sdf_text(v3000=v3000)
    assert ("V3000" in text) is v3000
    table, rows = read(text, "wrong.csv")
    supplier = Chem.SDMolSupplier()
    supplier.SetData(text)
    mols = list(supplier)
    assert table.format == "sdf"
    assert table.columns == [STRUCTURE, "y"]
    assert numbers(rows, "y") == [float(mol.GetProp("y")) for mol in mols]
    found = [standardize_molblock(row.cells[STRUCTURE]).smiles for row in rows]
    assert found == [standardize(Chem.MolToSmiles(mol)).smiles for mol in mols]


def test_mol2_molecules_are_cut_and_read_by_rdkit(read):
    table, rows = read(mol2_text(), "wrong.txt")
    assert table.format == "mol2"
    assert table.columns == [STRUCTURE, "name"]
    assert [row.cells["name"] for row in rows] == ["chlorobenzene", "ethyl acetate"]
    found = [standardize_molblock(row.cells[STRUCTURE]).smiles for row in rows]
    assert found == ["Clc1ccccc1", "CCOC(C)=O"]


def test_a_mol2_block_without_hydrogens_is_refused_rather_than_read_as_radicals(read):
    _, rows = read(mol2_block("CCO", "ethanol", hydrogens=False))
    with pytest.raises(ChemistryError, match="hydrogens"):
        standardize_molblock(rows[0].cells[STRUCTURE])


@pytest.mark.parametrize("blank", [" ", "\t", "   "])
@pytest.mark.parametrize("header", ["", "SMILES{}Name\n"])
@pytest.mark.parametrize("name", ["f.smi", "f.csv"])
def test_smiles_files_with_and_without_header(read, blank, header, name):
    lines = [f"{r['smiles'].strip()}{blank}{r['Compound ID']}" for r in ESOL[:60]]
    table, rows = read(header.format(blank) + "\n".join(lines), name)
    assert len(rows) == 60
    by_position = [[*row.cells.values()] for row in rows]
    assert by_position == [[r["smiles"].strip(), r["Compound ID"].strip()] for r in ESOL[:60]]
    expected = ["SMILES", "Name"] if header else ["smiles", "name"]
    assert table.columns == expected


def test_a_smiles_file_may_hold_smiles_alone(read):
    text = "\n".join(SMILES)
    table, rows = read(text, "f.smi")
    assert (table.format, table.columns) == ("smiles", ["smiles"])
    assert [row.cells["smiles"] for row in rows] == [s.strip() for s in SMILES]
    table, rows = read(text, "f.txt")
    assert (table.format, table.columns, len(rows)) == ("csv", ["column_1"], 40)


def test_a_table_that_is_named_like_a_smiles_file_is_a_table(read):
    table, rows = read("smiles,y\nCCO,1\nCCC,2\n", "f.smi")
    assert (table.format, table.columns, len(rows)) == ("csv", ["smiles", "y"], 2)


def test_chemaxon_extensions_stay_with_their_smiles(read):
    _, rows = read("CCO |$a;b;c$| ethanol\nCCC propane\n", "f.smi")
    assert rows[0].cells == {"smiles": "CCO |$a;b;c$|", "name": "ethanol"}


@pytest.mark.parametrize(("array", "indent"), [(False, None), (True, None), (True, 2)])
def test_json_lines_and_arrays_are_read_as_pandas_reads_them(read, array, indent):
    text = frame().to_json(orient="records", lines=not array, indent=indent)
    table, rows = read(text, "wrong.csv")
    assert table.format == "jsonl"
    assert table.columns == NAMES
    expected = pd.read_json(io.StringIO(text), orient="records", lines=not array)
    assert [row.cells["smiles"] for row in rows] == [s.strip() for s in expected["smiles"]]
    for name in NAMES[1:-1]:
        assert numbers(rows, name) == pytest.approx(expected[name].tolist())


def test_json_values_become_cells_and_keys_are_united(read):
    lines = [
        {"smiles": "CCO", "y": 1, "more": {"a": [1]}},
        {"smiles": "CCC", "flag": True, "y": None},
        ["no object"],
        {"smiles": "C\0C"},
        {"smiles": "\ud800"},
    ]
    text = "\n".join(map(json.dumps, lines)) + '\n{"smiles": "CCN", "y": 1.10}\n{"smiles": \n'
    table, rows = read(text)
    assert table.columns == ["smiles", "y", "more", "flag"]
    assert rows[0].cells == {"smiles": "CCO", "y": "1", "more": '{"a": ["1"]}'}
    assert rows[1].cells == {"smiles": "CCC", "flag": "true", "y": ""}
    assert rows[2].reason == "not a JSON object"
    assert "NUL" in rows[3].reason
    assert rows[4].cells["smiles"] == "?"
    assert rows[5].cells["y"] == "1.10", "as it was written"
    assert "not JSON" in rows[6].reason


@pytest.mark.parametrize("pack", [gzip.compress, zipped])
@pytest.mark.parametrize(
    "make", [text_of_frame, lambda: sdf_text().encode(), lambda: mol2_text().encode()]
)
def test_each_packing_gives_the_same_rows(read, pack, make):
    content = make()
    plain, rows = read(content)
    packed, same = read(pack(content))
    assert same == rows
    assert packed.columns == plain.columns
