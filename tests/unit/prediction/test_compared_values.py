"""Predictions against simulation and measurement: by hand, NumPy, SciPy and the literature."""

import csv

import numpy as np
import pytest
from scipy import constants, stats
from sklearn import metrics as reference

from app.core.errors import InvalidInput
from app.datasets.conversion import convert
from app.prediction import comparison as module
from app.prediction.comparison import compare_batch, compare_ml_vs_simulation, summarize
from tests.support.molecules import DATA


@pytest.mark.req("S2-29", "S2-11")
def test_one_thing_by_hand():
    found = compare_ml_vs_simulation({"gap": 1.25, "density": 2.0}, {"gap": 1.0, "density": 4.0})
    gap, density = found.comparisons["gap"], found.comparisons["density"]
    assert (gap.error, gap.absolute_error, gap.percent_error) == (0.25, 0.25, 25.0)
    assert (density.error, density.absolute_error, density.percent_error) == (-2.0, 2.0, -50.0)
    assert gap.quality.grade == density.quality.grade == "poor"
    assert found.missing == {}
    negative = compare_ml_vs_simulation({"dG": -1.0}, {"dG": -2.0}).comparisons["dG"]
    assert (negative.error, negative.percent_error) == (1.0, 50.0), "of the reference's size"


@pytest.mark.req("S2-29")
def test_the_public_names_are_there():
    assert set(module.__all__) <= set(vars(module))
    assert "compare_ml_vs_simulation" in module.__all__


@pytest.mark.req("F-07")
def test_zero_is_a_number():
    """The seed dropped a perfect mean error of 0 as None."""
    found = compare_batch([({"e": 0.0}, {"e": 0.0}), ({"e": 2.0}, {"e": 2.0})])
    summary = found.properties["e"]
    assert (summary.n, summary.mae, summary.rmse, summary.bias) == (2, 0.0, 0.0, 0.0)
    assert summary.quality.grade == "excellent"
    first = found.items[0].comparisons["e"]
    assert (first.error, first.quality.grade) == (0.0, "excellent")
    assert first.percent_error is None, "not defined where the reference is 0"
    assert summary.n_percent == 1


@pytest.mark.req("F-07", "goal-37")
def test_nothing_is_averaged_over_properties():
    """The seed averaged eV and scores together."""
    pairs = [
        ({"gap": 1.0 + 0.5 * k, "score": 80.0 + k}, {"gap": 1.0, "score": 60.0}) for k in range(4)
    ]
    units = {"gap": "eV"}
    found = compare_batch(pairs, units=units)
    assert found.properties["gap"].mae == pytest.approx(0.75)
    assert found.properties["score"].mae == pytest.approx(21.5)
    assert (found.properties["gap"].unit, found.properties["score"].unit) == ("eV", None)
    alone = compare_batch([({"gap": p["gap"]}, {"gap": r["gap"]}) for p, r in pairs], units=units)
    assert alone.properties["gap"] == found.properties["gap"]


def test_what_is_missing_is_named_and_left_out():
    pairs = [
        ({"a": 1.0, "b": None}, {"a": 1.5, "b": 2.0}),
        ({"a": float("nan")}, {"a": 1.0}),
        ({"a": 3.0}, {"b": None}),
    ]
    found = compare_batch(pairs)
    assert [item.missing for item in found.items] == [
        {"b": "predicted"},
        {"a": "predicted", "b": "both"},
        {"a": "reference", "b": "both"},
    ]
    assert found.properties["a"].n == 1
    assert found.properties["a"].missing == {"predicted": 1, "reference": 1}
    assert (found.properties["b"].n, found.properties["b"].rmse) == (0, None)
    assert found.properties["b"].quality.grade is None


# ---- units


