"""The model card: sections of Mitchell et al. 2019 (doi:10.1145/3287560.3287596), filled in."""

from app.reporting.reproduce import command, python
from app.reporting.sections import Entry, Section, to_markdown
from app.reporting.statements import (
    algorithm_words,
    audited,
    caveats,
    code_words,
    domain_words,
    endpoint,
    featurizer_words,
    headline,
    leak_entries,
    noise_ceiling,
    predicts,
    row_accounting,
    split_words,
)
from app.reporting.stored import PARTS, StoredModel
from app.reporting.verdict import RULE, WORDS, judge_all
from app.reporting.wording import counted, listed, metric_facts, metric_label, said, with_interval

_MAX_TARGETS = 50
_ABOUT = (
    "A model card after Mitchell et al. 2019, written by Retort from the model's own files. Open"
    " boxes are what no file says: a person must add them."
)


def model_card(model: StoredModel) -> str:
    """Markdown."""
    return to_markdown(f"Model card: {model.manifest['name']}", _ABOUT, card_sections(model))


def card_sections(model: StoredModel) -> list[Section]:
    return [
        _details(model),
        _use(model),
        _factors(model),
        _metrics(model),
        _evaluation_data(model),
        _training_data(model),
        _analyses(model),
        Section(
            title="Ethical considerations",
            missing=(
                "whether the data tell of people, and what follows from that",
                "what harm a wrong prediction can do, and who checks before it does",
            ),
        ),
        _caveats(model),
    ]


def _details(model: StoredModel) -> Section:
    manifest = model.manifest
    versions = manifest.get("libraries") or {}
    entries = [
        Entry(label="predicts", text=predicts(model)),
        Entry(label="kind", text=f"{model.task}, {counted(len(model.targets), 'target')}"),
        Entry(label="algorithm", text=algorithm_words(model)),
        *featurizer_words(model),
        Entry(label="seed", text=str(manifest["seed"])),
        Entry(label="code", text=code_words(model)),
        Entry(label="libraries", text=", ".join(f"{n} {v}" for n, v in versions.items()) or "-"),
        Entry(label="train it again", text=command(model) or python(model), code=True),
    ]
    return Section(
        title="Model details",
        entries=entries,
        missing=("who made it, and whom to ask", "licence of the model", "how to cite it"),
    )


def _use(model: StoredModel) -> Section:
    what = "molecules" if model.of_molecules else "rows with the same columns"
    endpoints = listed([endpoint(model, target) for target in model.targets], 12)
    return Section(
        title="Intended use",
        entries=[
            Entry(text=f"Predicts {endpoints} for {what}."),
            *(Entry(label="domain", text=text) for text in domain_words(model)),
        ],
        missing=(
            "the decision that it is made for",
            "who uses it",
            "uses that it is not meant for",
        ),
    )


def _factors(model: StoredModel) -> Section:
    return Section(
        title="Factors",
        entries=[Entry(text=text) for text in _difficulty(model)],
        missing=("groups of compounds or conditions for which it should be looked at separately",),
    )


def _difficulty(model: StoredModel) -> list[str]:
    similarity = model.section("similarity")
    if not similarity:
        return ["How near the test rows are to training rows was not measured."]
    return [
        (
            "Similarity of test rows to the nearest training molecule (Tanimoto, Morgan): median"
            f" {said(similarity.get('median'))}, 5 % to 95 % {said(similarity.get('p05'))} to"
            f" {said(similarity.get('p95'))}."
        )
    ]


def _metrics(model: StoredModel) -> Section:
    verdict = judge_all(model)
    about, better = metric_facts(verdict.metric)
    entries = [
        Entry(label=metric_label(verdict.metric), text=f"{about}; {better}"),
        Entry(label="intervals", text="95 %, by bootstrap of the test rows"),
        Entry(label="grade", text=f"{WORDS[verdict.grade]}. {RULE}"),
    ]
    ceilings = [noise_ceiling(model, target) for target in model.targets]
    known = [Entry(label="noise ceiling", text=text) for text in ceilings if text]
    missing = () if known else ("the reproducibility of the measurement (no replicates are known)",)
    return Section(title="Metrics", entries=[*entries, *known], missing=missing)


def _evaluation_data(model: StoredModel) -> Section:
    n = model.section("n")
    sizes = ", ".join(f"{part} {number:,}" for part, number in n.items())
    return Section(
        title="Evaluation data",
        entries=[
            Entry(label="split", text=split_words(model)),
            Entry(label="rows used", text=sizes or "not stored"),
            *leak_entries(model),
            *(Entry(text=text) for text in audited(model)),
        ],
        missing=("whether these rows are like those that it will be used on",),
    )


def _training_data(model: StoredModel) -> Section:
    dataset, accounted = model.manifest["dataset"], row_accounting(model)
    return Section(
        title="Training data",
        entries=[
            Entry(label="data set", text=f"{dataset['ref']}, SHA-256 {dataset['sha256']}"),
            *([Entry(label="rows", text=accounted)] if accounted else []),
            Entry(label="row accounting", text=f"retort data report {dataset['ref']}"),
        ],
        missing=("source and licence of the data", "how the values were measured"),
    )


def _analyses(model: StoredModel) -> Section:
    entries = [Entry(text=headline(model))]
    for target in model.targets[:_MAX_TARGETS]:
        for part in PARTS:
            figures = model.section(part, target)
            if figures:
                text = "; ".join(
                    f"{metric_label(k)} {with_interval(v)}" for k, v in figures.items()
                )
                entries.append(Entry(label=f"{target}, {part.replace('_', ' ')}", text=text))
    return Section(title="Quantitative analyses", entries=entries)


def _caveats(model: StoredModel) -> Section:
    found = caveats(model)
    return Section(
        title="Caveats and recommendations",
        entries=[Entry(text=text) for text in found or ["None was found by the automatic checks."]],
        missing=("when it should be trained again, and on what",),
    )
