"""What `make check` makes of pip-audit's answers, and which rules of ruff watch over security."""

import tomllib
from pathlib import Path

from deploy import audit

ROOT = Path(__file__).resolve().parents[3]
HOLE = {"id": "PYSEC-1", "fix_versions": ["2.0"], "description": "bad"}


def dependency(name, *holes):
    return {"name": name, "version": "1.0", "vulns": list(holes)}


def test_a_known_hole_fails():
    status, lines = audit.judge({"dependencies": [dependency("a"), dependency("b", HOLE)]})
    assert status == 1
    assert lines[0] == "pip-audit: b==1.0: PYSEC-1, mended in 2.0"


def test_an_excused_hole_does_not(monkeypatch):
    monkeypatch.setitem(audit.EXCUSED, "PYSEC-1", "we do not call it")
    status, lines = audit.judge({"dependencies": [dependency("b", HOLE)]})
    assert (status, lines) == (0, ["pip-audit: 1 packages audited, 0 unknown to it"])
    _, lines = audit.judge({"dependencies": [dependency("b")]})
    assert lines[0] == "pip-audit: the excuse for PYSEC-1 is no longer needed"


def test_what_no_database_knows_was_not_audited():
    skipped = {"dependencies": [{"name": "a", "skip_reason": "not found"}]}
    assert audit.judge(skipped) == (
        0,
        ["pip-audit: its database knows none of these packages: nothing was audited"],
    )


def test_without_the_program_it_says_so(capsys):
    assert audit.main("/nowhere/pip-audit", str(ROOT / "requirements.lock")) == 0
    assert "nothing was audited" in capsys.readouterr().out


def test_every_locked_version_is_handed_over():
    lock = (ROOT / "requirements.lock").read_text()
    given = audit.pinned(lock).splitlines()
    assert len(given) > 100
    assert all(line.count("==") == 1 and ";" not in line for line in given)
    assert any(line.startswith("fastapi==") for line in given)


def test_bandit_s_rules_are_on():
    """All of them; only starting a process by arguments of our own is not asked about."""
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert lint["select"] == ["ALL"]
    assert [rule for rule in lint["ignore"] if rule.startswith("S")] == ["S603", "S607"]
    ours = {
        pattern: [rule for rule in rules if rule.startswith("S") and rule[1].isdigit()]
        for pattern, rules in lint["per-file-ignores"].items()
        if pattern.startswith(("app/", "api/", "workers/", "tasks/"))
    }
    assert {rule for rules in ours.values() for rule in rules} == {"S608"}
