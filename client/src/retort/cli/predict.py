"""`retort predict`: molecules at once, a stream from stdin, or a file as a job."""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from retort import Retort
from retort.cli import show
from retort.cli.options import AsJson, Detach, DryRun, value_of
from retort.cli.progress import run, sending
from retort.cli.session import connect
from retort.predictions import Predictions

app = typer.Typer()

Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", help="Write rows here: .csv (of a file also .parquet, .sdf)."),
]


@app.command()
def predict(
    model: str,
    inputs: Annotated[
        list[str],
        typer.Argument(help="SMILES, JSON rows of a table, one file, or - for lines from stdin."),
    ],
    output: Output = None,
    remember: Annotated[
        bool, typer.Option("--remember", help="Store them: `retort predictions ls`.")
    ] = False,
    detach: Detach = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Predict molecules at once, or every row of a file as a job."""
    file = Path(inputs[0]) if len(inputs) == 1 and inputs[0] != "-" else None
    with connect() as client:
        if file is not None and _is_file(file):
            _predict_file(client, model, file, output, dry_run=dry_run, detach=detach, json=as_json)
            return
        given = _from_stdin() if inputs == ["-"] else [_read(text) for text in inputs]
        if dry_run:
            show.say(client.curl.predict(model, list(given), remember=remember))
            return
        found = client.map(model, given, remember=remember).results()
    if output is not None:
        _write_csv(found, output)
    if as_json:
        show.as_json(list(found))
    elif output is None:
        show.show_predictions(found)
    else:
        show.say(f"{len(found)} rows, {len(found.failed)} explained; written to {output}")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a SMILES can be longer than any file name
        return False


def _read(text: str) -> Any:
    """A JSON object is a row of a table; anything else a SMILES."""
    found = value_of(text) if text.lstrip().startswith("{") else text
    return found if isinstance(found, dict) else text


def _from_stdin() -> Iterator[Any]:
    """A line: SMILES and, behind a blank, its id; or a JSON object."""
    for line in sys.stdin:
        words = line.split(maxsplit=1)
        if not words:
            continue
        if words[0].startswith("{"):
            yield _read(line)
        else:
            yield {"smiles": words[0]} | ({"id": words[1].strip()} if len(words) > 1 else {})


def _write_csv(found: Predictions, path: Path) -> None:
    rows = found.rows()
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, names)
        writer.writeheader()
        writer.writerows(rows)


def _predict_file(
    client: Retort,
    model: str,
    file: Path,
    output: Path | None,
    *,
    dry_run: bool,
    detach: bool,
    json: bool,
) -> None:
    target = output or Path(f"{file.name.split('.')[0]}-predictions.csv")
    ending = target.suffix if target.suffix in (".parquet", ".sdf") else ".csv"
    # csv and parquet are made anyway
    params: dict[str, Any] = {"formats": ["csv", "sdf"]} if ending == ".sdf" else {}
    if dry_run:
        show.say(client.curl.predict_file(model, file, **params))
        return
    job = client.predict_file(model, file, progress=sending(file.name), **params)
    ended = run(client, job, detach=detach, as_json=json)
    if ended is None:
        return
    client.jobs.download(ended, f"predictions{ending}", target)
    if not json:
        counts = ended["counts"]
        show.say(
            f"{counts['rows_total']} rows = {counts['rows_ok']} predicted"
            f" + {counts['rows_failed']} explained; written to {target}"
        )
