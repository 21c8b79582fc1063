"""The report's page: says what the files say, says what they lack, loads nothing, runs nothing."""

import io
import re
from html.parser import HTMLParser

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from markdown_it import MarkdownIt

from app.reporting.importance import importance
from app.reporting.page import render_page
from app.reporting.service import reports
from app.reporting.stored import StoredModel
from tests.support.model_files import N_TEST, class_model, number_model, of_a_table, older

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*191}}"
#: of the HTML standard, as far as the page uses them
_VOID = {"meta", "br"}

pytestmark = pytest.mark.req("S0-10", "goal-61")


class Page(HTMLParser):
    """Tags, attributes and text; `open` is empty at the end of a page whose tags all close."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.open, self.said = [], [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.said.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.said).split())


MODELS = {
    "numbers": number_model,
    "numbers, two targets": lambda: number_model("a", "b"),
    "two classes": class_model,
    "three classes, two targets": lambda: class_model("a", "b", words=("x", "y", "z")),
    "table": lambda: of_a_table(class_model()),
    "older numbers": lambda: older(number_model()),
    "older classes": lambda: older(class_model()),
    "older table": lambda: older(of_a_table(number_model())),
}


@pytest.mark.parametrize("name", MODELS)
def test_every_model_has_a_whole_page_that_loads_and_runs_nothing(name):
    page = render_page(MODELS[name]())
    found = Page(page)
    assert found.open == []
    assert not {"script", "img", "iframe", "link", "object", "form"} & set(found.tags)
    assert not [n for _, n, _ in found.attributes if n.startswith("on")]
    targets = [v for _, n, v in found.attributes if n in ("href", "src")]
    assert all(target.startswith("#") for target in targets)
    assert re.findall(r"url\(|@import", page) == []
    ids = [v for _, n, v in found.attributes if n == "id"]
    assert {target[1:] for target in targets} <= set(ids)
    assert "default-src &#39;none&#39;" in page
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page
    assert "None" not in found.text.replace("None found", "")
    assert "nan" not in found.text.split()
    pictures = [dict(a) for a in _svgs(page)]
    assert all(p.get("role") == "img" and p.get("aria-label") for p in pictures if "class" in p)


def _svgs(page):
    for text in re.findall(r"<svg ([^>]*)>", page):
        yield re.findall(r"([\w-]+)=[\"']([^\"']*)[\"']", text)


def test_what_the_files_say_is_said():
    text = Page(render_page(number_model())).text
    for said in (
        "Predicts logS (log mol/L) of a molecule, from its structure.",
        (
            "On 40 molecules that it never saw, its typical error (RMSE) is 0.500 [0.450, 0.550]"
            " log mol/L; always answering the training mean errs by 2.000 log mol/L."
        ),
        "The noise ceiling is RMSE 0.310 log mol/L",
        "Strong 75 % of the way from the baseline to perfect",
        "The split is easy",
        "2 structures are on both sides of the split",
        "Merge duplicates at ingest.",
        "Looked for: same structure, target column.",
        "90 % of the test rows are inside.",
        "0.400 log mol/L (36 rows) inside and 0.800 log mol/L (4 rows) outside.",
        "that the model is surer of has a mean absolute error of 0.200 log mol/L, 50 % of that",
        "morgan_count_807 morgan_counts 30.0 %",
        "hash",
        "retort train sol:1 --target logS",
    ):
        assert said in text, said


def test_a_chance_is_said_for_two_classes():
    text = Page(render_page(class_model())).text
    assert 'it ranks a random "yes" above a random "no" in 84 % of cases' in text
    assert "guessing gives 0.500" in text
    assert {"ROC", "Precision and recall", "Calibration", "Error by confidence"} <= titles(
        class_model()
    )


def titles(model):
    return set(re.findall(r"<figcaption><b>([^<]*)</b>", render_page(model)))


def test_numbers_have_their_own_plots():
    assert titles(number_model()) == {
        "Measured and predicted",
        "Error and width of the interval",
        "Error by confidence",
        "How near the test rows are",
        "Error by similarity",
    }


def test_what_an_older_model_lacks_is_said():
    text = Page(render_page(older(number_model()))).text
    for said in (
        "There are no out-of-fold figures",
        "Leaks between training and test rows were not looked for",
        "How near the test molecules are to training was not measured",
        "The applicability domain was not measured",
        "Predictions of this model have no interval",
        "Retort of a version not stored",
        "libraries not stored",
    ):
        assert said in text, said


def test_intervals_of_one_width_come_from_the_manifest_of_an_older_model():
    """Errors go from 0.3 to 0.5: half of the width 0.4 would cover about half of the test rows."""
    model = older(number_model())
    calibration = {"level": 0.9, "half_width": {"logS": 0.4}}
    manifest = dict(model.manifest) | {"calibration": calibration}
    wider = StoredModel(manifest=manifest, metrics=model.metrics, predictions=model.predictions)
    rows = wider.rows("logS", "test")
    inside = (rows.error <= 0.4).mean()
    text = Page(render_page(wider)).text
    assert f"Intervals are too narrow: 90 % promised, {100 * inside:.0f} %" in text


def test_nothing_but_the_manifest_is_enough():
    model = number_model()
    bare = StoredModel(manifest=model.manifest, metrics={}, predictions=None)
    text = Page(render_page(bare)).text
    assert "Its quality was not measured" in text
    assert "Predictions of test rows were not stored." in text


def test_a_table_has_no_molecules():
    text = Page(render_page(of_a_table(class_model()))).text
    assert "of a row of a table" in text
    assert "molecule" not in text.replace("for molecules only", "")


def test_the_worst_errors_come_first():
    """The error is half of the sd, which grows with the row: row 100 is the worst, then 99."""
    cards = re.findall(r"row (\d+) ·", render_page(number_model()))
    assert cards == [str(100 - i) for i in range(12)]


def test_hostile_text_stays_text():
    model = class_model(HOSTILE, words=(f"0{HOSTILE}", f"1{HOSTILE}"), name=HOSTILE)
    metrics = dict(model.metrics)
    finding = dict.fromkeys(("code", "severity", "detail", "remedy"), HOSTILE)
    metrics["leaks"] = {"findings": [finding | {"count": 1, "rows": []}], "checked": [HOSTILE]}
    importances = {HOSTILE: [[HOSTILE, 0.5]]}
    manifest = dict(model.manifest) | {"facts": {"importances": importances}}
    found = StoredModel(manifest=manifest, metrics=metrics, predictions=model.predictions)
    page = render_page(found)
    parsed = Page(page)
    assert not {"script", "img"} & set(parsed.tags)
    assert not [name for _, name, _ in parsed.attributes if name.startswith("on")]
    assert "1337" not in page
    made = reports(found)
    for name in ("card.md", "qmrf.md"):
        shown = Page(MarkdownIt("commonmark").render(made[name].decode()))
        assert not {"script", "img"} & set(shown.tags), name
        assert "<script>alert(1)</script>" in shown.text, name


def test_the_same_model_gives_the_same_bytes_and_few_of_them():
    first, second = reports(number_model()), reports(number_model())
    assert first == second
    assert set(first) == {"report.html", "card.md", "qmrf.md"}
    many = class_model(*[f"assay {n}" for n in range(40)])
    assert len(reports(many)["report.html"]) < 2_000_000


def test_the_surest_rows_come_first_and_the_bars_rise():
    """The error is half of the sd, which grows with the row; the surest 8 of 40 are the first."""
    figure = render_page(number_model()).partition("<b>Error by confidence</b>")[2]
    bars = [float(text) for text in re.findall(r'class="tx"[^>]*>([\d.]+)', figure)][:5]
    spread = np.linspace(0.1, 1.0, 100)[-N_TEST:]
    assert bars[0] == pytest.approx(np.sqrt(np.mean((spread[:8] / 2) ** 2)), abs=5e-4)
    assert bars == sorted(bars)


def test_rows_outside_of_their_interval_are_counted():
    """Each error is half of half the interval; of intervals a third as wide each is outside."""
    assert "0 rows above: orange" in render_page(number_model())
    model = number_model()
    table = pq.read_table(io.BytesIO(model.predictions)).to_pydict()
    for name, sign in (("logS_lower", -1), ("logS_upper", 1)):
        half = [sd / 3 for sd in table["logS_std"]]
        table[name] = [p + sign * h for p, h in zip(table["logS_predicted"], half, strict=True)]
    buffer = io.BytesIO()
    pq.write_table(pa.table(table), buffer)
    narrow = StoredModel(
        manifest=model.manifest, metrics=model.metrics, predictions=buffer.getvalue()
    )
    assert "40 rows above: orange" in render_page(narrow)


def test_importance_is_summed_by_featurizer_and_averaged_over_targets():
    shares = {
        "a": [["morgan_count_1", 0.2], ["morgan_count_2", 0.1], ["erg_1", 0.4]],
        "b": [["morgan_count_1", 0.4]],
    }
    found = importance(number_model("a", "b", facts={"importances": shares}))
    assert found["features"][0]["name"] == "morgan_count_1"
    assert found["features"][0]["percent"] == pytest.approx(30)
    groups = {group["name"]: group["percent"] for group in found["groups"]}
    assert groups == {"morgan_counts": pytest.approx(35), "erg": pytest.approx(20)}
    assert found["hashed"] == ["morgan_counts"]
    assert importance(number_model(facts={})) is None
