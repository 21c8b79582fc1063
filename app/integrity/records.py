"""What must hold in the database at any moment, whatever died: each rule is one query.

A query names the offenders, so an empty answer is the proof. The fault suite asks after every
fault, `make verify` on any cluster, a restore before it hands the cluster back.
"""

from dataclasses import dataclass
from typing import LiteralString

from app.db.database import Database
from app.jobs.states import RULES, TERMINAL


@dataclass(frozen=True, kw_only=True)
class Rule:
    """`query` gives rows (id, detail) of what breaks it."""

    name: str
    promise: str
    query: LiteralString


@dataclass(frozen=True, kw_only=True)
class Violation:
    rule: str
    #: job, model, data set, file
    id: str
    detail: str


_STEPS: LiteralString = """
SELECT id, job_id, data->>'state' AS state, data->>'trigger' AS trigger,
       (data->>'version')::bigint AS version,
       lag(data->>'state') OVER w AS before,
       lag((data->>'version')::bigint) OVER w AS before_version
FROM job_events WHERE type = 'state' WINDOW w AS (PARTITION BY job_id ORDER BY id)
"""

#: leaves of the tree of chunks, beside the planned chunk that they are pieces of
_LEAVES: LiteralString = """
SELECT c.job_id, c.root, c.chunk, c.state, c.start_row, c.stop_row,
       r.start_row AS root_start, r.stop_row AS root_stop,
       lag(c.stop_row) OVER (PARTITION BY c.job_id, c.root ORDER BY c.start_row) AS before_stop
FROM job_chunks c JOIN job_chunks r ON r.job_id = c.job_id AND r.chunk = c.root
WHERE c.state IN ('succeeded', 'failed')
"""

