"""Problems of requests."""

from app.core.problems.base import ProblemType

PROBLEMS = (
    ProblemType(
        code="invalid_request",
        title="The request is not valid",
        category="invalid",
        cause="A field is missing, unknown, of another type or outside its limits. `errors` names "
        "each of them by a JSON pointer (`/params/dataset`), or as `query/limit`, `path/job_id`, "
        "`header/Idempotency-Key` when it is no part of the body.",
        remedy="Correct the named fields; /docs shows what each route takes.",
        example='{"kind": "train", "params": {"datset": "esol"}}',
    ),
    ProblemType(
        code="malformed_body",
        title="The body cannot be read",
        category="malformed",
        cause="The body is no JSON (a missing quote, a comma too many, NaN or Infinity, which JSON "
        "does not have, a number beyond what a double holds, text that is not UTF-8, a zero "
        "character, nesting deeper than 64), or no multipart form where a file is expected.",
        remedy="Send valid JSON in UTF-8, or a multipart form with the field `file`; `python -m "
        "json.tool body.json` shows where JSON is wrong.",
        example='{"kind": "train", "params": {"alpha": NaN}}',
    ),
    ProblemType(
        code="unsupported_media_type",
        title="The route does not take a body of this type",
        category="media_type",
        cause="The Content-Type is not what the route reads: JSON nearly everywhere, "
        "multipart/form-data for uploads.",
        remedy="Send `Content-Type: application/json` with a JSON body; upload files as "
        "multipart/form-data.",
        example="curl -d '{...}' without -H 'Content-Type: application/json'",
    ),
    ProblemType(
        code="unknown_route",
        title="There is no such address",
        category="missing",
        cause="The path of the URL is no route of the API.",
        remedy="Correct the path (the nearest is said); /docs lists all routes.",
        example="GET /api/v1/job",
    ),
    ProblemType(
        code="method_not_allowed",
        title="This method is not offered here",
        category="method",
        cause="The path exists, but not for this method.",
        remedy="Use one of the methods named in the header Allow; /docs lists all routes.",
        example="DELETE /api/v1/jobs",
    ),
    ProblemType(
        code="bad_request",
        title="The request was refused",
        category="malformed",
        cause="The request cannot be understood as HTTP.",
        remedy="See `detail`; /docs shows how each route is called.",
    ),
    ProblemType(
        code="payload_too_large",
        title="The body or file is larger than allowed",
        category="too_large",
        cause="More bytes were sent, or came out of a compressed file, or more rows were in it, "
        "than this installation allows; GET /api/v1 names the limits.",
        remedy="Split the file, compress it (.gz), or ask the operator to raise the limit.",
    ),
    ProblemType(
        code="invalid_input",
        title="The input cannot be used",
        category="invalid",
        cause="The request is well formed, but its values do not fit together or do not fit the "
        "data; `detail` says which.",
        remedy="Correct the named fields and send it again.",
    ),
    ProblemType(
        code="unknown_name",
        title="There is no such name",
        category="invalid",
        cause="An algorithm, featurizer, splitter, metric, parameter or column of this name does "
        "not exist: often a misspelling.",
        remedy="Use one of the names listed, the nearest come first; GET /api/v1/catalog lists all "
        "plug-ins.",
        example='{"algorithm": {"name": "lightgbn"}}',
    ),
    ProblemType(
        code="not_found",
        title="Not found",
        category="missing",
        cause="There is nothing of this id or name in your project. What belongs to another "
        "project is answered in the same way.",
        remedy="Check the id or name; list the resource to see what exists.",
        example="GET /api/v1/models/esool",
    ),
    ProblemType(
        code="invalid_reference",
        title="This does not name anything",
        category="invalid",
        cause="A model or data set is named by an id, `name`, `name:3` or, for models, "
        "`name@alias`; the text is none of these.",
        remedy="Write an id, `name`, `name:3` or `name@alias`.",
        example="GET /api/v1/models/My%20Model",
    ),
    ProblemType(
        code="invalid_cursor",
        title="The cursor is not one of ours",
        category="invalid",
        cause="A cursor is what a page gave as `next_cursor`: a place in that list with those "
        "filters. It is of no use in another list, with other filters, or cut short.",
        remedy="Begin again without a cursor.",
    ),
    ProblemType(
        code="conflict",
        title="The state does not allow this",
        category="conflict",
        cause="The resource is in another state than the request needs, e.g. a job that has not "
        "failed cannot be retried.",
        remedy="Read the resource again and decide anew.",
    ),
    ProblemType(
        code="precondition_failed",
        title="The resource has changed since it was read",
        category="stale",
        cause="The header If-Match names an ETag that is no longer the resource's: somebody else "
        "changed it, or a job went on.",
        remedy="Read it again, and send the change with its new ETag in If-Match.",
    ),
    ProblemType(
        code="precondition_required",
        title="The change must say which state it is a change of",
        category="unconditional",
        cause="What others rely on is changed only by who has read it as it is: without the header "
        "If-Match two people could undo each other's changes unseen.",
        remedy="Read the resource, and send the change with its ETag in If-Match (`*`: whatever it "
        "is now).",
        example="PUT /api/v1/endpoints/solubility without If-Match",
    ),
    ProblemType(
        code="idempotency_key_reused",
        title="This Idempotency-Key was used with another body",
        category="invalid",
        cause="A key stands for one request: the same key with another body cannot be a repetition "
        "of it.",
        remedy="Use a fresh key for a new request; repeat the first body to get the first answer.",
    ),
    ProblemType(
        code="idempotency_in_progress",
        title="The first request with this Idempotency-Key is still being stored",
        category="conflict",
        cause="Two requests with one key arrived at nearly the same time.",
        remedy="Send the same request again after the seconds named in Retry-After.",
        retryable=True,
    ),
    ProblemType(
        code="too_many_inputs",
        title="Too many inputs to be answered at once",
        category="invalid",
        cause="Interactive predictions are for a few molecules; GET /api/v1 names the limit.",
        remedy="Upload them as a file and post a job of kind predict.",
    ),
    ProblemType(
        code="too_many_jobs",
        title="Too many jobs are waiting",
        category="too_many",
        cause="The jobs of your key that have not started are as many as one caller may have.",
        remedy="Send it again after the seconds named in Retry-After, when some have started.",
        retryable=True,
    ),
    ProblemType(
        code="rate_limited",
        title="Too many requests",
        category="too_many",
        cause="Your key sends more requests than it may: the headers RateLimit-Policy and "
        "RateLimit of every answer say how many, and how many are left.",
        remedy="Send it again after the seconds named in Retry-After. Wait for jobs with "
        "`Prefer: wait=N` or follow their events instead of polling; send many inputs in one "
        "request.",
        retryable=True,
        example="2,000 GET /api/v1/jobs/{id} in a second, with RETORT_RATE_PER_SECOND=50",
    ),
    ProblemType(
        code="quota_exceeded",
        title="A quota is used up",
        category="too_many",
        cause="The project or the key has used what it was given: jobs that wait, GPU hours of "
        "this month, or stored bytes. The detail names the quota and its use.",
        remedy="See GET /api/v1/usage (`retort usage`). Wait until jobs have started or the month "
        "is over, or ask an administrator for more.",
        retryable=True,
    ),
)
