"""The reports of a model, made from what is stored of it."""

from collections.abc import Mapping
from typing import Any

from app.models.bundle import BundleManifest, libraries
from app.reporting.card import model_card
from app.reporting.page import render_page
from app.reporting.qmrf import qmrf
from app.reporting.stored import StoredModel

#: what is stored beside the weights
REPORT, CARD, QMRF = "report.html", "card.md", "qmrf.md"


def reports(model: StoredModel) -> dict[str, bytes]:
    """File name -> content, the same bytes for the same model."""
    return {
        REPORT: render_page(model).encode(),
        CARD: model_card(model).encode(),
        QMRF: qmrf(model).encode(),
    }


def reports_of_training(
    manifest: BundleManifest, metrics: Mapping[str, Any], predictions: bytes
) -> dict[str, bytes]:
    """As `reports`, for a model that is about to be stored."""
    told = manifest.model_copy(update={"libraries": libraries()}).model_dump(mode="json")
    return reports(StoredModel(manifest=told, metrics=metrics, predictions=predictions))
