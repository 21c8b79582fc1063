"""What the distribution is: small, typed, and with a README whose code runs."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pandas as pd
import pytest

import retort
from retort.testing import FakeRetort

ROOT = Path(__file__).resolve().parents[3]
HEAVY = ("pandas", "polars", "rdkit", "pyarrow", "numpy", "app", "api", "workers")


def test_nothing_heavy_is_loaded_by_client_command_line_or_fake():
    code = (
        "import sys, retort, retort.testing, retort.cli;"
        "retort.testing.FakeRetort().datasets.create([{'smiles': 'C', 'y': 1}], 'd', target='y');"
        f"sys.exit(str([n for n in {HEAVY!r} if n in sys.modules] or '') or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]


def test_it_needs_three_packages_and_is_typed():
    project = tomllib.loads((ROOT / "client" / "pyproject.toml").read_text())["project"]
    assert [re.match(r"[a-z]+", need)[0] for need in project["dependencies"]] == [
        *("httpx", "rich", "typer")
    ]
    assert (Path(retort.__file__).parent / "py.typed").exists()


@pytest.mark.req("goal-100")
def test_the_code_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({"smiles": ["CCO", "CCC", "CCN"], "logS": [1.0, 2.0, 3.0]}).to_csv("mols.csv")
    monkeypatch.setattr("retort.Retort", FakeRetort)
    text = (ROOT / "client" / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) >= 4
    scope = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), scope)
    assert len(scope["frame"]) == 2
