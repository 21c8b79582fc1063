"""Sentences about a model that page, card and QMRF-style summary share."""

from typing import Any

from app.algorithms.base import algorithms
from app.core.errors import UnknownName
from app.featurizers.base import featurizers
from app.metrics.evaluate import default_metric
from app.reporting.confidence import nominal_level
from app.reporting.curves import coverage
from app.reporting.sections import Entry
from app.reporting.stored import StoredModel
from app.reporting.verdict import Verdict, judge, judge_all
from app.reporting.wording import counted, listed, metric_label, percent, said, with_interval

#: fewer make figures rough
_FEW_TEST_ROWS = 50
#: warnings of the leak audit beside the headline
_MAX_CHECKS = 2


def endpoint(model: StoredModel, target: str) -> str:
    """`measured log solubility (log mol/L)`, `Churn (No or Yes)`."""
    words, unit = model.classes(target), model.unit(target)
    if words:
        return f"{target} ({' or '.join(words) if len(words) < 4 else listed(words)})"  # noqa: PLR2004
    return f"{target} ({unit})" if unit else target


def predicts(model: StoredModel) -> str:
    """What goes in and what comes out."""
    of = "a molecule, from its structure" if model.of_molecules else "a row of a table"
    if len(model.targets) == 1:
        return f"{endpoint(model, model.targets[0])} of {of}"
    return f"{len(model.targets)} properties of {of}: {listed(model.targets, 12)}"


def headline(model: StoredModel) -> str:
    """The number with its interval, beside the baseline, in one sentence or two."""
    verdict = judge_all(model)
    if not any(judge(model, target).measured for target in model.targets):
        return "Its quality was not measured: no test row has a label."
    n = (model.section("n")).get("test", 0)
    on = f"On {counted(n, 'molecule' if model.of_molecules else 'row')} that it never saw"
    if len(model.targets) > 1:
        return f"{on}, {_of_many(model, verdict)}"
    target = model.targets[0]
    unit = model.unit(target)
    figure, base = with_interval(verdict.figure), said(verdict.baseline.get("value"))
    unit = f" {unit}" if unit else ""
    return f"{on}, {_one(verdict.metric, figure, base, unit, model, target)}"


def _one(metric: str, figure: str, base: str, unit: str, model: StoredModel, target: str) -> str:
    if metric == "rmse":
        text = (
            f"its typical error (RMSE) is {figure}{unit}; always answering the training mean errs"
            f" by {base}{unit}."
        )
        ceiling = noise_ceiling(model, target)
        return f"{text} {ceiling}" if ceiling else text
    if metric == "roc_auc":
        return (
            f'it ranks a random "{model.classes(target)[1]}" above a random'
            f' "{model.classes(target)[0]}" in {percent(_value(model, target, metric))} of cases'
            f" (AUROC {figure}); guessing gives {base}."
        )
    return (
        f"its {metric_label(metric)} is {figure}; always answering the most frequent class gives"
        f" {base}."
    )


def _value(model: StoredModel, target: str, metric: str) -> float | None:
    found = model.section("test", target).get(metric) or {}
    return found.get("value")


def _of_many(model: StoredModel, verdict: Verdict) -> str:
    name = metric_label(verdict.metric)
    graded = {target: judge(model, target) for target in model.targets}
    known = {t: v for t, v in graded.items() if v.measured}
    ranked = sorted(known, key=lambda t: known[t].gained or 0.0)
    beaten = sum(v.grade not in ("none", "unknown") for v in graded.values())
    told = (
        f"the mean {name} over {len(known)} targets is {with_interval(verdict.figure)} (the"
        f" trivial baseline has {said(verdict.baseline.get('value'))}), from"
        f" {said(known[ranked[0]].figure['value'])} ({ranked[0]}) to"
        f" {said(known[ranked[-1]].figure['value'])} ({ranked[-1]})."
        if verdict.measured
        else _each_gained(known, ranked)
    )
    return f"{told} {beaten} of {len(model.targets)} targets are told apart from the baseline."


def _each_gained(known: dict[str, Verdict], ranked: list[str]) -> str:
    """Where units differ: shares have none. `ranked`: the worst target first."""
    worst, best = (percent(known[target].gained) for target in (ranked[0], ranked[-1]))
    return (
        f"each of {len(known)} targets has an error in its own unit, so there is no mean; of the"
        f" way from the trivial baseline to no error it covers from {worst} ({ranked[0]}) to {best}"
        f" ({ranked[-1]})."
    )


