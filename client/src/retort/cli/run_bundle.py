"""`retort run-bundle`: an exported model predicts a file, without any server."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()

_MODULE = "app.exporting.run"
_NEEDED = (
    "run-bundle computes on this machine, and the client alone has no chemistry and no learning: "
    "install the server package beside it (pip install retort-server); no server has to run"
)


@app.command("run-bundle")
def run_bundle(
    bundle: Annotated[Path, typer.Argument(help="What `retort models export` wrote.")],
    table: Annotated[Path, typer.Argument(help="CSV, Excel, Parquet, SDF, SMILES, ...")],
    output: Annotated[Path, typer.Option("-o", "--output")] = Path("predictions.csv"),
    smiles_column: Annotated[str | None, typer.Option(help="Left out: guessed.")] = None,
    signed_by: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY", help="Refuse what the owner of this key has not signed."),
    ] = None,
) -> None:
    """Predict a file with an exported model, offline: the columns of a predict job."""
    if not _installed():
        sys.stderr.write(f"{_NEEDED}.\n")
        raise typer.Exit(2)
    words = [str(bundle), str(table), "-o", str(output)]
    words += [] if smiles_column is None else ["--smiles-column", smiles_column]
    words += [word for key in signed_by or [] for word in ("--signed-by", key)]
    done = subprocess.run([sys.executable, "-m", _MODULE, *words], check=False)
    raise typer.Exit(done.returncode)


def _installed() -> bool:
    try:
        return find_spec(_MODULE) is not None
    except ModuleNotFoundError:  # there is no package `app` at all
        return False
