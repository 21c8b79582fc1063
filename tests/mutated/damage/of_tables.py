"""Columns and rows of a delimited file."""

from tests.mutated.bases import written
from tests.mutated.mutant import Mutant

_ODD_CELLS = (
    "",
    "nan",
    "inf",
    "-Infinity",
    "1e999",
    "9" * 5000,
    "1,5",
    "1.234,5",
    "=cmd|' /C calc'!A0",
    "\U0001f9ea\u202eevil",
    "'; DROP TABLE jobs;--",
    "C" * 6000,
    "(" * 3000,
    "C1" * 500,
    "[" * 400,
    "c1ccccc1" * 100,
    "[Fe+++++++++]",
    "C%99",
    "#N/A",
    "two\nlines",
    '"',
    "\\",
    "NULL",
    "C" * 1000 + ".C" * 1000,
    "%s%n",
    "*",
)


def columns_swapped(rng, made):
    order = list(range(len(made.rows[0])))
    rng.shuffle(order)
    _rewrite(made, [[row[n] for n in order] for row in made.rows])


def columns_doubled(rng, made):
    _rewrite(made, [row + row[: rng.choice((1, len(row)))] for row in made.rows])


def a_column_lost(rng, made):
    lost = rng.randrange(len(made.rows[0]))
    _rewrite(made, [row[:lost] + row[lost + 1 :] for row in made.rows])


def header_renamed(rng, made):
    names = [
        rng.choice(("", "smiles", "row", "x" * 300, name, "a,b", "id")) for name in made.rows[0]
    ]
    _rewrite(made, [names, *made.rows[1:]])


def rows_ragged(rng, made):
    rows = [row[: rng.randrange(len(row) + 2)] if rng.random() < 0.3 else row for row in made.rows]
    _rewrite(made, [made.rows[0], *rows[1:]])


def odd_cells(rng, made):
    rows = [list(row) for row in made.rows]
    for _ in range(rng.choice((1, 10, 40))):
        row = rng.choice(rows)
        row[rng.randrange(len(row))] = rng.choice(_ODD_CELLS)
    _rewrite(made, rows)


def thousands_of_columns(rng, made):
    wide = rng.choice((1500, 6000))
    _rewrite(made, [row + [str(n) for n in range(wide)] for row in made.rows])


def one_column_only(rng, made):
    kept = rng.randrange(len(made.rows[0]))
    _rewrite(made, [[row[kept]] for row in made.rows])


def constant_and_empty(rng, made):
    value = rng.choice(("", "1", "nan"))
    kept = rng.randrange(len(made.rows[0]))
    _rewrite(
        made,
        [made.rows[0]]
        + [[cell if n == kept else value for n, cell in enumerate(row)] for row in made.rows[1:]],
    )


def roles_said(rng, made):
    roles = ("smiles", "target", "feature", "id", "split", "ignore")
    names = rng.sample(made.rows[0], k=min(3, len(made.rows[0])))
    made.options["roles"] = {name or "x": rng.choice(roles) for name in names}
    made.options["duplicates"] = rng.choice(("merge", "keep_first", "keep_all", "auto"))


def _rewrite(made: Mutant, rows: list[list[str]]) -> None:
    made.content = written(rows)


KINDS = (
    columns_swapped,
    columns_doubled,
    a_column_lost,
    header_renamed,
    rows_ragged,
    odd_cells,
    odd_cells,
    thousands_of_columns,
    one_column_only,
    constant_and_empty,
    roles_said,
)
