"""An MLflow folder of a model, read by a process that has this project on no path."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from app.core.ids import new_id
from app.exporting.code_files import code_of, packages_of
from app.exporting.loaded_model import RetortModel
from app.exporting.pyfunc import write_pyfunc

ROOT = Path(__file__).resolve().parents[3]
LOAD = """
import sys
sys.meta_path = [f for f in sys.meta_path if "editables" not in getattr(f, "__module__", "")]
sys.path = [p for p in sys.path if p not in ("", sys.argv[1])]
import mlflow.pyfunc, pandas as pd
model = mlflow.pyfunc.load_model("pyfunc")
import app
assert "pyfunc/code" in app.__file__, app.__file__
model.predict(pd.DataFrame({"smiles": ["CCO", "nonsense", "CCCCCC"]})).to_parquet("answers.parquet")
assert "sqlalchemy.dialects.postgresql" not in sys.modules
"""


@pytest.mark.req("goal-64", "S1-34")
def test_mlflow_loads_it_without_this_project(made, tmp_path):
    facts = write_pyfunc(made.model, made.folder, made.rows, tmp_path / "pyfunc", new_id())
    assert any(word.startswith("skops==") for word in facts["requirements"])
    assert not any(word.startswith("torch") for word in facts["requirements"])
    assert not [p for p in (tmp_path / "pyfunc").rglob("*") if "pkl" in p.name]
    said = yaml.safe_load((tmp_path / "pyfunc" / "MLmodel").read_text())
    assert said["flavors"]["python_function"]["loader_module"] == "app.exporting.loaded_model"
    assert "smiles" in said["signature"]["inputs"]
    assert said["saved_input_example_info"]
    variables = {n: v for n, v in os.environ.items() if not n.startswith(("RETORT_", "PYTHON"))}
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(ROOT)],
        cwd=tmp_path,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = pd.read_parquet(tmp_path / "answers.parquet")
    asked = pd.DataFrame({"smiles": ["CCO", "nonsense", "CCCCCC"]})
    pd.testing.assert_frame_equal(found, RetortModel(made.model).predict(asked), rtol=1e-9)
    assert list(found["status"]) == ["ok", "error", "ok"]
    assert {"y", "y_lower", "y_upper", "y_confidence", "in_domain"} <= set(found.columns)


def test_the_same_model_is_the_same_folder(made, tmp_path):
    model_id = new_id()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_pyfunc(made.model, made.folder, made.rows, tmp_path / name / "pyfunc", model_id)
    one, other = (
        {
            p.relative_to(tmp_path / n): p.read_bytes()
            for p in (tmp_path / n).rglob("*.*")
            if p.is_file()
        }
        for n in ("a", "b")
    )
    assert one == other


def test_missing_columns_are_named(made):
    with pytest.raises(ValueError, match="smiles"):
        RetortModel(made.model).predict(pd.DataFrame({"x": [1]}))


def test_code_and_packages_are_those_that_are_needed():
    files = code_of("app.exporting.loaded_model")
    assert {"app/__init__.py", "app/algorithms/ridge.py", "app/models/bundle.py"} <= files.keys()
    assert not [name for name in files if name.startswith(("app/jobs", "app/db", "app/training"))]
    of_mlp = packages_of("app.exporting.loaded_model", frozenset({"app.algorithms.mlp"}))
    assert any(word.startswith("torch==") and "+" not in word for word in of_mlp)
    of_trees = packages_of("app.exporting.loaded_model", frozenset({"app.algorithms.lightgbm"}))
    assert any(word.startswith("lightgbm==") for word in of_trees)
    assert not any(word.startswith(("catboost", "torch", "lightning")) for word in of_trees)
