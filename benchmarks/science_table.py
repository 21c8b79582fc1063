"""What the science benchmark compares with, and the arithmetic of its table."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import mean, stdev
from typing import Any

_FIVE = tuple(range(5))
#: at most this much worse than the best single algorithm
SINGLE_LIMIT = 1.03
#: what the 90 % intervals have to cover
COVERAGE = {"random": (0.86, 0.94), "scaffold": (0.82, 0.95)}
ECE_LIMIT = 0.07
#: error of the confident half of the rows over that of the other half
HALF_LIMIT = 0.60
_TOX21 = (
    "NR-AR",
    "NR-AR-LBD",
    "NR-AhR",
    "NR-Aromatase",
    "NR-ER",
    "NR-ER-LBD",
    "NR-PPAR-gamma",
    "SR-ARE",
    "SR-ATAD5",
    "SR-HSE",
    "SR-MMP",
    "SR-p53",
)


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """One of examples/data. Goal and published scores are those of the random split."""

    name: str
    file: str
    targets: tuple[str, ...]
    #: rmse (smaller is better) or roc_auc (mean over the targets, larger is better)
    metric: str
    goal: float | None = None
    #: {source: score}
    published: dict[str, float] = field(default_factory=dict)
    random_seeds: tuple[int, ...] = _FIVE
    scaffold_seeds: tuple[int, ...] = _FIVE

    def seeds(self, split: str) -> tuple[int, ...]:
        return self.random_seeds if split == "random" else self.scaffold_seeds

    @property
    def smaller_is_better(self) -> bool:
        return self.metric == "rmse"


DATA_SETS = {
    data.name: data
    for data in (
        DataSet(
            name="esol",
            file="esol.csv",
            targets=("measured log solubility in mols per litre",),
            metric="rmse",
            goal=0.57,
            published={"MoleculeNet": 0.58, "D-MPNN": 0.555},
        ),
        DataSet(
            name="freesolv",
            file="freesolv.csv",
            targets=("expt",),
            metric="rmse",
            goal=0.95,
            published={"MoleculeNet": 1.15, "D-MPNN": 1.075},
        ),
        DataSet(
            name="lipophilicity",
            file="lipophilicity.csv",
            targets=("exp",),
            metric="rmse",
            goal=0.575,
            published={"MoleculeNet": 0.655, "D-MPNN": 0.555},
        ),
        DataSet(
            name="tox21",
            file="tox21.csv.gz",
            targets=_TOX21,
            metric="roc_auc",
            goal=0.84,
            published={"MoleculeNet": 0.829, "D-MPNN": 0.851},
            scaffold_seeds=(0,),
        ),
        DataSet(
            name="hiv",
            file="hiv.csv.gz",
            targets=("HIV_active",),
            metric="roc_auc",
            random_seeds=(0,),
            scaffold_seeds=(0,),
        ),
    )
}


@dataclass(frozen=True, kw_only=True)
class Record:
    """One training of the default model."""

    data: str
    split: str
    seed: int
    algorithm: str
    #: rows of train, validation and test
    n: dict[str, int]
    score: float
    seconds: float
    cpu_seconds: float
    #: the same score of each member alone
    singles: dict[str, float]
    #: means over the targets: coverage, ece, half (error ratio of the confident half)
    uncertainty: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Group:
    """All seeds of one data set and split."""

    data: DataSet
    split: str
    records: Sequence[Record]

    @property
    def scores(self) -> list[float]:
        return [record.score for record in self.records]

    @property
    def best_single(self) -> tuple[str, list[float]] | None:
        """The member with the best mean over the seeds, and its scores."""
        names = sorted(set.intersection(*(set(record.singles) for record in self.records)))
        scores = {name: [record.singles[name] for record in self.records] for name in names}
        pick = min if self.data.smaller_is_better else max
        return pick(scores.items(), key=lambda item: mean(item[1])) if scores else None

    @property
    def over_single(self) -> float | None:
        """How much worse than the best single: below 1 the default is the better one."""
        best = self.best_single
        return None if best is None else self._worse(mean(self.scores), mean(best[1]))

    def over_published(self) -> dict[str, float]:
        return {
            source: self._worse(mean(self.scores), score)
            for source, score in self.data.published.items()
        }

    def uncertainty(self, name: str) -> list[float]:
        return [r.uncertainty[name] for r in self.records if name in r.uncertainty]

    @property
    def reached(self) -> bool | None:
        """None without a goal, and for another split than the published one."""
        if self.data.goal is None or self.split != "random":
            return None
        return self._worse(mean(self.scores), self.data.goal) <= 1.0

    def _worse(self, ours: float, theirs: float) -> float:
        """Quotient that is above 1 when ours is worse."""
        return ours / theirs if self.data.smaller_is_better else theirs / ours


def latest(records: Iterable[Record]) -> list[Record]:
    """One for each training: with uncertainty before without, then the last of them."""
    best: dict[tuple[str, str, int], Record] = {}
    for record in records:
        key = record.data, record.split, record.seed
        if record.uncertainty or key not in best or not best[key].uncertainty:
            best[key] = record
    return list(best.values())


def groups(records: Iterable[Record]) -> list[Group]:
    """In the order of DATA_SETS, random before scaffold; seeds ascending."""
    found: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        found[record.data, record.split].append(record)
    return [
        Group(data=data, split=split, records=sorted(found[name, split], key=lambda r: r.seed))
        for name, data in DATA_SETS.items()
        for split in ("random", "scaffold")
        if (name, split) in found
    ]


def uncertainty_of(metrics: dict[str, Any]) -> dict[str, float]:
    """Means over the targets of a training's `uncertainty`; {} where a training has none."""
    per_target = metrics.get("uncertainty", {}).values()
    found = {
        "coverage": [_value(t["coverage"]) for t in per_target if t.get("coverage")],
        "ece": [_value(t["ece"]) for t in per_target if t.get("ece") is not None],
        "half": [t["confident_half"]["ratio"] for t in per_target if t.get("confident_half")],
    }
    known = {name: [v for v in values if v is not None] for name, values in found.items()}
    return {name: mean(values) for name, values in known.items() if values}


