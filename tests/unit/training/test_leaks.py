"""Every kind of leak, planted in real data, is found, all of it and nothing else."""

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem.EnumerateStereoisomers import EnumerateStereoisomers
from rdkit.DataStructs import BulkTanimotoSimilarity
from scipy.stats import spearmanr

from app.algorithms.base import LearningTask
from app.core.hashing import content_key
from app.features.cells import cell_arrays
from app.training import similarity
from app.training.leaks import columns as leaky_columns
from app.training.leaks.columns import derived_columns
from app.training.leaks.sides import judged_columns, mixed_groups, mixed_times
from app.training.leaks.structures import shared_structures, unmerged_replicates
from app.training.leaks.tables import equal_rows
from app.training.similarity import easy_words, split_similarity
from tests.support.molecules import rows_of, standardized_esol

pytestmark = pytest.mark.req("goal-27")

N = 400
NUMBERS = ("tenure", "MonthlyCharges", "TotalCharges")


@pytest.fixture(scope="module")
def smiles():
    """ESOL's first molecules, each once."""
    return list(dict.fromkeys(found.smiles for found in standardized_esol(N + 20)))[:N]


def sides(n, seed=0):
    order = np.random.default_rng(seed).permutation(n)
    return np.sort(order[n // 10 :]), np.sort(order[: n // 10])


def by_code(findings):
    return {finding.leak: finding for finding in findings}


# ---- structures


def test_merged_molecules_share_no_structure(smiles):
    for seed in range(3):
        found = shared_structures(smiles, [sides(N, seed)])
        assert all(finding.severity == "warning" for finding in found)
    assert unmerged_replicates(smiles, np.arange(N)) == []


@pytest.mark.parametrize("seed", range(3))
def test_equal_structures_are_found(smiles, seed):
    learned, tested = sides(N, seed)
    planted = np.random.default_rng(seed).choice(tested, 7, replace=False)
    leaky = list(smiles)
    for row, source in zip(planted, learned, strict=False):
        leaky[row] = smiles[source]
    found = by_code(shared_structures(leaky, [(learned, tested)]))
    assert found["same_structure"].severity == "error"
    assert sorted(found["same_structure"].rows) == sorted(planted)
    twice = by_code(unmerged_replicates(leaky, np.arange(N)))["replicates_not_merged"]
    assert len(twice.rows) == 7
    assert "7 structures" in twice.detail


def test_stereoisomers_are_found(smiles):
    pairs = []
    for text in smiles:
        isomers = [Chem.MolToSmiles(m) for m in EnumerateStereoisomers(Chem.MolFromSmiles(text))]
        if len(isomers) > 1:
            pairs.append(isomers[:2])
    assert len(pairs) > 20
    both = [one for pair in pairs for one in pair]
    places = np.arange(len(both))
    found = by_code(shared_structures(both, [(places[::2], places[1::2])]))
    assert list(found) == ["same_stereo_parent"]
    assert found["same_stereo_parent"].rows == places[1::2].tolist()


def test_tautomers_are_found(smiles):
    pairs = [
        ("Oc1ccccn1", "O=c1cccc[nH]1"),
        ("CC(=O)CC(C)=O", "CC(=O)C=C(C)O"),
        ("Cc1c[nH]cn1", "Cc1cnc[nH]1"),
        ("O=c1cc[nH]c(=O)[nH]1", "Oc1ccnc(O)n1"),
        ("CC(N)=NC", "CNC(C)=N"),
        ("N=c1cccc[nH]1", "Nc1ccccn1"),
        ("S=c1cccc[nH]1", "Sc1ccccn1"),
        ("CC[C@H](C)c1ccc(O)nc1", "CC[C@@H](C)c1ccc(=O)[nH]c1"),
    ]
    together = [*(a for a, _ in pairs), *smiles[:100], *(b for _, b in pairs)]
    tested = np.arange(len(together) - len(pairs), len(together))
    found = by_code(shared_structures(together, [(np.arange(tested[0]), tested)]))
    assert found["same_tautomer_parent"].rows == tested.tolist()
    assert found["same_tautomer_parent"].severity == "warning"


def test_isomers_that_are_no_tautomers_are_not_found():
    others = ["CCO", "COC", "Oc1ccccn1", "Oc1cccnc1", "CCC(=O)O", "COC(C)=O", "NCC(=O)O", "CCN"]
    pairs = [(np.array([0, 2, 4, 6]), np.array([1, 3, 5, 7]))]
    found = shared_structures(others, pairs)
    assert found == []


# ---- columns of tables


@pytest.fixture(scope="module")
def telco():
    rows = rows_of("telco_churn.csv")[:2000]
    names = [name for name in rows[0] if name not in ("customerID", "Churn")]
    columns = [{"name": n, "type": "number" if n in NUMBERS else "class"} for n in names]
    values = {name: [read(name, row[name]) for row in rows] for name in names}
    y = np.array([[float(row["Churn"] == "Yes")] for row in rows])
    return columns, values, y


def read(name, cell):
    return (float(cell) if cell.strip() else None) if name in NUMBERS else cell


CHURN = LearningTask(type="binary", targets=("Churn",), classes=(("No", "Yes"),))
CHARGES = LearningTask(type="regression", targets=("MonthlyCharges",))


def judge(telco, task, y, planted=None, kind="number"):
    columns, values, _ = telco
    columns = [c for c in columns if c["name"] not in task.targets]
    values = {c["name"]: values[c["name"]] for c in columns}
    if planted is not None:
        columns = [*columns, {"name": "planted", "type": kind}]
        values["planted"] = list(planted)
    rows = np.arange(len(y))
    return derived_columns(columns, cell_arrays(columns, values), y, task, rows)


def charges(telco):
    return np.array(telco[1]["MonthlyCharges"])[:, None]


def test_columns_of_clean_tables_are_no_targets(telco):
    assert judge(telco, CHURN, telco[2]) == []
    assert judge(telco, CHARGES, charges(telco)) == []


def few_wrong(words):
    """One of 2000 is changed."""
    return [words[1] if place == 7 else word for place, word in enumerate(words)]


def overlapping(y, sign):
    """Classes follow each other along the score, but for twenty pairs in the middle."""
    score = np.empty(len(y))
    order = np.argsort(y, kind="stable")
    middle = int((np.array(y) == 0).sum())
    order[middle - 20 : middle + 20] = order[middle - 20 : middle + 20].reshape(2, 20).T.ravel()
    score[order] = np.arange(len(y))
    return (sign * score).tolist()


OF_CLASSES = {
    "copied": ("class", lambda y: ["gone" if v else "here" for v in y]),
    "more words": (
        "class",
        lambda y: [f"{'gone' if v else 'here'} {n % 9}" for n, v in enumerate(y)],
    ),
    "nearly copied": ("class", lambda y: few_wrong(["gone" if v else "here" for v in y])),
    "as a number": ("number", lambda y: [3.0 - v for v in y]),
    "score": ("number", lambda y: [v + 0.9 * np.sin(n) / 2 for n, v in enumerate(y)]),
    "nearly a score": ("number", lambda y: overlapping(y, 1)),
    "nearly a score, turned": ("number", lambda y: overlapping(y, -1)),
    "missing": ("number", lambda y: [None if v else float(n % 50) for n, v in enumerate(y)]),
    "reason of leaving": ("class", lambda y: [f"r{n % 4}" if v else None for n, v in enumerate(y)]),
}


@pytest.mark.parametrize("name", OF_CLASSES)
def test_a_column_made_of_classes_is_found(telco, name):
    kind, make = OF_CLASSES[name]
    y = telco[2]
    (found,) = judge(telco, CHURN, y, make(y[:, 0].tolist()), kind)
    assert found.leak == "target_column"
    assert found.severity == "error"
    assert "'planted'" in found.detail
    assert "'Churn'" in found.detail


OF_NUMBERS = {
    "scaled": ("number", lambda y: -2.2 * y + 5),
    "monotone": ("number", np.log),
    "nearly": ("number", lambda y: y + 0.1 * np.sin(np.arange(len(y)))),
    "folded": ("number", lambda y: (y - 60) ** 2),
    "of either sign": ("number", lambda y: np.sqrt(y) * np.where(np.arange(len(y)) % 2, 1, -1)),
    "with gaps": ("number", lambda y: [None if n % 3 else v for n, v in enumerate(y.tolist())]),
    "binned": ("class", lambda y: ["low" if v < 40 else "mid" if v < 80 else "high" for v in y]),
    "threshold": ("number", lambda y: (y > 70).astype(float)),
    "as text": ("text", lambda y: [f"{v:.2f} USD" for v in y]),
    "a code of it": ("class", lambda y: [f"tariff {round(v * 20) % 7}" for v in y]),
    "missing when large": ("class", lambda y: [None if v > 70 else "a" for v in y]),
}


@pytest.mark.parametrize("name", OF_NUMBERS)
def test_a_column_made_of_numbers_is_found(telco, name):
    kind, make = OF_NUMBERS[name]
    y = charges(telco)
    planted = make(y[:, 0])
    planted = planted.tolist() if isinstance(planted, np.ndarray) else planted
    (found,) = judge(telco, CHARGES, y, planted, kind)
    assert "'planted'" in found.detail


def test_the_correlation_is_that_of_scipy_and_what_is_only_near_is_let_through(telco):
    y = charges(telco)
    noise = np.random.default_rng(0).normal(size=len(y))
    for scale in (0.2, 0.5, 2.0, 5.0):
        planted = y[:, 0] + scale * noise
        expected = spearmanr(planted, y[:, 0]).statistic
        found = judge(telco, CHARGES, y, planted.tolist())
        assert bool(found) == (expected > 0.999)
        if found:
            assert f"rank correlation {expected:.4f}" in found[0].detail
    assert judge(telco, CHURN, telco[2], [f"id {n}" for n in range(len(y))], "text") == []
    assert judge(telco, CHARGES, y, [f"id {n}" for n in range(len(y))], "text") == []


def test_a_rare_class_is_not_told_by_any_column_that_is_right_about_the_others():
    y = np.zeros((5000, 1))
    y[::1000] = 1
    words = {"colour": [("red", "green", "blue")[n % 7 % 3] for n in range(5000)]}
    columns = [{"name": "colour", "type": "class"}]
    cells = cell_arrays(columns, words)
    assert derived_columns(columns, cells, y, CHURN, np.arange(5000)) == []


def test_words_that_few_equal_targets_share_are_no_code_of_them():
    y = np.arange(300.0)
    y[:30] = np.repeat(np.arange(15.0), 2)
    words = np.array([("a", "b")[n * 7919 % 11 == 0] for n in range(300)], dtype=object)
    words[:30] = ["b"] * 2 + ["a"] * 28
    assert derived_columns([{"name": "w"}], {"w": words}, y[:, None], CHARGES, np.arange(300)) == []
    # many equal targets and one word but for two rows
    y, words = np.repeat(np.arange(1000.0), 2), np.array(["a"] * 2000, dtype=object)
    words[[500, 900]] = "b"
    rows = np.arange(2000)
    assert derived_columns([{"name": "w"}], {"w": words}, y[:, None], CHARGES, rows) == []


def test_of_many_rows_a_sample_is_judged(telco, monkeypatch):
    y = charges(telco)
    monkeypatch.setattr(leaky_columns, "_MOST_DRAWN", 600)
    drawn = leaky_columns._drawn(np.arange(2000), 1)
    assert len(set(drawn)) == 600
    assert (np.diff(drawn) > 0).all()
    assert len(leaky_columns._drawn(np.arange(2000), 10**6)) == 500
    (found,) = judge(telco, CHARGES, y, (2 * y[:, 0]).tolist())
    assert found.rows == list(range(2000))
    assert judge(telco, CHURN, telco[2]) == []


def test_all_three_classes_are_told_by_ranges_of_a_number(telco):
    y = np.digitize(charges(telco), [40, 80]).astype(float)
    task = LearningTask(
        type="multiclass", targets=("MonthlyCharges",), classes=(("low", "mid", "high"),)
    )
    (found,) = judge(telco, task, y, charges(telco)[:, 0].tolist())
    assert "its ranges are the classes" in found.detail


# ---- rows of tables


def test_copied_rows_are_found_and_chance_is_no_error(telco):
    columns, values, y = telco
    learned, tested = sides(len(y))
    chance = by_code(equal_rows(cell_arrays(columns, values), y, [(learned, tested)]))
    natural = chance["same_features"].rows if chance else []
    assert not chance or chance["same_features"].severity == "warning"
    planted = [row for row in tested.tolist() if row not in natural][:30]
    cells, labels = copied_rows(telco, planted, learned[:30])
    (found,) = equal_rows(cells, labels, [(learned, tested)])
    assert sorted(found.rows) == sorted([*planted, *natural])
    assert found.severity == "error"
    # other labels: not the same cases; few: by chance
    (found,) = equal_rows(cells, np.arange(len(y))[:, None], [(learned, tested)])
    assert found.severity == "warning"
    cells, labels = copied_rows(telco, planted[:3], learned[:3])
    (found,) = equal_rows(cells, labels, [(learned, tested)])
    assert found.severity == "warning"


def test_how_many_of_the_equal_rows_agree_is_said_for_one_test_row_on_average():
    """Two test rows: one of three equal rows has its label, then one of one; a third is alone."""
    cells = {"a": np.array([1.0, 1.0, 1.0, 2.0, 3.0, 1.0, 2.0, 9.0])}
    y = np.array([0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0])[:, None]
    (found,) = equal_rows(cells, y, [(np.arange(5), np.arange(5, 8))])
    assert found.rows == [5, 6]
    assert found.detail == (
        "2 test rows are equal in every feature column to rows that are learned from, of which on"
        " average 67 % have the same label"
    )


def copied_rows(telco, planted, sources):
    """(cells, labels): the rows `planted` are copies of `sources`."""
    columns, values, y = telco
    copied, labels = {name: list(cells) for name, cells in values.items()}, y.copy()
    for row, source in zip(planted, sources, strict=True):
        for cells in copied.values():
            cells[row] = cells[source]
        labels[row] = y[source]
    return cell_arrays(columns, copied), labels


def test_rows_of_few_values_are_equal_by_chance(telco):
    _, values, y = telco
    learned, tested = sides(len(y))
    few = {name: np.array(values[name], dtype=object) for name in ("gender", "Contract")}
    by_rule = np.array([[float(word == "One year")] for word in few["Contract"]])
    for labels in (y, by_rule):
        (found,) = equal_rows(few, labels, [(learned, tested)])
        assert len(found.rows) == len(tested)
        assert found.severity == "warning"


# ---- groups and times


def test_groups_on_both_sides_are_found():
    learned, tested = sides(200)
    cells = [f"lab {row % 40}" for row in range(200)]
    (found,) = mixed_groups("lab", cells, [(learned, tested)], asked=True)
    known = {cells[row] for row in learned}
    assert found.rows == [row for row in tested.tolist() if cells[row] in known]
    assert found.severity == "error"
    assert mixed_groups("lab", cells, [(learned, tested)], asked=False)[0].severity == "warning"
    apart = np.array([row for row in range(200) if row % 40 < 30])
    others = np.setdiff1d(np.arange(200), apart)
    assert mixed_groups("lab", cells, [(apart, others)], asked=True) == []
    # a published split is no group, and rows without a value are none either
    words = ["train" if row % 3 else "test" for row in range(200)]
    assert mixed_groups("set", words, [(learned, tested)], asked=False) == []
    half = [None if row % 2 else f"lab {row}" for row in range(200)]
    assert mixed_groups("lab", half, [(learned, tested)], asked=False) == []
    (found,) = mixed_groups("lab", half, [(learned, tested)], asked=True)
    assert all(row % 2 for row in found.rows)


def test_test_rows_older_than_what_is_learned_are_found():
    times = [2000.0 + row for row in range(100)]
    learned, tested = np.arange(80), np.arange(80, 100)
    assert mixed_times("year", times, [(learned, tested)], asked=True) == []
    times[85], times[90], times[3] = 1990.0, None, None
    times[81] = times[79]
    (found,) = mixed_times("year", times, [(learned, tested)], asked=True)
    assert found.rows == [85]
    assert found.severity == "error"


def test_which_columns_are_judged():
    columns = [
        {"name": "lab", "role": "split", "type": "class"},
        {"name": "when", "role": "split", "type": "date"},
        {"name": "id", "role": "id", "type": "text"},
        {"name": "y", "role": "target", "type": "number"},
    ]
    assert judged_columns(columns, "random", None) == [
        ("lab", "group", False),
        ("when", "time", False),
        ("id", "group", False),
    ]
    assert judged_columns(columns, "time", "when")[0] == ("when", "time", True)
    assert ("lab", "group", False) not in judged_columns(columns, "group", "lab")


# ---- similarity


def test_similarity_is_that_of_rdkit_and_an_easy_split_is_named(smiles):
    from rdkit.Chem import rdFingerprintGenerator

    from app.chem.similarity import RADIUS

    learned, tested = sides(N)
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=2048)
    vectors = [generator.GetFingerprint(Chem.MolFromSmiles(text)) for text in smiles]
    known = [vectors[row] for row in learned]
    expected = [max(BulkTanimotoSimilarity(vectors[row], known)) for row in tested]
    found = split_similarity(smiles, [(learned, tested)])
    assert found == {
        "median": np.median(expected),
        "p05": np.quantile(expected, 0.05),
        "p95": np.quantile(expected, 0.95),
        "share_above_0_9": np.mean(np.array(expected) > 0.9),
        "easy": False,
        "n": 40,
        "sample": False,
    }
    copies = [*smiles[:50], *smiles[:10], *smiles[50:90]]
    easy = split_similarity(copies, [(np.arange(50), np.arange(50, 100))])
    assert easy["easy"]
    assert easy["share_above_0_9"] >= 0.2
    assert "near copies" in easy_words(easy)


def test_of_very_many_pairs_a_sample_is_measured_the_same_each_time(smiles, monkeypatch):
    learned, tested = sides(N)
    monkeypatch.setattr(similarity, "_MAX_PAIRS", len(learned) * 25)
    one, two = (split_similarity(smiles, [(learned, tested)]) for _ in range(2))
    assert content_key(one) == content_key(two)
    assert (one["n"], one["sample"]) == (25, True)


# ---- folds: several sides


def thirds(n=9):
    parts = np.arange(n).reshape(3, -1)
    return [(np.setdiff1d(np.arange(n), part), part) for part in parts]


def test_copies_are_found_in_whichever_fold_they_are_apart(smiles):
    leaky = list(smiles[:9])
    leaky[4], leaky[8] = leaky[0], leaky[7]  # in other folds, in one fold
    (found,) = [f for f in shared_structures(leaky, thirds()) if f.severity == "error"]
    assert found.rows == [0, 4]
    assert found.detail.count(leaky[0]) == 2, "the test row and the one that is learned from"


def test_equal_rows_groups_and_times_are_found_in_whichever_fold():
    cells = {"x": np.array([0.0, 1, 2, 0, 4, 5, 6, 7, 6])}
    (found,) = equal_rows(cells, np.arange(9.0)[:, None], thirds())
    assert found.rows == [0, 3], "6 and 8 are in one fold"
    labs = [*"abcadeffg"]
    assert mixed_groups("lab", labs, thirds(), asked=True)[0].rows == [0, 3]
    forward = [(np.arange(3), np.arange(3, 6)), (np.arange(6), np.arange(6, 9))]
    (late,) = mixed_times("year", [1, 2, 3, 4, 5, 9, 7, 8, 9], forward, asked=True)
    assert late.rows == [6, 7]
    assert "(9)" in late.detail


def test_similarity_over_folds_is_to_what_each_fold_learns_from(smiles):
    folds = thirds(30)
    alone = [split_similarity(smiles[:30], [fold]) for fold in folds]
    together = split_similarity(smiles[:30], folds)
    assert together["n"] == 30
    assert together["share_above_0_9"] == pytest.approx(
        np.mean([one["share_above_0_9"] for one in alone])
    )
    copies = [*smiles[:10], *smiles[:10], *smiles[20:30]]
    assert split_similarity(copies, folds)["share_above_0_9"] >= 20 / 30