def noise_ceiling(model: StoredModel, target: str) -> str | None:
    """How well the best possible model could do, where measurements were repeated; None where the
    files say nothing of it (app/metrics/noise_ceiling.py).
    """
    found = model.section("noise_ceiling", target)
    ceiling = found.get("ceiling")
    if not ceiling:
        note = found.get("note")
        return f"The noise ceiling is not known: {note}." if note else None
    repeats = counted(int(found.get("structures", 0)), "structure")
    name = next((m for m in (default_metric(model.task), "accuracy") if m in ceiling), None)
    if name is None:
        return None
    unit = f" {model.unit(target)}" if model.unit(target) and name == "rmse" else ""
    if name == "accuracy" and found.get("agreement") == 1:
        return f"Repeated measurements of {repeats} all agree: no noise is known."
    best = f"{metric_label(name)} {said(ceiling[name].get('value'))}{unit}"
    return (
        f"The noise ceiling is {best}: repeated measurements of {repeats} scatter so that a perfect"
        " model would not be expected to do better."
    )


def caveats(model: StoredModel) -> list[str]:
    """What takes meaning away from the headline, worst first."""
    found = [
        f"Leak: {_ended(entry['detail'])}" for entry in leaks(model) if entry["severity"] == "error"
    ]
    if (model.section("similarity")).get("easy"):
        found.append(
            "The split is easy: many test rows have near twins in training. Expect larger errors"
            " for new chemistry; train with split scaffold to see them."
        )
    checks = [_ended(e["detail"]) for e in leaks(model) if e["severity"] != "error"]
    found += [f"Check: {text}" for text in checks[:_MAX_CHECKS]]
    if len(checks) > _MAX_CHECKS:
        found.append(f"Check: {len(checks) - _MAX_CHECKS} more findings of the leak audit.")
    n = model.section("n").get("test", 0)
    if 0 < n < _FEW_TEST_ROWS:
        found.append(f"Only {counted(n, 'test row')}: the figures are rough.")
    return found + [text for target in model.targets[:1] for text in _intervals_off(model, target)]


