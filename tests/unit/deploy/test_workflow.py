"""The forge's workflow keeps its schema and runs what the Makefile and pyproject.toml know."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml
from jsonschema import Draft7Validator
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[3]
PATH = ROOT / ".github/workflows/ci.yml"
WORKFLOW = yaml.safe_load(PATH.read_text())
# to YAML 1.1 the word `on` is a truth
WORKFLOW["on"] = WORKFLOW.pop(True)
JOBS = WORKFLOW["jobs"]


def test_it_keeps_the_schema_of_workflows():
    schema = json.loads((ROOT / "tests/schemas/github-workflows.json").read_text())
    errors = Draft7Validator(schema).iter_errors(WORKFLOW)
    assert [f"{list(error.path)}: {error.message[:300]}" for error in errors] == []


def test_it_runs_what_the_makefile_has():
    makefile = (ROOT / "Makefile").read_text()
    runs = [step["run"] for job in JOBS.values() for step in job["steps"] if "run" in step]
    assert [run.split()[1] for run in runs] == ["check", "test", "test-docker"]
    for run in runs:
        assert re.search(rf"^{run.split()[1]}:", makefile, re.MULTILINE)


def test_it_tests_every_python_that_we_support():
    supported = SpecifierSet(
        tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    )
    tested = JOBS["test"]["strategy"]["matrix"]["python"]
    assert tested == [f"3.{minor}" for minor in range(8, 20) if f"3.{minor}.0" in supported]


def test_it_may_read_and_ends_by_itself():
    assert WORKFLOW["permissions"] == {"contents": "read"}
    for job in JOBS.values():
        assert job["timeout-minutes"] <= 120
        for step in job["steps"]:
            assert re.fullmatch(r"actions/[\w-]+@v\d+", step.get("uses", "actions/checkout@v4"))


def test_where_no_engine_answers_the_smoke_suite_skips_with_a_sentence(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "pytest_celery", "-m", "docker", "tests/docker"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout[-2000:]
    assert re.search(r"SKIPPED .* no container engine answers on this machine", ran.stdout)
    assert "passed" not in ran.stdout.splitlines()[-1]
