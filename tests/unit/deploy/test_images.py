"""The Dockerfile: linted, three small images, run by a user without rights."""

import json
import re
import runpy
import subprocess
import sysconfig
import tomllib
from fnmatch import fnmatch
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from app.core.packages import find_spec
from app.core.settings import get_settings
from tests.support.compose import read
from workers.processes import Shape, processes

ROOT = Path(__file__).resolve().parents[3]
DOCKERFILE = ROOT / "deploy/docker/Dockerfile"
FINAL = ("gateway", "cpu", "gpu")
SPECS = {
    spec.name: spec
    for spec in processes(Shape(host="0.0.0.0"))  # noqa: S104 - inside a container
}
#: what builds programs, by Debian's names
COMPILERS = re.compile(r"\b(gcc|g\+\+|clang|build-essential|make|cmake|rustc|cargo|\S+-dev)\b")


def _stages():
    """{stage: (the stage that it begins with, [(instruction, arguments)])}"""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE)
    text = re.sub(r"\\\n", " ", text)
    stages, current = {}, []
    for line in filter(None, map(str.strip, text.splitlines())):
        instruction, _, arguments = line.partition(" ")
        if instruction == "FROM":
            parent, _, name = arguments.partition(" AS ")
            current = []
            stages[name] = (parent, current)
        elif stages:
            current.append((instruction, arguments.strip()))
    return stages


STAGES = _stages()


def _all_of(stage):
    """Its instructions and those of the stages that it begins with, first to last."""
    if stage not in STAGES:
        return []
    parent, own = STAGES[stage]
    return [*_all_of(parent), *own]


def _last(stage, instruction):
    return [arguments for name, arguments in _all_of(stage) if name == instruction][-1]


def test_hadolint_finds_nothing():
    hadolint = Path(sysconfig.get_path("scripts")) / "hadolint"
    found = subprocess.run(
        [hadolint, "--no-color", DOCKERFILE], check=False, capture_output=True, text=True
    )
    assert (found.stdout, found.returncode) == ("", 0)


def test_base_images_are_pinned_to_a_release():
    arguments = re.findall(r"^ARG PYTHON=(\S+)", DOCKERFILE.read_text(), re.MULTILINE)
    assert len(arguments) == 1
    assert re.fullmatch(r"python:3\.1[1-3]\.\d+-slim-\w+", arguments[0])
    assert {parent for parent, _ in STAGES.values()} - STAGES.keys() == {"${PYTHON}"}


@pytest.mark.parametrize("image", FINAL)
def test_an_image_runs_as_nobody_in_particular_and_is_watched(image):
    assert _last(image, "USER") == "10001:10001"
    assert "--uid 10001" in " ".join(arguments for _, arguments in _all_of(image))
    assert "--interval=" in _last(image, "HEALTHCHECK")
    assert json.loads(_last(image, "CMD")) == list(SPECS[image].command)


@pytest.mark.parametrize("image", FINAL)
def test_an_image_holds_no_compiler(image):
    instructions = _all_of(image)
    for instruction, arguments in instructions:
        if instruction == "RUN":
            assert not COMPILERS.search(arguments), arguments
            assert "pip install" not in arguments
        if instruction == "COPY" and "--from=" in arguments:
            assert arguments.split()[1:] == ["/opt/venv", "/opt/venv"]


def test_the_health_checks_are_those_of_the_compose_file():
    services = read()["services"]
    checked = json.loads(_last("gateway", "HEALTHCHECK").partition("CMD ")[2])
    assert ["CMD", *checked] == services["gateway"]["healthcheck"]["test"]
    for image in ("cpu", "gpu"):
        *shell, command = json.loads(_last(image, "HEALTHCHECK").partition("CMD ")[2])
        assert shell == ["sh", "-c"]
        expected = services[image]["healthcheck"]["test"][1].replace("$$", "$")
        assert command == f"exec {expected}"


def test_every_image_of_the_compose_files_is_a_stage_of_that_name():
    services = [*read()["services"].values(), read("docker-compose.gpu.yml")["services"]["gpu"]]
    built = [service for service in services if "build" in service]
    assert built
    for service in built:
        target = service["build"]["target"]
        assert target in FINAL
        assert service["image"].startswith(f"retort-{target}:")


def test_the_context_holds_what_is_copied_and_little_else():
    rules = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in rules
    kept = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    copied = {
        source
        for _, instructions in STAGES.values()
        for instruction, arguments in instructions
        if instruction == "COPY" and "--from=" not in arguments
        for source in arguments.split()[:-1]
    }
    assert copied == kept
    assert all((ROOT / source).exists() for source in copied)
    assert not any(fnmatch("deploy/secrets/redis_password", rule) for rule in kept)


# ---- what the gateway's image leaves out

LEFT_OUT = {
    canonicalize_name(name)
    for name in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["retort"][
        "workers_only"
    ]
}


def _gateway_requirements():
    script = runpy.run_path(str(ROOT / "deploy/docker/gateway_requirements.py"))
    return script["requirements"](ROOT / "pyproject.toml")


def _closure(lines):
    """Names of all distributions that installing `lines` brings, as far as installed here."""
    found, queue = set(), [Requirement(line) for line in lines]
    while queue:
        requirement = queue.pop()
        name = canonicalize_name(requirement.name)
        wanted = (name, *sorted(requirement.extras))
        if wanted in found:
            continue
        found.add(wanted)
        for line in requires(name) or ():
            needed = Requirement(line)
            extras = requirement.extras or {""}
            if needed.marker is None or any(needed.marker.evaluate({"extra": e}) for e in extras):
                queue.append(needed)
    return {name for name, *_ in found}


def test_the_gateway_brings_back_nothing_that_is_left_out():
    installed = _closure(_gateway_requirements())
    assert {"fastapi", "celery", "flower", "psycopg-binary"} <= installed
    assert installed & LEFT_OUT == set()


def test_a_name_that_is_no_dependency_is_refused(tmp_path):
    script = runpy.run_path(str(ROOT / "deploy/docker/gateway_requirements.py"))
    text = (ROOT / "pyproject.toml").read_text().replace('"torch", ', '"torch", "torhc", ')
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(ValueError, match="torhc"):
        script["requirements"](tmp_path / "pyproject.toml")


def test_the_catalog_of_the_gateway_knows_what_the_workers_have():
    """Each package that a plug-in looks for is in the gateway's image, named there, or an extra."""
    asked = {
        name
        for path in (ROOT / "app").rglob("*.py")
        for name in re.findall(r'find_spec\("(\w+)"\)', path.read_text())
    }
    [named] = re.findall(r"RETORT_WORKER_PACKAGES=(\S+)", DOCKERFILE.read_text())
    sources = packages_distributions()
    left_out = {
        name for name in asked if {canonicalize_name(d) for d in sources.get(name, ())} & LEFT_OUT
    }
    assert left_out == set(named.split(":"))


def test_a_package_of_the_workers_is_found_where_it_is_not_installed(monkeypatch):
    monkeypatch.setenv("RETORT_WORKER_PACKAGES", "catboost:no_such_package")
    get_settings.cache_clear()
    find_spec.cache_clear()
    try:
        assert find_spec("no_such_package")
        assert find_spec("another_such_package") is None
    finally:
        find_spec.cache_clear()
        monkeypatch.undo()
        get_settings.cache_clear()
