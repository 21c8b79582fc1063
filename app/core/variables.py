"""The environment's RETORT_ variables: secrets out of files, and a mistyped name is an error.

A secret in the environment is read by every child and shown by `docker inspect`. Docker and
Kubernetes mount a folder of files named as the settings (`RETORT_SECRETS_DIR`); elsewhere, where a
secret lies under a name of its own, `RETORT_X_FILE` names its file. docs/security.md says which
is for whom.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from app.core.names import near

PREFIX = "RETORT_"
#: what other programs of ours read: the client, the embedded cluster, the compose file, one process
_OF_PROGRAMS = (
    "RETORT_API_KEY",
    "RETORT_BUSY_FOLDER",
    "RETORT_CONFIG",
    "RETORT_CPU_CHILDREN",
    "RETORT_CPU_CORES",
    "RETORT_CPU_MEMORY",
    "RETORT_CPU_PIP_ARGS",
    "RETORT_DRAIN_FILE",
    "RETORT_GPU_CHILDREN",
    "RETORT_GPU_CORES",
    "RETORT_GPU_MEMORY",
    "RETORT_GPU_WORKER",
    "RETORT_HOME",
    "RETORT_METRICS_KEY",
    "RETORT_PREDICT_CHILDREN",
    "RETORT_PREDICT_CORES",
    "RETORT_PREDICT_MEMORY",
    "RETORT_PUBLISHED_PORT",
    "RETORT_URL",
    "RETORT_VERSION",
    "RETORT_WORKER_NAME",
)
#: of our own tests, and of plug-ins, whose names we cannot know
_FREE_PREFIXES = ("RETORT_FAULT_", "RETORT_TEST_", "RETORT_PLUGIN_")
#: Kubernetes tells every pod of the services beside it, in variables named after them
_OF_SERVICES = re.compile(r"_SERVICE_HOST$|_SERVICE_PORT(_\w+)?$|_PORT(_\d+_\w+)?$")


def variables_of(name: str, field: FieldInfo) -> list[str]:
    """The variables that set a field, ours first."""
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        return [choice for choice in alias.choices if isinstance(choice, str)]
    return [f"{PREFIX}{name.upper()}"]


def is_secret(field: FieldInfo) -> bool:
    """Secrets are those that are not printed."""
    return not field.repr


def secret_file_variables(settings: type[BaseSettings]) -> set[str]:
    """`RETORT_X_FILE`, for every secret `RETORT_X`."""
    return {
        f"{variable}_FILE"
        for name, field in settings.model_fields.items()
        if is_secret(field)
        for variable in variables_of(name, field)
    }


def known_variables(settings: type[BaseSettings]) -> set[str]:
    found = {*_OF_PROGRAMS, *secret_file_variables(settings)}
    for name, field in settings.model_fields.items():
        found.update(variables_of(name, field))
    return found


def unknown_variables(names: Iterable[str], settings: type[BaseSettings]) -> dict[str, str | None]:
    """The RETORT_ variables that nothing reads, sorted, each with the nearest one that is read."""
    known = known_variables(settings)
    unknown = sorted(
        name
        for name in names
        if name.startswith(PREFIX)
        and name not in known
        and not name.startswith(_FREE_PREFIXES)
        and not _OF_SERVICES.search(name)
    )
    return {name: _nearest(name, known) for name in unknown}


def check_variables(names: Iterable[str], settings: type[BaseSettings]) -> None:
    """Raises ValueError naming every RETORT_ variable that nothing reads, and the nearest one."""
    unknown = unknown_variables(names, settings)
    if unknown:
        raise ValueError("; ".join(_sentence(*one) for one in unknown.items()))


def check_secret_files(folder: Path, settings: type[BaseSettings]) -> None:
    """Of RETORT_SECRETS_DIR. Raises ValueError where it is no folder, and for each file that is
    named as a setting which nothing reads: a secret would be taken for not given.
    """
    if not folder.is_dir():
        raise ValueError(f"RETORT_SECRETS_DIR: {folder} is no folder")
    known = known_variables(settings)
    for path in sorted(folder.iterdir()):
        name = path.name.upper()
        if name.startswith(PREFIX) and name not in known:
            nearest = _nearest(name, known)
            meant = f"did you mean {nearest.lower()}?" if nearest else "docs/settings.md lists all."
            raise ValueError(f"nothing reads the secret {path}: {meant}")


def _nearest(name: str, known: set[str]) -> str | None:
    found = near(name.removeprefix(PREFIX), {k.removeprefix(PREFIX) for k in known}, most=1)
    return f"{PREFIX}{found[0]}" if found else None


def _sentence(name: str, nearest: str | None) -> str:
    meant = f"did you mean {nearest}?" if nearest else "docs/settings.md lists all."
    return f"nothing reads the variable {name}: {meant}"


class SecretFiles(PydanticBaseSettingsSource):
    """`RETORT_X_FILE` for a secret `RETORT_X`: what the file holds, without a last line break."""

    def __init__(self, settings: type[BaseSettings], environment: Mapping[str, str]) -> None:
        super().__init__(settings)
        self._environment = environment

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        variables = variables_of(field_name, field)
        key = field_name if field.validation_alias is None else variables[0]
        for variable in variables:
            path = self._environment.get(f"{variable}_FILE")
            if path:
                return self._read(variable, Path(path)), key, False
        return None, key, False

    def __call__(self) -> dict[str, Any]:
        """Raises ValueError for a file that cannot be read, and where both variables are set."""
        found: dict[str, Any] = {}
        for name, field in self.settings_cls.model_fields.items():
            if is_secret(field):
                value, key, _ = self.get_field_value(field, name)
                if value is not None:
                    found[key] = value
        return found

    def _read(self, variable: str, path: Path) -> str:
        if self._environment.get(variable):
            raise ValueError(f"{variable} and {variable}_FILE are both set: unset one of them")
        try:
            return path.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
            raise ValueError(f"{variable}_FILE: {path} cannot be read: {reason}") from None
