"""A table full of jobs, as years of use leave it: for tests and benchmarks of lists."""

from typing import LiteralString

from app.db.database import Database

#: a job every so many milliseconds, up to now
STEP_MS = 2_000

# UUIDv7: 48 bits of milliseconds, version, then random
_FILL: LiteralString = """
INSERT INTO jobs (id, project_id, kind, state, queue, params, labels, created_by, created_at,
                  client_ref, attempt, result, started_at, finished_at)
SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7'
        || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid,
       '00000000-0000-7000-8000-000000000001',
       CASE WHEN n %% 10 < 5 THEN 'predict' WHEN n %% 10 < 9 THEN 'train'
            WHEN n %% 1000 = 9 THEN 'optimize' ELSE 'ingest' END,
       CASE WHEN n %% 20 = 7 THEN 'failed' WHEN n %% 5000 = 3 THEN 'cancelled'
            WHEN n <= 40 THEN 'queued' ELSE 'succeeded' END,
       'cpu',
       jsonb_build_object('dataset', 'set-' || n %% 50, 'name', 'model-' || n %% 300,
                          'algorithm', jsonb_build_object('name', 'lightgbm'),
                          'split', jsonb_build_object('name', 'scaffold', 'seed', n)),
       CASE WHEN n %% 3 = 0 THEN '{}'::jsonb
            ELSE jsonb_build_object('team', 't' || n %% 4, 'batch', 'b' || n %% 5000)
                 || CASE WHEN n > %(old)s THEN '{"campaign": "old"}' ELSE '{}' END::jsonb END,
       CASE WHEN n %% 100000 = 77 THEN 'key:rare' ELSE 'key:user-' || n %% 4 END,
       at, 'ref-' || n, 1,
       '{"model_id": "m", "metrics": {"rmse": 0.58}}'::jsonb, at, at + interval '40 s'
FROM (SELECT n, now() - n * %(step)s * interval '1 ms' AS at
      FROM generate_series(%(first)s, %(last)s) AS n) numbers
"""


def fill_jobs(database: Database, count: int) -> None:
    """`count` jobs, the newest now. Two thirds have labels; the older half those of a campaign."""
    with database.cursor() as cursor:
        for first in range(1, count + 1, 100_000):
            last = min(count, first + 99_999)
            cursor.execute(
                _FILL, {"old": count // 2, "step": STEP_MS, "first": first, "last": last}
            )
    with database.connect() as connection:
        connection.execute("VACUUM ANALYZE jobs")