def test_units_are_turned_by_codata():
    """1 eV per particle is e * N_A J/mol; 1 cal is 4.184 J."""
    kcal = constants.e * constants.N_A / constants.calorie / 1000
    found = compare_ml_vs_simulation(
        {"e": kcal}, {"e": 1.0}, units={"e": "kcal/mol"}, sim_units={"e": "eV"}
    )
    assert found.comparisons["e"].error == pytest.approx(0.0, abs=1e-9)
    hartree = constants.value("Hartree energy in eV")
    for unit, to, expected in (
        ("Hartree", "eV", hartree),
        ("kJ/mol", "kcal/mol", 1 / 4.184),
        ("µM", "nM", 1000.0),
        ("°C", "K", constants.convert_temperature(1.0, "Celsius", "Kelvin")),
        ("°F", "°C", constants.convert_temperature(1.0, "Fahrenheit", "Celsius")),
    ):
        assert convert(np.array([1.0]), unit, to, "x")[0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.req("F-07")
@pytest.mark.parametrize(
    ("unit", "other"), [("eV", "nm"), ("log mol/L", "mol/L"), ("furlong", "m"), ("kcal/mol", "K")]
)
def test_units_of_different_quantities_are_refused_by_name(unit, other):
    with pytest.raises(InvalidInput, match=rf"gap.* {other}.* {unit}") as refused:
        compare_ml_vs_simulation(
            {"gap": 1.0}, {"gap": 1.0}, units={"gap": unit}, sim_units={"gap": other}
        )
    assert refused.value.problem()["code"] == "units_do_not_match"


def test_an_unknown_unit_equals_itself():
    found = compare_ml_vs_simulation(
        {"x": 3.0}, {"x": 2.0}, units={"x": "furlong"}, sim_units={"x": "furlong"}
    )
    assert found.comparisons["x"].unit == "furlong"
    assert found.comparisons["x"].error == 1.0


# ---- quality


@pytest.mark.parametrize(
    ("error", "grade"),
    [(0.0, "excellent"), (0.4, "excellent"), (0.9, "good"), (2.0, "fair"), (3, "poor")],
)
def test_a_tolerance_given_decides(error, grade):
    found = compare_ml_vs_simulation({"x": 10 + error}, {"x": 10.0}, tolerances={"x": 1.0})
    quality = found.comparisons["x"].quality
    assert (quality.grade, quality.basis, quality.scale) == (grade, "tolerance", 1.0)
    assert "excellent up to 0.5" in quality.rule


def test_energies_are_judged_by_chemical_accuracy_in_any_unit():
    for unit, size in (("kcal/mol", 1.0), ("kJ/mol", 4.184), ("eV", 0.0433641)):
        found = compare_ml_vs_simulation({"e": 0.9 * size}, {"e": 0.0}, units={"e": unit})
        quality = found.comparisons["e"].quality
        assert (quality.grade, quality.basis) == ("good", "unit")
        assert quality.scale == pytest.approx(size, rel=1e-5)
        assert "chemical accuracy" in quality.rule


def test_without_a_tolerance_the_spread_of_the_reference_decides():
    rng = np.random.default_rng(0)
    y = rng.normal(50, 10, 500)
    for noise, grade in ((2.0, "excellent"), (4.0, "good"), (7.0, "fair"), (12.0, "poor")):
        found = summarize(y + rng.normal(0, noise, 500), y, unit=None, tolerance=None)
        assert (found.quality.grade, found.quality.basis) == (grade, "spread")
        assert found.quality.scale == pytest.approx(np.std(y, ddof=1))


def test_an_error_at_a_reference_of_zero_is_not_judged_without_a_tolerance():
    found = compare_ml_vs_simulation({"x": 0.1}, {"x": 0.0})
    assert found.comparisons["x"].quality.grade is None
    assert "tolerance" in found.comparisons["x"].recommendation


def test_a_shift_and_a_right_order_are_said():
    y = np.linspace(0, 10, 40)
    shifted = summarize(y + 5, y, unit="kcal/mol", tolerance=None)
    assert shifted.quality.grade == "poor"
    assert "order is right" in shifted.recommendation
    assert "shift of +5 kcal/mol" in shifted.recommendation
    mirrored = summarize(y[::-1].copy(), y, unit="kcal/mol", tolerance=None)
    assert "order" not in mirrored.recommendation
    assert "shift" not in mirrored.recommendation


def test_values_that_no_square_can_hold_are_refused():
    with pytest.raises(InvalidInput, match="beyond"):
        compare_ml_vs_simulation({"x": float("inf")}, {"x": 1.0})
    found = compare_ml_vs_simulation({"x": 1e100}, {"x": 1e-300})
    assert found.comparisons["x"].percent_error is None


# ---- a real case: FreeSolv


@pytest.mark.req("S2-11")
def test_freesolv_calculated_against_measured():
    """642 hydration free energies by alchemical free energy calculations with GAFF. Mobley and
    Guthrie (2014, J. Comput. Aided Mol. Des. 28, 711) found an RMSE of about 1.5 kcal/mol for
    this database.
    """
    with (DATA / "freesolv.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    expt = np.array([float(row["expt"]) for row in rows])
    calc = np.array([float(row["calc"]) for row in rows])
    pairs = [({"dG": c}, {"dG": e}) for c, e in zip(calc, expt, strict=True)]
    found = compare_batch(pairs, units={"dG": "kcal/mol"}).properties["dG"]
    assert found.n == 642
    assert found.mae == pytest.approx(np.abs(calc - expt).mean())
    assert found.rmse == pytest.approx(np.sqrt(((calc - expt) ** 2).mean()))
    assert found.rmse == pytest.approx(1.5, abs=0.1)
    assert found.bias == pytest.approx((calc - expt).mean())
    assert found.r2 == pytest.approx(reference.r2_score(expt, calc))
    assert found.spearman == pytest.approx(stats.spearmanr(expt, calc).statistic)
    percent = reference.mean_absolute_percentage_error(expt[expt != 0], calc[expt != 0])
    assert found.mean_percent_error == pytest.approx(100 * percent)
    assert (found.quality.grade, found.quality.basis) == ("fair", "unit")
    assert "ranking by them is safe" in found.recommendation
