import os
import subprocess
import sys


def test_debug(retort_environment):
    first, stop = os.environ["SEEDS"].split(",")
    with open("/tmp/w/readers/out.jsonl", "w") as f, open("/tmp/w/readers/err.txt", "w") as g:
        p = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-m", "tests.mutated.ingesting", first, stop],
            env={**os.environ, **retort_environment},
            stdout=f,
            stderr=g,
        )
        open("/tmp/w/readers/pid", "w").write(str(p.pid))
        try:
            p.wait(timeout=float(os.environ.get("T", "100")))
        except subprocess.TimeoutExpired:
            p.send_signal(6)
            p.wait()
    print("rc", p.returncode)
