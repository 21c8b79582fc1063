"""The tree of commands."""

import typer

from retort.cli import (
    cluster,
    compare,
    compare_values,
    data,
    doctor,
    files,
    jobs,
    learn,
    models,
    predict,
    reference,
    report,
    studies,
    workflow,
)

_HELP = """Retort: molecular machine learning as jobs.

Begin with: retort data push FILE, retort train DATA --target COLUMN, retort predict MODEL "CCO"."""

app = typer.Typer(no_args_is_help=True, help=_HELP, pretty_exceptions_enable=False)
for module in (cluster, doctor, learn, compare, predict, compare_values, reference, report):
    app.add_typer(module.app)
for name, group in (
    ("data", data.app),
    ("files", files.app),
    ("jobs", jobs.app),
    ("workflow", workflow.app),
    ("models", models.app),
    ("studies", studies.app),
    ("problems", reference.problems),
    ("demo", reference.demo),
):
    app.add_typer(group, name=name)
