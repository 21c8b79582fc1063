# made of _async/client.py by client/generate_sync.py: change that one
"""The client: everything hangs from here."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import httpx

from retort._sync.audit import Audit
from retort._sync.datasets import Datasets
from retort._sync.endpoints import Endpoints
from retort._sync.events import Events
from retort._sync.files import Files
from retort._sync.history import PastPredictions
from retort._sync.jobs import Jobs, Workflows
from retort._sync.keys import Keys
from retort._sync.mapping import Map
from retort._sync.models import Admin, Models, Studies
from retort._sync.objects import Job
from retort._sync.quotas import Quotas
from retort._sync.registry import Registry
from retort._sync.schedules import Schedules
from retort._sync.transport import Transport
from retort._sync.webhooks import Webhooks
from retort.comparing import comparison_of, stored_comparison_of
from retort.config import find_config
from retort.curling import Curl
from retort.inputs import as_inputs
from retort.learning import candidate, divide, learn_params, spec
from retort.parts import Progress
from retort.patience import Patience
from retort.predictions import Predictions
from retort.records import Json, ref_of

#: inputs that the server answers at once
_AT_ONCE = 100


class Retort:
    """A connection to one Retort; see `find_config` for where address and key come from.

    Used as a context manager it closes its connections. `timeout` is for one exchange,
    `total_timeout` for a call with all its retries (s).
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = 90.0,
        total_timeout: float | None = None,
        attempts: int = 6,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        config = find_config(url, api_key)
        self.config_source = config.source
        patience = Patience(timeout=timeout, total_timeout=total_timeout, attempts=attempts)
        self._equip(Transport(config.url, config.api_key, patience=patience, transport=transport))

    def _equip(self, transport: Transport) -> None:
        self.transport = transport
        self.url = transport.origin
        self.files = Files(self)
        self.jobs = Jobs(self)
        self.workflows = Workflows(self)
        self.datasets = Datasets(self)
        self.models = Models(self)
        self.registry = Registry(self)
        self.studies = Studies(self)
        self.past_predictions = PastPredictions(self)
        self.endpoints = Endpoints(self)
        self.schedules = Schedules(self)
        self.events = Events(self)
        self.webhooks = Webhooks(self)
        self.admin = Admin(self)
        self.audit = Audit(self)
        self.keys = Keys(self)
        self.quotas = Quotas(self)

    def with_options(self, **patience: Any) -> "Retort":
        """The same connection with another patience: timeout, total_timeout, attempts,
        longest_wait.
        """
        other = object.__new__(Retort)
        other.config_source = self.config_source
        other._equip(self.transport.patient(replace(self.transport.patience, **patience)))
        return other

    @property
    def curl(self) -> Curl:
        """Any call as curl instead of sending it: `client.curl.train("esol", target="y")`."""
        return Curl(self.url)

    def featurize(self, dataset: Any, **params: Any) -> Job:
        """Compute features of a data set now, so that trainings find them."""
        said, fields = divide(params)
        return self.jobs.submit("featurize", learn_params(ref_of(dataset), said), **fields)

    def train(
        self,
        dataset: Any,
        *,
        target: str | Sequence[str] | None = None,
        algorithm: str | Mapping[str, Any] | None = None,
        **params: Any,
    ) -> Job:
        """Submit a training; `params`: features, split, name, alias, task, seed, device, bootstrap,
        and the job's labels, needs, deadline_seconds, ... See `catalog("algorithms")`.
        """
        said, fields = divide({**params, "target": target, "algorithm": spec(algorithm)})
        return self.jobs.submit("train", learn_params(ref_of(dataset), said), **fields)

    def optimize(
        self,
        dataset: Any,
        *,
        target: str | Sequence[str] | None = None,
        algorithm: str | None = None,
        trials: int | None = None,
        **params: Any,
    ) -> Job:
        """Search the algorithm's parameters by cross-validation, then train with the best."""
        given = {**params, "target": target, "algorithm": algorithm}
        said, fields = divide(given if trials is None else {**given, "n_trials": trials})
        return self.jobs.submit("optimize", learn_params(ref_of(dataset), said), **fields)

    def compare(
        self,
        dataset: Any,
        candidates: Sequence[str | Mapping[str, Any]],
        *,
        target: str | Sequence[str] | None = None,
        **params: Any,
    ) -> Job:
        """Score candidates on the same folds, and learn which differences are real.

        `candidates`: algorithms by their names, or {"algorithm", "features", "name"}; `params`:
        folds, repeats, metrics, practical_difference, y_scrambling, learning_curve, features,
        split, task, leaks, seed, device, and the job's labels, ...
        """
        chosen = [candidate(one) for one in candidates]
        said, fields = divide({**params, "target": target, "candidates": chosen})
        return self.jobs.submit("compare", learn_params(ref_of(dataset), said), **fields)

    def evaluate(self, model: Any, dataset: Any = None, **params: Any) -> Job:
        """Measure a model on its own test rows, or on another data set (`part`: test, all)."""
        said, fields = divide(params)
        said |= {"model": ref_of(model)} | ({} if dataset is None else {"dataset": ref_of(dataset)})
        return self.jobs.submit("evaluate", said, **fields)

    def predict(
        self, model: Any, inputs: Any, *, remember: bool = False, force_recompute: bool = False
    ) -> Predictions:
        """Answers at once, one for each input, in order; each says why if it has no number, and
        whether it was `cached`: `force_recompute` computes it anew.

        `inputs`: SMILES, {"smiles", "id"}, {"features": row}, both where the model learned from
        columns beside molecules, RDKit molecules, a Series or DataFrame of pandas or polars. Above
        100 it asks in chunks, as `map` does. With `remember` the server stores them
        (`past_predictions`).
        """
        given = list(as_inputs(inputs))
        if len(given) > _AT_ONCE:
            return self.map(model, given, remember=remember).results()
        body = {"model": ref_of(model), "inputs": given} | ({"remember": True} if remember else {})
        body |= {"force_recompute": True} if force_recompute else {}
        found = self.transport.json("POST", "/predictions", json=body)
        return Predictions(found["predictions"], found.get("model"))

    def map(
        self,
        model: Any,
        inputs: Any,
        *,
        chunk: int = _AT_ONCE,
        concurrency: int = 4,
        remember: bool = False,
    ) -> Map:
        """Predictions of any iterable, read as far as needed: at most `concurrency` chunks of at
        most `chunk` inputs are in flight. One bad molecule fails no other.
        """
        return Map(self, model, inputs, chunk, concurrency, remember=remember)

    def predict_file(
        self, model: Any, file: Any, *, progress: Progress | None = None, **params: Any
    ) -> Job:
        """Submit a batch prediction of every row of a file (or table); `params`: smiles_column,
        id_column, format, chunk_rows, formats, cache, and the job's labels, ...
        """
        uploaded = self.files.upload(file, progress=progress)
        said, fields = divide(params)
        said |= {"model": ref_of(model), "file_id": uploaded.id}
        return self.jobs.submit("predict", said, **fields)

    def predict_structure(
        self,
        structure: str,
        models: Any,
        *,
        format: str = "smiles",  # noqa: A002 - the name of the API
        property_name: str | None = None,
        **fields: Any,
    ) -> Job:
        """Submit one molecule (a SMILES, or with `format="mol"` a Mol block) to several models. The
        job's `result["data"]` has what each says, or why it does not, and their consensus;
        `property_name`: the one target that is wanted.
        """
        said = {
            "structure": structure,
            "format": format,
            "models": [ref_of(model) for model in models],
            "property_name": property_name,
        }
        return self.jobs.submit("predict_structure", said, **fields)

    def compare_values(
        self,
        predicted: Any,
        reference: Any,
        *,
        units: Any = None,
        reference_units: Any = None,
        tolerances: Any = None,
    ) -> Json:
        """Predicted numbers against simulated or measured ones: errors, a grade with its rule and
        advice, each property in its own unit.

        One thing is {property: number} on each side, many are lists or DataFrames of them; plain
        numbers are the property `value`. `units`, `reference_units`, `tolerances`: {property: ...},
        or of plain numbers one.
        """
        body = comparison_of(predicted, reference, units, reference_units, tolerances)
        found: Json = self.transport.json("POST", "/comparisons", json=body)
        return found

    def compare_stored(
        self,
        predicted: Mapping[str, Any],
        reference: Mapping[str, Any],
        *,
        tolerance: float | None = None,
    ) -> Json:
        """The same of two columns that the server has: {"dataset", "column"}, {"job"} of a batch
        prediction, {"model"} (its evaluation); each may name its `unit`.
        """
        body = stored_comparison_of(predicted, reference, tolerance)
        found: Json = self.transport.json("POST", "/comparisons", json=body)
        return found

    def catalog(self, kind: str, name: str | None = None) -> Sequence[Json]:
        """algorithms, featurizers, recipes, splitters or metrics, with the JSON Schema of their
        params; with `name` (or an alias) only that one.
        """
        if name is not None:
            return [self.transport.json("GET", f"/catalog/{kind}/{name}")]
        found: Json = self.transport.json("GET", f"/catalog/{kind}")
        items: Sequence[Json] = found["items"]
        return items

    def problems(self) -> Sequence[Json]:
        """Every problem code with cause and remedy."""
        headers = {"Accept": "application/json"}
        found: Json = self.transport.json("GET", "/problems", headers=headers)
        items: Sequence[Json] = found["items"]
        return items

    def problem(self, code: str) -> Json:
        """What a problem code means, and what to do about it."""
        headers = {"Accept": "application/json"}
        found: Json = self.transport.json("GET", f"/problems/{code}", headers=headers)
        return found

    def about(self) -> Json:
        """The server: version, who we are to it, where its dashboards are."""
        found: Json = self.transport.json("GET", "")
        return found

    def health(self) -> Json:
        """Whether what it stands on answers: {"status", "checks"}. Raises Unavailable."""
        found: Json = self.transport.json("GET", "/health/ready")
        return found

    def alive(self) -> Json:
        """Whether the gateway itself answers."""
        found: Json = self.transport.json("GET", "/health/live")
        return found

    def close(self) -> None:
        self.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
