"""`make fuzz [REQUESTS=20000] [SEED=7]`: rounds of other seeds until so many requests were sent."""

import argparse
import shutil
import sys
from pathlib import Path

from tests.fuzz.gateway import fuzzed_gateway
from tests.fuzz.run import fuzz
from tests.support.servers import new_home

_EXAMPLES = 60


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path(".fuzz"), help="folder of the reports")
    options = parser.parse_args()
    home = new_home("retort-fuzz-", in_memory=False)
    sent, failures, seed = 0, [], options.seed
    try:
        with fuzzed_gateway(home) as fuzzed:
            while sent < options.requests:
                folder = options.keep.absolute() / str(seed)
                found = fuzz(fuzzed, folder, examples=_EXAMPLES, seed=seed)
                sent += found.requests
                failures += found.failures
                print(f"seed {seed}: {sent} requests so far, {len(failures)} kinds of failures")
                seed += 1
                if not found.requests:
                    break
            traces = fuzzed.tracebacks()
    finally:
        shutil.rmtree(home, ignore_errors=True)
    print(*sorted(set(failures)), sep="\n")
    print(f"{sent} requests at {found.operations} operations; {traces} traces in the log;")
    print(f"each failure with a request that shows it: {options.keep}/*/fuzz.txt")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
