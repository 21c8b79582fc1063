"""The reports of a model, made from what is stored of it."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from app.core.code_revision import code_revision
from app.models.bundle import BundleManifest, libraries
from app.reporting.card import model_card
from app.reporting.page import render_page
from app.reporting.qmrf import qmrf
from app.reporting.stored import StoredModel
from app.resources import Resources

logger = logging.getLogger(__name__)

#: what is stored beside the weights, and how it is made
_REPORTS: dict[str, Callable[[StoredModel], str]] = {
    "report.html": render_page,
    "card.md": model_card,
    "qmrf.md": qmrf,
}


def reports(model: StoredModel) -> dict[str, bytes]:
    """File name -> content; the same bytes for the same model."""
    return {name: render(model).encode() for name, render in _REPORTS.items()}


def reports_of_training(
    manifest: BundleManifest, metrics: Mapping[str, Any], predictions: bytes
) -> dict[str, bytes]:
    """As `reports`, for a model that is about to be stored; empty when they cannot be written."""
    here = {"libraries": libraries(), "code": code_revision()}
    told = manifest.model_copy(update=here).model_dump(mode="json")
    try:
        return reports(StoredModel(manifest=told, metrics=metrics, predictions=predictions))
    except Exception:
        # hours of training are not thrown away for its description: the route asks for it again,
        # of the release that runs then
        logger.exception("the reports of %s could not be written", manifest.name)
        return {}


def report_now(resources: Resources, asked: dict[str, Any]) -> dict[str, Any]:
    """{"text"} of one report of a model whose training did not write it: an earlier release.

    `asked`: {"manifest_key", "file"}. Answered by a warm worker.
    """
    storage, key = resources.storage, asked["manifest_key"]
    manifest = orjson.loads(storage.read(key))
    folder = key.rpartition("/")[0]

    def read(name: str) -> bytes | None:
        return storage.read(f"{folder}/{name}") if name in manifest["files"] else None

    metrics = orjson.loads(read("metrics.json") or b"{}")
    model = StoredModel(manifest=manifest, metrics=metrics, predictions=read("predictions.parquet"))
    return {"text": _REPORTS[asked["file"]](model)}
