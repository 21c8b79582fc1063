"""Enrichment factor at 1 %."""

from app.metrics.base import metrics
from app.metrics.enrichment import Enrichment


@metrics.register
class EnrichmentFactor1(Enrichment):
    name = "enrichment_factor_1"
    aliases = ("ef1",)
    summary = "How many times more positives the top 1 % of a ranking holds than chance would"
    reference = "rdkit.ML.Scoring.Scoring.CalcEnrichment(fractions=[0.01])"
    tasks = frozenset({"binary"})
    direction = "maximize"
    percent = 1
