"""Runs every benchmark; exits non-zero when a limit is missed."""

import sys

from benchmarks import (
    batch,
    batch_peers,
    crowd,
    fairness,
    featurize,
    ingest,
    jobs_list,
    one_row,
    poll,
    serving,
    submit,
)

if __name__ == "__main__":
    # all run, whatever the first says
    results = [
        submit.main(),
        poll.main(),
        one_row.main(),
        serving.main(),
        featurize.main(featurize.ROWS, featurize.ROUNDS, peers=True),
        batch_peers.main(),
        batch.main(list(batch.SIZES), batch.ROUNDS),
        fairness.main(),
        jobs_list.main(),
        crowd.main([]),
        ingest.main(),
    ]
    sys.exit(max(results))
