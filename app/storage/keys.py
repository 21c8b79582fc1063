"""Every path of the blob store, in one place (design 4)."""

from uuid import UUID


def upload(sha256: str) -> str:
    """A raw upload, content-addressed: the same file is stored once."""
    return f"uploads/{sha256[:2]}/{sha256}"


#: parts of uploads that are not complete yet
PARTS = "parts/"


def parts(upload_id: UUID) -> str:
    """The prefix of all parts of an upload."""
    return f"parts/{upload_id}/"


def part(upload_id: UUID, number: int, blob: str) -> str:
    """One part as it was sent; `blob` tells the sendings of a part from each other."""
    return f"parts/{upload_id}/{number}-{blob}"


def dataset(dataset_id: UUID, attempt: int, name: str) -> str:
    """`clean.parquet`, `replicates.parquet`, `rejected.csv`, `report.json`, `report.html`,
    `manifest.json` of an ingest attempt.
    """
    return f"datasets/{dataset_id}/{attempt}/{name}"


def features(dataset_id: UUID, key: str, name: str) -> str:
    """`matrix.npy`, `manifest.json` of one feature set of a dataset."""
    return f"features/{dataset_id}/{key}/{name}"


#: features of files that were predicted, kept for the next model of the same features
PREPARED = "prepared/"


def prepared(key: str, name: str) -> str:
    """`manifest.json` of a file whose molecules are featurized, and the parts that it names."""
    return f"prepared/{key}/{name}"


def split(dataset_id: UUID, key: str) -> str:
    return f"splits/{dataset_id}/{key}.json"


def model(model_id: UUID, name: str) -> str:
    """`manifest.json`, `weights/...`, `metrics.json`, `predictions.parquet`, plots."""
    return f"models/{model_id}/{name}"


def predictions(job_id: UUID, attempt: int, name: str) -> str:
    """`predictions.parquet`, `predictions.csv`, `rejected.csv`, `manifest.json` of a batch."""
    return f"predictions/{job_id}/{attempt}/{name}"


def comparison(job_id: UUID, attempt: int, name: str) -> str:
    """`comparison.json`, `scores.parquet`, `comparison.html` of a comparison of candidates."""
    return f"comparisons/{job_id}/{attempt}/{name}"


def evaluation(evaluation_id: UUID, name: str) -> str:
    """`rows.parquet` of an evaluation: label and prediction of each row."""
    return f"evaluations/{evaluation_id}/{name}"


def export(job_id: UUID, attempt: int, name: str) -> str:
    """The file that an export job made of a model."""
    return f"exports/{job_id}/{attempt}/{name}"


def audit_anchors(project_id: UUID) -> str:
    """The prefix of a project's anchors."""
    return f"audit/{project_id}/"


def audit_anchor(project_id: UUID, day: str) -> str:
    """The newest hash of the audit log on a day (YYYY-MM-DD, UTC)."""
    return f"audit/{project_id}/{day}.json"


def work(job_id: UUID, attempt: int, name: str) -> str:
    """What an attempt writes before its commit: invisible, swept when the job has ended."""
    return f"work/{job_id}/{attempt}/{name}"


def checkpoint(job_id: UUID, name: str) -> str:
    """State of a job's unfinished training; unlike other work it outlives the attempt."""
    return f"work/{job_id}/checkpoint/{name}"


def division(job_id: UUID, attempt: int) -> str:
    """Its presence says that all that this attempt's plan and chunks have left is still there."""
    return work(job_id, attempt, "division")
