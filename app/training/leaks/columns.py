"""Feature columns that are the target in other words.

A column counts when it is, over the rows where both are known, nearly a function of the target:

- two numbers: the absolute rank correlation (Spearman) is above 0.999, or the ranks of one follow
  the other as smoothly (von Neumann's ratio: 1 - sum of squared steps / (2 * variance));
- a number and two classes: an AUROC above 0.999 or below 0.001;
- a number and words: sorted by the number, each word is one stretch (a binned target), or equal
  numbers have equal words, at least 20 of them other than the most frequent word;
- words and classes: the word says the class with an error of at most 0.001, which is at most a
  tenth of the error of the most frequent class.

Whether the cell is missing is judged like a column of words. Of more than 5,000 rows a sample drawn
by a seed is judged, a smaller one of very many columns and targets (500 rows at least).
Reference: Kaufman et al. 2012, ACM Trans. Knowl. Discov. Data 6, 15 (leakage in data mining).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.algorithms.base import LearningTask
from app.featurizers.base import Cells
from app.splitters.base import Indices
from app.training.leaks.findings import Finding

Codes = NDArray[np.int64]
Numbers = NDArray[np.float64]

_LIMIT = 0.999
_ERROR = 1 - _LIMIT
#: fewer rows say nothing; fewer rows for each word neither (an identifier knows everything)
_MIN_ROWS = 20
_MIN_PER_WORD = 5
_MAX_RANGES = 20
_TWO = 2
#: rows that each pair of column and target is judged by
_FEWEST_DRAWN, _MOST_DRAWN = 500, 5_000
_MAX_CELLS = 10_000_000
_SEED = 0


def derived_columns(
    columns: Sequence[Mapping[str, Any]],
    cells: Cells,
    y: NDArray[np.float64],
    task: LearningTask,
    rows: Indices,
) -> list[Finding]:
    findings = []
    for column in columns:
        name = column["name"]
        for number, target in enumerate(task.targets):
            labelled = rows[np.isfinite(y[rows, number])]
            judged = _drawn(labelled, len(columns) * len(task.targets))
            why = _why(cells[name][judged], y[judged, number], task)
            if why is None:
                continue
            findings.append(
                Finding(
                    leak="target_column",
                    severity="error",
                    detail=f"the feature column {name!r} says what the target {target!r} is: {why}",
                    remedy=f'Give {name!r} the role "ignore" when you ingest the file, if it is '
                    "not known before the target is.",
                    rows=labelled.tolist(),
                )
            )
    return findings


def _drawn(rows: Indices, pairs: int) -> Indices:
    """All of few rows; of many a sample, so that tables of any width take minutes at most."""
    most = max(_FEWEST_DRAWN, min(_MOST_DRAWN, _MAX_CELLS // pairs))
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(_SEED).choice(rows, most, replace=False))


def _why(values: NDArray[Any], y: Numbers, task: LearningTask) -> str | None:
    """How one can tell; None when one cannot."""
    missing, numeric = _gaps(values), values.dtype != object
    known, cells, gaps = ~missing, values[~missing], missing.astype(np.int64)
    if task.is_classification:
        return _of_classes(cells, gaps, y.astype(np.int64), known)
    if _stretches(gaps, y):
        return "whether it is missing"
    if numeric:
        return _of_two_numbers(_floats(cells), y[known])
    return _of_words(_codes(cells), y[known])


def _of_classes(
    cells: NDArray[Any], gaps: Codes, classes: Codes, known: NDArray[np.bool_]
) -> str | None:
    if _tells(gaps, classes):
        return "whether it is missing"
    if cells.dtype != object:
        return _of_number(_floats(cells), classes[known])
    return "each of its words has one class" if _tells(_codes(cells), classes[known]) else None


def _of_words(words: Codes, y: Numbers) -> str | None:
    if _stretches(words, y):
        return "its words are ranges of the target"
    return "equal targets have equal words" if _follows(words, y) else None


def _of_two_numbers(x: Numbers, y: Numbers) -> str | None:
    if len(x) < _MIN_ROWS or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    a, b = _ranks(x), _ranks(y)
    correlation = float(np.corrcoef(a, b)[0, 1])
    if abs(correlation) > _LIMIT:
        return f"rank correlation {correlation:.4f}"
    if _smoothness(a, b) > _LIMIT or _smoothness(b, a) > _LIMIT:
        return "one is a function of the other"
    if _stretches(np.unique(x, return_inverse=True)[1], y):
        return "its values are ranges of the target"
    return None


def _of_number(x: Numbers, classes: Codes) -> str | None:
    if len(x) < _MIN_ROWS or np.ptp(x) == 0:
        return None
    present = np.unique(classes)
    if len(present) == _TWO:
        area = _area(x, classes == present[1])
        if max(area, 1 - area) > _LIMIT:
            return f"AUROC {area:.4f} of the column alone"
    codes = np.unique(x, return_inverse=True)[1]
    if _tells(codes, classes):
        return "each of its values has one class"
    return "its ranges are the classes" if _stretches(classes, x) else None


# ---- measures


def _tells(words: Codes, classes: Codes) -> bool:
    """The most frequent class of each word is nearly always right, and more than the most frequent
    class of all.
    """
    n = len(words)
    if n < _MIN_ROWS or len(np.unique(words)) * _MIN_PER_WORD > n:
        return False
    table = np.zeros((words.max() + 1, classes.max() + 1), dtype=np.int64)
    np.add.at(table, (words, classes), 1)
    wrong = n - int(table.max(axis=1).sum())
    blind = n - int(table.sum(axis=0).max())
    return wrong <= _ERROR * n and wrong <= blind / 10 and blind >= _MIN_PER_WORD


def _stretches(words: Codes, y: Numbers) -> bool:
    """Sorted by y, the words change (nearly) no more often than there are words; of rows with equal
    y, those that do not have their most frequent word count as two changes.
    """
    found, counts = np.unique(words, return_counts=True)
    if len(words) < _MIN_ROWS or not _TWO <= len(found) <= _MAX_RANGES:
        return False
    if counts.min() < _MIN_PER_WORD:
        return False
    values, places = np.unique(y, return_inverse=True)
    table = np.zeros((len(values), len(found)), dtype=np.int64)
    np.add.at(table, (places, np.searchsorted(found, words)), 1)
    wrong = len(words) - int(table.max(axis=1).sum())
    changes = int((np.diff(table.argmax(axis=1)) != 0).sum())
    return changes + 2 * wrong <= len(found) - 1 + int(2 * _ERROR * len(words))


def _follows(words: Codes, y: Numbers) -> bool:
    """Rows with equal labels have equal words, more than the most frequent word would explain;
    seen at labels that occur again.
    """
    values, places, counts = np.unique(y, return_inverse=True, return_counts=True)
    again = counts[places] > 1
    labels, words = places[again], words[again]
    if not len(words):
        return False
    pairs, number = np.unique(np.column_stack([labels, words]), axis=0, return_counts=True)
    most = np.zeros(len(values), dtype=np.int64)
    np.maximum.at(most, pairs[:, 0], number)
    wrong = len(words) - int(most.sum())
    blind = len(words) - int(np.bincount(words).max())
    return blind >= _MIN_ROWS and wrong <= _ERROR * len(words)


def _smoothness(a: Numbers, b: Numbers) -> float:
    steps = np.diff(b[np.lexsort((b, a))])
    # sorted within ties b would look smooth there: a tie of a with much spread in b is none
    if len(np.unique(a)) <= len(a) // 2:
        return 0.0
    return 1 - float(np.mean(steps**2)) / (2 * float(np.var(b)))


def _area(x: Numbers, positive: NDArray[np.bool_]) -> float:
    """Mann-Whitney."""
    n = int(positive.sum())
    ranked = _ranks(x)[positive].sum() - n * (n + 1) / 2
    return float(ranked / (n * (len(x) - n)))


def _ranks(values: Numbers) -> Numbers:
    from scipy.stats import rankdata

    ranks: Numbers = rankdata(values)
    return ranks


# ---- cells


def _gaps(values: NDArray[Any]) -> NDArray[np.bool_]:
    if values.dtype == object:
        return np.array([value is None for value in values], dtype=bool)
    gaps: NDArray[np.bool_] = np.isnat(values) if values.dtype.kind == "M" else np.isnan(values)
    return gaps


def _floats(values: NDArray[Any]) -> Numbers:
    return values.astype(np.int64 if values.dtype.kind == "M" else np.float64).astype(np.float64)


def _codes(values: NDArray[Any]) -> Codes:
    return np.array(list(_numbered(values)), dtype=np.int64)


def _numbered(values: NDArray[Any]) -> Iterator[int]:
    known: dict[Any, int] = {}
    for value in values:
        yield known.setdefault(value, len(known))
