"""Sentences and the page, from scores that are made up."""

import re

import numpy as np
import pytest

from app.comparison.conclusions import conclusion, curve_sentence, scrambling_sentence
from app.comparison.page import render_page
from app.comparison.sanity import learning_curve, scrambling
from app.comparison.summary import MetricScores, summarize

RNG = np.random.default_rng(0)
LEAK = {
    "code": "target_column",
    "severity": "error",
    "detail": "column <i>",
    "remedy": "Drop it.",
    "rows": [3, 4],
    "count": 5,
}
FOLDS = RNG.normal(0.7, 0.1, size=25)


def summary(*offsets, noise=0.01, baseline=2.0, direction="minimize", names=None):
    """Candidates whose true scores are `offsets` apart, on 25 folds that differ."""
    rng = np.random.default_rng(1)
    scores = FOLDS[:, None] + np.array(offsets) + noise * rng.normal(size=(25, len(offsets)))
    return summarize(
        MetricScores(
            metric="rmse",
            direction=direction,
            names=names or [f"c{n}" for n in range(len(offsets))],
            scores=scores,
            baseline=np.full(25, baseline),
            test_to_train=0.25,
        )
    )


def test_a_winner_is_named_where_the_difference_is_real():
    found = conclusion("rmse", summary(0.1, 0.0, 0.3))
    assert found["winner"] == "c1"
    assert found["sentence"].startswith("c1 is better than every other candidate: rmse lower by")
    upwards = conclusion("roc_auc", summary(0.1, 0.0, 0.3, direction="maximize", baseline=0.0))
    assert upwards["winner"] == "c2"
    assert "roc_auc higher by" in upwards["sentence"]


def test_a_difference_that_only_dependent_folds_show_makes_no_winner():
    """0.01 with an error of 0.02 a fold: Tukey calls it different, 25 dependent folds do not."""
    found = summary(0.0, 0.01, noise=0.015)
    (pair,) = found["pairs"]
    assert pair["different"]
    assert not pair["folds_dependent"]["different"]
    said = conclusion("rmse", found)
    assert said["winner"] is None
    assert "may be chance" in said["sentence"]


def test_equal_candidates_are_tied_and_the_others_named():
    said = conclusion("rmse", summary(0.0, 0.0005, 0.3))
    assert said["winner"] is None
    assert "cannot be told apart" in said["sentence"]
    assert "c2 scored worse on these folds" in said["sentence"]


def test_a_real_difference_that_does_not_matter_makes_no_winner():
    found = summary(0.0, 0.1)
    assert conclusion("rmse", found, 0.05)["winner"] == "c0"
    said = conclusion("rmse", found, 0.2)
    assert said["winner"] is None
    assert "below the 0.2" in said["sentence"]


def test_the_best_of_those_that_learned_nothing_is_no_winner():
    said = conclusion("rmse", summary(0.0, 0.3, baseline=0.5))
    assert said["winner"] is None
    assert "No candidate is shown to be better" in said["sentence"]


def test_folds_without_a_score_are_left_out_for_all_and_candidates_for_themselves():
    scores = FOLDS[:, None] + np.array([0.0, 0.1, 0.2])
    scores[3] = np.nan
    scores[5, 2] = np.nan
    found = summarize(
        MetricScores(
            metric="rmse",
            direction="minimize",
            names=["a", "b", "c"],
            scores=scores,
            baseline=np.ones(25),
            test_to_train=0.25,
        )
    )
    assert (found["n_folds"], found["left_out"]) == (24, ["c"])
    assert found["candidates"][0]["mean"] == pytest.approx(np.delete(FOLDS, 3).mean())


def test_nothing_is_said_of_what_is_not_defined():
    scores = np.full((4, 2), np.nan)
    options = {"metric": "rmse", "direction": "minimize", "names": ["a", "b"]}
    found = summarize(
        MetricScores(scores=scores, baseline=np.ones(4), test_to_train=0.25, **options)
    )
    assert conclusion("rmse", found)["sentence"] == "rmse is defined on no fold for any candidate."
    assert scrambling(float("nan"), [1.0], sign=1) is None