def _value(figure: Any) -> float | None:
    """Of a figure with its interval, or of a plain number."""
    value: float | None = figure["value"] if isinstance(figure, dict) else figure
    return value


def missed_goals(records: Iterable[Record]) -> list[str]:
    """A sentence for each goal that is not reached."""
    missed = []
    for group in groups(records):
        where = f"{group.data.name}, {group.split}"
        if group.reached is False:
            missed.append(
                f"{where}: {group.data.metric} {mean(group.scores):.3f}, goal {group.data.goal}"
            )
        if group.over_single is not None and group.over_single > SINGLE_LIMIT:
            missed.append(f"{where}: {group.over_single:.3f} of the best single model's")
        missed += [f"{where}: {sentence}" for sentence in _uncertain(group)]
    return missed


def _uncertain(group: Group) -> Iterable[str]:
    low, high = COVERAGE[group.split]
    coverage, ece, half = (group.uncertainty(name) for name in ("coverage", "ece", "half"))
    if coverage and not low <= mean(coverage) <= high:
        yield f"90 % intervals cover {mean(coverage):.1%}, asked for {low:.0%} to {high:.0%}"
    if ece and mean(ece) > ECE_LIMIT:
        yield f"expected calibration error {mean(ece):.3f}, limit {ECE_LIMIT}"
    if half and mean(half) > HALF_LIMIT:
        yield f"confident half has {mean(half):.2f} of the other's error, limit {HALF_LIMIT}"


_HEAD = (
    "data",
    "split",
    "metric",
    "default",
    "best single",
    "default / single",
    "published",
    "goal",
    "coverage of 90 %",
    "ECE",
    "confident half",
    "seconds",
)


def table(records: Sequence[Record]) -> str:
    """Markdown: a row for each data set and split."""
    lines = ["| " + " | ".join(_HEAD) + " |", "|" + "---|" * len(_HEAD)]
    lines += ["| " + " | ".join(_cells(group)) + " |" for group in groups(records)]
    return "\n".join(lines)


def _cells(group: Group) -> list[str]:
    data, best = group.data, group.best_single
    random = group.split == "random"
    return [
        f"{data.name} ({sum(group.records[0].n.values()):,} rows)",
        f"{group.split}, seeds {', '.join(str(r.seed) for r in group.records)}",
        {"rmse": "RMSE", "roc_auc": "AUROC"}[data.metric] + (", mean" if data.targets[1:] else ""),
        f"**{_spread(group.scores)}** ({group.records[0].algorithm})",
        f"{_spread(best[1])} ({best[0]})" if best else "",
        f"{group.over_single:.3f}" if group.over_single is not None else "",
        _published(group) if random else "",
        _goal(group),
        _shown(group, "coverage"),
        _shown(group, "ece"),
        _shown(group, "half", digits=2),
        _seconds(group),
    ]


def _spread(values: Sequence[float], *, digits: int = 3) -> str:
    """Mean and standard deviation over the seeds."""
    if len(values) < 2:
        return f"{values[0]:.{digits}f}" if values else ""
    return f"{mean(values):.{digits}f} ± {stdev(values):.{digits}f}"


def _shown(group: Group, name: str, *, digits: int = 3) -> str:
    """With the number of seeds, where only some were whole trainings."""
    values = group.uncertainty(name)
    some = f" (n = {len(values)})" if 0 < len(values) < len(group.records) else ""
    return _spread(values, digits=digits) + some


def _seconds(group: Group) -> str:
    """Of whole trainings."""
    whole = [record.cpu_seconds for record in group.records if record.uncertainty]
    return f"{mean(whole):.0f}" if whole else ""


def _published(group: Group) -> str:
    ratios = group.over_published()
    return "; ".join(
        f"{source} {score} ({ratios[source]:.2f})" for source, score in group.data.published.items()
    )


def _goal(group: Group) -> str:
    if group.reached is None:
        return ""
    sign = "≤" if group.data.smaller_is_better else "≥"
    return f"{sign} {group.data.goal}: {'reached' if group.reached else 'missed'}"
