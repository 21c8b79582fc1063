"""The tree of commands."""

import typer

from retort.cli import (
    audit,
    cluster,
    compare,
    compare_values,
    data,
    doctor,
    endpoints,
    events,
    files,
    history,
    jobs,
    keys,
    learn,
    models,
    predict,
    quotas,
    reference,
    registry,
    report,
    run_bundle,
    schedules,
    studies,
    webhooks,
    workflow,
)

_HELP = """Retort: molecular machine learning as jobs.

Begin with: retort data push FILE, retort train DATA --target COLUMN, retort predict MODEL "CCO"."""

app = typer.Typer(no_args_is_help=True, help=_HELP, pretty_exceptions_enable=False)
for module in (
    cluster,
    quotas,
    doctor,
    learn,
    compare,
    predict,
    compare_values,
    reference,
    report,
    run_bundle,
):
    app.add_typer(module.app)
models.app.add_typer(registry.app)
for name, group in (
    ("data", data.app),
    ("files", files.app),
    ("jobs", jobs.app),
    ("workflow", workflow.app),
    ("models", models.app),
    ("predictions", history.app),
    ("endpoint", endpoints.app),
    ("audit", audit.app),
    ("schedule", schedules.app),
    ("keys", keys.app),
    ("quota", quotas.quota),
    ("studies", studies.app),
    ("events", events.app),
    ("webhooks", webhooks.app),
    ("problems", reference.problems),
    ("demo", reference.demo),
):
    app.add_typer(group, name=name)