def _ended(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def _intervals_off(model: StoredModel, target: str) -> list[str]:
    if model.is_classification:
        return []
    rows, level = model.rows(target, "test"), nominal_level(model, target)
    share, n = coverage(rows.measured, rows.lower, rows.upper)
    if not n or abs(share - level) <= _TOLERANCE:
        return []
    word = "narrow" if share < level else "wide"
    found = f"{percent(share)} of test rows inside"
    return [f"Intervals are too {word}: {percent(level)} promised, {found}."]


_TOLERANCE = 0.08


def leaks(model: StoredModel) -> list[dict[str, Any]]:
    """Findings of the leak audit, errors first."""
    found = [dict(entry) for entry in model.section("leaks").get("findings") or []]
    return sorted(found, key=lambda entry: entry.get("severity") != "error")


def leak_entries(model: StoredModel) -> list[Entry]:
    """Findings of the audit: `leak` for errors, `check` for what may be one."""
    return [
        Entry(label="leak" if found["severity"] == "error" else "check", text=found["detail"])
        for found in leaks(model)
    ]


def audited(model: StoredModel) -> list[str]:
    """What was looked for, or that nothing was."""
    audit = model.section("leaks")
    if not audit:
        return ["Leaks between training and test were not looked for when this model was trained."]
    checked = listed(list(audit.get("checked") or []), 20)
    return [f"Looked for leaks: {checked}."]


def row_counts(model: StoredModel) -> list[tuple[int, str]]:
    """Where the rows of the file went: [(rows, what they are), ...], the first the sum of those
    that follow it. Empty of a model of an earlier release.
    """
    rows = model.section("rows")
    if not rows:
        return []
    left_out = (
        ("refused", "were refused when the file was read"),
        ("merged", "were merged into another row as replicates, or left out as such"),
        ("without_target", "have no measured value of any target of this model"),
        ("without_features", "have features that cannot be computed"),
        ("on_no_side", "are on no side of the split"),
    )
    whole = rows["clean"] if rows["read"] is None else rows["read"]
    source = "of the data set" if rows["read"] is None else "were read from the file"
    used = [
        (number, f"are used to {_USES.get(part, part)}") for part, number in rows["used"].items()
    ]
    told = [(rows[name] or 0, words) for name, words in left_out]
    return [(whole, source), *[pair for pair in told if pair[0]], *used]


_USES = {"train": "train", "validation": "validate", "test": "test"}


def row_accounting(model: StoredModel) -> str:
    """`1,128 rows read = 11 merged + 894 train + 112 validation + 111 test`, or ""."""
    rows = model.section("rows")
    if not rows:
        return ""
    names = ("refused", "merged", "without_target", "without_features", "on_no_side")
    parts = [(rows[name] or 0, name.replace("_", " ")) for name in names]
    parts = [pair for pair in parts if pair[0]]
    parts += [(number, part) for part, number in rows["used"].items()]
    whole = "rows" if rows["read"] is None else "rows read"
    return f"{row_counts(model)[0][0]:,} {whole} = " + " + ".join(f"{n:,} {w}" for n, w in parts)


def algorithm_words(model: StoredModel) -> str:
    name = model.manifest["algorithm"]
    try:
        about = algorithms.get(name)
    except UnknownName:
        return f"{name} (not in this release)"
    return f"{name}: {_sentence(about.summary)} ({about.reference})"


def code_words(model: StoredModel) -> str:
    """The release that trained it, and the commit where that ran from a checkout."""
    code = model.manifest.get("code") or {}
    version, revision = code.get("version"), code.get("revision")
    known = ([version] if version else []) + ([f"commit {revision}"] if revision else [])
    return "Retort " + (", ".join(known) or "of a version not stored")


def featurizer_words(model: StoredModel) -> list[Entry]:
    found = []
    for spec in model.manifest["features"]:
        try:
            about = featurizers.get(spec["name"])
            text = f"{_sentence(about.summary)} ({about.reference})"
        except UnknownName:
            text = "not in this release"
        told = f"{text}; parameters {spec['params']}" if spec.get("params") else text
        found.append(Entry(label=spec["name"], text=told))
    return found


def _sentence(text: str) -> str:
    return text.rstrip(".")


def split_words(model: StoredModel) -> str:
    split = model.manifest["split"]
    sizes = split.get("sizes") or {}
    parts = ", ".join(f"{n:,} {part}" for part, n in sizes.items())
    params = split.get("params") or {}
    told = f" {params}" if params else ""
    return f"{split['name']}{told}, seed {split.get('seed', 0)}: {parts} rows; hash {split['hash']}"


def domain_words(model: StoredModel) -> list[str]:
    """The applicability domain in sentences; one that says so when it was not measured."""
    domain = model.section("domain")
    if not domain:
        return ["The applicability domain was not measured when this model was trained."]
    found = []
    threshold = domain.get("similarity_threshold")
    leverage = domain.get("leverage_threshold")
    rules = []
    what = "molecule" if model.of_molecules else "row"
    if threshold is not None:
        kind = "Tanimoto similarity" if model.of_molecules else "similarity"
        rules.append(f"its nearest training {what} has a {kind} of at least {said(threshold)}")
    if leverage is not None:
        rules.append(f"its leverage is at most {said(leverage)}")
    if rules:
        found.append(f"A {what} is inside when {' and '.join(rules)}.")
    if domain.get("inside") is not None:
        found.append(f"{percent(domain['inside'])} of the test rows are inside.")
    return found + [text for target in model.targets for text in _inside_and_out(model, target)]


def error_name(model: StoredModel) -> str:
    """What confidence and domain are measured by."""
    return "share of wrong answers" if model.is_classification else "mean absolute error"


def _inside_and_out(model: StoredModel, target: str) -> list[str]:
    domain = model.section("domain")
    inside = (domain.get("error_inside") or {}).get(target) or {}
    outside = (domain.get("error_outside") or {}).get(target) or {}
    if inside.get("value") is None:
        return []
    what = f"{target}: the {error_name(model)}" if len(model.targets) > 1 else _the(model)
    told = f"{what} is {_error(model, target, inside)} inside"
    if outside.get("value") is None:
        return [f"{told}; no test row with a label is outside."]
    return [f"{told} and {_error(model, target, outside)} outside."]


def _the(model: StoredModel) -> str:
    return f"The {error_name(model)}"


def _error(model: StoredModel, target: str, found: dict[str, Any]) -> str:
    """`0.412 log mol/L (97 rows)`."""
    unit = f" {model.unit(target)}" if model.unit(target) else ""
    return f"{said(found['value'])}{unit} ({counted(int(found.get('n') or 0), 'row')})"
