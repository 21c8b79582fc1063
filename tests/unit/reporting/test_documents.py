"""Model card and QMRF-style summary: their sections, what is filled, what is left to a person."""

import re

import pytest

from app.reporting.card import model_card
from app.reporting.qmrf import qmrf
from app.reporting.sections import Entry, Section, to_markdown
from tests.support.model_files import class_model, number_model, of_a_table, older

pytestmark = pytest.mark.req("goal-60")


def headings(text):
    return re.findall(r"^## (.*)$", text, re.MULTILINE)


def test_the_card_has_the_sections_of_mitchell_et_al():
    assert headings(model_card(number_model())) == [
        "Model details",
        "Intended use",
        "Factors",
        "Metrics",
        "Evaluation data",
        "Training data",
        "Quantitative analyses",
        "Ethical considerations",
        "Caveats and recommendations",
        "What a person must still add",
    ]


def test_the_summary_has_the_five_principles():
    assert [text[:2] for text in headings(qmrf(number_model()))[:5]] == [
        "1.",
        "2.",
        "3.",
        "4.",
        "5.",
    ]


@pytest.mark.parametrize("document", [model_card, qmrf])
def test_what_is_missing_is_listed_once_more_at_the_end(document):
    text = document(number_model())
    boxes = re.findall(r"- \[ \] \*\*to be added by a person:\*\* (.*)", text)
    last = text.partition("## What a person must still add")[2]
    assert boxes
    assert [line.partition(": ")[2] for line in last.strip().splitlines()] == boxes


def test_what_is_known_is_not_asked_for():
    assert "unit of" not in qmrf(number_model())
    assert "unit of logS" in qmrf(older(number_model()))
    asked = "reproducibility of the measurement"
    assert asked not in model_card(number_model())
    assert asked in model_card(class_model())
    assert "robustness by cross-validation" in qmrf(older(number_model()))
    assert "robustness by cross-validation" not in qmrf(number_model())


def test_hashed_columns_are_called_so():
    assert "morgan_counts: hashed" in qmrf(number_model())
    assert "hashed" not in qmrf(of_a_table(number_model()))


def test_figures_are_in_both():
    for document in (model_card, qmrf):
        text = document(number_model())
        assert "RMSE 0.500 \\[0.450, 0.550\\]" in text
        assert "2 structures are on both sides" in text
    assert "Rogers \\& Hahn" in qmrf(number_model())
    assert "rows with the same columns" in model_card(of_a_table(number_model()))


def test_a_program_is_kept_as_it_is():
    entry = Entry(label="again", text="retort train a_b \\\n    --set x=*", code=True)
    text = to_markdown("t", "about", [Section(title="s", entries=[entry])])
    assert "- **again:**\n\n      retort train a_b \\\n          --set x=*\n" in text
    assert "retort train sol:1 --target logS" in model_card(number_model())


def test_text_of_the_data_is_no_markup():
    entries = [Entry(label="a*b", text="# no\nheading <b> [x](y) `c`")]
    text = to_markdown("t", "about", [Section(title="s", entries=entries)])
    assert _shown("a_b _c_ d__e") == "a_b \\_c\\_ d\\_\\_e"
    assert "- **a\\*b:** \\# no heading \\<b\\> \\[x\\](y) \\`c\\`" in text


def _shown(text):
    section = Section(title="s", entries=[Entry(text=text)])
    return to_markdown("t", "about", [section]).partition("- ")[2].splitlines()[0]
