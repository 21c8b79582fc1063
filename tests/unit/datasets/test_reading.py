"""Reading what people really have: BOM, separators, ragged rows, gzip, SDF without structures."""

import gzip

import pytest

from app.core.errors import InvalidInput, PayloadTooLarge
from app.core.settings import Settings
from app.datasets.columns import STRUCTURE, guess_columns
from app.datasets.reading import open_table
from app.storage.memory import MemoryStorage

SETTINGS = Settings()


def read(content, name="f.csv", settings=SETTINGS, **options):
    storage = MemoryStorage()
    storage.write("f", content if isinstance(content, bytes) else content.encode())
    with open_table(storage, "f", name, settings, **options) as table:
        return table, list(table.rows)


def test_plain_and_gzipped_files_are_read_alike_whatever_their_name():
    text = b"smiles,y\nCCO,1\nCCC,2\n"
    plain, rows = read(text)
    _, zipped = read(gzip.compress(text), "no-ending")
    assert plain.columns == ["smiles", "y"]
    assert [(r.row, r.cells["smiles"]) for r in rows] == [(1, "CCO"), (2, "CCC")]
    assert zipped == rows


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separators_are_seen(separator):
    table, rows = read(f"smiles{separator}y\nCCO{separator}1\n")
    assert table.columns == ["smiles", "y"]
    assert rows[0].cells == {"smiles": "CCO", "y": "1"}


def test_a_byte_order_mark_quotes_and_line_breaks_in_cells():
    table, rows = read(b'\xef\xbb\xbfsmiles,note\r\nCCO,"two\nlines, one cell"\r\n\r\nCCC,x\r\n')
    assert table.columns[0] == "smiles"
    assert rows[0].cells["note"] == "two\nlines, one cell"
    assert [row.row for row in rows] == [1, 2], "a blank line is no row"


def test_latin_1_is_read_and_said():
    table, rows = read("smiles,name\nCCO,Äthanol\n".encode("latin-1"))
    assert rows[0].cells["name"] == "Äthanol"
    assert any("Latin-1" in note for note in table.notes)


def test_a_ragged_row_is_kept_with_its_reason():
    _, rows = read("smiles,y\nCCO,1\nCCC\nCCN,1,2,3\n")
    assert [row.reason is None for row in rows] == [True, False, False]
    assert "1 cells" in rows[1].reason


def test_repeated_and_missing_column_names_are_told_apart():
    table, _ = read("smiles,y,y,\nCCO,1,2,3\n")
    assert table.columns == ["smiles", "y", "y_2", "column_4"]


@pytest.mark.parametrize(
    "content", [b"", b"   \n  \n", b"\x00\x01\x02", gzip.compress(b"", mtime=0)]
)
def test_what_is_no_table_is_refused(content):
    with pytest.raises(InvalidInput):
        read(content)


def test_a_damaged_gzip_is_refused():
    with pytest.raises(InvalidInput, match="damaged"):
        read(gzip.compress(b"smiles\n" + b"CCO\n" * 10_000)[:-40])


def test_a_bomb_is_stopped_before_it_fills_memory():
    settings = Settings(max_decompressed_bytes=100_000)
    with pytest.raises(PayloadTooLarge):
        read(gzip.compress(b"smiles\n" + b"C" * 50_000_000), settings=settings)


def test_too_many_rows_are_refused():
    with pytest.raises(PayloadTooLarge):
        read("smiles\n" + "C\n" * 11, settings=Settings(max_rows=10))


SDF = "one\n\n\n  0  0  0  0  0  0  0  0  0  0999 V2000\nM  END\n> <y>\n1.5\n\n$$$$\n"


def test_sdf_records_are_cut_not_parsed():
    text = SDF + "garbage without an end\n> <y>\n2\n> <z>\nmany\nlines\n\n$$$$\n" + SDF[:-5]
    table, rows = read(text, "f.sdf")
    assert table.columns == [STRUCTURE, "y", "z"]
    assert [row.row for row in rows] == [1, 2, 3]
    assert rows[1].cells[STRUCTURE] == ""
    assert rows[1].cells["z"] == "many\nlines"
    assert rows[2].cells["y"] == "1.5", "the last record needs no $$$$"


def sample(**columns):
    names = list(columns)
    return names, [
        dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)
    ]


def roles(columns):
    return {column["name"]: column["role"] for column in columns}


def test_roles_are_guessed():
    names, rows = sample(
        mol_id=["a1", "a2", "a3", "a4"],
        structure=["CCO", "c1ccccc1", "CCN", "CCCC"],
        y=["1.5", "", "2.5", "3"],
        active=["0", "1", "0", "1"],
        note=["long text", "another", "third", "fourth"],
        split=["train", "train", "test", "train"],
    )
    found = roles(guess_columns(names, rows, {}))
    assert found == {
        "mol_id": "id",
        "structure": "smiles",
        "y": "target",
        "active": "target",
        "note": "ignore",
        "split": "split",
    }


def test_of_two_smiles_columns_the_better_one_is_taken_and_a_person_may_say_otherwise():
    names, rows = sample(
        smiles_raw=["CCO", "xx", "yy(", "zz"], canonical_smiles=["CCO", "CCN", "CCC", "CO"]
    )
    assert roles(guess_columns(names, rows, {}))["canonical_smiles"] == "smiles"
    assert roles(guess_columns(names, rows, {"smiles_raw": "smiles"}))["smiles_raw"] == "smiles"


def test_numbers_are_no_structures():
    names, rows = sample(n=["1", "2", "3"], word=["red", "green", "blue"])
    with pytest.raises(InvalidInput, match="no column") as refused:
        guess_columns(names, rows, {})
    assert "'word'" in refused.value.problem()["remedy"]
