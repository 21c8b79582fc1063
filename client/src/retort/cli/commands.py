"""Every command; each prints the next useful one."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from retort.cli import show
from retort.client import Json, Retort

app = typer.Typer(no_args_is_help=True, help="Retort: molecular machine learning as jobs.")
data = typer.Typer(no_args_is_help=True, help="Data sets.")
jobs = typer.Typer(no_args_is_help=True, help="Jobs.")
models = typer.Typer(no_args_is_help=True, help="Model versions.")
app.add_typer(data, name="data")
app.add_typer(jobs, name="jobs")
app.add_typer(models, name="models")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead.")]
Detach = Annotated[bool, typer.Option("--detach", help="Do not wait for the end.")]
Targets = Annotated[list[str] | None, typer.Option("--target", help="Target column; repeatable.")]


@app.command()
def status(as_json: AsJson = False) -> None:
    """Who we are to the server, and where its pages are."""
    with Retort() as client:
        about = client.about()
        queues = client.transport.json("GET", "/admin/queues")["items"]
    if as_json:
        show.as_json({**about, "queues": queues})
        return
    show.out.print(f"{client.url}  as {about['caller']}  ({client.config_source})")
    for name, link in about["links"].items():
        show.out.print(f"  {name:8} {client.url + link if str(link).startswith('/') else link}")
    columns = ("queue", "queued", "running", "oldest_seconds", "workers")
    rows = [[queue[name] for name in columns] for queue in queues]
    show.table("", ("queue", "queued", "running", "oldest (s)", "workers"), rows)


# ---- data


@data.command("push")
def data_push(
    file: Path,
    name: Annotated[str | None, typer.Option(help="Left out: from the file's name.")] = None,
    target: Targets = None,
    smiles: Annotated[str | None, typer.Option(help="SMILES column; left out: guessed.")] = None,
    as_json: AsJson = False,
) -> None:
    """Upload a CSV or SDF (.gz welcome) and make it a data set."""
    roles = dict.fromkeys(target or [], "target") | ({smiles: "smiles"} if smiles else {})
    with Retort() as client:
        dataset = client.datasets.create(file, name, roles=roles, wait=False)
        show.follow_job(client, client.jobs.get(dataset["job_id"]), quiet=as_json)
        report = client.datasets.report(dataset["id"])
    if as_json:
        show.as_json({"dataset": dataset["ref"], **report})
        return
    _tell_report(dataset["ref"], report)
    show.out.print(f"next: retort train {dataset['ref'].split(':')[0]} --target <column>")


@data.command("ls")
def data_ls(as_json: AsJson = False) -> None:
    """All data sets, newest first."""
    with Retort() as client:
        found = list(client.datasets.list())
    if as_json:
        show.as_json(found)
        return
    columns = ("ref", "state", "rows_in", "rows_ok", "rows_rejected", "rows_merged")
    show.table("", columns, [[entry[name] for name in columns] for entry in found])


@data.command("report")
def data_report(ref: str, as_json: AsJson = False) -> None:
    """Row accounting, reasons, columns, conflicts."""
    with Retort() as client:
        report = client.datasets.report(ref)
    if as_json:
        show.as_json(report)
    else:
        _tell_report(ref, report)


def _tell_report(ref: str, report: Json) -> None:
    counts = report["counts"]
    show.out.print(
        f"[bold]{ref}[/bold]  {counts['rows_in']} rows in = {counts['rows_ok']} ok"
        f" + {counts['rows_rejected']} rejected + {counts['rows_merged']} merged"
    )
    for reason, number in report["reasons"].items():
        show.out.print(f"  {number:6} x {reason}", markup=False)
    if conflicts := report["duplicates"]["conflicts"]:
        show.out.print(f"  {conflicts} replicate groups disagree (see the report)")
    rows = [(c["name"], c["role"], c["type"]) for c in report["columns"]]
    show.table("", ("column", "role", "type"), rows)


# ---- work


@app.command()
def featurize(dataset: str, detach: Detach = False, as_json: AsJson = False) -> None:
    """Compute the default features of a data set now, so that trainings find them."""
    with Retort() as client:
        _run(client, client.featurize(dataset), detach, as_json)


@app.command()
def train(
    dataset: str,
    target: Targets = None,
    algorithm: Annotated[str, typer.Option(help="See: retort catalog algorithms")] = "lightgbm",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="name=value of the algorithm; repeatable.")
    ] = None,
    features: Annotated[
        str | None, typer.Option(help="Comma separated; left out: the default recipe.")
    ] = None,
    split: Annotated[str, typer.Option(help="random, stratified, scaffold")] = "random",
    seed: int = 0,
    name: Annotated[str | None, typer.Option(help="Model name; left out: the data set's.")] = None,
    alias: Annotated[str | None, typer.Option(help="Point this alias to it.")] = None,
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Train a model version."""
    params = _learning(target, features, split, seed, name, alias)
    params["algorithm"] = {"name": algorithm, "params": _settings(set_)}
    with Retort() as client:
        _finish_model(client, client.train(dataset, **params), detach, as_json)


