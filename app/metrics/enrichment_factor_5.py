"""Enrichment factor at 5 %."""

from app.metrics.base import metrics
from app.metrics.enrichment import Enrichment


@metrics.register
class EnrichmentFactor5(Enrichment):
    name = "enrichment_factor_5"
    aliases = ("ef5",)
    summary = "How many times more positives the top 5 % of a ranking holds than chance would"
    reference = "rdkit.ML.Scoring.Scoring.CalcEnrichment(fractions=[0.05])"
    tasks = frozenset({"binary"})
    direction = "maximize"
    percent = 5
