"""MLflow's model registry as a mirror of ours: names, versions, aliases, tags; never the reverse.

A version is known again by its tag `retort.model_id`. Two calls find out what is there (25 ms
each); then one for each version, alias or tag that differs, so that a name that is as it should be
costs two.
"""

import os
import re
from collections.abc import Mapping
from typing import Any

from app.core.errors import Retryable
from app.tracking.mirrored import MirroredName, MirroredVersion

_MODEL_ID = "retort.model_id"
#: what MLflow allows in the name of a tag
_ODD = re.compile(r"[^\w\-. :/]")
_LONGEST_KEY, _LONGEST_VALUE = 250, 5_000
_TIMEOUT_SECONDS = "10"


class MlflowRegistry:
    def __init__(self, uri: str) -> None:
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", _TIMEOUT_SECONDS)
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        self._uri = uri

    def show(self, name: MirroredName) -> None:
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient
        from requests import RequestException

        client = MlflowClient(tracking_uri=self._uri, registry_uri=self._uri)
        try:
            _reconcile(client, name)
        except (MlflowException, RequestException, OSError) as error:
            raise Retryable(f"MLflow's registry does not follow: {error}"[:300]) from error


def _reconcile(client: Any, wanted: MirroredName) -> None:
    model = _registered(client, wanted.name)
    if (model.description or "") != wanted.description:
        client.update_registered_model(wanted.name, description=wanted.description)
    for key, value in _differing(model.tags, wanted.tags).items():
        if value is None:
            client.delete_registered_model_tag(wanted.name, key)
        else:
            client.set_registered_model_tag(wanted.name, key, value)
    known = {
        version.tags.get(_MODEL_ID): version
        for version in client.search_model_versions(f"name='{wanted.name}'", max_results=10_000)
    }
    numbers = {one.number: _version(client, wanted.name, one, known) for one in wanted.versions}
    aliases = {alias: numbers[number] for alias, number in wanted.aliases.items()}
    shown = {alias: str(version) for alias, version in model.aliases.items()}
    for alias in shown.keys() - aliases.keys():
        client.delete_registered_model_alias(wanted.name, alias)
    for alias, version in aliases.items():
        if shown.get(alias) != version:
            client.set_registered_model_alias(wanted.name, alias, version)


def _registered(client: Any, name: str) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        return client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
    return client.create_registered_model(name)


def _version(client: Any, name: str, wanted: MirroredVersion, known: Mapping[Any, Any]) -> str:
    """Its number over there: ours, unless somebody made versions of this name by hand."""
    there = known.get(wanted.model_id)
    tags = _allowed(wanted.tags) | {_MODEL_ID: wanted.model_id}
    if there is None:
        made = client.create_model_version(
            name,
            source=_source(client, wanted),
            run_id=wanted.run_id,
            tags=tags,
            description=wanted.description,
            await_creation_for=0,
        )
        return str(made.version)
    number = str(there.version)
    if (there.description or "") != wanted.description:
        client.update_model_version(name, number, description=wanted.description)
    for key, value in _differing(there.tags, tags).items():
        if value is None:
            client.delete_model_version_tag(name, number, key)
        else:
            client.set_model_version_tag(name, number, key, value)
    return number


def _source(client: Any, wanted: MirroredVersion) -> str:
    """Where the run keeps its files; else our own address, which MLflow only shows."""
    if wanted.run_id is None:
        return f"retort:/models/{wanted.model_id}"
    return str(client.get_run(wanted.run_id).info.artifact_uri)


def _differing(there: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str | None]:
    """Tags to be set, and to be taken away (None); MLflow's own are left alone."""
    allowed = _allowed(wanted)
    gone = {k: None for k in there if k not in allowed and not k.startswith("mlflow.")}
    return gone | {key: value for key, value in allowed.items() if there.get(key) != value}


def _allowed(tags: Mapping[str, str]) -> dict[str, str]:
    return {
        _ODD.sub("_", key)[:_LONGEST_KEY]: value[:_LONGEST_VALUE] for key, value in tags.items()
    }
