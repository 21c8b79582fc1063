"""predict_structure: one molecule by several models, and what they say together."""

import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import select

from app.chem.standardize import ChemistryError, standardize_molblock
from app.core.errors import RetortError
from app.core.work import Outcome, WorkContext
from app.db.datasets import DatasetRow
from app.db.models import ModelVersionRow
from app.features.matrix import molecule_cache
from app.models.bundle import ModelBundle
from app.prediction.answers import answer_items
from app.prediction.inputs import predict_given
from app.prediction.loading import model_cache
from app.prediction.structure_params import PredictStructureParams
from app.resources import Resources

_Json = dict[str, Any]
#: models that must agree on what they predict before there is a consensus
_FEWEST = 2


def run(resources: Resources, context: WorkContext, params: PredictStructureParams) -> Outcome:
    """A model that has no answer says why; the job fails for none of them."""
    started = time.perf_counter()
    smiles, reason = _smiles(params)
    known = _known(resources, params.model_ids or ())
    answers: list[_Json] = []
    for number, (ref, facts) in enumerate(zip(params.models, known, strict=True)):
        context.raise_if_cancelled()
        context.progress(number, len(known), unit="model", message=ref)
        found = _refused(reason) if smiles is None else _answer(resources, facts, smiles, params)
        answers.append({"ref": ref, **facts, **found})
    ok = sum(answer["status"] == "ok" for answer in answers)
    data = {
        "structure": params.structure,
        "canonical_smiles": next(filter(None, (a["canonical_smiles"] for a in answers)), None),
        "models": answers,
        "consensus": consensus(answers),
        "milliseconds": round(1000 * (time.perf_counter() - started), 2),
    }
    counts = {"models_total": len(answers), "models_ok": ok, "models_failed": len(answers) - ok}
    return Outcome(result={"data": data}, counts=counts)


def consensus(answers: Sequence[Mapping[str, Any]]) -> _Json:
    """By target, what at least two models say in the same unit (or of the same classes): the plain
    mean of the values and their standard deviation between the models (n - 1), or the mean
    probability of each class. Of several units the one that most models use.
    """
    said: dict[str, dict[Any, list[_Json]]] = {}
    for answer in answers:
        for target, one in answer["targets"].items():
            classes = tuple(sorted(one.get("probabilities") or ()))
            said.setdefault(target, {}).setdefault(classes or one.get("unit"), []).append(one)
    most = {target: max(groups.items(), key=_size) for target, groups in said.items()}
    return {
        target: _together(ones, kind)
        for target, (kind, ones) in most.items()
        if len(ones) >= _FEWEST
    }


def _size(group: tuple[Any, list[_Json]]) -> int:
    return len(group[1])


def _together(ones: Sequence[_Json], kind: Any) -> _Json:
    if isinstance(kind, tuple):
        means = {c: float(np.mean([one["probabilities"][c] for one in ones])) for c in kind}
        best = max(means, key=lambda c: means[c])
        return {"class": best, "value": means[best], "probabilities": means, "models": len(ones)}
    values = [one["value"] for one in ones]
    return {
        "value": float(np.mean(values)),
        "unit": kind,
        "std": float(np.std(values, ddof=1)),
        "models": len(ones),
    }


def _smiles(params: PredictStructureParams) -> tuple[str | None, str]:
    if params.format == "smiles":
        return params.structure, ""
    try:
        return standardize_molblock(params.structure).smiles, ""
    except ChemistryError as error:
        return None, str(error)


def _known(resources: Resources, ids: Sequence[UUID]) -> list[_Json]:
    """What is known of each model, in order."""
    with resources.database.session() as session:
        rows = {
            model.id: (model, dataset)
            for model, dataset in session.execute(
                select(ModelVersionRow, DatasetRow)
                .outerjoin(DatasetRow, DatasetRow.id == ModelVersionRow.dataset_id)
                .where(ModelVersionRow.id.in_(ids))
            )
        }
    return [_facts(id_, *rows.get(id_, (None, None))) for id_ in ids]


def _facts(id_: UUID, model: ModelVersionRow | None, dataset: DatasetRow | None) -> _Json:
    if model is None:  # purged since
        return {"id": str(id_)}
    return {
        "id": str(id_),
        "name": model.name,
        "version": model.number,
        "task": model.task,
        "method": model.algorithm,
        "training_parameters": model.hyperparameters,
        "properties": [{"name": t["name"], "units": t.get("unit")} for t in model.targets],
        "dataset": None if dataset is None else f"{dataset.name}:{dataset.number}",
    }


def _answer(
    resources: Resources, facts: _Json, smiles: str, params: PredictStructureParams
) -> _Json:
    try:
        bundle = model_cache(resources).get(UUID(facts["id"]))
        return _asked(bundle, smiles, params.property_name, resources)
    except RetortError as error:
        return _refused(error.detail)


def _asked(bundle: ModelBundle, smiles: str, wanted: str | None, resources: Resources) -> _Json:
    if wanted is not None and wanted not in bundle.manifest.targets:
        listed = ", ".join(bundle.manifest.targets)
        return _refused(f"the model does not predict {wanted!r} but {listed}")
    inputs = [{"smiles": smiles}]
    (item,) = answer_items(bundle, inputs, predict_given(bundle, inputs, molecule_cache(resources)))
    targets = item["targets"]
    if wanted is not None and targets:
        targets = {wanted: targets[wanted]}
    shown = ("canonical_smiles", "status", "reason", "domain")
    return {**{name: item[name] for name in shown}, "targets": targets}


def _refused(reason: str) -> _Json:
    nothing: _Json = {"canonical_smiles": None, "domain": None, "targets": {}}
    return {"status": "error", "reason": reason, **nothing}
