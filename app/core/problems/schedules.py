"""Problems of schedules."""

from app.core.problems.base import ProblemType

PROBLEMS = (
    ProblemType(
        code="invalid_cron",
        title="The cron expression cannot be read",
        category="invalid",
        cause="A cron expression has five fields (minute, hour, day of month, month, day of week), "
        "each a number, a list, a range, a step or *; or it is a word such as @daily.",
        remedy='Write it as in "0 2 * * SUN"; POST /api/v1/schedules/preview shows what it means.',
        example='{"cron": "0 2 * * SON", ...}',
    ),
    ProblemType(
        code="invalid_timezone",
        title="There is no such time zone",
        category="invalid",
        cause="Zones are named as in the IANA database, so that their changes of clocks are known.",
        remedy="Name it by continent and city, e.g. Europe/Berlin, or UTC.",
        example='{"timezone": "Berlin", ...}',
    ),
    ProblemType(
        code="invalid_schedule",
        title="The schedule cannot be as it is described",
        category="invalid",
        cause="Each field is valid, but together they mean nothing: neither or both of `job` and "
        "`retrain`, an end before the start, retrainings of one model that may overlap.",
        remedy="Correct the named fields; docs/schedules.md shows what goes together.",
    ),
    ProblemType(
        code="schedule_exists",
        title="There is a schedule of this name",
        category="conflict",
        cause="POST makes new schedules only.",
        remedy="Change it: PATCH with its ETag in If-Match; or delete it first.",
    ),
    ProblemType(
        code="run_open",
        title="An earlier run has not ended",
        category="conflict",
        cause="The schedule (or, for a retraining, another one of the same model) has a run that "
        "is running, waits or is held for approval, and its runs do not overlap.",
        remedy="Wait for its end, or decide about the held run: approve or reject it.",
    ),
    ProblemType(
        code="run_not_held",
        title="The run does not wait for a decision",
        category="conflict",
        cause="Only a held run is approved or rejected, once.",
        remedy="See what became of it: GET /api/v1/schedules/{name}/runs.",
    ),
    ProblemType(
        code="run_outdated",
        title="The champion has changed since the run compared with it",
        category="conflict",
        cause="Somebody has moved the alias meanwhile, so the comparison says nothing about the "
        "version that bears it now.",
        remedy="Reject the run and run the schedule again.",
    ),
)