RULES_OF_RECORDS: tuple[Rule, ...] = (
    Rule(
        name="terminal_rewritten",
        promise="an ended job stays as it ended, unless a person retries a failed one",
        query=f"SELECT job_id AS id, before || ' -> ' || state || ' by ' || trigger AS detail"
        f" FROM ({_STEPS}) s WHERE before = ANY(%(terminal)s)"
        " AND NOT (before = 'failed' AND trigger = 'retry_by_hand')",
    ),
    Rule(
        name="impossible_step",
        promise="every step of the log is one that the state machine allows",
        query="SELECT job_id AS id, coalesce(before, 'nothing') || ' -> ' || state || ' by '"
        f" || trigger AS detail FROM ({_STEPS}) s WHERE NOT ("
        "before IS NULL AND trigger = 'submit' AND state IN ('queued', 'waiting')"
        " OR coalesce(before || '>' || trigger || '>' || state, '') = ANY(%(steps)s))",
    ),
    Rule(
        name="log_disagrees",
        promise="the last entry of the log is the state of the job, and versions only grow",
        query="SELECT j.id, 'the job is ' || j.state || ', its log says '"
        " || coalesce(last.state, 'nothing') AS detail FROM jobs j LEFT JOIN LATERAL ("
        f"SELECT state, version FROM ({_STEPS}) s WHERE s.job_id = j.id ORDER BY id DESC LIMIT 1"
        ") last ON true WHERE last.state IS DISTINCT FROM j.state OR last.version > j.version"
        f" UNION ALL SELECT job_id, 'version ' || version || ' after ' || before_version"
        f" FROM ({_STEPS}) s WHERE version <= before_version",
    ),
    Rule(
        name="attempts_over_limit",
        promise="no job is tried more often than allowed",
        query="SELECT id, attempt || ' attempts of ' || max_attempts AS detail FROM jobs"
        " WHERE attempt > max_attempts",
    ),
    Rule(
        name="results",
        promise="a job that succeeded has one result, by one attempt; any other has none",
        query="SELECT j.id, j.state || ' with ' || count(a.*) || ' successful attempts' AS detail"
        " FROM jobs j LEFT JOIN job_attempts a ON a.job_id = j.id AND a.outcome = 'succeeded'"
        " GROUP BY j.id HAVING count(a.*) <> (j.state = 'succeeded')::int"
        " OR (j.result IS NOT NULL) <> (j.state = 'succeeded')",
    ),
    Rule(
        name="open_attempt",
        promise="no attempt of an ended job is left open",
        query="SELECT j.id, 'attempt ' || a.attempt || ' of a job that is ' || j.state AS detail"
        " FROM jobs j JOIN job_attempts a ON a.job_id = j.id"
        " WHERE j.state = ANY(%(terminal)s) AND a.ended_at IS NULL",
    ),
    Rule(
        name="claims",
        promise="who runs has a lease; who waits or has ended is owned by nobody",
        query="SELECT id, state || ' with a claim' AS detail FROM jobs"
        " WHERE claim_token IS NOT NULL AND state <> 'running'"
        " UNION ALL SELECT id, 'running without lease or chunks' FROM jobs"
        " WHERE state = 'running' AND fanned_out_at IS NULL AND lease_expires_at IS NULL"
        " UNION ALL SELECT job_id, 'chunk ' || chunk || ' is ' || state || ' with a claim'"
        " FROM job_chunks WHERE claim_token IS NOT NULL AND state <> 'running'",
    ),
    Rule(
        name="unfinished_chunks",
        promise="a job that succeeded has no chunk without an end",
        query="SELECT j.id, 'chunk ' || c.chunk || ' is ' || c.state AS detail"
        " FROM jobs j JOIN job_chunks c ON c.job_id = j.id"
        " WHERE j.state = 'succeeded' AND c.state IN ('queued', 'running')",
    ),
    Rule(
        name="rows_exactly_once",
        promise="the ended chunks of a job that succeeded cover each planned row exactly once",
        query="SELECT j.id, 'chunk ' || r.chunk || ': ' || coalesce(sum(l.stop_row - l.start_row),"
        " 0) || ' of ' || (r.stop_row - r.start_row) || ' rows' AS detail FROM jobs j"
        " JOIN job_chunks r ON r.job_id = j.id AND r.chunk = r.root"
        f" LEFT JOIN ({_LEAVES}) l ON l.job_id = j.id AND l.root = r.chunk"
        " WHERE j.state = 'succeeded' GROUP BY j.id, r.chunk, r.start_row, r.stop_row"
        " HAVING coalesce(sum(l.stop_row - l.start_row), 0) <> r.stop_row - r.start_row"
        " OR coalesce(bool_or(l.start_row < l.before_stop OR l.start_row < l.root_start"
        " OR l.stop_row > l.root_stop), false)",
    ),
    Rule(
        name="models",
        promise="a training or import that succeeded made one model; any other job made none",
        query="SELECT j.id, j.kind || ' ' || j.state || ' with ' || count(m.*) || ' models'"
        " AS detail FROM jobs j LEFT JOIN models m ON m.job_id = j.id"
        " WHERE j.kind IN ('train', 'optimize', 'import_model') GROUP BY j.id"
        " HAVING count(m.*) <> (j.state = 'succeeded' AND j.result ? 'model_id')::int",
    ),
    Rule(
        name="datasets",
        promise="a data set is ready exactly when its ingest succeeded",
        query="SELECT d.id, 'ready: ' || (d.manifest_key IS NOT NULL) || ', its job is ' || j.state"
        " AS detail FROM datasets d JOIN jobs j ON j.id = d.job_id"
        " WHERE (d.manifest_key IS NOT NULL) <> (j.state = 'succeeded')",
    ),
    Rule(
        name="row_accounts",
        promise="rows in = ok + rejected + merged",
        query="SELECT id, rows_in || ' in, ' || rows_ok || ' ok' AS detail FROM datasets"
        " WHERE manifest_key IS NOT NULL AND rows_in <> rows_ok + rows_rejected + rows_merged",
    ),
    Rule(
        name="artifacts",
        promise="a file of a job is visible only when the job succeeded, and once",
        query="SELECT f.job_id AS id, f.name || ' of a job that is ' || j.state AS detail"
        " FROM files f JOIN jobs j ON j.id = f.job_id WHERE j.state <> 'succeeded'"
        " UNION ALL SELECT job_id, name || ' ' || count(*) || ' times' FROM files"
        " WHERE job_id IS NOT NULL GROUP BY job_id, name HAVING count(*) > 1",
    ),
    Rule(
        name="evaluations",
        promise="an evaluation that succeeded is recorded once; any other is not",
        query="SELECT j.id, j.state || ' with ' || count(e.*) || ' evaluations' AS detail"
        " FROM jobs j LEFT JOIN evaluations e ON e.job_id = j.id WHERE j.kind = 'evaluate'"
        " GROUP BY j.id HAVING count(e.*) <> (j.state = 'succeeded')::int",
    ),
    Rule(
        name="studies",
        promise="a search that succeeded has one study",
        query="SELECT j.id, j.state || ' with ' || count(s.*) || ' studies' AS detail"
        " FROM jobs j LEFT JOIN studies s ON s.job_id = j.id WHERE j.kind = 'optimize'"
        " GROUP BY j.id HAVING count(s.*) <> (j.state = 'succeeded')::int",
    ),
)

#: holds only once nothing is expected to run any more
ALL_ENDED = Rule(
    name="not_ended",
    promise="every accepted job ends",
    query="SELECT id, kind || ' is ' || state AS detail FROM jobs"
    " WHERE NOT state = ANY(%(terminal)s)",
)


def broken_rules(db: Database, *, quiet: bool = False) -> list[Violation]:
    """What does not hold. `quiet`: nothing should be waiting or running any more either."""
    values = {
        "terminal": [state.value for state in TERMINAL],
        "steps": [
            f"{source}>{trigger}>{rule.target}"
            for trigger, rule in RULES.items()
            for source in rule.sources
        ],
    }
    found = []
    # one snapshot for all the queries: each alone would see another moment
    with db.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        for rule in (*RULES_OF_RECORDS, *([ALL_ENDED] if quiet else [])):
            cursor.execute(rule.query, values)
            found += [
                Violation(rule=rule.name, id=str(row["id"]), detail=row["detail"])
                for row in cursor.fetchall()
            ]
    return found