@app.command()
def optimize(
    dataset: str,
    target: Targets = None,
    algorithm: Annotated[str, typer.Option(help="See: retort catalog algorithms")] = "lightgbm",
    trials: Annotated[int, typer.Option(min=1)] = 20,
    features: Annotated[str | None, typer.Option(help="Comma separated.")] = None,
    split: Annotated[str, typer.Option(help="random, stratified, scaffold")] = "random",
    seed: int = 0,
    name: Annotated[str | None, typer.Option(help="Model name; left out: the data set's.")] = None,
    alias: Annotated[str | None, typer.Option(help="Point this alias to it.")] = None,
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Tune by cross-validation, then train with the best parameters."""
    params = _learning(target, features, split, seed, name, alias)
    params |= {"algorithm": algorithm, "n_trials": trials}
    with Retort() as client:
        job = client.optimize(dataset, **params)
        ended = _finish_model(client, job, detach, as_json)
    if ended and not as_json:
        result = ended["result"]
        before = result["default_value"]
        show.out.print(
            f"{result['metric']} over inner folds: defaults"
            f" {'-' if before is None else f'{before:.4f}'}, best {result['best_value']:.4f}"
        )


@app.command()
def predict(
    model: str,
    inputs: Annotated[list[str], typer.Argument(help="SMILES, or one CSV or SDF file.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="CSV for a file.")] = None,
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Predict molecules at once, or every row of a file as a job."""
    with Retort() as client:
        if len(inputs) == 1 and Path(inputs[0]).is_file():
            _predict_file(client, model, Path(inputs[0]), output, detach, as_json)
            return
        items = client.predict(model, inputs)
    if as_json:
        show.as_json(items)
    else:
        show.show_predictions(items)


def _predict_file(
    client: Retort, model: str, file: Path, output: Path | None, detach: bool, as_json: bool
) -> None:
    ended = _run(client, client.predict_file(model, file), detach, as_json)
    if ended is None:
        return
    found = {entry["name"]: entry for entry in client.jobs.artifacts(ended["id"])}
    target = output or Path(f"{file.name.split('.')[0]}-predictions.csv")
    name = "predictions.parquet" if target.suffix == ".parquet" else "predictions.csv"
    client.files.download(found[name]["id"], target)
    if not as_json:
        counts = ended["counts"]
        show.out.print(
            f"{counts['rows_total']} rows = {counts['rows_ok']} predicted"
            f" + {counts['rows_failed']} explained; written to {target}"
        )


@app.command()
def catalog(kind: str, as_json: AsJson = False) -> None:
    """algorithms, featurizers, splitters or metrics."""
    with Retort() as client:
        found = client.catalog(kind)
    if as_json:
        show.as_json(found)
        return
    rows = [(entry["name"], ", ".join(entry["aliases"]), entry["summary"]) for entry in found]
    show.table("", ("name", "also", "what"), rows)


# ---- jobs


@jobs.command("ls")
def jobs_ls(
    state: Annotated[str | None, typer.Option()] = None,
    kind: Annotated[str | None, typer.Option()] = None,
    limit: int = 20,
    as_json: AsJson = False,
) -> None:
    """Newest first."""
    filters = {name: value for name, value in (("state", state), ("kind", kind)) if value}
    with Retort() as client:
        found = [job for job, _ in zip(client.jobs.list(**filters), range(limit), strict=False)]
    if as_json:
        show.as_json(found)
        return
    rows = [
        (j["id"], j["kind"], j["state"], j["progress"].get("percent"), j["created_at"][:19])
        for j in found
    ]
    show.table("", ("id", "kind", "state", "%", "created"), rows)


@jobs.command("show")
def jobs_show(job_id: str) -> None:
    """One job, whole."""
    with Retort() as client:
        show.as_json(client.jobs.get(job_id))


@jobs.command("follow")
def jobs_follow(job_id: str) -> None:
    """Progress until it has ended; exit code 1 unless it succeeded."""
    with Retort() as client:
        ended = show.follow_job(client, client.jobs.get(job_id))
    show.out.print(f"{ended['kind']} {ended['state']}")


@jobs.command("wait")
def jobs_wait(job_id: str) -> None:
    """Wait silently; exit code 1 unless it succeeded."""
    with Retort() as client:
        client.jobs.wait(job_id)


@jobs.command("cancel")
def jobs_cancel(job_id: str) -> None:
    """At once while it waits; a running job is asked to stop."""
    with Retort() as client:
        show.out.print(client.jobs.cancel(job_id)["state"])


@jobs.command("retry")
def jobs_retry(job_id: str) -> None:
    """Run a failed job once more."""
    with Retort() as client:
        show.out.print(client.jobs.retry(job_id)["state"])


@jobs.command("rerun")
def jobs_rerun(
    job_id: str,
    set_: Annotated[list[str] | None, typer.Option("--set", help="param=value")] = None,
) -> None:
    """A new job with the same parameters, some changed."""
    with Retort() as client:
        job = client.jobs.rerun(job_id, _settings(set_))
    show.out.print(f"{job['id']}\nnext: retort jobs follow {job['id']}")


# ---- models


@models.command("ls")
def models_ls(name: Annotated[str | None, typer.Option()] = None, as_json: AsJson = False) -> None:
    """Newest first."""
    with Retort() as client:
        found = list(client.models.list(name))
    if as_json:
        show.as_json(found)
        return
    rows = []
    for model in found:
        metric = show.main_metric(model["task"])
        value = model["metrics"]["mean"].get(metric, {}).get("value")
        said = "-" if value is None else f"{metric} {value:.3f}"
        rows.append((model["ref"], model["algorithm"], said, ", ".join(model["aliases"])))
    show.table("", ("model", "algorithm", "test", "aliases"), rows)


@models.command("show")
def models_show(ref: str, as_json: AsJson = False) -> None:
    """Metrics with intervals, beside the baseline."""
    with Retort() as client:
        model = client.models.get(ref)
    if as_json:
        show.as_json(model)
    else:
        show.show_model(model)


@models.command("promote")
def models_promote(
    ref: Annotated[str, typer.Argument(help="name:version")], alias: str = "champion"
) -> None:
    """Point an alias to a version."""
    name, _, version = ref.partition(":")
    if not version.isdigit():
        raise typer.BadParameter("write name:version, e.g. esol:3")
    with Retort() as client:
        client.models.promote(name, int(version), alias)
    show.out.print(f"{name}@{alias} is {ref} now")


# ---- shared


def _learning(
    target: list[str] | None,
    features: str | None,
    split: str,
    seed: int,
    name: str | None,
    alias: str | None,
) -> dict[str, Any]:
    params: dict[str, Any] = {"split": {"name": split, "seed": seed}, "seed": seed}
    if target:
        params["targets"] = target
    if features:
        params["features"] = [{"name": word.strip()} for word in features.split(",")]
    if name:
        params["name"] = name
    if alias:
        params["alias"] = alias
    return params


def _settings(pairs: list[str] | None) -> dict[str, Any]:
    """`name=value` with values read as JSON where they are: numbers, true, null, lists."""
    settings: dict[str, Any] = {}
    for pair in pairs or []:
        name, sign, value = pair.partition("=")
        if not sign:
            raise typer.BadParameter(f"{pair!r} is not name=value")
        try:
            settings[name] = json.loads(value)
        except ValueError:
            settings[name] = value
    return settings


def _run(client: Retort, job: Json, detach: bool, as_json: bool) -> Json | None:
    """Follow the job; None when detached."""
    if detach:
        show.out.print(f"{job['id']}\nnext: retort jobs follow {job['id']}")
        return None
    ended = show.follow_job(client, job, quiet=as_json)
    if as_json:
        show.as_json(ended)
    for warning in ended["warnings"]:
        show.err.print(f"warning: {warning['detail']}", style="yellow", markup=False)
    return ended


def _finish_model(client: Retort, job: Json, detach: bool, as_json: bool) -> Json | None:
    ended = _run(client, job, detach, as_json)
    if ended is not None and not as_json and ended["result"].get("model_ref"):
        ref = ended["result"]["model_ref"]
        show.show_model(client.models.get(ref))
        show.out.print(f'next: retort predict {ref} "CCO"   |   retort models promote {ref}')
    return ended
