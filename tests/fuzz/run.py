"""One run of schemathesis: all its checks, every operation, a seed; what it found."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.fuzz.gateway import Fuzzed

#: a valid request may still ask for what is not there, is refused by what it means (422), or comes
#: without or with an old version of what it changes (412, 428)
ACCEPTED = ["2xx", "3xx", "401", "403", "404", "409", "412", "416", "422", "428", "429", "503"]
#: more than this gateway takes, which its operator says and not the document
ACCEPTED += ["413"]
#: what is wrong with a request may be found after what is wrong with its size or its precondition
REFUSED = ["400", "401", "403", "404", "405", "406", "409"]
REFUSED += ["412", "413", "415", "422", "428", "429", "503"]
#: an event stream has no end: schemathesis reads on until the timeout of a request
_STREAMS, _STREAM_SECONDS = "/events(/stream)?$", 2
_UPLOAD = "/api/v1/files"
_PREDICTION = "/api/v1/predictions/{prediction_id}"


@dataclass(frozen=True, kw_only=True)
class Found:
    requests: int
    operations: int
    #: each kind of failure with the operations that it was seen at
    failures: list[str]
    #: what schemathesis printed: each failure with a request that shows it
    output: str


def fuzz(
    fuzzed: Fuzzed,
    folder: Path,
    *,
    examples: int,
    seed: int,
    seconds: int = 0,
    phases: str = "examples,coverage,fuzzing,stateful",
) -> Found:
    """`examples` for each operation; at most `seconds` in all (0: as long as it takes)."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "schemathesis.toml"
    config.write_text(_config(fuzzed, examples, seed))
    # a busy machine takes longer to make it than schemathesis waits
    document = httpx.get(f"{fuzzed.url}/openapi.json", timeout=120)
    (folder / "openapi.json").write_text(document.text)
    command = [sys.executable, "-m", "schemathesis.cli", f"--config-file={config}", "run"]
    command += ["openapi.json", f"--url={fuzzed.url}", f"--phases={phases}", "--no-color"]
    command += ["--report=json", "--report-json-path=report.json"]
    command += [f"--max-time={seconds}"] if seconds else []
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    (folder / "fuzz.txt").write_text(output)
    return _read(folder / "report.json", output, done.returncode)


def _config(fuzzed: Fuzzed, examples: int, seed: int) -> str:
    lines = [
        f"seed = {seed}",
        "continue-on-failure = true",
        "max-stream-events = 2",
        "request-timeout = 70",
        "warnings = false",
        'suppress-health-check = ["all"]',
        # no worker runs the jobs: whoever waits for one waits in vain
        f'headers = {{ Authorization = "Bearer {fuzzed.key}", Prefer = "wait=1" }}',
        "[generation]",
        f"max-examples = {examples}",
        'database = "none"',
        "[checks.positive_data_acceptance]",
        f"expected-statuses = {json.dumps(ACCEPTED)}",
        "[checks.negative_data_rejection]",
        f"expected-statuses = {json.dumps(REFUSED)}",
    ]
    for name, values in fuzzed.known.items():
        lines += [f"[dictionaries.{name}]", f"values = {json.dumps(values)}"]
    lines += ["[dictionaries.wait]", "values = [0, 1]"]
    lines += ["[parameters]"]
    lines += [f'{name} = {{ dictionary = "{name}", probability = 0.7 }}' for name in fuzzed.known]
    # whoever waits long sends little
    lines += ['wait = { dictionary = "wait", probability = 0.95 }']
    lines += ["[[operations]]", f"include-path-regex = {json.dumps(_STREAMS)}"]
    lines += [f"request-timeout = {_STREAM_SECONDS}"]
    # in a form, which has no types, null is the text "null": a file like any other
    lines += ["[[operations]]", f"include-path = {json.dumps(_UPLOAD)}", 'include-method = "POST"']
    lines += ["[operations.checks]", "negative_data_rejection.enabled = false"]
    # the id in the answer is the model's; a prediction that is stored has one of its own
    lines += ["[[operations]]", f"include-path = {json.dumps(_PREDICTION)}"]
    lines += ["[operations.checks]", "ensure_resource_availability.enabled = false"]
    return "\n".join(lines) + "\n"


def _read(path: Path, output: str, code: int) -> Found:
    report = json.loads(path.read_text()) if path.exists() else {"failures": [], "errors": []}
    failures = [
        f"{failure['title']} ({failure['count']}): {', '.join(failure['operations'])}"
        for failure in report["failures"]
    ]
    failures += [json.dumps(error) for error in report["errors"]]
    if code and not failures:
        failures = [output[-2000:]]
    return Found(
        requests=report.get("test_cases", {}).get("generated", 0),
        operations=report.get("operations", {}).get("selected", 0),
        failures=failures,
        output=output,
    )
