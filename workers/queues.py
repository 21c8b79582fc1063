"""Every queue and what it carries, on one screen."""

from typing import Final

from kombu import Queue

#: ingest, featurize, classic training, trials
CPU: Final = "cpu"
#: torch training; one process per GPU
GPU: Final = "gpu"
#: batch prediction chunks
PREDICT: Final = "predict"
#: up to 100 molecules, answered at once by warm models; never behind a batch
PREDICT_NOW: Final = "predict_now"
#: sweeper, tracking, clean-up
CONTROL: Final = "control"

NAMES: Final = (CPU, GPU, PREDICT, PREDICT_NOW, CONTROL)

QUEUES: Final = tuple(Queue(name, routing_key=name) for name in NAMES)
