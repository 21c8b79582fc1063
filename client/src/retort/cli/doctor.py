"""`retort doctor`: why it does not work, one line for each thing that may be wrong."""

import typer

from retort.cli import show
from retort.cli.options import AsJson
from retort.cli.session import connect
from retort.diagnosis import examine

app = typer.Typer()
_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check configuration, server, key, workers, links, disk, clock; exit code 1 on a fail."""
    findings = examine(connect)
    if as_json:
        show.as_json([finding.as_dict() for finding in findings])
    else:
        for finding in findings:
            show.out.print(f"{finding.state:4}", style=_COLOURS[finding.state], end=" ")
            show.say(f"{finding.name:14} {finding.said}")
            if finding.why:
                show.say(f"     {'':14} {finding.why}")
            if finding.remedy:
                show.say(f"     {'':14} → {finding.remedy}")
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(1)
