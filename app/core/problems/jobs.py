"""How jobs end badly, and what happens when parts of the cluster do."""

from app.core.problems.base import ProblemType

PROBLEMS = (
    ProblemType(
        code="internal_error",
        title="Something went wrong on our side",
        category="fault",
        cause="A fault of Retort. Its trace is in the log of the gateway or worker, under the id "
        "of the request or job.",
        remedy="Try again; if it stays, tell the operator the request id or the job id.",
    ),
    ProblemType(
        code="unavailable",
        title="A part of the cluster does not answer",
        category="unavailable",
        cause="The database, the queue or the blob store is down or restarting.",
        remedy="Send the same request again after the seconds named in Retry-After.",
        retryable=True,
    ),
    ProblemType(
        code="no_worker_answered",
        title="No worker answered in time",
        category="unavailable",
        cause="The workers that answer at once are busy, starting or not running.",
        remedy="Try again after the seconds named in Retry-After; for predictions, post a "
        "`predict` job, which waits for its turn.",
        retryable=True,
    ),
    ProblemType(
        code="overloaded",
        title="More predictions are waiting than can be answered in time",
        category="unavailable",
        cause="The serving processes are behind; a request that would only wait is refused at "
        "once, so that those before it are answered.",
        remedy="Send it again after the seconds named in Retry-After, with fewer at once; or with "
        "`Prefer: respond-async`, which makes it a job.",
        retryable=True,
    ),
    ProblemType(
        code="temporary_failure",
        title="A temporary failure",
        category="unavailable",
        cause="A service that the work needs (database, queue, blob store, MLflow) did not answer.",
        remedy="Retort tries again by itself; retry the job by hand once the cause is gone.",
        retryable=True,
    ),
    ProblemType(
        code="cancelled_by_user",
        title="The job was cancelled",
        category="job",
        cause="Somebody cancelled it.",
        remedy="Rerun the job if the cancellation was a mistake.",
    ),
    ProblemType(
        code="deadline_exceeded",
        title="The job's deadline passed",
        category="job",
        cause="`deadline_seconds` were over before the job ended; one that had not started by then "
        "never does.",
        remedy="Submit it again with a later deadline_seconds.",
    ),
    ProblemType(
        code="dependency_failed",
        title="A job that this one needs did not succeed",
        category="job",
        cause="A job named in `needs`, or the ingest job of its data set, failed or was cancelled.",
        remedy="Mend and rerun the job it needs, then submit this one again.",
    ),
    ProblemType(
        code="lost_worker",
        title="The worker process died while it ran this job",
        category="job",
        cause="The process was killed (often for its memory) or crashed, again and again.",
        remedy="Look for memory limits or a crashing input in the worker's log, then retry the "
        "job.",
    ),
    ProblemType(
        code="hung",
        title="The work took too long and was killed",
        category="job",
        cause="Some rows took longer than any row may; usually one structure that a program cannot "
        "handle.",
        remedy="Look at the structure; leave it out, or raise RETORT_ROW_SECONDS.",
    ),
    ProblemType(
        code="out_of_memory",
        title="The work needed too much memory",
        category="job",
        cause="The process held more memory than it may, or the machine has.",
        remedy="Use fewer rows or features, or a worker with more memory.",
    ),
    ProblemType(
        code="lease_lost",
        title="Another worker took this job over",
        category="job",
        cause="The worker was silent for longer than its lease, e.g. cut off from the database.",
        remedy="Nothing to do: the other worker finishes the job.",
    ),
    ProblemType(
        code="drained",
        title="The worker is shutting down",
        category="job",
        cause="The worker was told to end, and gives its work back.",
        remedy="Nothing to do: another worker takes the job.",
    ),
)