@pytest.mark.parametrize(
    ("real", "permuted", "words"),
    [
        (0.5, [2.0] * 19, "None of 19 models"),
        (0.5, [2.0] * 5, "fewer than 19"),
        (0.5, [0.4] * 10 + [2.0] * 9, "10 of 19 models"),
    ],
)
def test_scrambling_in_words(real, permuted, words):
    assert words in scrambling_sentence(scrambling(real, permuted, sign=-1))


def test_a_curve_in_words():
    half, full = FOLDS + 0.2, FOLDS + 0.1 + RNG.normal(0, 0.01, 25)
    found = learning_curve([0.5, 1.0], [half, full], [40, 80], sign=-1, test_to_train=0.25)
    assert found["last_step"]["per_doubling"] == pytest.approx(0.1, abs=0.01)
    assert curve_sentence("rmse", found).startswith("More data of the same kind would help")
    found = learning_curve([0.5, 1.0], [full, half], [40, 80], sign=-1, test_to_train=0.25)
    assert "made rmse worse by 0.09" in curve_sentence("rmse", found)


@pytest.fixture
def found():
    hostile = "<script>alert(1)</script>"
    metric = summary(0.0, 0.3, names=[hostile, "b & c"])
    decided = metric | conclusion("rmse", metric)
    real = scrambling(0.7, [2.0 + n / 50 for n in range(20)], sign=-1)
    curve = learning_curve(
        [0.5, 1.0], [FOLDS + 0.2, FOLDS + 0.1], [40, 80], sign=-1, test_to_train=0.25
    )
    return {
        "dataset": {"ref": "d:1", "sha256": "ab"},
        "task": "regression",
        "targets": ["y", "<b>"],
        "split": {"name": "random", "params": {}, "seed": 0},
        "seed": 0,
        "folds": 5,
        "repeats": 5,
        "rows": {"total": 100, "used": 100, "train": 80.0, "test": 20.0},
        "candidates": {
            name: {"algorithm": {"name": "ridge", "params": {"alpha": 1}}, "features": []}
            for name in (hostile, "b & c", "failed")
        },
        "practical_difference": 0.2,
        "metric": "rmse",
        "metrics": {"rmse": decided},
        "winner": decided["winner"],
        "conclusion": decided["sentence"],
        "caution": ["Careful."],
        "y_scrambling": {hostile: real | {"sentence": scrambling_sentence(real)}},
        "learning_curve": {"b & c": curve | {"sentence": "Flat."}},
        "findings": [{"code": "x", "candidate": None, "detail": "It <i>", "remedy": "Mend it."}],
        "leaks": {"findings": [LEAK], "checked": ["target_column"]},
        "similarity": {"median": 0.7, "share_above_0_9": 0.25, "easy": True},
        "method": "By hand.",
    }


def test_the_page_says_it_all_loads_nothing_and_escapes_names(found):
    page = render_page(found)
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; is better than the other candidate" in page
    assert "<i>" not in page.replace("<i style", "")
    assert not re.search(r"(src|href)=|url\(|@import", page), "nothing is loaded"
    assert "default-src &#39;none&#39;" in page
    assert page.count("<svg") == page.count("</svg>") == 3
    assert "Careful." in page
    assert page.count('class="group"') == 2, "the one that failed has none"
    assert render_page(found) == page


def test_the_page_names_leaks_and_says_when_nobody_looked(found):
    page = render_page(found)
    assert "<b>leak</b> <code>target_column</code>: column &lt;i&gt;; rows 3, 4, ..." in page
    assert "25 % of them more than 0.9: the folds are easy" in page
    assert "None was found" in render_page(found | {"leaks": {"findings": [], "checked": ["x"]}})
    assert "They were not looked for." in render_page(found | {"leaks": None, "similarity": None})


def test_the_intervals_overlap_where_candidates_are_not_different(found):
    first, second = summary(0.0, 0.3)["candidates"]
    assert first["high"] < second["low"]
    tied = summary(0.0, 0.0005)
    (pair,) = tied["pairs"]
    assert not pair["different"]
    assert tied["candidates"][0]["high"] > tied["candidates"][1]["low"]
    assert 'class="span worse"' in render_page(found)
