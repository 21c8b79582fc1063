"""References that are written when the site is built, from the code itself.

A page asks for one with a line of its own: `<!-- generated: commands -->`.
"""

import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

_ASKED = re.compile(r"^<!-- generated: (\w+) -->$", re.MULTILINE)


def setup(app: Any) -> dict[str, bool]:
    """Sphinx calls this."""
    app.connect("source-read", _fill)
    return {"parallel_read_safe": True}


def _fill(_app: Any, _page: str, source: list[str]) -> None:
    source[0] = _ASKED.sub(lambda asked: "\n".join(_WRITERS[asked[1]]()), source[0])


# ---- command line


def commands() -> Iterator[str]:
    """Every command with its arguments and options."""
    import typer

    from retort.cli.app import app

    yield from _command(typer.main.get_command(app), "retort")


def _command(command: Any, name: str) -> Iterator[str]:
    if hasattr(command, "commands"):
        for child in sorted(command.commands):
            yield from _command(command.commands[child], f"{name} {child}")
        return
    yield from (f"## {name}", "", inspect.cleandoc(command.help or ""), "")
    yield from _table(("argument or option", "what"), map(_parameter, command.params))


def _parameter(parameter: Any) -> tuple[str, str]:
    if parameter.param_type_name == "argument":
        named = parameter.name.upper()
        said = f"`{named}`" if parameter.required else f"`[{named}]`"
    else:
        said = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    what = getattr(parameter, "help", None) or ""
    default = parameter.default
    if isinstance(default, str | int | float) and not isinstance(default, bool):
        what += f" Default: `{default}`."
    return said, what


# ---- Python client


def client() -> Iterator[str]:
    """The connection, what hangs from it, what it gives, and its errors."""
    import retort

    names = [name for name in retort.__all__ if not name.startswith(("__", "Async"))]
    kinds = [getattr(retort, name) for name in names]
    errors = [kind for kind in kinds if issubclass(kind, Exception)]
    attached = _namespaces()
    for kind in dict.fromkeys([retort.Retort, *attached, *kinds]):
        if kind not in errors:
            yield from _class(kind, attached.get(kind, kind.__name__))
    yield from ("## Errors", "")
    yield from _table(
        ("class", "is a", "when"),
        ((f"`{e.__name__}`", f"`{e.__base__.__name__}`", _said(e)) for e in errors),
    )


def _namespaces() -> dict[type, str]:
    """What hangs from a client: {class: "client.jobs"}."""
    from retort import Retort

    with Retort("http://127.0.0.1:1", "rt_docs_docs") as found:
        attached = [(name, type(value)) for name, value in vars(found).items()]
    return {kind: f"client.{name}" for name, kind in attached if _is_namespace(kind)}


def _is_namespace(kind: type) -> bool:
    return kind.__module__.startswith("retort.") and kind.__name__ != "Transport"


def _class(kind: type, title: str) -> Iterator[str]:
    yield from (f"## {title}", "", _said(kind), "")
    for name in _members(kind):
        value = getattr(kind, name)
        yield f"- `{name}{_signature(value)}` {_said(value)}"
    yield ""


def _members(kind: type) -> list[str]:
    """Public names in the order of the source, those of its own class first."""
    ours = [owner for owner in kind.__mro__ if owner.__module__.startswith("retort")]
    names = dict.fromkeys(name for owner in ours for name in vars(owner))
    return [name for name in names if not name.startswith("_") and hasattr(kind, name)]


def _signature(value: Any) -> str:
    if not callable(value):
        return ""
    parameters = list(inspect.signature(value).parameters.values())
    plain = [p.replace(annotation=inspect.Parameter.empty) for p in parameters if p.name != "self"]
    return str(inspect.Signature(plain))


def _said(value: Any) -> str:
    """Its docstring on one line."""
    return " ".join((getattr(value, "__doc__", None) or "").split()).replace("<", "&lt;")


# ---- catalogue, routes, settings


def catalogue() -> Iterator[str]:
    """Algorithms, featurizers, recipes, splitters and metrics with their parameters."""
    from app.algorithms.base import algorithms
    from app.features.recipes.base import recipes
    from app.featurizers.base import featurizers
    from app.metrics.base import metrics
    from app.splitters.base import splitters

    for registry in (algorithms, featurizers, recipes, splitters, metrics):
        yield from (f"## {registry.kind.capitalize()}s", "")
        for plugin in registry:
            yield from _plugin(plugin)


def _plugin(plugin: Any) -> Iterator[str]:
    yield from (f"### {plugin.name}", "", f"{plugin.summary}. {plugin.reference}".strip(), "")
    if plugin.aliases:
        yield from ("Also " + ", ".join(f"`{name}`" for name in plugin.aliases) + ".", "")
    fields = plugin.Params.model_json_schema().get("properties", {})
    if fields:
        rows = ((f"`{name}`", *_schema(schema)) for name, schema in fields.items())
        yield from _table(("parameter", "default", "allowed"), rows)


def _schema(schema: dict[str, Any]) -> tuple[str, str]:
    limits = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    said = [f"{sign} {schema[name]}" for name, sign in limits.items() if name in schema]
    said += [str(value) for value in schema.get("enum", ())]
    kinds = [schema.get("type"), *(option.get("type") for option in schema.get("anyOf", ()))]
    default = f"`{json.dumps(schema['default'])}`" if "default" in schema else ""
    return default, ", ".join(said or [str(kind) for kind in kinds if kind])


def routes() -> Iterator[str]:
    """Every operation of the OpenAPI document."""
    from api.main import create_api

    paths = create_api().openapi()["paths"]
    rows = (
        (f"`{method.upper()} {path}`", _first(operation))
        for path, operations in paths.items()
        for method, operation in operations.items()
    )
    yield from _table(("route", "what"), rows)


def _first(operation: dict[str, Any]) -> str:
    said = operation.get("description") or operation.get("summary") or ""
    return str(said).split("\n\n", maxsplit=1)[0]


def settings() -> Iterator[str]:
    """Every `RETORT_*` variable with its default; the comments are those of the code."""
    from sphinx.pycode import ModuleAnalyzer

    from app.core.settings import Settings

    comments = ModuleAnalyzer.for_module("app.core.settings").find_attr_docs()
    rows = []
    for name, field in Settings.model_fields.items():
        told = " ".join(comments.get(("Settings", name), [])).strip()
        aliases = getattr(field.validation_alias, "choices", None) or [f"RETORT_{name.upper()}"]
        default = f"`{field.default}`" if field.repr and field.default != "" else ""
        rows.append((", ".join(f"`{alias}`" for alias in aliases), default, told))
    yield from _table(("variable", "default", "what"), rows)


def _table(columns: tuple[str, ...], rows: Any) -> Iterator[str]:
    """Nothing when there are no rows."""
    found = [" | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in row) for row in rows]
    if found:
        yield f"| {' | '.join(columns)} |"
        yield "|" + "---|" * len(columns)
        yield from (f"| {row} |" for row in found)
    yield ""


_WRITERS = {
    "commands": commands,
    "client": client,
    "catalogue": catalogue,
    "routes": routes,
    "settings": settings,
}
