"""docker-compose.yml as its containers see it: merged, interpolated, with defaults."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FILES = ("docker-compose.yml", "docker-compose.gpu.yml")
#: ${NAME}, ${NAME-default}, ${NAME:-default}, ${NAME:?error}; `$$` is a dollar
_VARIABLE = re.compile(r"\$\$|\$\{(?P<name>\w+)(?:(?P<kind>:?[-?+])(?P<rest>[^}]*))?\}")


def read(name: str = FILES[0]) -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / name).read_text()))


def interpolated(value: Any, variables: dict[str, str]) -> Any:
    """As Compose does it. Raises KeyError for a variable without value and default."""
    if isinstance(value, dict):
        return {key: interpolated(inner, variables) for key, inner in value.items()}
    if isinstance(value, list):
        return [interpolated(inner, variables) for inner in value]
    return _VARIABLE.sub(lambda match: _value(match, variables), value) if _text(value) else value


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _value(match: re.Match[str], variables: dict[str, str]) -> str:
    if match[0] == "$$":
        return "$"
    name, kind, rest = match["name"], match["kind"] or "", match["rest"]
    if variables.get(name) or (name in variables and kind == "-"):
        return variables[name]
    if not kind.endswith("-"):
        raise KeyError(name)
    return str(rest)


def health_command(service: dict[str, Any]) -> list[str]:
    """The health check's command, to run without a container."""
    kind, *words = service["healthcheck"]["test"]
    if kind == "CMD":
        return list(words)
    assert kind == "CMD-SHELL"
    return ["sh", "-c", *words]
