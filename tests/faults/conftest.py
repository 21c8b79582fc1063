"""One cluster for all incidents, and the table at the end of the run."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.support.fault_cluster import FAST, FaultCluster
from tests.support.scene import Account, Scene
from tests.support.servers import new_home

_ACCOUNTS = pytest.StashKey[list[Account]]()


@pytest.fixture(scope="session")
def fault_cluster():
    """RETORT_FAULT_SETTINGS=product: leases and sweeps as long as in production."""
    product = os.environ.get("RETORT_FAULT_SETTINGS") == "product"
    # a disk that stalls for longer than the short leases is no fault of theirs
    home = new_home("retort-faults-", in_memory=not product)
    cluster = FaultCluster(home, {} if product else FAST)
    try:
        cluster.start()
        with cluster.client() as client:
            Scene.prepare(client)
        yield cluster
    finally:
        cluster.stop()
        if kept := os.environ.get("RETORT_FAULT_LOGS"):
            shutil.copytree(home / "logs", kept, dirs_exist_ok=True)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def bounds(fault_cluster):
    """Seconds in which recovery starts: of a killed worker's job, of a lost message.

    Lease and one sweep, two sweeps; more for the start of the new worker, since the suite restarts
    it on the two cores that everything else runs on: in `make test` that is another suite too.
    """
    settings = fault_cluster.settings
    slack = 20 if FAST.items() <= settings.items() else 5
    lease = float(settings.get("RETORT_LEASE_SECONDS", 60))
    sweep = float(settings.get("RETORT_SWEEP_SECONDS", 10))
    return {"killed": lease + sweep + slack, "message": 2 * sweep + slack}


@pytest.fixture
def scene(fault_cluster, request):
    """An incident named by the test's docstring; everything runs again before and after it."""
    fault_cluster.ensure_running()
    fault_cluster.wait_ready()
    words = (request.function.__doc__ or request.node.name).split("\n")[0]
    case = getattr(request.node, "callspec", None)
    account = Account(fault=words.format(case.id if case else ""))
    request.config.stash.setdefault(_ACCOUNTS, []).append(account)
    with fault_cluster.client() as client:
        yield Scene(fault_cluster, client, account)


def pytest_terminal_summary(terminalreporter, config):
    accounts = config.stash.get(_ACCOUNTS, [])
    if not accounts:
        return
    lines = table(accounts)
    terminalreporter.section("faults")
    for line in lines:
        terminalreporter.write_line(line)
    if path := os.environ.get("RETORT_FAULT_REPORT"):
        Path(path).write_text("\n".join(lines) + "\n")
        Path(path).with_suffix(".json").write_text(
            json.dumps([account.__dict__ for account in accounts], indent=1)
        )


def _seconds(value):
    return f"{value:.1f} s" if value else "-"


def table(accounts):
    """As docs/reliability.md shows it."""
    lines = [
        (
            "| fault | jobs in flight | injected | sent again in: worst | running again in: median"
            " | worst | lost | duplicated |"
        ),
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in accounts:
        middle, worst = one.recovered
        lines.append(
            f"| {one.fault} | {one.in_flight} | {one.injected}"
            f" | {_seconds(one.worst_taken_back)} | {middle} | {worst}"
            f" | {one.lost} | {one.duplicated} |"
        )
    return lines
