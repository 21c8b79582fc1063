"""The site refuses what is broken, and its references are those of the code."""

import importlib.util
import subprocess
import sys

import pytest

from tests.support.guides import ROOT

DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("reference", DOCS / "reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name: "\n".join(write()) for name, write in module._WRITERS.items()}


def build(folder, pages):
    """`make docs` with other pages."""
    for name, text in pages.items():
        (folder / name).write_text(text)
    options = ("-b", "html", "--fail-on-warning", "--keep-going", "--nitpicky", "--quiet")
    return subprocess.run(
        [sys.executable, "-m", "sphinx", *options, "-c", DOCS, folder, folder / "site"],
        check=False,
        capture_output=True,
        text=True,
    )


INDEX = "# Index\n\n```{toctree}\npage\n```\n"


@pytest.mark.parametrize(
    ("page", "complaint"),
    [
        ("# Page\n\n[there](index.md) and [here](#page)\n", None),
        ("# Page\n\n[nowhere](missing.md)\n", "missing.md"),
        ("# Page\n\n[no heading](index.md#nothing)\n", "nothing"),
        ("# Page\n\n```{nonsense}\n```\n", "nonsense"),
    ],
)
def test_what_is_broken_fails_the_build(tmp_path, page, complaint):
    done = build(tmp_path, {"index.md": INDEX, "page.md": page})
    assert (done.returncode == 0) is (complaint is None), done.stderr
    assert complaint is None or complaint in done.stderr


def test_a_page_that_nobody_leads_to_fails_the_build(tmp_path):
    done = build(tmp_path, {"index.md": INDEX, "page.md": "# Page\n", "lonely.md": "# Lonely\n"})
    assert done.returncode != 0
    assert "lonely.md" in done.stderr


def test_every_command_stands_in_the_reference(reference):
    assert "## retort data push" in reference["commands"]
    assert "| `--target` | Target column; repeatable. |" in reference["commands"]


def test_the_client_is_described_by_its_docstrings(reference):
    assert reference["client"].startswith("## Retort\n")
    assert "## client.datasets" in reference["client"]
    assert "- `cancel(job)` At once while it waits" in reference["client"]
    assert "| `JobFailed` |" in reference["client"]


def test_routes_and_catalogue_are_those_of_the_code(reference):
    assert "| `POST /api/v1/jobs` |" in reference["routes"]
    assert "### lightgbm" in reference["catalogue"]
    assert "| `learning_rate` | `0.03` | > 0, <= 1 |" in reference["catalogue"]


def test_settings_show_no_place_of_a_secret(reference):
    rows = {line.split("`")[1]: line for line in reference["settings"].splitlines() if "`" in line}
    assert "| `60.0` |" in rows["RETORT_LEASE_SECONDS"]
    assert "postgresql://retort@" not in rows["RETORT_DATABASE_URL"].split("|")[2]
