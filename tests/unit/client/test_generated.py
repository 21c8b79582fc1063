"""The client that waits is the one that awaits, word for word."""

import ast
import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "client" / "generate_sync.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("generate_sync", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_nothing_was_changed_by_hand(script):
    assert script.stale() == [], "run: python client/generate_sync.py"


def test_nothing_awaits_in_what_waits(script):
    for path in script.TARGET.glob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        kinds = ast.Await | ast.AsyncFor | ast.AsyncWith | ast.AsyncFunctionDef
        assert not [node for node in nodes if isinstance(node, kinds)], path.name
        assert "Async" not in path.read_text().replace("_async/", ""), path.name


def test_a_change_by_hand_is_noticed(script, tmp_path):
    for path in script.TARGET.glob("*.py"):
        (tmp_path / path.name).write_text(path.read_text())
    (tmp_path / "jobs.py").write_text("# mended\n")
    (tmp_path / "extra.py").write_text("")
    assert script.stale(tmp_path) == ["extra.py", "jobs.py"]
