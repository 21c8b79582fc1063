"""What people really upload: encodings, decimal commas, no header, broken quotes, archives."""

import gzip
import io
import zipfile

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.core.errors import InvalidInput, PayloadTooLarge, RetortError
from app.core.settings import Settings
from app.datasets import reading
from app.datasets.readers import source

TEXT = "smiles;name;y\nCCO;Äthanol;1,5\nCCC;Propan;2,25\nCCN;Amin, schwach;-0,5\n"


def zipped(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def workbook(*rows, title="s"):
    book = openpyxl.Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


# ---- encodings


@pytest.mark.parametrize(
    ("codec", "encoding"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16-le"),
        ("windows-1252", "windows-1252"),
        ("utf-32", "utf-32-le"),
    ],
)
def test_each_encoding_gives_the_same_cells(read, codec, encoding):
    table, rows = read(TEXT.encode(codec))
    assert table.encoding == encoding
    assert table.columns == ["smiles", "name", "y"]
    assert rows[0].cells == {"smiles": "CCO", "name": "Äthanol", "y": "1,5"}
    assert len(rows) == 3


def test_big_endian_utf_16(read):
    table, rows = read(b"\xfe\xff" + TEXT.encode("utf-16-be"))
    assert table.encoding == "utf-16-be"
    assert rows[0].cells["name"] == "Äthanol"


def test_a_late_byte_that_is_not_utf_8_is_read_as_windows_1252_and_said(read):
    text = "smiles,name\n" + "CCO,é\n" * 100_000
    table, rows = read(text.encode() + b"CCC,\xb5g\n")
    assert table.encoding == "utf-8"
    assert rows[0].cells["name"] == "é"
    assert rows[-1].cells["name"] == "µg"
    assert any("Windows-1252" in note for note in table.notes)


def test_a_character_cut_by_the_end_of_a_piece_is_whole(read):
    text = "smiles,name\n" + "CCO,日本語日本語\n" * 60_000
    _, rows = read(text)
    assert {row.cells["name"] for row in rows} == {"日本語日本語"}


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_line_ends(read, end):
    _, rows = read(f"smiles,y{end}" + f"CCO,1{end}" * 70_000)
    assert len(rows) == 70_000
    assert rows[-1].cells == {"smiles": "CCO", "y": "1"}


# ---- decimal commas


def test_decimal_commas_are_seen(read):
    table, _ = read(TEXT)
    assert (table.separator, table.decimal) == (";", ",")


@pytest.mark.parametrize(
    ("text", "decimal"),
    [
        ('smiles,y\nCCO,"1,5"\nCCC,"2,25"\n', ","),
        ("smiles,y\nCCO,1.5\nCCC,2.25\n", "."),
        ('smiles,y\nCCO,"1,234"\nCCC,"2,500"\n', "."),
        ("smiles;y\nCCO;1,234\nCCC;2,500\n", ","),
        ('smiles,y\nCCO,"1,234.5"\nCCC,"2,500.25"\n', "."),
        ("smiles;y\nCCO;1.234,5\nCCC;2.500,25\n", ","),
        ("smiles\ty\nCCO\t1\nCCC\t2\n", "."),
        ("CCO;1,5\nCCC;2,5\n", ","),
    ],
)
def test_which_decimal_sign(read, text, decimal):
    assert read(text)[0].decimal == decimal


def test_a_person_may_say_the_decimal_sign(read):
    assert read(TEXT, decimal="point")[0].decimal == "."
    assert read("smiles,y\nCCO,1\n", decimal="comma")[0].decimal == ","


# ---- separators and headers


def test_the_separator_is_not_only_what_the_header_has_most_of(read):
    table, rows = read('"name, systematic; or not",smiles\n"a;b;c",CCO\n"d;e",CCC\n"x, y; z",CCN\n')
    assert table.separator == ","
    assert table.columns == ["name, systematic; or not", "smiles"]
    assert rows[2].cells["smiles"] == "CCN"


def test_excels_own_separator_line_and_comments_are_skipped(read):
    table, rows = read("sep=;\nsmiles;y\nCCO;1\n")
    assert (table.columns, len(rows)) == (["smiles", "y"], 1)
    table, rows = read("# made by us, today\n# twice\n\nsmiles,y\nCCO,1\n")
    assert (table.columns, len(rows)) == (["smiles", "y"], 1)


def test_a_comment_line_may_be_the_header(read):
    table, rows = read("# smiles\tlogP\nCCO\t1.5\nCCC\t2.5\n")
    assert table.columns == ["smiles", "logP"]
    assert len(rows) == 2


@pytest.mark.parametrize(
    "text", ["CCO,1.5\nc1ccccc1,2.5\nCCN,3\n", "CCO,1.5\n", "1,2.5\n7,3.5\n9,0.1\n"]
)
def test_a_first_line_of_data_is_data(read, text):
    table, rows = read(text)
    assert table.columns == ["column_1", "column_2"]
    assert len(rows) == text.count("\n")
    assert any("no header" in note for note in table.notes)


@pytest.mark.parametrize(
    "text",
    [
        "smiles,y\nCCO,1\nCCC,2\n",
        "smiles,1,2,3\nCCO,0,1,0\nCCC,1,1,0\n",
        "0,1,2\n0.5,7,9\n0.1,8,9\n",
        "country,2019,2020\nA,1.5,2\nB,2.5,3\nC,1,1\n",
        ",smiles,y\n0,CCO,1\n1,CCC,2\n",
        "id,code\nA1,x\nA2,y\n",
        "NO,smiles\n1,CCO\n2,CCC\n",
    ],
)
def test_a_header_is_a_header(read, text):
    table, rows = read(text)
    assert len(rows) == text.count("\n") - 1
    assert not any("no header" in note for note in table.notes)


def test_blanks_around_names_and_cells_do_not_count(read):
    table, rows = read(' smiles , y \n CCO , 1 \n "CCC" , "2" \n')
    assert table.columns == ["smiles", "y"]
    assert [row.cells for row in rows] == [{"smiles": "CCO", "y": "1"}, {"smiles": "CCC", "y": "2"}]


@pytest.mark.parametrize(
    "text",
    [
        "smiles,y,\nCCO,1,\nCCC,2,\n",
        "smiles,y\nCCO,1,\nCCC,2,\n",
        "smiles,y,,\nCCO,1\nCCC,2\n",
    ],
)
def test_trailing_separators_make_no_column(read, text):
    table, rows = read(text)
    assert table.columns == ["smiles", "y"]
    assert all(row.reason is None for row in rows)
    assert rows[1].cells == {"smiles": "CCC", "y": "2"}


def test_a_header_without_the_name_of_the_row_names(read):
    """As R's write.table makes it."""
    table, rows = read("smiles,y\na,CCO,1\nb,CCC,2\n")
    assert table.columns == ["column_1", "smiles", "y"]
    assert rows[0].cells == {"column_1": "a", "smiles": "CCO", "y": "1"}


def test_a_quote_that_never_closes_is_refused_by_its_line(read):
    with pytest.raises(InvalidInput, match="line 3 is never closed") as refused:
        read('smiles,y\nCCO,1\n"CCC,2\nCCN,3\n')
    assert refused.value.problem()["code"] == "damaged_file"


def test_a_ragged_row_over_several_lines_names_them(read):
    _, rows = read('smiles,y\nCCO,1\n"CCC,2\nCCN",3,4\nCO,1\n')
    assert [row.reason is None for row in rows] == [True, False, True]
    assert "lines 3 to 4" in rows[1].reason


def test_names_made_unique_do_not_hide_others(read):
    table, _ = read("y,y,y_2,smiles\n1,2,3,CCO\n")
    assert len(set(table.columns)) == 4


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("smiles,{}\nCCO,1\n", "f.csv"),
        ('{{"smiles": "CCO", "{}": 1}}\n', "f.jsonl"),
        ("x\n\n\n  0  0 V2000\nM  END\n> <{}>\n1\n\n$$$$\n", "f.sdf"),
        ("SMILES {}\nCCO a\n", "f.smi"),
    ],
)
def test_a_huge_name_of_a_column_is_cut(read, text, name):
    table, rows = read(text.format("x" * 100_000), name)
    assert table.columns[1] == "x" * 200
    assert rows[0].cells["x" * 200] in ("1", "a")


