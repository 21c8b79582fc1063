"""Dashboard and alerts name only what `/metrics` tells, with labels that it has."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from api.telemetry import Telemetry

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
ALERTS = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
RULES = [rule for group in ALERTS for rule in group["rules"]]
BOARD = json.loads((DEPLOY / "grafana" / "retort.json").read_text())
RULE_TESTS = yaml.safe_load((DEPLOY / "prometheus" / "alerts_test.yml").read_text())["tests"]
RULE_CASES = [case for test in RULE_TESTS for case in test["alert_rule_test"]]
PROMTOOL = os.environ.get("PROMTOOL") or shutil.which("promtool")
EXPRESSIONS = [rule["expr"] for rule in RULES]
EXPRESSIONS += [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]
#: prometheus_client's own, and Prometheus's
FOREIGN = {"process_resident_memory_bytes", "up"}
FOREIGN_LABELS = {"job", "instance", "le"}


class Nothing:
    """Telemetry asks for what it tells only when it is scraped."""

    database = None


@pytest.fixture(scope="module")
def told():
    """{sample name: its labels}"""
    found = {}
    for collector in set(Telemetry(Nothing()).registry._names_to_collectors.values()):
        for family in collector.describe() if hasattr(collector, "describe") else ():
            labels = set(getattr(collector, "_labelnames", getattr(family, "_labelnames", ())))
            suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}
            for suffix in suffixes.get(family.type, [""]):
                found[family.name + suffix] = labels
    return found


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions_name_what_there_is(told, expression):
    names = set(re.findall(r"\b(?:retort|process)_\w+|\bup\b", expression))
    assert names, "an expression about nothing"
    for name in names - FOREIGN:
        assert name in told, name
    for name, inside in re.findall(r"(\w+)\{([^}]*)\}", expression):
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", inside))
        assert labels <= told.get(name, set()) | FOREIGN_LABELS, (name, labels)
    known = set().union(*(told.get(name, set()) for name in names)) | FOREIGN_LABELS
    for inside in re.findall(r"\bby \(([^)]*)\)", expression):
        assert set(re.split(r",\s*", inside)) <= known, inside
    assert expression.count("(") == expression.count(")")


def test_each_metric_is_in_the_guide(told):
    guide = (DEPLOY.parent / "docs" / "monitoring.md").read_text()
    ours = {re.sub(r"_(bucket|count|sum)$", "", name) for name in told if "retort_" in name}
    assert [name for name in sorted(ours) if f"`{name}`" not in guide] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_alert_says_what_to_do(rule):
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["remedy"]
    assert rule["labels"]["severity"] in ("page", "ticket")
    named = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
    kept = re.findall(r"\bby \(([^)]*)\)", rule["expr"])
    assert named <= set(re.split(r",\s*", ", ".join(kept)) if kept else [])


def test_each_alert_has_figures_that_raise_it_and_figures_that_do_not():
    for rule in RULES:
        cases = [case for case in RULE_CASES if case["alertname"] == rule["alert"]]
        assert any(case.get("exp_alerts") for case in cases), rule["alert"]
        assert any(not case.get("exp_alerts") for case in cases), rule["alert"]


@pytest.mark.skipif(PROMTOOL is None, reason="promtool (Debian: prometheus) is not installed")
def test_the_rules_do_so_in_prometheus_itself():
    """CI installs promtool; where it is missing, the cases above are only read."""
    for command in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]):
        said = subprocess.run(
            [PROMTOOL, *command],
            cwd=DEPLOY / "prometheus",
            capture_output=True,
            text=True,
            check=False,
        )
        assert said.returncode == 0, said.stdout + said.stderr


def test_panels_stand_beside_each_other():
    places = [tuple(panel["gridPos"].values()) for panel in BOARD["panels"]]
    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(places)
