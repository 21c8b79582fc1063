"""The page says how each benchmark is run."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BENCHMARKS = ROOT / "benchmarks"


def test_every_benchmark_is_run_by_make_bench_or_named_with_its_command():
    together = (BENCHMARKS / "__main__.py").read_text()
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    commands = [
        file.stem
        for file in BENCHMARKS.glob("*.py")
        if file.stem != "__main__" and "def main(" in file.read_text()
    ]
    assert "batch_memory" in commands
    for name in commands:
        assert f"    {name}," in together or f"python -m benchmarks.{name}" in page, name
        assert f"benchmarks.{name}" in page or f"`.{name}`" in page, name
