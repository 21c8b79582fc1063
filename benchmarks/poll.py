"""Jobs read per second: GET /api/v1/jobs/{id} against the plain way (ORM get + response model).

Both read the row from Postgres for every answer. Ours also checks the key and gives an ETag.
"""

import asyncio
import sys

import orjson

from benchmarks.records import Result, finish
from benchmarks.side_by_side import answer, gateways, http_request, report

LIMIT = 2.0
TAIL_LIMIT_MS = 50.0
_PATHS = {"plain": "/jobs", "retort": "/api/v1/jobs"}


async def submitted(port: int, request: bytes) -> str:
    """The id of a new job."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    job: dict[str, str] = orjson.loads(await answer(reader, 202))
    writer.close()
    return job["id"]


def main() -> list[Result]:
    with gateways() as both:
        body = orjson.dumps({"kind": "train", "params": {"dataset": both.dataset}})
        request = http_request("POST", _PATHS["retort"], both.key, body)
        job = asyncio.run(submitted(both.ports["retort"], request))
        measured = both.compare(
            lambda name: http_request("GET", f"{_PATHS[name]}/{job}", both.key), status=200
        )
    return report(
        "poll",
        "jobs polled: `GET /api/v1/jobs/{id}`",
        "the plain ORM way",
        measured,
        limit=LIMIT,
        tail_limit_ms=TAIL_LIMIT_MS,
    )


if __name__ == "__main__":
    sys.exit(finish(main()))
