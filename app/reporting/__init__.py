"""What a model's own files say about it, for people: page, model card, QMRF-style summary.

Made of manifest.json, metrics.json and predictions.parquet alone (`stored.py`), so that a model of
an earlier release, which has less in them, can still be told about: what is not there is named.
"""
