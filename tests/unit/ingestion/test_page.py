"""The page: nothing of the file gets into it as markup, nothing is loaded, nothing is run."""

import re
from html.parser import HTMLParser

import pytest

from app.chem.drawing import draw
from app.ingestion.page import Source, render_page

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*191}}"
SOURCE = Source(
    ref="mols:1", file_name=HOSTILE, file_sha256="a" * 64, sha256="b" * 64, at="2026-11-21"
)


def facts(**more):
    plain = {"n": 2, "missing": 0, "distinct": 2, "type": "number", "unit": HOSTILE}
    numbers = {"min": 1.0, "max": 2.0, "mean": 1.5, "median": 1.5, "std": 0.5}
    edges = [1.0, 1.5, 2.0]
    return plain | numbers | {"histogram": {"counts": [1, 1], "edges": edges}} | more


@pytest.fixture
def report():
    """Every place that shows something of the file shows something hostile."""
    conflict = {
        "smiles": "CCO",
        "rows": [1, 2],
        "n_rows": 2,
        "target": HOSTILE,
        "values": [HOSTILE, "b"],
        "spread": None,
        "kept": None,
    }
    return {
        "counts": {"rows_in": 4, "rows_ok": 2, "rows_merged": 1, "rows_rejected": 1},
        "kind": "molecule",
        "format": "csv",
        "notes": [HOSTILE],
        "columns": [
            {"name": HOSTILE, "role": "target", "type": "number", "unit": HOSTILE},
            {"name": f"{HOSTILE}2", "role": "target", "type": "class"},
            {"name": f"{HOSTILE}3", "role": "ignore", "type": "text"},
        ],
        "reasons": {HOSTILE: 1},
        "refused": [{"row": 3, "value": HOSTILE, "reason": HOSTILE}],
        "changes": {HOSTILE: 1},
        "bad_cells": {HOSTILE: 1},
        "duplicates": {"rule": "merge", "structures": 1, "conflicts": 1, "named": [conflict]},
        "targets": {
            HOSTILE: facts(),
            f"{HOSTILE}2": {
                "n": 2,
                "missing": 0,
                "distinct": 1,
                "type": "class",
                "classes": {HOSTILE: 2},
            },
        },
        "statistics": {},
        "constant": [HOSTILE],
        "molecules": {
            "heavy_atoms": {"min": 1, "median": 2.0, "max": 3},
            "elements": {"C": 2},
            "scaffolds": {
                "distinct": 1,
                "acyclic": 1,
                "singletons": 1.0,
                "top": [{"smiles": "c1ccccc1", "count": 1}],
            },
            "examples": {
                "order": HOSTILE,
                "molecules": [
                    {"row": 1, "smiles": "CCO", "id": HOSTILE, "values": {HOSTILE: HOSTILE}},
                    {"row": 2, "smiles": HOSTILE, "id": None, "values": {HOSTILE: 1.0}},
                ],
            },
        },
    }


class Elements(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]


def test_hostile_text_stays_text(report):
    page = render_page(SOURCE, report)
    found = Elements()
    found.feed(page)
    assert not {"script", "img", "iframe", "link", "object", "form", "a"} & set(found.tags)
    assert not [name for _, name, _ in found.attributes if name.startswith("on")]
    assert "&lt;script&gt;" in page
    assert "1337" not in page, "no text of the file is a template"
    assert found.tags.count("svg") == 5, "two charts, an example, a scaffold, a conflict"


def test_the_page_is_whole_by_itself_and_forbids_scripts(report):
    page = render_page(SOURCE, report)
    loaded = re.findall(r"(?:src|href|url)\s*[=(]\s*[^\s>]+", page.replace("src=x", ""))
    assert loaded == []
    assert "default-src &#39;none&#39;" in page
    assert "prefers-color-scheme: dark" in page
    assert len(page) < 60_000


def test_a_table_has_no_molecules(report):
    report |= {"kind": "table", "molecules": None}
    report["duplicates"]["named"] = []
    page = render_page(SOURCE, report)
    assert "Scaffolds" not in page
    assert "Bemis" not in page


def test_a_drawing_is_svg_of_the_structure_or_nothing():
    assert draw("CCO").startswith("<svg")
    assert "#FF0000" in draw("CCO"), "oxygen is red"
    assert draw("C1CC") is None
    assert draw("C" * 400) is None
    assert "class=" not in draw("CCO")