# ---- limits


def test_too_many_columns(read):
    with pytest.raises(InvalidInput) as refused:
        read(",".join(f"c{n}" for n in range(5001)) + "\n")
    assert refused.value.problem()["code"] == "too_many_columns"


def test_a_cell_that_is_too_large(read):
    with pytest.raises(InvalidInput, match="field larger"):
        read('smiles,y\n"' + "C" * (5 << 20) + '",1\n')


def test_a_line_without_end_is_refused_before_it_fills_memory(read):
    with pytest.raises(InvalidInput, match="line 2 is longer"):
        read(gzip.compress(b"smiles\n" + b" C" * (20 << 20)))


def test_what_is_too_large_in_json_and_sdf(read):
    _, rows = read('{"smiles": "CCO"}\n{"smiles": "' + "C" * (5 << 20) + '"}\n')
    assert "longer" in rows[1].reason
    with pytest.raises(InvalidInput, match="record 1 is longer"):
        read("x\n\n\n  0  0 V2000\n" + "y\n" * (3 << 20), "f.sdf")


@pytest.fixture
def bomb(monkeypatch):
    """4 MiB of rows; ratios count from 1 MiB on, for the test to be quick."""
    monkeypatch.setattr(source, "_RATIO_FROM", 1 << 20)
    return b"smiles\n" + b"CCO\n" * (1 << 20)


