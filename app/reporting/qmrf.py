"""A summary after the QSAR Model Reporting Format: the five OECD principles (OECD 2007,
ENV/JM/MONO(2007)2; JRC QMRF 2.1), filled from the model's files.
"""

from app.reporting.confidence import confident_half, coverage_table, nominal_level
from app.reporting.importance import HASHED, WARNING, importance, shuffled
from app.reporting.sections import Entry, Section, to_markdown
from app.reporting.statements import (
    algorithm_words,
    audited,
    domain_words,
    endpoint,
    featurizer_words,
    headline,
    leak_entries,
    split_words,
)
from app.reporting.stored import StoredModel
from app.reporting.wording import counted, listed, metric_label, percent, with_interval

_MAX_TARGETS = 50
_MAX_FEATURES = 10
_ABOUT = (
    "The five OECD principles for the validation of (Q)SARs, written by Retort from the model's own"
    " files. It is a summary, not a complete QMRF: open boxes are what a person must add."
)


def qmrf(model: StoredModel) -> str:
    """Markdown."""
    return to_markdown(f"QMRF-style summary: {model.manifest['name']}", _ABOUT, principles(model))


def principles(model: StoredModel) -> list[Section]:
    return [
        _endpoint(model),
        _algorithm(model),
        _domain(model),
        _validation(model),
        _mechanism(model),
    ]


def _endpoint(model: StoredModel) -> Section:
    entries = [Entry(text=endpoint(model, target)) for target in model.targets[:_MAX_TARGETS]]
    no_unit = [t for t in model.targets if not model.is_classification and not model.unit(t)]
    dataset = model.manifest["dataset"]
    entries.append(Entry(label="data", text=f"{dataset['ref']}, SHA-256 {dataset['sha256']}"))
    missing = ["species, assay, protocol and conditions of the measurement", "source of the data"]
    if no_unit:
        missing.insert(0, f"unit of {listed(no_unit)}")
    return Section(title="1. A defined endpoint", entries=entries, missing=missing)


def _algorithm(model: StoredModel) -> Section:
    settings = ", ".join(f"{k}={v}" for k, v in model.manifest["hyperparameters"].items())
    return Section(
        title="2. An unambiguous algorithm",
        entries=[
            Entry(label="algorithm", text=algorithm_words(model)),
            Entry(label="parameters", text=settings or "none"),
            Entry(label="seed", text=str(model.manifest["seed"])),
            *featurizer_words(model),
            Entry(label="descriptor set", text=str(model.manifest["feature_set_key"])),
            Entry(text="The request that makes it again is in the report, under Reproducibility."),
        ],
    )


def _domain(model: StoredModel) -> Section:
    missing = ["the chemical space for which it is meant, in a chemist's words"]
    if not model.section("domain"):
        missing.append("an applicability domain: train it again with this release")
    return Section(
        title="3. A defined domain of applicability",
        entries=[Entry(text=text) for text in domain_words(model)],
        missing=missing,
    )


def _validation(model: StoredModel) -> Section:
    entries = [Entry(text=headline(model)), Entry(label="split", text=split_words(model))]
    for target in model.targets[:_MAX_TARGETS]:
        entries += _fit(model, target)
    for target in model.targets[:1]:
        told = [confident_half(model, target), _covered(model, target)]
        entries += [Entry(text=text) for text in told if text]
    entries += leak_entries(model)
    entries += [Entry(text=text) for text in audited(model)]
    missing = ["a test on data from another source (retort evaluate MODEL --data NEW)"]
    if not model.section("out_of_fold"):
        missing.append("robustness by cross-validation: it was trained without folds")
    return Section(
        title="4. Goodness of fit, robustness and predictivity", entries=entries, missing=missing
    )


def _fit(model: StoredModel, target: str) -> list[Entry]:
    parts = (("predictivity (test)", "test"), ("robustness (out of fold)", "out_of_fold"))
    found = []
    for label, part in parts:
        figures = model.section(part, target)
        if figures:
            text = "; ".join(f"{metric_label(k)} {with_interval(v)}" for k, v in figures.items())
            found.append(Entry(label=f"{target}, {label}", text=text))
    return found


def _covered(model: StoredModel, target: str) -> str | None:
    table = coverage_table(model, target)
    if not table:
        return None
    level, first = percent(nominal_level(model, target)), table[0]
    return (
        f"Intervals of {level} hold {percent(first['share'])} of {counted(first['n'], 'test row')}."
    )


def _mechanism(model: StoredModel) -> Section:
    found = importance(model, draw=False)
    missing = ("what mechanism could link these features to the endpoint",)
    title = "5. A mechanistic interpretation, if possible"
    if found is None:
        return Section(title=title, entries=_without_own(model), missing=missing)
    features = [f"{f['name']} ({f['percent']:.1f} %)" for f in found["features"][:_MAX_FEATURES]]
    return Section(
        title=title,
        entries=[
            Entry(label="used most", text=", ".join(features)),
            Entry(text=WARNING),
            *(Entry(text=HASHED.replace("{names}", name)) for name in found["hashed"]),
        ],
        missing=missing,
    )


def _without_own(model: StoredModel) -> list[Entry]:
    """Of an algorithm that names no importance."""
    found = shuffled(model)
    if found is None or "why" in found:
        why = f", and it was not measured: {found['why']}" if found else ""
        return [Entry(text=f"The algorithm names no importance of features{why}.")]
    lost = [f"{f['name']} ({f['loss']} ± {f['std']})" for f in found["features"][:_MAX_FEATURES]]
    return [
        Entry(label=f"{found['title']} when shuffled", text=", ".join(lost)),
        Entry(text=found["about"]),
        Entry(text=WARNING),
    ]
