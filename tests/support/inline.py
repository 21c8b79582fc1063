"""The product's own tasks, run in this process until nothing is left to do: engine, services and
database are the real ones, only Celery's delivery is left out.
"""

import importlib

_MAX_ROUNDS = 200


def work_off(resources, *, kinds=None):
    """Run every queued job, chunk and last step; those of other kinds than `kinds` are left."""
    for _ in range(_MAX_ROUNDS):
        steps = _next(resources)
        steps = [step for step in steps if kinds is None or step[0] in kinds]
        if not steps:
            return
        for kind, name, arguments in steps:
            task = getattr(importlib.import_module(f"tasks.{kind}"), name)
            task(*arguments)
    raise AssertionError("it never ends")


def _next(resources):
    with resources.database.cursor() as cursor:
        cursor.execute("SELECT kind, id FROM jobs WHERE state = 'queued' ORDER BY id")
        steps = [(row["kind"], _first_task(row["kind"]), (str(row["id"]),)) for row in cursor]
        cursor.execute(
            "SELECT j.kind, j.id, c.chunk FROM job_chunks c JOIN jobs j ON j.id = c.job_id"
            " WHERE j.state = 'running' AND c.state = 'queued' ORDER BY c.chunk"
        )
        steps += [(row["kind"], "chunk", (str(row["id"]), row["chunk"])) for row in cursor]
        cursor.execute(
            "SELECT kind, id FROM jobs WHERE state = 'running' AND fanned_out_at IS NOT NULL"
            " AND claim_token IS NULL AND NOT EXISTS (SELECT 1 FROM job_chunks c"
            " WHERE c.job_id = jobs.id AND c.state IN ('queued', 'running'))"
        )
        steps += [(row["kind"], "finalize", (str(row["id"]),)) for row in cursor]
    return steps


def _first_task(kind):
    whole = ("train", "predict_structure", "evaluate", "export", "import_model")
    return kind if kind in whole else "plan"