@pytest.mark.parametrize("pack", [gzip.compress, lambda data: zipped(**{"f.csv": data})])
def test_a_bomb_is_known_by_its_ratio_before_it_is_parsed(read, bomb, pack, monkeypatch):
    monkeypatch.setattr(reading, "choose_format", None)
    with pytest.raises(PayloadTooLarge) as refused:
        read(pack(bomb))
    assert refused.value.problem()["code"] == "compression_ratio"


def test_a_bomb_that_lies_about_its_size_is_stopped(read, bomb):
    data = bytearray(gzip.compress(bomb))
    data[-4:] = b"\x10\0\0\0"
    with pytest.raises(PayloadTooLarge) as refused:
        read(bytes(data))
    assert refused.value.problem()["code"] == "compression_ratio"


def test_the_limit_of_unfolded_bytes(read):
    with pytest.raises(PayloadTooLarge):
        read(
            zipped(**{"f.csv": b"smiles\n" + b"CCO\n" * 9000}),
            settings=Settings(max_decompressed_bytes=9000),
        )


# ---- refusals


def sqlite():
    return b"SQLite format 3\x00" + bytes(100)


REFUSED = {
    "empty": (b"", "empty_file"),
    "blanks": (b" \n\t\n", "empty_file"),
    "empty in zip": (zipped(**{"f.csv": b""}), "empty_file"),
    "empty workbook": (workbook(), "empty_file"),
    "binary": (b"a,b\n1,\x00\n", "not_a_table"),
    "utf-16 without mark": (TEXT.encode("utf-16-le"), "not_a_table"),
    "web page": (b"\n<!DOCTYPE html><html>login</html>", "not_a_table"),
    "one JSON object": (b'{\n "columns": [1],\n "data": [[2]]\n}', "not_a_table"),
    "pdf": (b"%PDF-1.7 x", "unsupported_format"),
    "png": (b"\x89PNG\r\n\x1a\n", "unsupported_format"),
    "pickle": (b"\x80\x04\x95\x10\x00\x00", "unsupported_format"),
    "hdf5": (b"\x89HDF\r\n\x1a\n", "unsupported_format"),
    "xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "unsupported_format"),
    "sqlite": (sqlite(), "unsupported_format"),
    "docx": (zipped(**{"word/document.xml": b"<x/>"}), "unsupported_format"),
    "ods": (zipped(mimetype=b"x", **{"content.xml": b"<x/>"}), "unsupported_format"),
    "two members": (zipped(a=b"x", b=b"y"), "archive_members"),
    "no member": (zipped(**{".hidden": b"x"}), "archive_members"),
    "zip in zip": (zipped(a=zipped(b=b"smiles\nCCO\n")), "nested_archive"),
    "gzip in zip": (zipped(a=gzip.compress(b"smiles\nCCO\n")), "nested_archive"),
    "gzip in gzip": (gzip.compress(gzip.compress(b"smiles\nCCO\n")), "nested_archive"),
    "zip in gzip": (gzip.compress(zipped(b=b"smiles\nCCO\n")), "nested_archive"),
    "tar in gzip": (gzip.compress(bytes(257) + b"ustar" + bytes(300)), "unsupported_format"),
    "cut zip": (zipped(a=b"smiles\nCCO\n" * 100)[:-30], "damaged_file"),
    "cut gzip": (gzip.compress(b"smiles\n" + bytes(range(65, 91)) * 900)[:-20], "damaged_file"),
    "cut workbook": (workbook(["smiles"], ["CCO"])[:-100], "damaged_file"),
    "cut array": (b'[{"smiles": "CCO"}, {"smi', "damaged_file"),
    "parquet in name only": (b"PAR1 and no more", "damaged_file"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.req("goal-25")
def test_refusals_have_a_code_and_a_remedy(read, case):
    content, code = REFUSED[case]
    with pytest.raises(RetortError) as refused:
        read(content)
    problem = refused.value.problem()
    assert problem["code"] == code
    assert len(problem["remedy"]) > 10
    assert "/tmp" not in problem["detail"]


def test_an_encrypted_zip(read):
    data = bytearray(zipped(a=b"smiles\nCCO\n"))
    data[6] |= 1
    data[data.find(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(InvalidInput) as refused:
        read(bytes(data))
    assert refused.value.problem()["code"] == "encrypted_archive"


def test_members_that_are_no_data_do_not_count(read):
    content = zipped(
        **{"__MACOSX/._f.csv": b"\0", ".DS_Store": b"\0", "d/": b"", "d/f.csv": b"smiles\nCCO\n"}
    )
    table, rows = read(content)
    assert len(rows) == 1
    assert any("'d/f.csv'" in note for note in table.notes)


@pytest.mark.parametrize("said", ["csv", "sdf", "parquet", "excel"])
def test_a_format_that_is_said_must_be_possible(read, said):
    content = workbook(["smiles"], ["CCO"]) if said != "excel" else b"smiles\nCCO\n"
    with pytest.raises(InvalidInput) as refused:
        read(content, format_=said)
    assert refused.value.problem()["code"] == "wrong_format"


def test_a_sheet_that_is_not_there_is_answered_with_those_that_are(read):
    with pytest.raises(InvalidInput) as refused:
        read(workbook(["smiles"], ["CCO"], title="data"), sheet="Data")
    assert refused.value.problem()["code"] == "unknown_sheet"
    assert "data" in refused.value.problem()["remedy"]


def test_xml_entities_in_a_workbook_are_not_expanded(read):
    book = zipfile.ZipFile(io.BytesIO(workbook(["smiles"], ["CCO"])))
    members = {name: book.read(name) for name in book.namelist()}
    sheet = members["xl/worksheets/sheet1.xml"]
    laughs = b"".join(b'<!ENTITY l%d "%s">' % (n + 1, b"&l%d;" % n * 10) for n in range(9))
    members["xl/worksheets/sheet1.xml"] = (
        b'<!DOCTYPE x [<!ENTITY l0 "lol">' + laughs + b"]>" + sheet.replace(b"<v>", b"<v>&l9;")
    )
    with pytest.raises(InvalidInput) as refused:
        read(zipped(**members))
    assert refused.value.problem()["code"] == "damaged_file"


def test_error_cells_and_dates_of_a_workbook(read):
    import datetime as dt

    table, rows = read(
        workbook(
            ["smiles", "y", "day", "ok"],
            ["CCO", "#N/A", dt.datetime(2024, 5, 17), True],  # noqa: DTZ001
            ["CCC", 2.5, dt.datetime(2024, 5, 17, 8, 30), None],  # noqa: DTZ001
        )
    )
    assert rows[0].cells == {"smiles": "CCO", "y": "", "day": "2024-05-17", "ok": "true"}
    assert rows[1].cells["day"] == "2024-05-17T08:30:00"
    assert any("#N/A" in note for note in table.notes)


def test_a_huge_text_that_a_parquet_file_repeats_is_never_copied(read):
    """A dictionary of one text of 8 MiB, 100,000 times: 800 GB if written out."""
    buffer = io.BytesIO()
    words = pa.DictionaryArray.from_arrays(
        pa.array([0] * 1000, pa.int32()), pa.array(["C" * (8 << 20)])
    )
    pq.write_table(pa.table({"smiles": words, "y": list(range(1000))}), buffer)
    assert len(buffer.getvalue()) < 1 << 20
    _, rows = read(buffer.getvalue())
    assert len(rows) == 1000
    assert all("longer" in row.reason for row in rows)
