"""Jobs accepted per second: POST /api/v1/jobs against the plain way (ORM insert + apply_async).

Only what happens per request differs. Ours also checks the key, validates the typed request,
resolves the data set, counts the caller's waiting jobs and writes the first event.
"""

import sys

import orjson

from benchmarks.records import Result, finish
from benchmarks.side_by_side import gateways, http_request, report

LIMIT = 4.0
TAIL_LIMIT_MS = 50.0
_PATHS = {"plain": "/jobs", "retort": "/api/v1/jobs"}


def main() -> list[Result]:
    with gateways() as both:
        body = orjson.dumps({"kind": "train", "params": {"dataset": both.dataset}})
        measured = both.compare(
            lambda name: http_request("POST", _PATHS[name], both.key, body), status=202
        )
    return report(
        "submit",
        "jobs accepted: `POST /api/v1/jobs` (train)",
        "the plain way, ORM insert + `apply_async` in a route",
        measured,
        limit=LIMIT,
        tail_limit_ms=TAIL_LIMIT_MS,
    )


if __name__ == "__main__":
    sys.exit(finish(main()))
