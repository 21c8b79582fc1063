"""One interpreter for the Python blocks of a page: `python -m tests.support.notebook`.

Reads {"code", "page", "line"} line by line, answers {"shown", "well"}. The value of a last
expression is shown, as in a notebook.
"""

import ast
import contextlib
import io
import json
import sys
import traceback
from typing import Any


def run(code: str, page: str, line: int, names: dict[str, Any]) -> None:
    tree = ast.parse("\n" * (line - 1) + code, page)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, page, "exec"), names)
    if isinstance(last, ast.Expr):
        value = eval(compile(ast.Expression(last.value), page, "eval"), names)  # noqa: S307
        if value is not None:
            print(repr(value))


def main() -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    answers = sys.stdout
    for asked in sys.stdin:
        shown = io.StringIO()
        well = True
        with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
            try:
                run(names=names, **json.loads(asked))
            except BaseException:  # noqa: BLE001 - whatever a page does is told to the test
                well = False
                traceback.print_exc()
        answers.write(json.dumps({"shown": shown.getvalue(), "well": well}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
