"""`python -m app.exporting.run model.zip in.csv -o out.csv`: predict without a server."""

import argparse
import sys
from pathlib import Path

from app.core.errors import RetortError


def main(words: list[str] | None = None) -> int:
    """The exit status: 0; 1 for a bundle or a table that cannot be used."""
    options = _parser().parse_args(words)
    from app.exporting.offline import predict_file
    from app.exporting.signing import Trust

    try:
        rows, refused = predict_file(
            options.bundle,
            options.table,
            options.output,
            smiles_column=options.smiles_column,
            trust=Trust.only(options.signed_by),
        )
    except (RetortError, OSError, ValueError) as error:
        problem = error.problem() if isinstance(error, RetortError) else None
        said = str(error) if problem is None else f"{problem['detail']}. {problem['remedy']}"
        sys.stderr.write(f"error: {said}\n")
        return 1
    ok = rows - refused
    sys.stdout.write(f"{rows} rows: {ok} predicted, {refused} refused; {options.output}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="retort run-bundle", description="Predict a file with an exported model, offline."
    )
    parser.add_argument("bundle", type=Path, help="the zip that `export` made (format bundle)")
    parser.add_argument("table", type=Path, help="CSV, Excel, Parquet, SDF, SMILES, ...")
    parser.add_argument("-o", "--output", type=Path, default=Path("predictions.csv"))
    parser.add_argument("--smiles-column", help="left out: found by what the columns hold")
    parser.add_argument(
        "--signed-by",
        metavar="KEY",
        action="append",
        default=[],
        help="refuse what the owner of this public key has not signed; may be given again",
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
