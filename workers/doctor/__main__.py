"""`python -m workers.doctor [--json]`: what is wrong here; exit code 1 when something is.

For a machine of the cluster, also when its gateway does not answer; with the settings that its
processes have.
"""

import argparse
import json
import sys

from app.resources import get_resources
from workers.doctor.examination import examine
from workers.doctor.finding import Finding, worst


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m workers.doctor", description=__doc__)
    parser.add_argument("--json", action="store_true", help="for a program to read")
    as_json: bool = parser.parse_args(arguments).json
    findings = examine(get_resources())
    if as_json:
        print(json.dumps([finding.as_dict() for finding in findings], indent=1))
    else:
        for finding in findings:
            _print(finding)
    return 1 if worst(findings) == "fail" else 0


def _print(finding: Finding) -> None:
    print(f"{finding.state:4} {finding.name:14} {finding.said}")
    for line in filter(None, (finding.why, finding.remedy and f"→ {finding.remedy}")):
        print(f"     {'':14} {line}")


if __name__ == "__main__":
    sys.exit(main())
